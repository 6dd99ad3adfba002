//! What containers need to know of encoded media.

mod aac;
mod annex_b;
mod av1;
mod bits;
mod h264;
mod h265;
mod opus;
mod vp8;
mod vp9;

use rivero_plugin_api::{Bytes, Format, MediaKind};

/// The encodings that some container here can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Vp8,
    Vp9,
    Av1,
    H264,
    H265,
    Jpeg,
    Opus,
    Aac,
}

impl Codec {
    const ALL: [Self; 8] = [
        Self::Vp8,
        Self::Vp9,
        Self::Av1,
        Self::H264,
        Self::H265,
        Self::Jpeg,
        Self::Opus,
        Self::Aac,
    ];

    /// The encoding name of a [`Format`].
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Jpeg => "JPEG",
            Self::Opus => "OPUS",
            Self::Aac => "AAC",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Aac => MediaKind::Audio,
            _ => MediaKind::Video,
        }
    }

    /// Clock rate and channels that are asked for where a conversion has the choice.
    pub(crate) fn rate(self) -> (u32, u8) {
        match self {
            Self::Opus | Self::Aac => (48_000, 2),
            _ => (90_000, 0),
        }
    }
}

/// A track of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Track {
    pub(crate) codec: Codec,
    pub(crate) shape: Shape,
    /// What a decoder needs before the first sample, in the form that both
    /// Matroska's CodecPrivate and the MP4 box have: avcC, hvcC, av1C, vpcC,
    /// OpusHead, AudioSpecificConfig; empty for the others.
    pub(crate) private: Vec<u8>,
}

/// Size of a picture, or of a moment of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Pixels.
    Video { width: u16, height: u16 },
    /// Hz.
    Audio { rate: u32, channels: u8 },
}

impl Shape {
    /// `None` where a side is nothing, as a hostile header may say, or more than containers can.
    fn picture(width: impl TryInto<u16>, height: impl TryInto<u16>) -> Option<Self> {
        let (width, height) = (width.try_into().ok()?, height.try_into().ok()?);
        (width > 0 && height > 0).then_some(Self::Video { width, height })
    }
}

impl Track {
    pub(crate) fn kind(&self) -> MediaKind {
        self.codec.kind()
    }

    /// Reads what is to be known of a track from its first frame, for video a
    /// keyframe. `None` when that frame is not what the format says.
    pub(crate) fn of(format: &Format, frame: &[u8]) -> Option<Self> {
        let codec = Codec::from_name(&format.encoding)?;
        let (rate, channels) = codec.rate();
        let rate = if format.clock_rate > 0 {
            format.clock_rate
        } else {
            rate
        };
        let channels = if format.channels > 0 {
            format.channels
        } else {
            channels
        };
        let sound = Shape::Audio { rate, channels };
        let (shape, private) = match codec {
            Codec::Vp8 => (vp8::size(frame)?, Vec::new()),
            Codec::Vp9 => vp9::describe(frame)?,
            Codec::Av1 => av1::describe(frame)?,
            Codec::H264 => h264::describe(frame)?,
            Codec::H265 => h265::describe(frame)?,
            Codec::Jpeg => (
                Shape::Video {
                    width: 0,
                    height: 0,
                },
                Vec::new(),
            ),
            Codec::Opus => (sound, opus::head(channels)),
            Codec::Aac => aac::describe(format, rate, channels),
        };
        Some(Self {
            codec,
            shape,
            private,
        })
    }

    /// A frame in the form that containers have it in.
    pub(crate) fn repack(&self, frame: &Bytes) -> Bytes {
        match self.codec {
            Codec::H264 => annex_b::length_prefixed(frame, h264::is_needed).into(),
            Codec::H265 => annex_b::length_prefixed(frame, h265::is_needed).into(),
            Codec::Av1 => av1::without_delimiters(frame),
            _ => frame.clone(),
        }
    }

    /// How long a frame of sound lasts, ns; 0 where only the next one tells.
    pub(crate) fn duration(&self, frame: &[u8]) -> i64 {
        let Shape::Audio { rate, .. } = self.shape else {
            return 0;
        };
        match self.codec {
            Codec::Opus => opus::duration(frame),
            // Of AAC a frame is 1024 samples.
            _ => 1024 * 1_000_000_000 / i64::from(rate.max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::Index};
    use rivero_plugin_api::Packaging;

    const KEYFRAME_OF_VP8: [u8; 10] = [0x10, 0x02, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0];

    /// A keyframe of each codec that can be described.
    fn keyframes() -> [(Codec, Vec<u8>); 5] {
        [
            (Codec::Vp8, KEYFRAME_OF_VP8.to_vec()),
            (Codec::Vp9, vp9::tests::KEYFRAME.to_vec()),
            (Codec::Av1, av1::tests::FRAME.to_vec()),
            (Codec::H264, h264::tests::keyframe()),
            (Codec::H265, h265::tests::keyframe()),
        ]
    }

    fn track_of(codec: Codec, frame: &[u8]) -> Option<Track> {
        let format = Format {
            packaging: Packaging::Frame,
            ..Format::rtp(codec.name(), 90_000, 0)
        };
        Track::of(&format, frame)
    }

    #[test]
    fn every_keyframe_says_what_its_picture_is_like() {
        for (codec, frame) in keyframes() {
            let track = track_of(codec, &frame).unwrap();
            assert_eq!(track.shape, Shape::picture(320, 240).unwrap(), "{codec:?}");
        }
    }

    proptest! {
        /// Changed headers of real keyframes, so that reading gets far, and bytes of any kind.
        #[test]
        fn any_bytes_are_a_picture_with_sides_or_refused(
            changes in vec((any::<Index>(), any::<u8>()), 0..4),
            length in any::<Index>(),
            noise in vec(any::<u8>(), 0..64),
        ) {
            for (codec, mut frame) in keyframes() {
                for (at, value) in &changes {
                    let at = at.index(frame.len());
                    frame[at] = *value;
                }
                let cut = frame[..=length.index(frame.len())].to_vec();
                for data in [&frame, &cut, &noise] {
                    let Some(track) = track_of(codec, data) else {
                        continue;
                    };
                    let Shape::Video { width, height } = track.shape else {
                        return Err(TestCaseError::fail("sound"));
                    };
                    prop_assert!(width > 0 && height > 0, "{:?} {}x{}", codec, width, height);
                    // Parameter sets and a few fields about them, nothing made up.
                    prop_assert!(track.private.len() <= data.len() + 64);
                    let repacked = track.repack(&Bytes::copy_from(data));
                    // Each start code of three bytes becomes a length of four.
                    prop_assert!(repacked.len() <= data.len() + data.len() / 3 + 4);
                }
            }
        }
    }
}
