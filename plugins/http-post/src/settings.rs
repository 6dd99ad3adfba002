//! `HttpEndpoint` and `HttpPostEndpoint` in the configuration.

use rivero_plugin_api::{Result, host, settings::NumberOrText};
use serde::{Deserialize, Deserializer};

/// Where uploads are taken. Numbers may be text, as INI files have them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ServerSettings {
    server_address: String,
    #[serde(deserialize_with = "number")]
    server_port: Option<u64>,
    #[serde(deserialize_with = "number")]
    port: Option<u64>,
    announced_address: String,
}

/// What an endpoint takes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UploadSettings {
    #[serde(deserialize_with = "number")]
    max_upload_size: Option<u64>,
}

impl ServerSettings {
    /// The server's configuration.
    ///
    /// # Errors
    /// 40003 naming the setting that does not fit
    pub(crate) fn load() -> Result<Self> {
        match host() {
            Some(host) => host.configuration("HttpEndpoint"),
            None => Ok(Self::default()),
        }
    }

    /// Name or address to listen at.
    pub(crate) fn address(&self) -> &str {
        match self.server_address.trim() {
            "" => "localhost",
            address => address,
        }
    }

    /// 0 is any free one.
    pub(crate) fn port(&self) -> u16 {
        let configured = self.server_port.or(self.port).unwrap_or(9091);
        u16::try_from(configured).unwrap_or(9091)
    }

    /// What URLs are to name, if that is not the address.
    pub(crate) fn announced(&self) -> Option<&str> {
        Some(self.announced_address.trim()).filter(|announced| !announced.is_empty())
    }
}

impl UploadSettings {
    /// The server's configuration.
    ///
    /// # Errors
    /// 40003 naming the setting that does not fit
    pub(crate) fn load() -> Result<Self> {
        match host() {
            Some(host) => host.configuration("HttpPostEndpoint"),
            None => Ok(Self::default()),
        }
    }

    /// Bytes of the largest body.
    pub(crate) fn limit(&self) -> u64 {
        match self.max_upload_size.unwrap_or(1 << 32) {
            0 => u64::MAX,
            limit => limit,
        }
    }
}

fn number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<u64>, D::Error> {
    NumberOrText::deserialize(deserializer)?.number_if_any("whole number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(json: &str) -> ServerSettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn without_a_file_it_listens_on_this_machine_only() {
        let settings = server("{}");
        assert_eq!(
            (settings.address(), settings.port(), settings.announced()),
            ("localhost", 9091, None)
        );
    }

    #[test]
    fn both_names_of_the_port_as_number_or_text() {
        assert_eq!(server(r#"{"port": "9092"}"#).port(), 9092);
        assert_eq!(server(r#"{"port": 9092, "serverPort": 0}"#).port(), 0);
        assert!(serde_json::from_str::<ServerSettings>(r#"{"serverPort": "many"}"#).is_err());
    }

    #[test]
    fn no_limit_is_0() {
        let limit = |json| {
            serde_json::from_str::<UploadSettings>(json)
                .unwrap()
                .limit()
        };
        assert_eq!(limit("{}"), 4_294_967_296);
        assert_eq!(limit(r#"{"maxUploadSize": "1000"}"#), 1000);
        assert_eq!(limit(r#"{"maxUploadSize": 0}"#), u64::MAX);
    }
}
