//! A stream as files and streaming protocols announce it.

use std::ops::Range;

use crate::{Colour, aac, av1, h264, h265, opus, vp8, vp9};

/// The encodings that are understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 6386.
    Vp8,
    /// VP9 bitstream specification.
    Vp9,
    /// AV1 bitstream specification.
    Av1,
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
    /// ITU-T T.81; a frame is a picture.
    Jpeg,
    /// RFC 6716.
    Opus,
    /// ISO/IEC 14496-3, without ADTS around the frames.
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

    /// The encoding name: that of RTP (`a=rtpmap`) where there is one.
    #[must_use]
    pub fn name(self) -> &'static str {
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

    /// The codec of an encoding name; letter case does not matter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Sound; the others are pictures.
    #[must_use]
    pub fn is_audio(self) -> bool {
        matches!(self, Self::Opus | Self::Aac)
    }

    /// Clock rate (Hz) and channels where nothing says which: 48 kHz and stereo for sound, the 90 kHz
    /// of RTP and no channels for video.
    #[must_use]
    pub fn default_rate(self) -> (u32, u8) {
        if self.is_audio() {
            (48_000, 2)
        } else {
            (90_000, 0)
        }
    }
}

/// Size of a picture, or of a moment of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Of a picture.
    Video {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// Of sound.
    Audio {
        /// Samples of a channel in a second.
        rate: u32,
        /// How many there are.
        channels: u8,
    },
}

impl Shape {
    /// The shape of pictures of so many pixels. `None` where a side is nothing, as a hostile header
    /// may say, or more than the 16 bits that containers have for it.
    pub fn picture(width: impl TryInto<u16>, height: impl TryInto<u16>) -> Option<Self> {
        let (width, height) = (width.try_into().ok()?, height.try_into().ok()?);
        (width > 0 && height > 0).then_some(Self::Video { width, height })
    }
}

/// What is known of sound beside its frames, which say little of it. Video needs none of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioParameters<'a> {
    /// Hz, 0 where unknown.
    pub rate: u32,
    /// 0 where unknown.
    pub channels: u8,
    /// AudioSpecificConfig of AAC.
    pub configuration: Option<&'a [u8]>,
}

/// A stream as a container announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// How it is encoded.
    pub codec: Codec,
    /// Size of the picture, or what sound is like; 0 by 0 for JPEG, whose frames say it themselves
    /// wherever they go.
    pub shape: Shape,
    /// What a decoder needs before the first frame, in the form that both Matroska's CodecPrivate
    /// and the box of MP4 have: avcC, hvcC, av1C, vpcC, OpusHead, AudioSpecificConfig; empty for the
    /// others.
    pub configuration: Vec<u8>,
    /// What the stream says of its colours, if anything; `None` for sound.
    pub colour: Option<Colour>,
    /// By how many quarters clockwise a player has to turn the picture, 0 to 3. No bitstream says that: it
    /// is for whoever knows.
    pub quarter_turns: u8,
    /// Samples of a channel by which decoded sound is behind the times of its frames. As many at its
    /// beginning are none of what was encoded.
    pub pre_skip: u16,
}

/// What a keyframe says of its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Size of the picture.
    pub shape: Shape,
    /// As that of a [`Track`].
    pub configuration: Vec<u8>,
    /// As that of a [`Track`].
    pub colour: Option<Colour>,
}

impl Description {
    /// Of a stream that says nothing but this.
    fn of(shape: Shape, configuration: Vec<u8>) -> Self {
        Self {
            shape,
            configuration,
            colour: None,
        }
    }
}

/// A frame in the form that containers have it in, as far as possible without copying it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerForm {
    /// These bytes of the frame as they are.
    Part(Range<usize>),
    /// Other bytes.
    Copy(Vec<u8>),
}

impl ContainerForm {
    /// The bytes of the form that `frame` has.
    #[must_use]
    pub fn bytes<'a>(&'a self, frame: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Part(range) => frame.get(range.clone()).unwrap_or_default(),
            Self::Copy(bytes) => bytes,
        }
    }
}

