//! Which elements clients may use.

use rivero_gst::gst;
use rivero_plugin_api::{MediaKind, Result, host};
use serde::Deserialize;

/// Those of GStreamer's base, good and bad plugins that change pictures or sound, keep to one input and
/// output, and reach nothing beside their media. `gdkpixbufoverlay` reads an image, under the policy of URIs.
const DEFAULT: &[&str] = &[
    "agingtv",
    "aspectratiocrop",
    "audioamplify",
    "audiochebband",
    "audiocheblimit",
    "audiodynamic",
    "audioecho",
    "audioinvert",
    "audiokaraoke",
    "audiopanorama",
    "bulge",
    "burn",
    "capsfilter",
    "chromahold",
    "chromium",
    "circle",
    "clockoverlay",
    "coloreffects",
    "diffuse",
    "dicetv",
    "dilate",
    "dodge",
    "edgetv",
    "equalizer-10bands",
    "equalizer-3bands",
    "exclusion",
    "fisheye",
    "gamma",
    "gaussianblur",
    "gdkpixbufoverlay",
    "identity",
    "kaleidoscope",
    "marble",
    "mirror",
    "optv",
    "perspective",
    "pinch",
    "quarktv",
    "radioactv",
    "removesilence",
    "revtv",
    "rippletv",
    "rotate",
    "scaletempo",
    "shagadelictv",
    "smooth",
    "solarize",
    "sphere",
    "square",
    "streaktv",
    "stretch",
    "textoverlay",
    "timeoverlay",
    "tunnel",
    "twirl",
    "vertigotv",
    "videobalance",
    "videobox",
    "videocrop",
    "videoflip",
    "videomedian",
    "volume",
    "warptv",
    "waterripple",
];

/// Settings of the class.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Settings {
    allowed_elements: Option<Vec<String>>,
}

/// Whether clients may use elements of this name.
///
/// # Errors
/// 40003 naming the setting that does not fit
pub(super) fn is_allowed(factory: &str) -> Result<bool> {
    let settings: Settings = match host() {
        Some(host) => host.configuration("GStreamerFilter")?,
        None => Settings::default(),
    };
    Ok(match settings.allowed_elements {
        Some(names) => names.iter().any(|name| name == factory),
        None => DEFAULT.contains(&factory),
    })
}

/// What of an element's media could be pictures or sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    video: bool,
    audio: bool,
}

impl Ends {
    /// Of a factory; `None` where its elements do not have an input and an output of that kind of media.
    pub(super) fn of(factory: &gst::ElementFactory) -> Option<Self> {
        let carries = |direction: gst::PadDirection, media: &str| {
            let raw = gst::Caps::new_empty_simple(media);
            factory.static_pad_templates().iter().any(|template| {
                template.direction() == direction
                    && template.presence() == gst::PadPresence::Always
                    && template.caps().can_intersect(&raw)
            })
        };
        let both = |media| {
            carries(gst::PadDirection::Sink, media) && carries(gst::PadDirection::Src, media)
        };
        let ends = Self {
            video: both("video/x-raw"),
            audio: both("audio/x-raw"),
        };
        (ends.video || ends.audio).then_some(ends)
    }

    /// The kind of media to treat: the one that is asked for, if it is there. Else pictures, or sound where
    /// the element takes none or only lets it pass (`caps`).
    pub(super) fn kind(
        self,
        wanted: Option<MediaKind>,
        caps: Option<&gst::CapsRef>,
    ) -> Option<MediaKind> {
        let is_of_sound = |caps: &gst::CapsRef| {
            let first = caps.structure(0);
            first.is_some_and(|structure| structure.name().starts_with("audio/"))
        };
        let kind = wanted.unwrap_or(match self.video {
            true if self.audio && caps.is_some_and(is_of_sound) => MediaKind::Audio,
            true => MediaKind::Video,
            false => MediaKind::Audio,
        });
        let is_there = match kind {
            MediaKind::Video => self.video,
            MediaKind::Audio => self.audio,
            _ => false,
        };
        is_there.then_some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(name: &str) -> Option<Ends> {
        rivero_gst::init().unwrap();
        Ends::of(&gst::ElementFactory::find(name).expect(name))
    }

    fn kind(name: &str, wanted: Option<MediaKind>) -> Option<MediaKind> {
        ends(name)?.kind(wanted, None)
    }

    #[test]
    fn the_kind_of_media_is_that_of_the_pads() {
        let (video, audio) = (Some(MediaKind::Video), Some(MediaKind::Audio));
        assert_eq!(kind("videoflip", None), video);
        assert_eq!(kind("textoverlay", None), video);
        assert_eq!(kind("aspectratiocrop", None), video);
        assert_eq!(kind("volume", None), audio);
        assert_eq!(kind("identity", None), video);
        assert_eq!(kind("identity", audio), audio);
        assert_eq!(kind("videoflip", audio), None);
        assert_eq!(kind("volume", video), None);
        let caps = gst::Caps::new_empty_simple("audio/x-raw");
        assert_eq!(ends("capsfilter").unwrap().kind(None, Some(&caps)), audio);
        for name in ["fakesink", "videotestsrc", "vp8enc", "filesrc"] {
            assert_eq!(ends(name), None, "{name}");
        }
    }

    #[test]
    fn the_default_ones_exist_and_have_an_input_and_an_output() {
        for name in DEFAULT {
            assert!(ends(name).is_some(), "{name}");
            assert!(is_allowed(name).unwrap());
        }
        for name in [
            "filesink",
            "souphttpsrc",
            "tee",
            "udpsink",
            "frei0r-filter-3-point-color-balance",
            "opencv",
        ] {
            assert!(!is_allowed(name).unwrap(), "{name}");
        }
    }
}
