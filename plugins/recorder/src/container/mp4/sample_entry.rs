//! How samples are encoded: entries of the sample description (ISO/IEC
//! 14496-12 §8.5.2 and the bindings of each codec).

use rivero_codec::{Codec, Shape, Track};

use super::boxes::Boxes;

/// The `stsd` box of a track.
pub(super) fn description(track: &Track) -> Boxes {
    let entry = match track.shape {
        Shape::Video { width, height } => video(track, width, height),
        Shape::Audio { rate, channels } => audio(track, rate, channels),
    };
    let entries = Boxes::new().u32(1).bytes(&entry.into_bytes());
    Boxes::new().full(b"stsd", 0, 0, entries)
}

fn video(track: &Track, width: u16, height: u16) -> Boxes {
    const RESOLUTION: u32 = 0x48_0000; // 72 dpi
    let (kind, configuration): (&[u8; 4], &[u8; 4]) = match track.codec {
        Codec::H265 => (b"hev1", b"hvcC"),
        Codec::Av1 => (b"av01", b"av1C"),
        Codec::Vp9 => (b"vp09", b"vpcC"),
        _ => (b"avc1", b"avcC"),
    };
    let content = Boxes::new()
        .zeros(6)
        .u16(1) // data_reference_index
        .zeros(16)
        .u16(width)
        .u16(height)
        .u32(RESOLUTION)
        .u32(RESOLUTION)
        .u32(0)
        .u16(1) // frame_count
        .zeros(32) // compressorname
        .u16(24) // depth
        .u16(0xffff)
        .child(configuration, Boxes::new().bytes(&track.configuration));
    Boxes::new().child(kind, content)
}

fn audio(track: &Track, rate: u32, channels: u8) -> Boxes {
    let content = Boxes::new()
        .zeros(6)
        .u16(1) // data_reference_index
        .zeros(8)
        .u16(channels.into())
        .u16(16) // samplesize
        .zeros(4)
        .u32(rate.min(0xffff) << 16);
    match track.codec {
        Codec::Opus => Boxes::new().child(b"Opus", content.child(b"dOps", opus(channels))),
        _ => Boxes::new().child(
            b"mp4a",
            content.full(b"esds", 0, 0, descriptors(&track.configuration)),
        ),
    }
}

/// OpusSpecificBox (Encapsulation of Opus in ISO Base Media File Format §4.3.2):
/// version, channels, no pre-skip, rate, no gain, mapping family 0.
fn opus(channels: u8) -> Boxes {
    Boxes::new()
        .u8(0)
        .u8(channels)
        .u16(0)
        .u32(48_000)
        .u16(0)
        .u8(0)
}

/// ES_Descriptor of AAC (ISO/IEC 14496-1 §7.2.6, 14496-14 §3.1).
fn descriptors(config: &[u8]) -> Boxes {
    const AAC: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5 << 2 | 1;
    let specific = descriptor(5, config);
    let mut decoder = vec![AAC, AUDIO_STREAM];
    decoder.extend([0; 11]); // buffer size and bitrates: unknown
    decoder.extend(specific);
    let mut stream = vec![0, 0, 0]; // ES_ID, no flags
    stream.extend(descriptor(4, &decoder));
    stream.extend(descriptor(6, &[2]));
    Boxes::new().bytes(&descriptor(3, &stream))
}

fn descriptor(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    for shift in [21, 14, 7] {
        bytes.push(0x80 | u8::try_from(length >> shift & 0x7f).unwrap_or_default());
    }
    bytes.push(u8::try_from(length & 0x7f).unwrap_or_default());
    bytes.extend_from_slice(content);
    bytes
}
