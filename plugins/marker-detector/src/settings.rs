//! `ArMarkerdetector` in the configuration.

use rivero_plugin_api::{Result, host};
use serde::{Deserialize, Deserializer};

/// Settings of the class.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Names of the dictionaries whose markers are found.
    #[serde(deserialize_with = "list")]
    pub(crate) dictionaries: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let all = ["4X4", "5X5", "6X6", "7X7", "ARUCO_ORIGINAL"];
        Self {
            dictionaries: all.map(str::to_owned).to_vec(),
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
            Some(host) => host.configuration("ArMarkerdetector"),
            None => Ok(Self::default()),
        }
    }
}

/// Files that have no lists have texts with spaces or commas between the entries.
#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Text(String),
    Array(Vec<String>),
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<String>, D::Error> {
    Ok(match List::deserialize(deserializer)? {
        List::Array(entries) => entries,
        List::Text(text) => {
            let entries = text.split([' ', ',']).filter(|entry| !entry.is_empty());
            entries.map(str::to_owned).collect()
        }
    })
}
