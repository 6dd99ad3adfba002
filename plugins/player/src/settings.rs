//! `PlayerEndpoint` in the configuration.

use rivero_plugin_api::{Result, host};
use serde::Deserialize;

/// Settings of the class.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// `min-max`
    rtsp_client_port_range: String,
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
    fn a_range_of_ports() {
        assert_eq!(ports("3000-3999"), Some((3000, 3999)));
        assert_eq!(ports(" 3000 - 3999 "), Some((3000, 3999)));
        for none in ["", "0-0", "5", "4000-3000", "1-70000", "a-b"] {
            assert_eq!(ports(none), None, "{none}");
        }
    }
}
