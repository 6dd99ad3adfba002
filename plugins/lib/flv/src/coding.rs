//! Encodings by the names that FLV and RTMP have for them.

/// An encoding of pictures or sound that is read and written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// H.264.
    Avc,
    /// H.265.
    Hevc,
    /// AV1.
    Av1,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// AAC without ADTS.
    Aac,
    /// Opus.
    Opus,
}

impl Coding {
    /// All of them: pictures, then sound.
    pub const ALL: [Self; 7] = [
        Self::Avc,
        Self::Hevc,
        Self::Av1,
        Self::Vp8,
        Self::Vp9,
        Self::Aac,
        Self::Opus,
    ];

    /// Its four characters in Enhanced RTMP.
    #[must_use]
    pub fn four_cc(self) -> &'static str {
        match self {
            Self::Avc => "avc1",
            Self::Hevc => "hvc1",
            Self::Av1 => "av01",
            Self::Vp8 => "vp08",
            Self::Vp9 => "vp09",
            Self::Aac => "mp4a",
            Self::Opus => "Opus",
        }
    }

    /// The encoding of four characters.
    #[must_use]
    pub fn from_four_cc(four_cc: [u8; 4]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|coding| coding.four_cc().as_bytes() == four_cc)
    }

    /// Sound; the others are pictures.
    #[must_use]
    pub fn is_audio(self) -> bool {
        matches!(self, Self::Aac | Self::Opus)
    }

    /// Whether frames say how much later than decoded they are shown: those of the encodings whose
    /// pictures travel in another order than they are shown.
    #[must_use]
    pub fn has_composition_time(self) -> bool {
        matches!(self, Self::Avc | Self::Hevc)
    }

    /// `videocodecid` or `audiocodecid` of `onMetaData`: the number of the first FLV where there is one,
    /// else the four characters as a number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Avc => 7,
            Self::Aac => 10,
            other => other
                .four_cc()
                .bytes()
                .fold(0, |number, byte| number << 8 | u32::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_characters_name_one_encoding() {
        for coding in Coding::ALL {
            let name = coding.four_cc().as_bytes().try_into().unwrap();
            assert_eq!(Coding::from_four_cc(name), Some(coding));
        }
        assert_eq!(Coding::from_four_cc(*b"vvc1"), None);
        assert_eq!(
            (Coding::Avc.number(), Coding::Hevc.number()),
            (7, 0x6876_6331)
        );
    }
}
