//! RTP packets: header, extensions, and what a payload says of itself.

use rivero_rtp::{
    RtpHeader,
    codec::{VideoCodec, nal},
};

const CODECS: [VideoCodec; 5] = [
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::H264,
    VideoCodec::H265,
    VideoCodec::Av1,
];

pub(crate) fn run(input: &[u8]) {
    let Ok(header) = RtpHeader::parse(input) else {
        return;
    };
    for extension in header.extensions(input) {
        std::hint::black_box(extension);
    }
    let Ok(payload) = header.payload(input) else {
        return;
    };
    assert!(payload.len() < input.len());
    for codec in CODECS {
        std::hint::black_box(codec.inspect(payload));
        std::hint::black_box(nal::begins_random_access(codec, payload));
        std::hint::black_box(nal::fragment(codec, payload));
        for unit in nal::whole_units(codec, payload) {
            std::hint::black_box(nal::set_id(codec, unit));
        }
    }
}
