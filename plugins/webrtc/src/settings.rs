//! Settings of the server for this module's classes.

use rivero_plugin_api::{Result, host};
use rivero_sdp::{CodecCapability, MediaKind};
use serde::{Deserialize, Deserializer};

use crate::api::DSCPValue;

/// `BaseRtpEndpoint` in the configuration. Numbers may be written as text, as
/// INI files have them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct BaseRtpSettings {
    /// Lowest port for media, at least 1024.
    #[serde(deserialize_with = "number")]
    pub(crate) min_port: u16,
    /// Highest port for media.
    #[serde(deserialize_with = "number")]
    pub(crate) max_port: u16,
    /// Bytes of an IP packet.
    #[serde(deserialize_with = "number")]
    pub(crate) mtu: u16,
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
    pub(crate) fn port_range(&self) -> Option<std::ops::RangeInclusive<u16>> {
        let whole = self.min_port <= 1024 && self.max_port == 65_535;
        (!whole && self.min_port <= self.max_port).then(|| self.min_port.max(1024)..=self.max_port)
    }
}

/// `WebRtcEndpoint` in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WebRtcSettings {
    /// Comma-separated names; empty = all.
    pub(crate) network_interfaces: String,
    /// Address or name of a STUN server.
    pub(crate) stun_server_address: String,
    /// Its port.
    #[serde(deserialize_with = "optional_number")]
    pub(crate) stun_server_port: Option<u16>,
    /// `user:password@host:port[?transport=udp|tcp|tls]`, several separated by spaces or commas.
    #[serde(rename = "turnURL")]
    pub(crate) turn_url: String,
    /// Whether candidates for TCP are gathered.
    #[serde(deserialize_with = "switch")]
    pub(crate) ice_tcp: bool,
    /// Replaces the address of IPv4 host candidates.
    #[serde(rename = "externalIPv4")]
    pub(crate) external_ipv4: String,
    /// Replaces the address of IPv6 host candidates.
    #[serde(rename = "externalIPv6")]
    pub(crate) external_ipv6: String,
    /// PEM file with an RSA key and certificate.
    #[serde(rename = "pemCertificateRSA")]
    pub(crate) pem_certificate_rsa: String,
    /// PEM file with an ECDSA key and certificate.
    #[serde(rename = "pemCertificateECDSA")]
    pub(crate) pem_certificate_ecdsa: String,
    /// For endpoints that choose no mark.
    #[serde(rename = "qos-dscp", deserialize_with = "dscp")]
    pub(crate) qos_dscp: DSCPValue,
    /// Whether H265 is offered and taken.
    #[serde(rename = "enable-h265", deserialize_with = "switch")]
    pub(crate) enable_h265: bool,
}

impl Default for WebRtcSettings {
    fn default() -> Self {
        let text = String::new;
        Self {
            network_interfaces: text(),
            stun_server_address: text(),
            stun_server_port: None,
            turn_url: text(),
            ice_tcp: true,
            external_ipv4: text(),
            external_ipv6: text(),
            pem_certificate_rsa: text(),
            pem_certificate_ecdsa: text(),
            qos_dscp: DSCPValue::NoValue,
            enable_h265: false,
        }
    }
}

/// `SdpEndpoint` in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SdpSettings {
    audio_codecs: Option<Vec<CodecName>>,
    video_codecs: Option<Vec<CodecName>>,
    /// 0: without sound. More than one count as one.
    #[serde(deserialize_with = "number")]
    pub(crate) num_audio_medias: u16,
    /// 0: without pictures. More than one count as one.
    #[serde(deserialize_with = "number")]
    pub(crate) num_video_medias: u16,
}

