//! `RecorderEndpoint` in the configuration.

use rivero_plugin_api::{Result, host, settings::NumberOrText};
use serde::{Deserialize, Deserializer};

use crate::timeline::Gaps;

/// Settings of the class. Numbers may be text, as INI files have them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// `GapsFixMethod`
    pub(crate) gaps_fix: String,
    /// Seconds between keyframes that are asked for; Rivero's own.
    #[serde(deserialize_with = "seconds")]
    pub(crate) keyframe_interval: u32,
    /// Seconds of each file of `KURENTO_SPLIT_RECORDER`; Rivero's own.
    #[serde(deserialize_with = "seconds")]
    pub(crate) split_duration: u32,
    /// Seconds after which what is recorded is on the disk, 0: only at the end; Rivero's own.
    #[serde(deserialize_with = "seconds_or_none")]
    pub(crate) sync_interval: u32,
    /// Memory of all recorders for media that waits for disks and servers, MB; Rivero's own.
    #[serde(deserialize_with = "megabytes")]
    pub(crate) queue_memory: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gaps_fix: "NONE".to_owned(),
            keyframe_interval: 5,
            split_duration: 60,
            sync_interval: 0,
            queue_memory: 256,
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
            Some(host) => host.configuration("RecorderEndpoint"),
            None => Ok(Self::default()),
        }
    }

    /// Memory of all recorders, bytes.
    pub(crate) fn memory(&self) -> usize {
        usize::try_from(self.queue_memory).map_or(usize::MAX, |megabytes| megabytes << 20)
    }

    /// A method that is unknown, or not there, is named in the log.
    pub(crate) fn gaps(&self) -> Gaps {
        match self.gaps_fix.trim() {
            "GENPTS" => Gaps::Close,
            "NONE" => Gaps::Keep,
            name => {
                tracing::warn!(
                    "RecorderEndpoint.gapsFix is {name:?}, which is neither NONE nor GENPTS: gaps are kept"
                );
                Gaps::Keep
            }
        }
    }
}

/// Seconds, at least one: an interval of none would ask for keyframes, or begin a file, with every frame.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u32, D::Error> {
    let seconds: u32 = NumberOrText::deserialize(deserializer)?.number("number of seconds")?;
    Ok(seconds.max(1))
}

fn seconds_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<u32, D::Error> {
    NumberOrText::deserialize(deserializer)?.number("number of seconds")
}

/// Megabytes, at least as many as a few large pictures have.
fn megabytes<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u32, D::Error> {
    let megabytes: u32 = NumberOrText::deserialize(deserializer)?.number("number of megabytes")?;
    Ok(megabytes.max(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_an_ini_file() {
        let settings: Settings =
            serde_json::from_str(r#"{"gapsFix": "GENPTS", "splitDuration": "10"}"#).unwrap();
        assert_eq!(
            (
                settings.gaps(),
                settings.split_duration,
                settings.keyframe_interval
            ),
            (Gaps::Close, 10, 5)
        );
        assert_eq!((settings.sync_interval, settings.memory()), (0, 256 << 20));
        assert!(serde_json::from_str::<Settings>(r#"{"splitDuration": "long"}"#).is_err());
        let settings: Settings =
            serde_json::from_str(r#"{"syncInterval": "2", "queueMemory": 64}"#).unwrap();
        assert_eq!((settings.sync_interval, settings.memory()), (2, 64 << 20));
    }

    #[test]
    fn an_unknown_method_keeps_gaps() {
        let settings: Settings =
            serde_json::from_str(r#"{"gapsFix": "FILL_IF_TRANSCODING"}"#).unwrap();
        assert_eq!(settings.gaps(), Gaps::Keep);
    }
}
