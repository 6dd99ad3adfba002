//! The part of a format's parameters that decides whether two streams are the same format.
//!
//! Levels, frame sizes and rate limits are not part of it: a forwarded stream does not change with
//! them. Values missing from `a=fmtp` are the defaults of the payload format.
//!
//! Each codec has a small, fixed set of them, namely the profiles that decoders know. A peer that
//! makes up others names a format that nobody can decode, and such formats are not negotiated: so
//! no description can bring about more formats than there are here.

use std::ops::RangeInclusive;

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
    /// High 10.
    High10,
    /// High 4:2:2.
    High422,
    /// High 4:4:4 Predictive.
    High444,
    /// CAVLC 4:4:4 Intra.
    Cavlc444,
}

impl H264Profile {
    /// From profile_idc and profile_iop; `None` for a profile_idc that is no profile of table 5.
    ///
    /// The flags of profile_iop only ever narrow down what a stream may contain. Those that make no
    /// other profile of it are ignored, since whoever decodes the profile decodes that part of it.
    pub fn from_bytes(idc: u8, iop: u8) -> Option<Self> {
        let flag = |number: u8| iop & (0x80 >> number) != 0;
        Some(match idc {
            0x42 if flag(1) => Self::ConstrainedBaseline,
            0x42 => Self::Baseline,
            0x4d if flag(0) => Self::ConstrainedBaseline,
            0x4d => Self::Main,
            0x58 if flag(0) && flag(1) => Self::ConstrainedBaseline,
            0x58 if flag(0) => Self::Baseline,
            0x58 => Self::Extended,
            0x64 if flag(4) && flag(5) => Self::ConstrainedHigh,
            0x64 => Self::High,
            0x6e => Self::High10,
            0x7a => Self::High422,
            0xf4 => Self::High444,
            0x2c => Self::Cavlc444,
            _ => return None,
        })
    }

    /// How few decoders have the profile: 0 is what all of them have. A decoder of a profile has
    /// those before it as far as they are parts of it (H.264 Annex A.2), but for Extended, which
    /// next to nobody has. Baseline counts as Constrained Baseline: what the former has beyond the
    /// latter (Annex A.2.1: slice groups and the like) no WebRTC stack sends, so that whoever decodes
    /// one decodes the other.
    fn rarity(self) -> u8 {
        match self {
            Self::ConstrainedBaseline | Self::Baseline => 0,
            Self::Main => 1,
            Self::ConstrainedHigh => 2,
            Self::High => 3,
            Self::High10 => 4,
            Self::High422 => 5,
            Self::High444 => 6,
            Self::Extended => 7,
            Self::Cavlc444 => 8,
        }
    }

    /// A short stable name, e.g. `constrained-baseline`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConstrainedBaseline => "constrained-baseline",
            Self::Baseline => "baseline",
            Self::Extended => "extended",
            Self::Main => "main",
            Self::ConstrainedHigh => "constrained-high",
            Self::High => "high",
            Self::High10 => "high-10",
            Self::High422 => "high-422",
            Self::High444 => "high-444",
            Self::Cavlc444 => "cavlc-444",
        }
    }
}

/// The first two bytes of the six hexadecimal digits of profile-level-id.
fn profile_bytes(text: &str) -> Option<(u8, u8)> {
    // from_str_radix would take a sign for a digit.
    if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let value = u32::from_str_radix(text, 16).ok()?;
    let [_, idc, iop, _level] = value.to_be_bytes();
    Some((idc, iop))
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
        /// 0 when missing, else 1. The interleaved mode 2 reorders packets, which no WebRTC stack
        /// takes (RFC 7742 §6.2, RFC 6184 §8.1).
        packetization_mode: u8,
    },
    /// H.265 (RFC 7798 §7.1).
    H265 {
        /// 1 (Main) when missing; up to 4: Main 10, Main Still Picture, range extensions.
        profile_id: u8,
        /// 0 (Main tier) when missing, or 1.
        tier_flag: u8,
    },
    /// VP9 (RFC 9628 §6.1).
    Vp9 {
        /// 0 when missing, up to 3.
        profile_id: u8,
    },
    /// AV1 (AV1 RTP payload specification §7.2.1).
    Av1 {
        /// 0 (Main) when missing, up to 2.
        profile: u8,
        /// 0 (Main tier) when missing, or 1.
        tier: u8,
    },
    /// AMR and AMR-WB (RFC 4867 §8.1).
    Amr {
        /// Whether frames begin at whole bytes; when missing they do not.
        octet_align: bool,
    },
}

