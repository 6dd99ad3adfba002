//! Which streams a decoder takes beside those that it names.
//!
//! A description names one profile for each payload type, and a decoder of that profile has others
//! with it: a stream of one of those need not be converted for it.

use super::{H264Profile, MatchParameters};

impl H264Profile {
    /// The profiles whose streams a decoder of this one takes (H.264 Annex A.2).
    ///
    /// By the letter a stream of Baseline may have slices in any order, which decoders of all other
    /// profiles lack. No encoder of a camera or browser makes them, and most that say 42001f make
    /// Constrained Baseline; what does make them can be decoded by next to nobody, converters
    /// included. So Baseline counts as Constrained Baseline.
    fn decodes(self) -> &'static [Self] {
        use H264Profile::{
            Baseline, Cavlc444, ConstrainedBaseline, ConstrainedHigh, Extended, High, High10,
            High422, High444, Main,
        };
        const HIGH: [H264Profile; 4] = [ConstrainedBaseline, Baseline, Main, ConstrainedHigh];
        const HIGH_10: [H264Profile; 5] =
            [ConstrainedBaseline, Baseline, Main, ConstrainedHigh, High];
        const HIGH_422: [H264Profile; 6] = [
            ConstrainedBaseline,
            Baseline,
            Main,
            ConstrainedHigh,
            High,
            High10,
        ];
        const HIGH_444: [H264Profile; 8] = [
            ConstrainedBaseline,
            Baseline,
            Main,
            ConstrainedHigh,
            High,
            High10,
            High422,
            Cavlc444,
        ];
        match self {
            ConstrainedBaseline => &[Baseline],
            Baseline => &[ConstrainedBaseline],
            Extended | Main | ConstrainedHigh => &[ConstrainedBaseline, Baseline],
            High => &HIGH,
            High10 => &HIGH_10,
            High422 => &HIGH_422,
            High444 => &HIGH_444,
            Cavlc444 => &[],
        }
    }
}

impl MatchParameters {
    /// The formats, beside this one, whose streams can be sent under its payload type.
    pub fn decodes_too(self) -> Vec<Self> {
        match self {
            Self::H264 {
                profile,
                packetization_mode,
            } => {
                let profiles = std::iter::once(profile).chain(profile.decodes().iter().copied());
                // In the non-interleaved mode single units are sent, too (RFC 6184 §6.3).
                let modes = (0..=packetization_mode).rev();
                let all = modes.flat_map(|packetization_mode| {
                    profiles.clone().map(move |profile| Self::H264 {
                        profile,
                        packetization_mode,
                    })
                });
                all.filter(|other| *other != self).collect()
            }
            // Main 10 has Main in it, and both have single pictures (H.265 Annex A.3).
            Self::H265 {
                profile_id,
                tier_flag,
            } => {
                let ids: &[u8] = match profile_id {
                    1 => &[1, 3],
                    2 => &[2, 1, 3],
                    _ => &[],
                };
                let tiers = (0..=tier_flag).rev();
                let all = tiers.flat_map(|tier_flag| {
                    ids.iter().map(move |id| Self::H265 {
                        profile_id: *id,
                        tier_flag,
                    })
                });
                all.filter(|other| *other != self).collect()
            }
            // Each profile and tier has the lower ones in it (AV1 bitstream specification, Annex A).
            Self::Av1 { profile, tier } => {
                let all = (0..=tier).rev().flat_map(|tier| {
                    (0..=profile)
                        .rev()
                        .map(move |profile| Self::Av1 { profile, tier })
                });
                all.filter(|other| *other != self).collect()
            }
            Self::None | Self::Vp9 { .. } | Self::Amr { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FormatParameters;

    fn of(name: &str, parameters: &str) -> MatchParameters {
        MatchParameters::of(name, &FormatParameters::new(parameters)).unwrap()
    }

    fn h264(id: &str, mode: u8) -> MatchParameters {
        of(
            "H264",
            &format!("profile-level-id={id};packetization-mode={mode}"),
        )
    }

    #[test]
    fn a_decoder_takes_what_is_part_of_its_profile() {
        for (sent, decoder, taken) in [
            ("42e01f", "42001f", true),
            ("42001f", "42e01f", true),
            ("42e01f", "4d001f", true),
            ("42e01f", "640c1f", true),
            ("42001f", "64001f", true),
            ("4d001f", "64001f", true),
            ("640c1f", "64001f", true),
            ("640c1f", "42e01f", false),
            ("64001f", "640c1f", false),
            ("64001f", "4d001f", false),
            ("4d001f", "42e01f", false),
            ("4d001f", "640c1f", false),
            ("6e001f", "64001f", false),
            ("64001f", "f4001f", true),
        ] {
            let decodes = h264(decoder, 1).decodes_too().contains(&h264(sent, 1));
            assert_eq!(decodes, taken, "{sent} for {decoder}");
        }
    }

    #[test]
    fn single_units_pass_where_fragments_do_and_not_the_other_way() {
        assert!(h264("42e01f", 1).decodes_too().contains(&h264("42e01f", 0)));
        assert!(h264("64001f", 1).decodes_too().contains(&h264("42e01f", 0)));
        assert!(!h264("42e01f", 0).decodes_too().contains(&h264("42e01f", 1)));
    }

    #[test]
    fn nothing_decodes_itself_twice_and_other_codecs_have_their_rules() {
        for format in [
            h264("64001f", 1),
            of("H265", "profile-id=2;tier-flag=1"),
            of("AV1", "profile=2;tier=1"),
        ] {
            assert!(!format.decodes_too().contains(&format));
        }
        assert!(
            of("H265", "profile-id=2")
                .decodes_too()
                .contains(&of("H265", ""))
        );
        assert!(
            !of("H265", "")
                .decodes_too()
                .contains(&of("H265", "profile-id=2"))
        );
        assert!(
            of("AV1", "profile=1")
                .decodes_too()
                .contains(&of("AV1", ""))
        );
        assert!(of("VP9", "profile-id=2").decodes_too().is_empty());
        assert!(of("VP8", "").decodes_too().is_empty());
    }
}
