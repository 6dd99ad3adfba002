//! The part of a format's parameters that decides whether two streams are the same format.
//!
//! Levels, frame sizes and rate limits are not part of it: a forwarded stream does not change with
//! them. Values missing from `a=fmtp` are the defaults of the payload format.

use super::FormatParameters;

/// Profile of an H.264 stream, from the first two bytes of profile-level-id (RFC 6184 §8.1,
/// table 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum H264Profile {
    /// Constrained Baseline, what WebRTC peers share (RFC 7742 §6.2).
    ConstrainedBaseline,
    /// Baseline.
    Baseline,
    /// Extended.
    Extended,
    /// Main.
    Main,
    /// Constrained High.
    ConstrainedHigh,
    /// High.
    High,
    /// Any other: profile_idc and the constraint flags of profile_iop.
    Other(u8, u8),
}

impl H264Profile {
    /// From profile_idc and profile_iop.
    pub fn from_bytes(idc: u8, iop: u8) -> Self {
        match (idc, iop) {
            (0x42, iop) if iop & 0x4f == 0x40 => Self::ConstrainedBaseline,
            (0x4d, iop) if iop & 0x8f == 0x80 => Self::ConstrainedBaseline,
            (0x58, iop) if iop & 0xcf == 0xc0 => Self::ConstrainedBaseline,
            (0x42, iop) if iop & 0x4f == 0x00 => Self::Baseline,
            (0x58, iop) if iop & 0xcf == 0x80 => Self::Baseline,
            (0x58, iop) if iop & 0xcf == 0x00 => Self::Extended,
            (0x4d, iop) if iop & 0xaf == 0x00 => Self::Main,
            (0x64, 0x0c) => Self::ConstrainedHigh,
            (0x64, 0x00) => Self::High,
            (idc, iop) => Self::Other(idc, iop),
        }
    }

    /// From the six hexadecimal digits of profile-level-id.
    pub fn from_profile_level_id(text: &str) -> Option<Self> {
        // from_str_radix would take a sign for a digit.
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(text, 16).ok()?;
        let [_, idc, iop, _level] = value.to_be_bytes();
        Some(Self::from_bytes(idc, iop))
    }

    /// A short stable name, e.g. `constrained-baseline`; `idc-iop` in hexadecimal for others.
    pub fn name(self) -> String {
        match self {
            Self::ConstrainedBaseline => "constrained-baseline".to_owned(),
            Self::Baseline => "baseline".to_owned(),
            Self::Extended => "extended".to_owned(),
            Self::Main => "main".to_owned(),
            Self::ConstrainedHigh => "constrained-high".to_owned(),
            Self::High => "high".to_owned(),
            Self::Other(idc, iop) => format!("{idc:02x}-{iop:02x}"),
        }
    }
}

/// Canonical match parameters of a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchParameters {
    /// The name, rate and channels say everything (Opus, PCMU, VP8 …).
    None,
    /// H.264.
    H264 {
        /// Constrained Baseline when profile-level-id is missing or unreadable, as WebRTC stacks
        /// assume.
        profile: H264Profile,
        /// 0 when missing (RFC 6184 §8.1).
        packetization_mode: u8,
    },
    /// H.265 (RFC 7798 §7.1).
    H265 {
        /// 1 (Main) when missing.
        profile_id: u8,
        /// 0 (Main tier) when missing.
        tier_flag: u8,
    },
    /// VP9 (RFC 9628 §6.1).
    Vp9 {
        /// 0 when missing.
        profile_id: u8,
    },
    /// AV1 (AV1 RTP payload specification §7.2.1).
    Av1 {
        /// 0 (Main) when missing.
        profile: u8,
        /// 0 (Main tier) when missing.
        tier: u8,
    },
}

impl MatchParameters {
    /// The match parameters of the encoding `name` with the given `a=fmtp` parameters.
    pub fn of(name: &str, parameters: &FormatParameters) -> Self {
        let number = |name: &str, default: u8| parameters.number(name).unwrap_or(default);
        match name.to_ascii_uppercase().as_str() {
            "H264" => Self::H264 {
                profile: parameters
                    .get("profile-level-id")
                    .and_then(H264Profile::from_profile_level_id)
                    .unwrap_or(H264Profile::ConstrainedBaseline),
                packetization_mode: number("packetization-mode", 0),
            },
            "H265" => Self::H265 {
                profile_id: number("profile-id", 1),
                tier_flag: number("tier-flag", 0),
            },
            "VP9" => Self::Vp9 {
                profile_id: number("profile-id", 0),
            },
            "AV1" => Self::Av1 {
                profile: number("profile", 0),
                tier: number("tier", 0),
            },
            _ => Self::None,
        }
    }

    /// Name and value of each parameter in a fixed order, for a format that compares by text.
    pub fn canonical(self) -> Vec<(&'static str, String)> {
        match self {
            Self::None => Vec::new(),
            Self::H264 {
                profile,
                packetization_mode,
            } => vec![
                ("profile", profile.name()),
                ("packetization-mode", packetization_mode.to_string()),
            ],
            Self::H265 {
                profile_id,
                tier_flag,
            } => vec![
                ("profile-id", profile_id.to_string()),
                ("tier-flag", tier_flag.to_string()),
            ],
            Self::Vp9 { profile_id } => vec![("profile-id", profile_id.to_string())],
            Self::Av1 { profile, tier } => {
                vec![("profile", profile.to_string()), ("tier", tier.to_string())]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, parameters: &str) -> MatchParameters {
        MatchParameters::of(name, &FormatParameters::new(parameters))
    }

    #[test]
    fn h264_profiles_of_browsers() {
        for (text, profile) in [
            ("42001f", H264Profile::Baseline),
            ("42e01f", H264Profile::ConstrainedBaseline),
            ("42E034", H264Profile::ConstrainedBaseline),
            ("4d001f", H264Profile::Main),
            ("640c1f", H264Profile::ConstrainedHigh),
            ("64001f", H264Profile::High),
            ("6e001f", H264Profile::Other(0x6e, 0)),
        ] {
            assert_eq!(
                H264Profile::from_profile_level_id(text),
                Some(profile),
                "{text}"
            );
        }
        assert_eq!(H264Profile::from_profile_level_id("+2e01f"), None);
        assert_eq!(H264Profile::from_profile_level_id("xyz"), None);
    }

    #[test]
    fn the_level_does_not_matter() {
        assert_eq!(
            of("H264", "profile-level-id=42e01f;packetization-mode=1"),
            of("h264", "packetization-mode=1; profile-level-id=42e034"),
        );
        assert_ne!(
            of("H264", "profile-level-id=42e01f;packetization-mode=1"),
            of("H264", "profile-level-id=42e01f"),
        );
    }

    #[test]
    fn missing_parameters_are_defaults() {
        assert_eq!(of("VP9", ""), of("VP9", "profile-id=0"));
        assert_eq!(of("AV1", ""), of("AV1", "level-idx=5;profile=0;tier=0"));
        assert_eq!(of("opus", "stereo=1"), MatchParameters::None);
    }

    #[test]
    fn canonical_text_is_stable() {
        let text = of("H264", "packetization-mode=1;profile-level-id=4d001f").canonical();
        assert_eq!(
            text,
            vec![
                ("profile", "main".to_owned()),
                ("packetization-mode", "1".to_owned())
            ]
        );
    }
}