impl MatchParameters {
    /// The match parameters of the encoding `name` with the given `a=fmtp` parameters; `None` for
    /// a profile that no decoder knows.
    pub fn of(name: &str, parameters: &FormatParameters) -> Option<Self> {
        let number = |name: &str, known: RangeInclusive<u8>, default: u8| {
            let given = parameters.number::<u64>(name);
            let value = given.map_or(Ok(default), u8::try_from).ok()?;
            Some(value).filter(|value| known.contains(value))
        };
        Some(match name.to_ascii_uppercase().as_str() {
            "H264" => {
                let given = parameters.get("profile-level-id").and_then(profile_bytes);
                Self::H264 {
                    profile: match given {
                        Some((idc, iop)) => H264Profile::from_bytes(idc, iop)?,
                        None => H264Profile::ConstrainedBaseline,
                    },
                    packetization_mode: number("packetization-mode", 0..=1, 0)?,
                }
            }
            "H265" => Self::H265 {
                profile_id: number("profile-id", 1..=4, 1)?,
                tier_flag: number("tier-flag", 0..=1, 0)?,
            },
            "VP9" => Self::Vp9 {
                profile_id: number("profile-id", 0..=3, 0)?,
            },
            "AV1" => Self::Av1 {
                profile: number("profile", 0..=2, 0)?,
                tier: number("tier", 0..=1, 0)?,
            },
            // Checksums, sorted and interleaved frames are in no decoder that is known of.
            "AMR" | "AMR-WB" => {
                number("crc", 0..=0, 0)?;
                number("robust-sorting", 0..=0, 0)?;
                if parameters.get("interleaving").is_some() {
                    return None;
                }
                Self::Amr {
                    octet_align: number("octet-align", 0..=1, 0)? == 1,
                }
            }
            _ => Self::None,
        })
    }

    /// How few decoders have the profile: 0 is what every decoder of the codec has. Of two formats
    /// of one codec the lower one reaches more viewers without being converted.
    pub fn rarity(self) -> u8 {
        match self {
            Self::None | Self::Amr { .. } => 0,
            Self::H264 { profile, .. } => profile.rarity(),
            // Main, Main 10 and so on; each one is part of the next.
            Self::H265 {
                profile_id,
                tier_flag,
            } => profile_id.saturating_sub(1) + 4 * tier_flag,
            // Profile 2 (10 bits of 4:2:0) is in more decoders than profile 1 (4:4:4).
            Self::Vp9 { profile_id } => match profile_id {
                2 => 1,
                1 => 2,
                other => other,
            },
            Self::Av1 { profile, tier } => profile + 4 * tier,
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
                ("profile", profile.name().to_owned()),
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
            Self::Amr { octet_align } => {
                vec![("octet-align", u8::from(octet_align).to_string())]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, parameters: &str) -> MatchParameters {
        known(name, parameters).unwrap()
    }

    fn known(name: &str, parameters: &str) -> Option<MatchParameters> {
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
            ("f4001f", H264Profile::High444),
            // Flags beyond those of table 5.
            ("4d601f", H264Profile::Main),
            ("64081f", H264Profile::High),
            ("6e101f", H264Profile::High10),
        ] {
            let parsed =
                profile_bytes(text).and_then(|(idc, iop)| H264Profile::from_bytes(idc, iop));
            assert_eq!(parsed, Some(profile), "{text}");
        }
        assert_eq!(profile_bytes("+2e01f"), None);
        assert_eq!(profile_bytes("xyz"), None);
    }

    #[test]
    fn what_no_decoder_knows_is_no_format() {
        for (name, parameters) in [
            ("H264", "profile-level-id=13e01f"),
            ("H264", "profile-level-id=42e01f;packetization-mode=2"),
            ("H264", "profile-level-id=42e01f;packetization-mode=300"),
            ("H265", "profile-id=0"),
            ("H265", "profile-id=31"),
            ("H265", "tier-flag=2"),
            ("VP9", "profile-id=4"),
            ("AV1", "profile=3"),
            ("AV1", "tier=77"),
            ("AMR", "octet-align=1;crc=1"),
            ("AMR-WB", "robust-sorting=1"),
            ("AMR", "octet-align=1; interleaving=30"),
        ] {
            assert_eq!(known(name, parameters), None, "{name} {parameters}");
        }
        assert_eq!(
            of("H264", "profile-level-id=whatever;packetization-mode=1"),
            of("H264", "profile-level-id=42e01f;packetization-mode=1"),
            "unreadable counts as missing, as WebRTC stacks have it"
        );
    }

    #[test]
    fn all_descriptions_together_bring_about_a_few_dozen_formats() {
        let mut seen = std::collections::HashSet::new();
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let texts = [
                    (
                        "H264",
                        format!(
                            "profile-level-id={first:02x}{second:02x}1f;packetization-mode={}",
                            second % 4
                        ),
                    ),
                    ("H265", format!("profile-id={first};tier-flag={second}")),
                    ("VP9", format!("profile-id={first}")),
                    ("AV1", format!("profile={first};tier={second}")),
                ];
                seen.extend(texts.iter().filter_map(|(name, text)| known(name, text)));
            }
        }
        assert_eq!(seen.len(), 20 + 8 + 4 + 6);
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
        assert_eq!(of("AMR", "mode-set=7;crc=0"), of("AMR", "octet-align=0"));
        assert_ne!(of("amr", ""), of("AMR", "octet-align=1"));
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
