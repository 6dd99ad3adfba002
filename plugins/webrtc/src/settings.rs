//! Settings of the server for this module's classes.

use rivero_endpoint::settings::{SdpSettings, optional_number, switch};
use rivero_sdp::CodecCapability;
use serde::{Deserialize, Deserializer};

use crate::api::DSCPValue;

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
    /// Whether digits are offered and taken; Kurento's descriptions have none.
    #[serde(deserialize_with = "switch")]
    pub(crate) telephone_event: bool,
    /// Whether offers have only what Kurento's have.
    #[serde(deserialize_with = "switch")]
    pub(crate) plain_offers: bool,
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
            telephone_event: false,
            plain_offers: false,
        }
    }
}

/// What a WebRTC endpoint offers unless the configuration says otherwise.
const AUDIO: [&str; 3] = ["opus", "PCMU", "PCMA"];
const VIDEO: [&str; 5] = ["H265", "AV1", "VP9", "VP8", "H264"];
/// Codecs of the configuration that a WebRTC endpoint has no use for…
const NOT_FOR_WEBRTC: &str = "AMR";
/// …or only where it is enabled.
const H265: &str = "H265";

/// Digits (RFC 4733) beside sound of a clock rate, under the numbers that Chromium has for them.
const DIGITS: [(u32, u8); 2] = [(48_000, 110), (8000, 126)];

/// Audio codecs in the order of preference, and digits beside them.
pub(crate) fn audio(settings: &SdpSettings, with_digits: bool) -> Vec<CodecCapability> {
    let mut codecs = settings.audio(&AUDIO, &[NOT_FOR_WEBRTC]);
    let has = |rate: u32| codecs.iter().any(|codec| codec.clock_rate == rate);
    let digits: Vec<CodecCapability> = { DIGITS.iter() }
        .filter(|(rate, _)| with_digits && has(*rate))
        .map(|(rate, payload_type)| CodecCapability::digits(*rate, Some(*payload_type)))
        .collect();
    codecs.extend(digits);
    codecs
}

/// Video codecs in the order of preference.
pub(crate) fn video(settings: &SdpSettings, with_h265: bool) -> Vec<CodecCapability> {
    let unwanted: &[&str] = if with_h265 { &[] } else { &[H265] };
    settings.video(&VIDEO, unwanted)
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn digits_go_with_sound_of_their_clock_rate() {
        let rates = |text: &str| -> Vec<u32> {
            let settings: SdpSettings = serde_json::from_str(text).unwrap();
            let digits = audio(&settings, true)
                .into_iter()
                .filter(CodecCapability::is_event);
            digits.map(|codec| codec.clock_rate).collect()
        };
        assert_eq!(rates("{}"), [48_000, 8000]);
        assert_eq!(rates(r#"{"audioCodecs": [{"name": "PCMU/8000"}]}"#), [8000]);
        assert_eq!(rates(r#"{"audioCodecs": []}"#), [0; 0]);
        let settings = SdpSettings::default();
        assert!(
            !audio(&settings, false)
                .iter()
                .any(CodecCapability::is_event)
        );
    }

    #[test]
    fn h265_is_there_only_where_it_is_enabled() {
        let enabled: WebRtcSettings = serde_json::from_str(r#"{"enable-h265": "true"}"#).unwrap();
        assert!(enabled.enable_h265 && !WebRtcSettings::default().enable_h265);
        let configured = r#"{"videoCodecs": [{"name": "VP8/90000"}, {"name": "H265/90000"}]}"#;
        let names = |text: &str, with_h265| -> Vec<String> {
            let settings: SdpSettings = serde_json::from_str(text).unwrap();
            let codecs = video(&settings, with_h265).into_iter();
            codecs.map(|codec| codec.name).collect()
        };
        assert_eq!(names(configured, true), ["VP8", "H265"]);
        assert_eq!(names(configured, false), ["VP8"]);
        assert_eq!(names("{}", true), ["H265", "AV1", "VP9", "VP8", "H264"]);
        assert_eq!(names("{}", false), ["AV1", "VP9", "VP8", "H264"]);
    }
}
