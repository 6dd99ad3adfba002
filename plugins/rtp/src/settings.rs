//! `RtpEndpoint` in the server's configuration.

use std::{net::IpAddr, time::Duration};

use rivero_endpoint::settings::{number, switch};
use rivero_sdp::CodecCapability;
use serde::Deserialize;

/// The settings of the class.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RtpSettings {
    announced_address: String,
    /// Addresses are learnt from packets also where the description does not ask for it.
    #[serde(deserialize_with = "switch")]
    pub(crate) symmetric: bool,
    /// Own offers have digits; Kurento's have none.
    #[serde(deserialize_with = "switch")]
    pub(crate) offer_telephone_event: bool,
    #[serde(deserialize_with = "number")]
    keyframe_interval: u16,
    #[serde(deserialize_with = "number")]
    silent_target_timeout: u16,
}

impl Default for RtpSettings {
    fn default() -> Self {
        Self {
            announced_address: String::new(),
            symmetric: false,
            offer_telephone_event: false,
            keyframe_interval: 5,
            silent_target_timeout: 0,
        }
    }
}

impl RtpSettings {
    /// What descriptions say in place of our own address.
    pub(crate) fn announced_address(&self) -> Option<IpAddr> {
        let text = self.announced_address.trim();
        let address = text.parse().ok();
        if address.is_none() && !text.is_empty() {
            tracing::warn!(
                text,
                "announcedAddress of RtpEndpoint is no address, and not used"
            );
        }
        address
    }

    /// Between keyframes for peers that cannot ask for one.
    pub(crate) fn keyframe_interval(&self) -> Option<Duration> {
        seconds(self.keyframe_interval)
    }

    /// After how long nothing is sent any more to where nothing comes from.
    pub(crate) fn silent_target_timeout(&self) -> Option<Duration> {
        seconds(self.silent_target_timeout)
    }
}

fn seconds(number: u16) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(u64::from(number)))
}

/// What an RtpEndpoint offers unless the configuration says otherwise.
pub(crate) const AUDIO: [&str; 4] = ["opus", "PCMU", "PCMA", "AMR"];
pub(crate) const VIDEO: [&str; 5] = ["H265", "AV1", "VP9", "VP8", "H264"];

/// Payload types of offers: all codecs of the configuration are numbered, sound first, and Kurento's have
/// been these.
const PAYLOAD_TYPES: [(&str, u8); 6] = [
    ("AMR", 97),
    ("H265", 105),
    ("AV1", 106),
    ("VP9", 107),
    ("VP8", 108),
    ("H264", 109),
];

/// Codecs under the numbers that offers of an RtpEndpoint have.
pub(crate) fn numbered(mut codecs: Vec<CodecCapability>) -> Vec<CodecCapability> {
    for codec in &mut codecs {
        let mut known = PAYLOAD_TYPES.iter();
        if let Some((_, number)) = known.find(|(name, _)| codec.name.eq_ignore_ascii_case(name)) {
            codec.payload_type = Some(*number);
        }
        // Estimates are of no use to H264 and H265 senders, which Kurento's offers tell them.
        if matches!(codec.name.as_str(), "H264" | "H265") {
            codec
                .feedback
                .retain(|feedback| *feedback != rivero_sdp::RtcpFeedback::GoogRemb);
        }
    }
    codecs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_off() {
        let settings: RtpSettings = serde_json::from_str("{}").unwrap();
        assert!(!settings.symmetric && settings.announced_address().is_none());
        assert_eq!(settings.silent_target_timeout(), None);
        assert_eq!(settings.keyframe_interval(), Some(Duration::from_secs(5)));
        let text =
            r#"{"announcedAddress": " 192.0.2.9 ", "symmetric": "1", "keyframeInterval": "0"}"#;
        let settings: RtpSettings = serde_json::from_str(text).unwrap();
        assert!(settings.symmetric && settings.keyframe_interval().is_none());
        assert_eq!(settings.announced_address(), "192.0.2.9".parse().ok());
    }
}
