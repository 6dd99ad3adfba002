//! `FaceOverlayFilter` in the configuration.

use std::path::PathBuf;

use rivero_plugin_api::{Result, host};
use serde::Deserialize;

/// Settings of the class.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// File of the cascade.
    pub(crate) cascade: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        // Where the package opencv-data has it, in Debian and Ubuntu.
        let directory = "/usr/share/opencv4/haarcascades";
        Self {
            cascade: PathBuf::from(directory).join("haarcascade_frontalface_alt.xml"),
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
            Some(host) => host.configuration("FaceOverlayFilter"),
            None => Ok(Self::default()),
        }
    }
}