impl Track {
    /// Reads what is to be known of a stream from a frame, for video a keyframe: a byte stream
    /// (Annex B) with parameter sets for H.264 and H.265, a temporal unit in the low-overhead format
    /// for AV1. `None` when that frame is not what the codec says.
    #[must_use]
    pub fn of(codec: Codec, audio: AudioParameters<'_>, frame: &[u8]) -> Option<Self> {
        let (default_rate, default_channels) = codec.default_rate();
        let rate = match audio.rate {
            0 => default_rate,
            rate => rate,
        };
        let channels = match audio.channels {
            0 => default_channels,
            channels => channels,
        };
        let sound = Shape::Audio { rate, channels };
        let Description {
            shape,
            configuration,
            colour,
        } = match codec {
            Codec::Vp8 => vp8::describe(frame)?,
            Codec::Vp9 => vp9::describe(frame)?,
            Codec::Av1 => av1::describe(frame)?,
            Codec::H264 => h264::describe(frame)?,
            Codec::H265 => h265::describe(frame)?,
            Codec::Jpeg => {
                let shape = Shape::Video {
                    width: 0,
                    height: 0,
                };
                Description::of(shape, Vec::new())
            }
            Codec::Opus => Description::of(sound, opus::head(channels)),
            Codec::Aac => {
                let (shape, configuration) = aac::describe(audio.configuration, rate, channels);
                Description::of(shape, configuration)
            }
        };
        Some(Self {
            codec,
            shape,
            configuration,
            colour,
            quarter_turns: 0,
            pre_skip: match codec {
                Codec::Opus => opus::PRE_SKIP,
                // What comes with a configuration was made elsewhere, and has the times of decoded sound.
                Codec::Aac if audio.configuration.is_none() => aac::ENCODER_DELAY,
                _ => 0,
            },
        })
    }

    /// Says what whoever sends the stream says of its colours, beside it or against it.
    pub fn set_colour(&mut self, colour: Colour) {
        self.colour = Some(colour);
        if self.codec == Codec::Vp9 {
            vp9::set_colour(&mut self.configuration, colour);
        }
    }

    /// The pre-skip as a time, ns.
    #[must_use]
    pub fn delay(&self) -> u64 {
        match self.shape {
            Shape::Audio { rate, .. } => {
                u64::from(self.pre_skip) * 1_000_000_000 / u64::from(rate.max(1))
            }
            Shape::Video { .. } => 0,
        }
    }

    /// A frame in the form of containers: units behind lengths of four bytes and without delimiters
    /// for H.264 and H.265, without delimiters for AV1, as it is for the others.
    #[must_use]
    pub fn container_form(&self, frame: &[u8]) -> ContainerForm {
        match self.codec {
            Codec::H264 => ContainerForm::Copy(h264::length_prefixed(frame)),
            Codec::H265 => ContainerForm::Copy(h265::length_prefixed(frame)),
            Codec::Av1 => av1::without_delimiters(frame),
            _ => ContainerForm::Part(0..frame.len()),
        }
    }

    /// How long a frame of sound lasts, in ns; 0 for video, where only the next frame tells.
    #[must_use]
    pub fn duration(&self, frame: &[u8]) -> i64 {
        let Shape::Audio { rate, .. } = self.shape else {
            return 0;
        };
        match self.codec {
            Codec::Opus => opus::duration(frame),
            _ => i64::from(aac::SAMPLES_PER_FRAME) * 1_000_000_000 / i64::from(rate.max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::Index};

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
        Track::of(codec, AudioParameters::default(), frame)
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
                    prop_assert!(track.configuration.len() <= data.len() + 64);
                    let form = track.container_form(data);
                    // Each start code of three bytes becomes a length of four.
                    prop_assert!(form.bytes(data).len() <= data.len() + data.len() / 3 + 4);
                }
            }
        }
    }
}
