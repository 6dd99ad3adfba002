//! Where a store is, and by which credentials it is used.

use std::fmt;

use rivero_uri::Policy;
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use super::object::Object;

/// Where no region is named: Amazon's first one, which other stores take, too.
const REGION: &str = "us-east-1";

/// Those of `RecorderEndpoint`. What is not set is taken from the variables of the environment that Amazon's tools read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct StoreSettings {
    pub(crate) s3_endpoint: Option<String>,
    pub(crate) s3_region: Option<String>,
    pub(crate) s3_access_key_id: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(crate) s3_secret_access_key: Option<Secret>,
    #[serde(deserialize_with = "secret")]
    pub(crate) s3_session_token: Option<Secret>,
    pub(crate) s3_addressing: Addressing,
}

/// Where the name of a bucket stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Addressing {
    /// In the host where the store is Amazon's and the name can stand there, else in the path.
    #[default]
    Auto,
    /// `https://store/bucket/key`
    Path,
    /// `https://bucket.store/key`
    Host,
}

/// A text that is not shown, whoever writes it into a log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret))
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    id: String,
    secret: Secret,
    /// Of temporary credentials.
    token: Option<Secret>,
}

impl Credentials {
    #[cfg(test)]
    pub(super) fn new(id: &str, secret: &str, token: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            secret: Secret(secret.to_owned()),
            token: token.map(|token| Secret(token.to_owned())),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret.0
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.0.as_str())
    }
}

/// A store that objects can be brought to.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    endpoint: Url,
    pub(super) region: String,
    pub(super) credentials: Credentials,
    is_in_host: bool,
    /// Only names without dots have a certificate of Amazon's.
    only_without_dots: bool,
}

impl Store {
    /// The store of the settings, as `variable` says in their place.
    ///
    /// # Errors
    /// The setting that is missing or does not fit, and what to do
    pub(crate) fn new(
        settings: &StoreSettings,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let given = |setting: &Option<String>, name: &str| {
            let setting = setting.clone().or_else(|| variable(name));
            let setting = setting.map(|text| text.trim().to_owned());
            setting.filter(|text| !text.is_empty())
        };
        let region = given(&settings.s3_region, "AWS_REGION")
            .or_else(|| given(&None, "AWS_DEFAULT_REGION"))
            .unwrap_or_else(|| REGION.to_owned());
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !region.chars().all(is_name) {
            return Err(format!(
                "RecorderEndpoint.s3Region, or AWS_REGION, is {region:?}, which is no name of a region"
            ));
        }
        let endpoint = given(&settings.s3_endpoint, "AWS_ENDPOINT_URL_S3")
            .or_else(|| given(&None, "AWS_ENDPOINT_URL"));
        let is_amazon = endpoint.is_none();
        let endpoint = match endpoint {
            Some(text) => endpoint_url(&text)?,
            None => endpoint_url(&format!("https://s3.{region}.amazonaws.com"))?,
        };
        Ok(Self {
            endpoint,
            credentials: credentials(settings, given)?,
            region,
            is_in_host: match settings.s3_addressing {
                Addressing::Auto => is_amazon,
                Addressing::Path => false,
                Addressing::Host => true,
            },
            only_without_dots: settings.s3_addressing == Addressing::Auto,
        })
    }

    /// Checks that the policy of URIs lets the store be reached, as far as its name tells.
    ///
    /// # Errors
    /// What the policy says
    pub(crate) fn check(&self, policy: &Policy) -> Result<(), rivero_uri::Refusal> {
        match rivero_uri::host(&self.endpoint) {
            Some(host) => policy.check_host(&host),
            None => Ok(()),
        }
    }

    /// The store's URL for an object, and the path in there, escaped.
    pub(super) fn place(&self, object: &Object) -> (Url, String) {
        let mut url = self.endpoint.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        let key = super::sign::escape_path(&object.key);
        if self.has_in_host(&object.bucket) {
            let host = url.host_str().unwrap_or_default();
            let host = format!("{}.{host}", object.bucket);
            // Where a store is an address, nothing can stand before it.
            if url.set_host(Some(&host)).is_ok() {
                return (url, format!("{base}/{key}"));
            }
        }
        let bucket = super::sign::escape(&object.bucket);
        (url, format!("{base}/{bucket}/{key}"))
    }

    fn has_in_host(&self, bucket: &str) -> bool {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        self.is_in_host
            && matches!(self.endpoint.host(), Some(Host::Domain(_)))
            && bucket.chars().all(is_name)
            && !(self.only_without_dots && bucket.contains('.'))
    }
}

fn endpoint_url(text: &str) -> Result<Url, String> {
    let usable = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    // Not told with its text: there may be a password in it.
    text.parse().ok().filter(usable).ok_or_else(|| {
        "RecorderEndpoint.s3Endpoint, or AWS_ENDPOINT_URL, is no http or https URL without user and query".to_owned()
    })
}

