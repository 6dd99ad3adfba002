//! The two classes in the server's configuration, and how values are read that INI files have as text.

use rivero_plugin_api::{Result, host};
use rivero_sdp::{CodecCapability, MediaKind};
use serde::{Deserialize, Deserializer};

/// `BaseRtpEndpoint` in the configuration. Numbers may be written as text, as
/// INI files have them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BaseRtpSettings {
    /// Lowest port for media, at least 1024.
    #[serde(deserialize_with = "number")]
    pub min_port: u16,
    /// Highest port for media.
    #[serde(deserialize_with = "number")]
    pub max_port: u16,
    /// Bytes of an IP packet.
    #[serde(deserialize_with = "number")]
    pub mtu: u16,
}

impl Default for BaseRtpSettings {
    fn default() -> Self {
        Self {
            min_port: 1024,
            max_port: 65_535,
            mtu: 1200,
        }
    }
}

impl BaseRtpSettings {
    /// The ports of a range, if one is configured at all.
    #[must_use]
    pub fn port_range(&self) -> Option<std::ops::RangeInclusive<u16>> {
        let whole = self.min_port <= 1024 && self.max_port == 65_535;
        (!whole && self.min_port <= self.max_port).then(|| self.min_port.max(1024)..=self.max_port)
    }
}

/// `SdpEndpoint` in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SdpSettings {
    audio_codecs: Option<Vec<CodecName>>,
    video_codecs: Option<Vec<CodecName>>,
    /// Encoding names of the codecs that answers list first, in this order.
    #[serde(deserialize_with = "codec_order")]
    pub answer_codec_order: Vec<String>,
    /// 0: without sound. More than one count as one.
    #[serde(deserialize_with = "number")]
    pub num_audio_medias: u16,
    /// 0: without pictures. More than one count as one.
    #[serde(deserialize_with = "number")]
    pub num_video_medias: u16,
}

impl Default for SdpSettings {
    fn default() -> Self {
        Self {
            audio_codecs: None,
            video_codecs: None,
            answer_codec_order: Vec::new(),
            num_audio_medias: 1,
            num_video_medias: 1,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct CodecName {
    /// Such as `opus/48000/2`.
    name: String,
}

/// Names as in `videoCodecs`, with or without the clock rate, or as text with commas between them.
fn codec_order<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Order {
        Text(String),
        Names(Vec<String>),
    }
    let names = match Order::deserialize(deserializer)? {
        Order::Text(text) => text.split(',').map(str::to_owned).collect(),
        Order::Names(names) => names,
    };
    let encodings = names.iter().filter_map(|name| name.split('/').next());
    let encodings = encodings.map(|name| name.trim().to_owned());
    Ok(encodings.filter(|name| !name.is_empty()).collect())
}

impl SdpSettings {
    /// Audio codecs in the order of preference: those that the configuration names, but for the `unwanted`
    /// ones, or the `usual` ones where it names none.
    #[must_use]
    pub fn audio(&self, usual: &[&str], unwanted: &[&str]) -> Vec<CodecCapability> {
        let named = named(self.audio_codecs.as_deref(), usual);
        capabilities(&MediaKind::Audio, &named, unwanted)
    }

    /// The same for video codecs.
    #[must_use]
    pub fn video(&self, usual: &[&str], unwanted: &[&str]) -> Vec<CodecCapability> {
        let named = named(self.video_codecs.as_deref(), usual);
        capabilities(&MediaKind::Video, &named, unwanted)
    }
}

fn named<'a>(configured: Option<&'a [CodecName]>, usual: &[&'a str]) -> Vec<&'a str> {
    match configured {
        Some(names) => names.iter().map(|codec| codec.name.as_str()).collect(),
        None => usual.to_vec(),
    }
}

/// A name that is not known is named in the log and left out.
fn capabilities(kind: &MediaKind, names: &[&str], unwanted: &[&str]) -> Vec<CodecCapability> {
    let useful = names.iter().filter(|name| {
        let encoding = name.split('/').next().unwrap_or_default();
        !unwanted
            .iter()
            .any(|unused| unused.eq_ignore_ascii_case(encoding))
    });
    useful
        .filter_map(|name| {
            CodecCapability::from_config_name(kind, name)
                .inspect_err(|error| tracing::warn!("SdpEndpoint configuration: {error}"))
                .ok()
        })
        .collect()
}

/// The configuration of a class, or its defaults with a warning when it does not fit.
#[must_use]
pub fn of<T: for<'de> Deserialize<'de> + Default>(class: &str) -> T {
    let read: Option<Result<T>> = host().map(|host| host.configuration(class));
    match read {
        Some(Ok(settings)) => settings,
        Some(Err(error)) => {
            tracing::warn!("{error}; defaults are used");
            T::default()
        }
        None => T::default(),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u16),
    Text(String),
}

impl NumberOrText {
    fn value<E: serde::de::Error>(self) -> std::result::Result<u16, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| E::custom(format!("{text:?} is no number from 0 to 65535"))),
        }
    }
}

