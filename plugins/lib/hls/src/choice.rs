//! Which variant of a master playlist is played (RFC 8216 §6.3.1 leaves that to the client).
//!
//! The best one with pictures of up to 1920x1080 that can be decoded. A server has a path to its sources that carries
//! any of them, and each viewer gets what his own path carries of what is played: what is lost here is lost for all. More than 1080 lines cost more to decode and
//! to encode again than viewers of calls have to gain from it.

use url::Url;

use crate::playlist::{Master, Rendition, Variant};

/// Pictures that are played, width times height.
const LARGEST: u64 = 1920 * 1080;
/// Codecs that can be decoded, as RFC 6381 begins their names.
const CODECS: [&str; 12] = [
    "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "mp4a", "Opus", "opus", "ac-3", "ec-3", "mp3",
];
/// Of these, pictures.
const PICTURES: [&str; 6] = ["avc1", "avc3", "hvc1", "hev1", "av01", "vp09"];

/// What is played of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Media playlist of the pictures, and of the sound where there is no other for that.
    pub main: Url,
    /// Media playlist of the sound.
    pub sound: Option<Url>,
}

/// What is played of these variants; `None` where there are none.
pub fn choose(master: &Master) -> Option<Choice> {
    let variants = &master.variants;
    let known: Vec<&Variant> = { variants.iter() }.filter(|own| is_known(own)).collect();
    // Lists of codecs are often wrong: what is all unknown is tried.
    let candidates = if known.is_empty() {
        variants.iter().collect()
    } else {
        known
    };
    let with_pictures: Vec<&Variant> = { candidates.iter().copied() }
        .filter(|own| has_pictures(own))
        .collect();
    let candidates = if with_pictures.is_empty() {
        candidates
    } else {
        with_pictures
    };
    let fitting = candidates.iter().filter(|own| size(own) <= LARGEST);
    // Of equals the first, which the provider prefers.
    let best = fitting.rev().max_by_key(|own| own.bandwidth);
    let variant = best.or_else(|| {
        candidates
            .iter()
            .min_by_key(|own| (size(own), own.bandwidth))
    })?;
    let group = variant.audio_group.as_ref();
    let renditions: Vec<&Rendition> = { master.renditions.iter() }
        .filter(|rendition| Some(&rendition.group) == group)
        .collect();
    let rendition = { renditions.iter().find(|own| own.is_default) }
        .or_else(|| renditions.iter().find(|own| own.is_automatic))
        .or_else(|| renditions.first());
    Some(Choice {
        main: variant.url.clone(),
        // Variants of sound alone name themselves as its rendition.
        sound: rendition
            .and_then(|own| own.url.clone())
            .filter(|url| *url != variant.url),
    })
}

fn size(variant: &Variant) -> u64 {
    let pixels = |(width, height)| u64::from(width) * u64::from(height);
    variant.resolution.map_or(0, pixels)
}

fn is_known(variant: &Variant) -> bool {
    // Text is not played, and is no reason to leave out what is.
    let is_text = |codec: &str| codec.starts_with("stpp") || codec.starts_with("wvtt");
    { variant.codecs.iter() }
        .all(|codec| is_text(codec) || CODECS.iter().any(|known| codec.starts_with(known)))
}

fn has_pictures(variant: &Variant) -> bool {
    let is_picture = |codec: &String| PICTURES.iter().any(|known| codec.starts_with(known));
    variant.resolution.is_some() || variant.codecs.iter().any(is_picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlist::Playlist;

    fn chosen(lines: &str) -> (String, Option<String>) {
        let base = "http://video.test/".parse().unwrap();
        let Ok(Playlist::Master(master)) = Playlist::parse(&format!("#EXTM3U\n{lines}"), &base)
        else {
            panic!("{lines}")
        };
        let choice = choose(&master).unwrap();
        let name = |url: Url| url.path().trim_start_matches('/').to_owned();
        (name(choice.main), choice.sound.map(name))
    }

    fn stream(attributes: &str, name: &str) -> String {
        format!("#EXT-X-STREAM-INF:{attributes}\n{name}\n")
    }

    #[test]
    fn the_best_that_fits_is_played() {
        let lines = [
            stream("BANDWIDTH=500000,RESOLUTION=640x360", "low"),
            stream(
                "BANDWIDTH=5000000,RESOLUTION=1920x1080,CODECS=\"avc1.64,mp4a.40\"",
                "high",
            ),
            stream("BANDWIDTH=5000000,RESOLUTION=1920x1080", "spare"),
            stream(
                "BANDWIDTH=9000000,RESOLUTION=1920x1080,CODECS=\"dvh1.05\"",
                "unknown",
            ),
            stream("BANDWIDTH=20000000,RESOLUTION=3840x2160", "huge"),
            stream("BANDWIDTH=64000000,CODECS=\"mp4a.40.2\"", "sound"),
        ];
        assert_eq!(chosen(&lines.concat()), ("high".to_owned(), None));
    }

    #[test]
    fn what_does_not_fit_is_better_than_nothing() {
        let lines = [
            stream("BANDWIDTH=9,RESOLUTION=7680x4320", "huge"),
            stream("BANDWIDTH=5,RESOLUTION=3840x2160", "large"),
        ];
        assert_eq!(chosen(&lines.concat()).0, "large");
        let unknown = stream("BANDWIDTH=9,CODECS=\"dvh1.05\"", "unknown");
        assert_eq!(chosen(&unknown).0, "unknown");
        let sound = stream("BANDWIDTH=9,CODECS=\"mp4a.40.2\"", "sound");
        assert_eq!(chosen(&sound).0, "sound");
    }

    #[test]
    fn sound_is_the_default_of_its_group() {
        let media = |group, name, more| {
            format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"x\"{more}{name}\n")
        };
        let lines = |default| {
            [
                media("b", ",URI=\"other\"", ",DEFAULT=YES"),
                media("a", ",URI=\"first\"", ""),
                media("a", default, ",DEFAULT=YES"),
                stream("BANDWIDTH=5,RESOLUTION=640x360,AUDIO=\"a\"", "video"),
            ]
            .concat()
        };
        assert_eq!(
            chosen(&lines(",URI=\"second\"")).1.as_deref(),
            Some("second")
        );
        assert_eq!(chosen(&lines("")).1, None, "it is in the variant");
    }
}
