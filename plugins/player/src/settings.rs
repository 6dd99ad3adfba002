//! `PlayerEndpoint` in the configuration.

use std::time::Duration;

use rivero_plugin_api::{Result, host};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use crate::watch::Rules;

/// Settings of the class.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// `min-max`
    rtsp_client_port_range: String,
    /// s; 0: for ever.
    #[serde(deserialize_with = "number")]
    no_data_timeout: u64,
    #[serde(deserialize_with = "flag")]
    reconnect: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rtsp_client_port_range: String::new(),
            no_data_timeout: 30,
            reconnect: false,
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
            Some(host) => host.configuration("PlayerEndpoint"),
            None => Ok(Self::default()),
        }
    }

    /// What is done about live sources that fail.
    pub(crate) fn rules(&self) -> Rules {
        let patience = Duration::from_secs(self.no_data_timeout);
        Rules {
            patience: Some(patience).filter(|patience| !patience.is_zero()),
            reconnects: self.reconnect,
        }
    }

    /// First and last UDP port of RTSP sources; `None` leaves them to the
    /// system, as does what is no range, which is named in the log.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        let text = self.rtsp_client_port_range.trim();
        if matches!(text, "" | "0-0") {
            return None;
        }
        let range = text.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        });
        match range {
            Some((first, last)) if 0 < first && first < last => Some((first, last)),
            _ => {
                tracing::warn!(
                    "PlayerEndpoint.rtspClientPortRange is {text:?}, which is no range of ports such as 3000-3999: the system chooses"
                );
                None
            }
        }
    }
}

/// A number as configuration files have it, which may be text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64(),
    };
    number.ok_or_else(|| D::Error::custom(format!("{value} is no number of seconds")))
}

/// A flag as configuration files have it: a word or a number, either of which may be text.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" | "" => Ok(false),
        _ => Err(D::Error::custom(format!("{value} is neither 1 nor 0"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Option<(u16, u16)> {
        let settings = serde_json::json!({ "rtspClientPortRange": text });
        serde_json::from_value::<Settings>(settings)
            .unwrap()
            .ports()
    }

    #[test]
    fn what_is_done_about_live_sources_that_fail() {
        let rules = |settings| {
            serde_json::from_value::<Settings>(settings)
                .unwrap()
                .rules()
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let own = rules(serde_json::json!({}));
        assert_eq!((own.patience, own.reconnects), (seconds(30), false));
        let typed = rules(serde_json::json!({ "noDataTimeout": 5, "reconnect": true }));
        assert_eq!((typed.patience, typed.reconnects), (seconds(5), true));
        let text = rules(serde_json::json!({ "noDataTimeout": "0", "reconnect": "1" }));
        assert_eq!((text.patience, text.reconnects), (None, true));
        for wrong in [
            serde_json::json!({ "noDataTimeout": -1 }),
            serde_json::json!({ "reconnect": "maybe" }),
        ] {
            assert!(serde_json::from_value::<Settings>(wrong).is_err());
        }
    }

    #[test]
    fn a_range_of_ports() {
        assert_eq!(ports("3000-3999"), Some((3000, 3999)));
        assert_eq!(ports(" 3000 - 3999 "), Some((3000, 3999)));
        for none in ["", "0-0", "5", "4000-3000", "1-70000", "a-b"] {
            assert_eq!(ports(none), None, "{none}");
        }
    }
}
