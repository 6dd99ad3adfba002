//! In which order an answer lists the formats, which is what its reader sends first.
//!
//! Browsers send the first format of the answer. Which codec that is, the application decides by
//! the order of its offer. Which profile of it is another matter: the offer lists what the peer
//! does best, and a server that forwards to many wants what most of them can decode. Safari lists
//! H264 as Constrained High first, which Chromium and Firefox do not take.

use std::collections::HashSet;

use crate::Codec;

/// `formats` with the widest profile of each codec first, the codecs in the places that they had;
/// those that `order` names come before all, in its order. Retransmission formats follow what they
/// repair.
///
/// `formats` comes back unchanged where nothing has to move.
pub(super) fn ordered(formats: Vec<Codec>, order: &[String]) -> Vec<Codec> {
    let is_primary = |codec: &&Codec| codec.rtx_apt().is_none();
    let offered: Vec<&Codec> = formats.iter().filter(is_primary).collect();
    let mut wanted = widest_first(&offered);
    // Stable: what is not named keeps its place behind.
    wanted.sort_by_key(|codec| {
        let place = order.iter().position(|name| codec.is(name));
        place.unwrap_or(usize::MAX)
    });
    let numbers =
        |codecs: &[&Codec]| -> Vec<u8> { codecs.iter().map(|codec| codec.payload_type).collect() };
    if numbers(&wanted) == numbers(&offered) {
        return formats;
    }
    let mut ordered = Vec::with_capacity(formats.len());
    for primary in wanted {
        let repairs = |codec: &&Codec| codec.rtx_apt() == Some(primary.payload_type);
        ordered.push(primary.clone());
        ordered.extend(formats.iter().filter(repairs).cloned());
    }
    ordered
}

/// Each codec keeps its places and fills them anew, the profile that most decoders have first. The
/// packetization modes of one profile stay in the offered order.
fn widest_first<'a>(offered: &[&'a Codec]) -> Vec<&'a Codec> {
    let mut ordered = offered.to_vec();
    let mut done: HashSet<String> = HashSet::new();
    for codec in offered {
        let name = codec.name.to_ascii_uppercase();
        if done.contains(&name) {
            continue;
        }
        let mut profiles: Vec<&Codec> = offered
            .iter()
            .copied()
            .filter(|other| other.is(&name))
            .collect();
        profiles.sort_by_key(|codec| codec.match_parameters().map(|of| of.rarity()));
        let places = ordered.iter_mut().filter(|other| other.is(&name));
        for (place, codec) in places.zip(profiles) {
            *place = codec;
        }
        done.insert(name);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FormatParameters;

    fn h264(payload_type: u8, profile: &str) -> Codec {
        let parameters = format!("packetization-mode=1;profile-level-id={profile}");
        named(payload_type, "H264", &parameters)
    }

    fn named(payload_type: u8, name: &str, parameters: &str) -> Codec {
        Codec {
            name: name.to_owned(),
            clock_rate: 90_000,
            parameters: FormatParameters::new(parameters),
            ..Codec::unmapped(payload_type)
        }
    }

    fn numbers(formats: Vec<Codec>, order: &[&str]) -> Vec<u8> {
        let order: Vec<String> = order.iter().map(|name| (*name).to_owned()).collect();
        let ordered = ordered(formats, &order);
        ordered.iter().map(|codec| codec.payload_type).collect()
    }

    #[test]
    fn codecs_keep_their_places_and_profiles_change_theirs() {
        let formats = vec![
            h264(96, "640c1f"),
            named(98, "VP8", ""),
            h264(99, "4d001f"),
            named(100, "VP9", "profile-id=2"),
            h264(101, "42e01f"),
            named(102, "VP9", "profile-id=0"),
            h264(103, "42001f"),
        ];
        // Baseline is as good as Constrained Baseline, so that these two stay as they are.
        assert_eq!(numbers(formats, &[]), [101, 98, 103, 102, 99, 100, 96]);
    }

    #[test]
    fn packetization_modes_of_a_profile_stay_as_offered() {
        let formats = vec![
            h264(96, "64001f"),
            named(97, "H264", "profile-level-id=42e01f"),
            h264(98, "42e01f"),
        ];
        assert_eq!(numbers(formats, &[]), [97, 98, 96]);
    }

    #[test]
    fn named_codecs_come_first_with_what_repairs_them() {
        let formats = || {
            vec![
                h264(96, "640c1f"),
                named(97, "rtx", "apt=96"),
                named(98, "VP9", ""),
                named(99, "rtx", "apt=98"),
                named(100, "VP8", ""),
                named(101, "rtx", "apt=100"),
            ]
        };
        assert_eq!(
            numbers(formats(), &["vp8", "AV1"]),
            [100, 101, 96, 97, 98, 99]
        );
        assert_eq!(
            numbers(formats(), &["VP9", "H264"]),
            [98, 99, 96, 97, 100, 101]
        );
        assert_eq!(numbers(formats(), &[]), [96, 97, 98, 99, 100, 101]);
    }

    #[test]
    fn an_offer_whose_order_stands_keeps_its_retransmission_formats_where_they_are() {
        let formats = vec![
            named(96, "VP8", ""),
            h264(98, "42e01f"),
            named(99, "rtx", "apt=98"),
            named(97, "rtx", "apt=96"),
        ];
        assert_eq!(numbers(formats, &[]), [96, 98, 99, 97]);
    }
}
