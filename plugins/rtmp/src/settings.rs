//! `RtmpPublisher` and `RtmpIngest` in the configuration.

use rivero_plugin_api::{Result, host, settings::NumberOrText};
use serde::{Deserialize, Deserializer};

use crate::ingest::Address;

/// When HEVC, AV1, VP8, VP9 and Opus are sent as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnhancedRtmp {
    /// Those that the server says it takes.
    #[default]
    Offered,
    /// All of them, whatever the server says.
    Always,
    /// None, and the server is not asked either.
    Never,
}

/// Settings of a publisher. Numbers may be text, as INI files have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Seconds between keyframes that are asked for.
    #[serde(deserialize_with = "number")]
    pub(crate) keyframe_interval: u32,
    /// Bit/s of video that are asked for at most.
    #[serde(deserialize_with = "number")]
    pub(crate) max_video_bitrate: u32,
    /// What servers get beyond H.264 and AAC.
    pub(crate) enhanced_rtmp: EnhancedRtmp,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keyframe_interval: 2,
            max_video_bitrate: 2_500_000,
            enhanced_rtmp: EnhancedRtmp::Offered,
        }
    }
}

impl Settings {
    /// The server's configuration.
    ///
    /// # Errors
    /// 40003 naming the setting that does not fit
    pub(crate) fn load() -> Result<Self> {
        match host() {
            Some(host) => host.configuration("RtmpPublisher"),
            None => Ok(Self::default()),
        }
    }
}

/// Where publishers come to. The port may be text, as INI files have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct IngestSettings {
    server_address: String,
    #[serde(deserialize_with = "port")]
    server_port: Option<u16>,
    announced_address: String,
}

impl IngestSettings {
    /// The server's configuration.
    ///
    /// # Errors
    /// 40003 naming the setting that does not fit
    pub(crate) fn load() -> Result<Self> {
        match host() {
            Some(host) => host.configuration("RtmpIngest"),
            None => Ok(Self::default()),
        }
    }

    /// Only this machine unless something else is said.
    pub(crate) fn address(&self) -> Address {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Address {
            host: said(&self.server_address).unwrap_or_else(|| "localhost".to_owned()),
            port: self.server_port.unwrap_or(1935),
            announced: said(&self.announced_address),
        }
    }
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<u16>, D::Error> {
    NumberOrText::deserialize(deserializer)?.number_if_any("port")
}

/// At least 1: nothing is done each 0 seconds, and no picture has 0 bits.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u32, D::Error> {
    let number: u32 = NumberOrText::deserialize(deserializer)?.number("number")?;
    Ok(number.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_text() {
        let settings: Settings = serde_json::from_str(r#"{"keyframeInterval": " 0 "}"#).unwrap();
        let expected = Settings {
            keyframe_interval: 1,
            ..Settings::default()
        };
        assert_eq!(settings, expected);
        assert!(serde_json::from_str::<Settings>(r#"{"maxVideoBitrate": "much"}"#).is_err());
    }

    #[test]
    fn without_a_file_publishers_come_from_this_machine_only() {
        let address = |json| {
            let settings: IngestSettings = serde_json::from_str(json).unwrap();
            settings.address()
        };
        let Address {
            host,
            port,
            announced,
        } = address("{}");
        assert_eq!((&*host, port, announced), ("localhost", 1935, None));
        let everywhere = r#"{"serverAddress": "0.0.0.0", "serverPort": " 1936 ", "announcedAddress": "media.example"}"#;
        let Address {
            host,
            port,
            announced,
        } = address(everywhere);
        assert_eq!((&*host, port), ("0.0.0.0", 1936));
        assert_eq!(announced.as_deref(), Some("media.example"));
        assert!(serde_json::from_str::<IngestSettings>(r#"{"serverPort": 70000}"#).is_err());
    }
}
