//! `UriEndpoint` in the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// The settings of class `UriEndpoint`. Lists are JSON arrays, or text with
/// commas, as INI files have them. All but `defaultPath` are Rivero's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UriSettings {
    /// What relative URIs are below.
    pub default_path: String,
    /// Which defaults the other settings have.
    pub uri_policy: Preset,
    /// Files may be read only below these.
    #[serde(deserialize_with = "list")]
    pub readable_roots: Option<Vec<String>>,
    /// Files may be written only below these.
    #[serde(deserialize_with = "list")]
    pub writable_roots: Option<Vec<String>>,
    /// Schemes of URIs, such as `file, https`.
    #[serde(deserialize_with = "list")]
    pub allowed_schemes: Option<Vec<String>>,
    /// Names or addresses; `*.example.org` means every host below.
    #[serde(deserialize_with = "list")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Names, `*.example.org`, addresses or networks (`10.0.0.0/8`) of this machine and of private networks that
    /// may be reached; `*`: all of them.
    #[serde(deserialize_with = "list")]
    pub internal_hosts: Option<Vec<String>>,
    /// Files and directories of the server itself; the host fills it in.
    pub protected: Vec<PathBuf>,
}

/// Defaults of a policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// What Kurento's applications rely on: everything but the system's own places.
    #[default]
    Default,
    /// Nothing but what is configured.
    Strict,
}

impl Default for UriSettings {
    fn default() -> Self {
        Self {
            default_path: "file:///var/lib/kurento/".to_owned(),
            uri_policy: Preset::Default,
            readable_roots: None,
            writable_roots: None,
            allowed_schemes: None,
            allowed_hosts: None,
            internal_hosts: None,
            protected: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Text(String),
    Array(Vec<String>),
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let entries = match List::deserialize(deserializer)? {
        List::Text(text) => text.split(',').map(str::to_owned).collect(),
        List::Array(entries) => entries,
    };
    let trimmed = entries.iter().map(|entry| entry.trim().to_owned());
    Ok(Some(trimmed.filter(|entry| !entry.is_empty()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_arrays_or_text() {
        let text: UriSettings = serde_json::from_str(r#"{"readableRoots": "/a, /b c,"}"#).unwrap();
        let array: UriSettings =
            serde_json::from_str(r#"{"readableRoots": ["/a", "/b c"]}"#).unwrap();
        assert_eq!(
            text.readable_roots,
            Some(vec!["/a".to_owned(), "/b c".to_owned()])
        );
        assert_eq!(text.readable_roots, array.readable_roots);
    }

    #[test]
    fn a_preset_that_does_not_exist_is_an_error() {
        assert!(serde_json::from_str::<UriSettings>(r#"{"uriPolicy": "stict"}"#).is_err());
        let strict: UriSettings = serde_json::from_str(r#"{"uriPolicy": "strict"}"#).unwrap();
        assert_eq!(strict.uri_policy, Preset::Strict);
    }
}
