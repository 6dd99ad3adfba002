//! What a consumer wishes of a conversion.

use std::collections::BTreeMap;

use rivero_plugin_api::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

/// Bit/s of video without a wish: Kurento's `encoderBitrate`.
const VIDEO_BITRATE: u64 = 300_000;

/// The settings of a converter, as the host sends them. What is missing or 0 is free.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Bit/s.
    bitrate: u64,
    /// Pixels.
    pub(crate) width: u32,
    /// Pixels.
    pub(crate) height: u32,
    /// Pictures a second, at most.
    pub(crate) frame_rate: f64,
    /// Seconds between keyframes, for consumers that cannot ask for them.
    pub(crate) keyframe_interval: f64,
    /// Hz.
    pub(crate) sample_rate: u32,
    /// Audio channels.
    pub(crate) channels: u32,
    /// Properties of the encoder's element by their GStreamer names, as `gst-launch` takes them.
    pub(crate) options: BTreeMap<String, String>,
}

impl Settings {
    pub(crate) fn parse(settings: Value) -> Result<Self> {
        if settings.is_null() {
            return Ok(Self::default());
        }
        serde_json::from_value(settings)
            .map_err(|error| Error::marshall(format!("the settings of a conversion: {error}")))
    }

    /// Bit/s at the beginning, for video.
    pub(crate) fn video_bitrate(&self) -> u64 {
        if self.bitrate == 0 {
            VIDEO_BITRATE
        } else {
            self.bitrate
        }
    }

    /// Bit/s of audio, if there is a wish.
    pub(crate) fn audio_bitrate(&self) -> Option<u64> {
        (self.bitrate > 0).then_some(self.bitrate)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_video_has_a_bitrate_without_a_wish() {
        let settings = Settings::parse(json!({"bitrate": 900_000})).unwrap();
        assert_eq!(settings.video_bitrate(), 900_000);
        assert_eq!(settings.audio_bitrate(), Some(900_000));
        assert_eq!(Settings::default().video_bitrate(), 300_000);
        assert_eq!(Settings::default().audio_bitrate(), None);
    }

    #[test]
    fn settings_of_the_wrong_type_are_an_error() {
        let error = Settings::parse(json!({"width": "wide"})).unwrap_err();
        assert_eq!(error.code, 40001);
        assert!(Settings::parse(Value::Null).is_ok());
        assert!(Settings::parse(json!({"something": "else"})).is_ok());
    }
}