/// A number from 0 to 65535, perhaps as text.
///
/// # Errors
/// For anything else.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u16, D::Error> {
    NumberOrText::deserialize(deserializer)?.value()
}

/// [`number`] of a field that may be missing.
///
/// # Errors
/// As for [`number`].
pub fn optional_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<u16>, D::Error> {
    number(deserializer).map(Some)
}

/// A switch as configuration files have it: `1`, `0`, a word, or either as text.
///
/// # Errors
/// For anything else.
pub fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Switch {
        Bool(bool),
        Number(i64),
        Text(String),
    }
    match Switch::deserialize(deserializer)? {
        Switch::Bool(on) => Ok(on),
        Switch::Number(number) => Ok(number != 0),
        Switch::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" | "" => Ok(false),
            _ => Err(serde::de::Error::custom(format!(
                "{text:?} is neither 1 nor 0"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_text() {
        let settings: BaseRtpSettings =
            serde_json::from_str(r#"{"minPort": "50000", "maxPort": 51000}"#).unwrap();
        assert_eq!(settings.port_range(), Some(50_000..=51_000));
        assert!(serde_json::from_str::<BaseRtpSettings>(r#"{"mtu": "many"}"#).is_err());
    }

    #[test]
    fn the_default_is_no_range() {
        assert_eq!(BaseRtpSettings::default().port_range(), None);
    }

    #[test]
    fn codecs_are_those_of_the_configuration_or_the_usual_ones() {
        let configured = r#"{"videoCodecs": [{"name": "VP8/90000"}, {"name": "H265/90000"}]}"#;
        let names = |text: &str, unwanted: &[&str]| -> Vec<String> {
            let settings: SdpSettings = serde_json::from_str(text).unwrap();
            let codecs = settings.video(&["AV1", "H265"], unwanted).into_iter();
            codecs.map(|codec| codec.name).collect()
        };
        assert_eq!(names(configured, &[]), ["VP8", "H265"]);
        assert_eq!(names(configured, &["h265"]), ["VP8"]);
        assert_eq!(names("{}", &[]), ["AV1", "H265"]);
        assert_eq!(
            names(r#"{"videoCodecs": [{"name": "none/1"}]}"#, &[]),
            [""; 0]
        );
    }

    #[test]
    fn the_order_of_answers_is_a_list_or_text() {
        let order = |text: &str| {
            let settings: SdpSettings = serde_json::from_str(text).unwrap();
            settings.answer_codec_order
        };
        assert_eq!(order("{}"), [""; 0]);
        for text in [
            r#"["VP8/90000", "H264", "opus/48000/2"]"#,
            r#""VP8, H264/90000 ,opus,""#,
        ] {
            let text = format!(r#"{{"answerCodecOrder": {text}}}"#);
            assert_eq!(order(&text), ["VP8", "H264", "opus"]);
        }
    }
}