/// Those of the settings, else those of the environment: never the id of one with the secret of the other.
fn credentials(
    settings: &StoreSettings,
    given: impl Fn(&Option<String>, &str) -> Option<String>,
) -> Result<Credentials, String> {
    let open = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.0.clone());
    // A line without a value is one that was not filled in.
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    let is_set = has(&settings.s3_access_key_id) || has(&open(&settings.s3_secret_access_key));
    let name = |variable| if is_set { "" } else { variable };
    let id = given(&settings.s3_access_key_id, name("AWS_ACCESS_KEY_ID"));
    let secret = given(
        &open(&settings.s3_secret_access_key),
        name("AWS_SECRET_ACCESS_KEY"),
    );
    let token = given(&open(&settings.s3_session_token), name("AWS_SESSION_TOKEN"));
    let (Some(id), Some(secret)) = (id, secret) else {
        return Err(
            "recording to s3 URIs needs credentials: set RecorderEndpoint.s3AccessKeyId and s3SecretAccessKey, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the server's environment".to_owned(),
        );
    };
    // They go into headers as they are.
    let fits = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits(&id) || !token.as_deref().is_none_or(fits) {
        return Err("RecorderEndpoint.s3AccessKeyId or s3SessionToken contains characters that no such key has".to_owned());
    }
    Ok(Credentials {
        id,
        secret: Secret(secret),
        token: token.map(Secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = r#""s3AccessKeyId": "id", "s3SecretAccessKey": "hush""#;

    fn store(settings: &str, environment: &[(&str, &str)]) -> Result<Store, String> {
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Store::new(&serde_json::from_str(settings).unwrap(), variable)
    }

    fn url(store: &Store, bucket: &str, key: &str) -> String {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let (url, path) = store.place(&Object { bucket, key });
        format!("{}{path}", url.origin().ascii_serialization())
    }

    #[test]
    fn amazon_is_where_nothing_else_is_named() {
        let store = store(&format!(r#"{{{KEYS}, "s3Region": "eu-west-1"}}"#), &[]).unwrap();
        assert_eq!(
            url(&store, "calls", "a b.webm"),
            "https://calls.s3.eu-west-1.amazonaws.com/a%20b.webm"
        );
        assert_eq!(
            url(&store, "calls.example", "a"),
            "https://s3.eu-west-1.amazonaws.com/calls.example/a"
        );
    }

    #[test]
    fn other_stores_have_buckets_in_the_path_unless_told() {
        let endpoint = "http://127.0.0.1:9000/base/";
        let path = store(&format!(r#"{{{KEYS}, "s3Endpoint": "{endpoint}"}}"#), &[]).unwrap();
        assert_eq!(
            url(&path, "calls", "x/a"),
            "http://127.0.0.1:9000/base/calls/x/a"
        );
        let named = r#""s3Endpoint": "https://store.example", "s3Addressing": "host""#;
        let host = store(&format!("{{{KEYS}, {named}}}"), &[]).unwrap();
        assert_eq!(url(&host, "calls", "a"), "https://calls.store.example/a");
        assert_eq!(
            url(&host, "Old_One", "a"),
            "https://store.example/Old_One/a"
        );
    }

    #[test]
    fn the_environment_stands_in_for_settings_and_is_not_mixed_with_them() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "other"),
            ("AWS_SECRET_ACCESS_KEY", "whisper"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "eu-north-1"),
            ("AWS_ENDPOINT_URL", "http://localhost:1"),
        ];
        let store = |settings: &str| store(settings, &environment);
        let all = store("{}").unwrap();
        assert_eq!(
            (all.credentials.id(), all.credentials.token()),
            ("other", Some("token"))
        );
        assert_eq!(url(&all, "b", "k"), "http://localhost:1/b/k");
        assert_eq!(all.region, "eu-north-1");
        let set = store(&format!("{{{KEYS}}}")).unwrap();
        assert_eq!(
            (set.credentials.id(), set.credentials.token()),
            ("id", None)
        );
        assert!(store(r#"{"s3AccessKeyId": "id"}"#).is_err());
    }

    #[test]
    fn what_is_missing_or_does_not_fit_is_named_and_no_secret_shown() {
        for (settings, named) in [
            ("{}", "s3AccessKeyId"),
            (
                &format!(r#"{{{KEYS}, "s3Endpoint": "ftp://a:hush@b"}}"#),
                "s3Endpoint",
            ),
            (&format!(r#"{{{KEYS}, "s3Region": "a/b"}}"#), "s3Region"),
        ] {
            let reason = store(settings, &[]).unwrap_err();
            assert!(reason.contains(named), "{reason}");
            assert!(!reason.contains("hush"), "{reason}");
        }
        let store = store(&format!("{{{KEYS}}}"), &[]).unwrap();
        assert!(!format!("{store:?}").contains("hush"));
    }

    #[test]
    fn the_stores_host_is_subject_to_the_policy() {
        let settings: rivero_uri::UriSettings =
            serde_json::from_str(r#"{"allowedHosts": "calls"}"#).unwrap();
        let policy = Policy::new(&settings);
        let store = store(&format!("{{{KEYS}}}"), &[]).unwrap();
        assert!(store.check(&policy).is_err());
    }
}
