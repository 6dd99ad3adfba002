//! `PlateDetectorFilter` in the configuration.

use rivero_plugin_api::{Result, host};
use serde::Deserialize;

/// Settings of the class.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Whose letters plates have, as Tesseract calls its data.
    pub(crate) language: String,
    /// Directory of the data; empty for that of the library.
    pub(crate) data_path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            language: "eng".to_owned(),
            data_path: String::new(),
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
            Some(host) => host.configuration("PlateDetectorFilter"),
            None => Ok(Self::default()),
        }
    }
}