impl Default for SdpSettings {
    fn default() -> Self {
        Self {
            audio_codecs: None,
            video_codecs: None,
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

/// Codecs of the configuration that a WebRTC endpoint has no use for…
const NOT_FOR_WEBRTC: &str = "AMR";
/// …or only where it is enabled.
const H265: &str = "H265";

impl SdpSettings {
    /// Audio codecs in the order of preference.
    pub(crate) fn audio(&self) -> Vec<CodecCapability> {
        match &self.audio_codecs {
            Some(names) => capabilities(&MediaKind::Audio, names, &[NOT_FOR_WEBRTC]),
            None => CodecCapability::webrtc_audio(),
        }
    }

    /// Video codecs in the order of preference.
    pub(crate) fn video(&self, with_h265: bool) -> Vec<CodecCapability> {
        let unwanted: &[&str] = if with_h265 { &[] } else { &[H265] };
        match &self.video_codecs {
            Some(names) => capabilities(&MediaKind::Video, names, unwanted),
            None => {
                let first = CodecCapability::from_config_name(&MediaKind::Video, H265);
                let first = first.ok().filter(|_| with_h265);
                first
                    .into_iter()
                    .chain(CodecCapability::webrtc_video())
                    .collect()
            }
        }
    }
}

/// A name that is not known is named in the log and left out.
fn capabilities(kind: &MediaKind, names: &[CodecName], unwanted: &[&str]) -> Vec<CodecCapability> {
    let useful = names.iter().filter(|codec| {
        let encoding = codec.name.split('/').next().unwrap_or_default();
        !unwanted
            .iter()
            .any(|unused| unused.eq_ignore_ascii_case(encoding))
    });
    useful
        .filter_map(|codec| {
            CodecCapability::from_config_name(kind, &codec.name)
                .inspect_err(|error| tracing::warn!("SdpEndpoint configuration: {error}"))
                .ok()
        })
        .collect()
}

/// The configuration of a class, or its defaults with a warning when it does not fit.
pub(crate) fn of<T: for<'de> Deserialize<'de> + Default>(class: &str) -> T {
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

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u16, D::Error> {
    NumberOrText::deserialize(deserializer)?.value()
}

/// A switch as configuration files have it: `1`, `0`, a word, or either as text.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
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

/// A name that is none is no reason to forget the other settings.
fn dscp<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<DSCPValue, D::Error> {
    let name = String::deserialize(deserializer)?;
    let value = serde_json::from_value(name.trim().into());
    Ok(value.unwrap_or_else(|error| {
        tracing::warn!(name, %error, "qos-dscp is no DSCPValue; nothing is marked");
        DSCPValue::NoValue
    }))
}

fn optional_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<u16>, D::Error> {
    number(deserializer).map(Some)
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
    fn ice_tcp_is_on_unless_it_is_switched_off() {
        fn ice_tcp(text: &str) -> bool {
            let settings: WebRtcSettings = serde_json::from_str(text).unwrap();
            settings.ice_tcp
        }
        assert!(ice_tcp("{}"));
        assert!(ice_tcp(r#"{"iceTcp": "1"}"#));
        for off in ["0", "false", r#""0""#, r#""false""#] {
            assert!(!ice_tcp(&format!(r#"{{"iceTcp": {off}}}"#)));
        }
        assert!(serde_json::from_str::<WebRtcSettings>(r#"{"iceTcp": "x"}"#).is_err());
    }

    #[test]
    fn marks_are_named() {
        fn mark(text: &str) -> DSCPValue {
            let settings: WebRtcSettings = serde_json::from_str(text).unwrap();
            settings.qos_dscp
        }
        assert_eq!(mark("{}"), DSCPValue::NoValue);
        assert_eq!(mark(r#"{"qos-dscp": "AF41 "}"#), DSCPValue::Af41);
        assert_eq!(mark(r#"{"qos-dscp": "AF99"}"#), DSCPValue::NoValue);
    }

    #[test]
    fn h265_is_there_only_where_it_is_enabled() {
        let enabled: WebRtcSettings = serde_json::from_str(r#"{"enable-h265": "true"}"#).unwrap();
        assert!(enabled.enable_h265 && !WebRtcSettings::default().enable_h265);
        let configured = r#"{"videoCodecs": [{"name": "VP8/90000"}, {"name": "H265/90000"}]}"#;
        let names = |text: &str, with_h265| -> Vec<String> {
            let settings: SdpSettings = serde_json::from_str(text).unwrap();
            let codecs = settings.video(with_h265).into_iter();
            codecs.map(|codec| codec.name).collect()
        };
        assert_eq!(names(configured, true), ["VP8", "H265"]);
        assert_eq!(names(configured, false), ["VP8"]);
        assert_eq!(names("{}", true), ["H265", "AV1", "VP9", "VP8", "H264"]);
        assert_eq!(names("{}", false), ["AV1", "VP9", "VP8", "H264"]);
    }

    #[test]
    fn the_default_is_no_range() {
        assert_eq!(BaseRtpSettings::default().port_range(), None);
    }
}
