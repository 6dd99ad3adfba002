//! What a forwarder has to know of a video payload: where keyframes begin, and the layers.
//!
//! Only payload descriptors and unit headers are read, never the coded picture, and always of one
//! packet alone.

pub mod av1;
pub mod h264;
pub mod h265;
pub mod nal;
pub mod vp8;
pub mod vp9;

use crate::payload::aggregated;

/// The video codecs with a payload format that is understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// The RTP payload format of the Alliance for Open Media, version 1.0.
    Av1,
}

/// What one packet's payload says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadInfo {
    /// A decoder can begin with this packet.
    pub keyframe_start: bool,
    /// Temporal layer, 0 for the base layer and for streams without layers.
    pub temporal_layer: u8,
    /// Spatial layer within one stream, 0 for the base layer and for streams without layers.
    pub spatial_layer: u8,
    /// The picture's number, 7 or 15 bits, if the payload format has one.
    pub picture_id: Option<u16>,
    /// The packet begins a frame with which a receiver of lower temporal layers may go up to this
    /// one.
    pub layer_sync: bool,
    /// No other frame depends on this one.
    pub discardable: bool,
}

impl VideoCodec {
    /// The codec with this encoding name in an `a=rtpmap` line; letter case does not matter.
    #[must_use]
    pub fn from_encoding_name(name: &str) -> Option<Self> {
        [
            ("VP8", Self::Vp8),
            ("VP9", Self::Vp9),
            ("H264", Self::H264),
            ("H265", Self::H265),
            ("AV1", Self::Av1),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, codec)| codec)
    }

    /// Reads `payload`, which has no padding. A malformed one says nothing: it is like a packet
    /// from the middle of a frame of the base layer.
    #[inline]
    #[must_use]
    pub fn inspect(self, payload: &[u8]) -> PayloadInfo {
        let keyframe_only = |keyframe_start| PayloadInfo {
            keyframe_start,
            ..PayloadInfo::default()
        };
        match self {
            Self::Vp8 => {
                vp8::Descriptor::parse(payload).map_or_else(Default::default, |d| PayloadInfo {
                    keyframe_start: d.is_keyframe_start(payload),
                    temporal_layer: d.temporal_layer.unwrap_or(0),
                    spatial_layer: 0,
                    picture_id: d.picture_id,
                    layer_sync: d.layer_sync && d.partition_start && d.partition == 0,
                    discardable: d.non_reference,
                })
            }
            Self::Vp9 => {
                vp9::Descriptor::parse(payload).map_or_else(Default::default, |d| PayloadInfo {
                    keyframe_start: d.is_keyframe_start(),
                    temporal_layer: d.temporal_layer,
                    spatial_layer: d.spatial_layer,
                    picture_id: d.picture_id,
                    layer_sync: d.switching_up_point && d.frame_start,
                    discardable: false,
                })
            }
            Self::H264 => PayloadInfo {
                discardable: h264::is_discardable(payload),
                ..keyframe_only(h264::is_keyframe_start(payload))
            },
            Self::H265 => keyframe_only(h265::is_keyframe_start(payload)),
            Self::Av1 => {
                let (temporal_layer, spatial_layer) = av1::layers(payload).unwrap_or_default();
                PayloadInfo {
                    temporal_layer,
                    spatial_layer,
                    ..keyframe_only(av1::is_keyframe_start(payload))
                }
            }
        }
    }
}

/// Whether the first byte of any NAL unit in an aggregation packet, up to one that is cut off, is as
/// wanted. `units`: what follows the packet's own header.
#[inline]
fn any_aggregated(units: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    aggregated(units)
        .map_while(Result::ok)
        .any(|unit| unit.first().is_some_and(|header| wanted(*header)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [VideoCodec; 5] = [
        VideoCodec::Vp8,
        VideoCodec::Vp9,
        VideoCodec::H264,
        VideoCodec::H265,
        VideoCodec::Av1,
    ];

    #[test]
    fn names_are_those_of_sdp() {
        assert_eq!(VideoCodec::from_encoding_name("vp8"), Some(VideoCodec::Vp8));
        assert_eq!(
            VideoCodec::from_encoding_name("H264"),
            Some(VideoCodec::H264)
        );
        assert_eq!(VideoCodec::from_encoding_name("opus"), None);
    }

    #[test]
    fn all_short_payloads_say_only_what_their_codec_can() {
        for codec in ALL {
            // The highest layers that the fields of the codec's payload format can name.
            let (temporal, spatial) = match codec {
                VideoCodec::Vp8 => (3, 0),
                VideoCodec::Vp9 => (7, 7),
                VideoCodec::Av1 => (7, 3),
                VideoCodec::H264 | VideoCodec::H265 => (0, 0),
            };
            let read = |payload: &[u8]| {
                let info = codec.inspect(payload);
                assert!(
                    info.temporal_layer <= temporal,
                    "{codec:?} {payload:?}: {info:?}"
                );
                assert!(
                    info.spatial_layer <= spatial,
                    "{codec:?} {payload:?}: {info:?}"
                );
                assert!(
                    info.picture_id.is_none_or(|id| id < 1 << 15),
                    "{codec:?} {payload:?}: {info:?}"
                );
            };
            assert_eq!(codec.inspect(&[]), PayloadInfo::default());
            for first in 0..=255u8 {
                read(&[first]);
                for second in 0..=255u8 {
                    read(&[first, second]);
                    read(&[first, second, 0xff, 0xff, second]);
                }
            }
        }
    }

    #[test]
    fn a_descriptor_that_is_cut_off_says_nothing() {
        // RFC 7741 §4.2: X, I with a long picture id, L, T. RFC 9628 §4.2: I, L, F with P_DIFF, V.
        let vp8: &[u8] = &[0x90, 0xf0, 0x81, 0x02, 0x07, 0x60];
        let vp9: &[u8] = &[0xac, 0x81, 0x02, 0x20, 0x07];
        for (codec, descriptor) in [(VideoCodec::Vp8, vp8), (VideoCodec::Vp9, vp9)] {
            for end in 0..descriptor.len() {
                let info = codec.inspect(&descriptor[..end]);
                assert_eq!(info, PayloadInfo::default(), "{codec:?} {end}");
            }
            let whole = [descriptor, &[0; 10]].concat();
            assert_eq!(codec.inspect(&whole).picture_id, Some(0x102), "{codec:?}");
        }
    }
}
