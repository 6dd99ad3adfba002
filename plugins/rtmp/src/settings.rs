//! `RtmpPublisher` in the configuration.

use rivero_plugin_api::{Result, host, settings::NumberOrText};
use serde::{Deserialize, Deserializer};

/// Settings of the class. Numbers may be text, as INI files have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Seconds between keyframes that are asked for.
    #[serde(deserialize_with = "number")]
    pub(crate) keyframe_interval: u32,
    /// Bit/s of video that are asked for at most.
    #[serde(deserialize_with = "number")]
    pub(crate) max_video_bitrate: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keyframe_interval: 2,
            max_video_bitrate: 2_500_000,
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
}
