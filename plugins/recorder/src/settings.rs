//! `RecorderEndpoint` in the configuration.

use rivero_plugin_api::{Result, host, settings::NumberOrText};
use serde::{Deserialize, Deserializer};

use crate::{
    s3::{Store, StoreSettings},
    timeline::Gaps,
};

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
    /// Directory of recordings on their way to a store; Rivero's own.
    pub(crate) spool_path: Option<String>,
    /// What it holds at most, MB; Rivero's own.
    #[serde(deserialize_with = "megabytes")]
    pub(crate) spool_size: u32,
    /// Where the store is; Rivero's own.
    #[serde(flatten)]
    store: StoreSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gaps_fix: "NONE".to_owned(),
            keyframe_interval: 5,
            split_duration: 60,
            sync_interval: 0,
            queue_memory: 256,
            spool_path: None,
            spool_size: 10_240,
            store: StoreSettings::default(),
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

    /// What the spool holds at most, bytes.
    pub(crate) fn spool(&self) -> u64 {
        u64::from(self.spool_size) << 20
    }

    /// The store that recordings to `s3` URIs are brought to.
    ///
    /// # Errors
    /// What is missing or does not fit, and what to do
    pub(crate) fn store(&self) -> std::result::Result<Store, String> {
        Store::new(&self.store, |name| std::env::var(name).ok())
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
    fn settings_of_stores_are_not_shown() {
        let settings: Settings = serde_json::from_str(
            r#"{"spoolSize": "1024", "s3AccessKeyId": "id", "s3SecretAccessKey": "hush", "s3SessionToken": "hush"}"#,
        )
        .unwrap();
        assert_eq!(settings.spool(), 1 << 30);
        settings.store().unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn an_unknown_method_keeps_gaps() {
        let settings: Settings =
            serde_json::from_str(r#"{"gapsFix": "FILL_IF_TRANSCODING"}"#).unwrap();
        assert_eq!(settings.gaps(), Gaps::Keep);
    }
}
