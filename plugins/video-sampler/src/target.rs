//! What an `endpointUrl` means.

use rivero_plugin_api::{Error, Result};
use rivero_uri::{Access, Location, Policy};
use url::{Host, Url};

/// Forms that gRPC has for names and addresses; what follows is `host:port`.
const PREFIXES: [&str; 4] = ["dns:///", "dns:", "ipv4:", "ipv6:"];

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// By TLS.
    pub(crate) is_encrypted: bool,
    /// `http://host:port`, as it is told and as requests have it.
    pub(crate) origin: String,
}

impl Target {
    /// Reads it, and asks the policy about it.
    ///
    /// # Errors
    /// 40107 when it makes no sense, or the policy refuses it
    pub(crate) fn parse(endpoint: &str, policy: &Policy) -> Result<Self> {
        let url = url_of(endpoint)?;
        let location = Location::Remote(url);
        policy.check(&location, Access::Write)?;
        let Location::Remote(url) = location else {
            return Err(malformed("it names no host"));
        };
        let port = url.port_or_known_default();
        let (Some(host), Some(port)) = (rivero_uri::host(&url), port) else {
            return Err(malformed("it names no host"));
        };
        Ok(Self {
            is_encrypted: url.scheme() == "https",
            origin: format!("{}://{host}:{port}", url.scheme()),
            host,
            port,
        })
    }
}

fn url_of(endpoint: &str) -> Result<Url> {
    let is_url = endpoint.contains("://") && !endpoint.starts_with("dns:");
    let written = match is_url {
        true => endpoint.to_owned(),
        false => format!("http://{}", plain(endpoint)?),
    };
    // Not told with its reason from `url`, which says little of what was written.
    let url = Url::parse(&written).map_err(|error| malformed(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed("its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(malformed("it has a user or a password"));
    }
    // gRPC has paths of its own.
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(malformed("something follows the port"));
    }
    if url.port() == Some(0) {
        return Err(malformed("its port is 0"));
    }
    Ok(url)
}

/// What a name of gRPC's says: `host:port`.
fn plain(endpoint: &str) -> Result<&str> {
    let rest = PREFIXES
        .iter()
        .find_map(|prefix| endpoint.strip_prefix(prefix))
        .unwrap_or(endpoint);
    let port = rest.rsplit_once(':').map(|(_, port)| port);
    let has_port =
        port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    match has_port {
        true => Ok(rest),
        false => Err(malformed("it names no port")),
    }
}

/// Without what was written, which may have a password.
fn malformed(reason: &str) -> Error {
    Error::illegal_parameter(format!(
        "the endpointUrl is to be host:port, http://host:port or https://host:port (TLS): {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rivero_uri::UriSettings;

    use super::*;

    fn policy(settings: &str) -> Policy {
        let settings: UriSettings = serde_json::from_str(settings).unwrap();
        Policy::new(&settings)
    }

    fn origin(endpoint: &str) -> String {
        let target = Target::parse(endpoint, &policy("{}")).unwrap();
        assert_eq!(target.is_encrypted, target.origin.starts_with("https"));
        target.origin
    }

    #[test]
    fn names_of_grpc_and_urls_are_read() {
        for (endpoint, means) in [
            ("images:50051", "http://images:50051"),
            ("127.0.0.1:50051", "http://127.0.0.1:50051"),
            ("[::1]:50051", "http://[::1]:50051"),
            ("dns:images.example.org:80", "http://images.example.org:80"),
            ("dns:///images:443", "http://images:443"),
            ("ipv4:10.0.0.1:9", "http://10.0.0.1:9"),
            ("ipv6:[fd00::1]:9", "http://[fd00::1]:9"),
            ("http://images:50051", "http://images:50051"),
            ("http://images/", "http://images:80"),
            ("https://images", "https://images:443"),
            ("HTTPS://Images:8443", "https://images:8443"),
        ] {
            assert_eq!(origin(endpoint), means, "{endpoint}");
        }
    }

    #[test]
    fn what_names_no_service_is_refused() {
        for endpoint in [
            "",
            "images",
            "images:",
            ":50051",
            "images:99999",
            "images:0",
            "images:x",
            "http://",
            "http://images:1/path",
            "http://images:1?query",
            "http://images:1#fragment",
            "http://me:secret@images:1",
            "me@images:1",
            "ftp://images:1",
            "file:///etc/passwd",
            "unix:/run/images.sock",
            "unix:///run/images.sock:1",
            "dns://1.1.1.1/images:1",
            "a b:1",
        ] {
            let error = Target::parse(endpoint, &policy("{}")).unwrap_err();
            assert_eq!(error.code, 40107, "{endpoint}");
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
    }

    #[test]
    fn the_policy_is_asked() {
        for (settings, endpoint) in [
            ("{}", "169.254.169.254:80"),
            (r#"{"allowedHosts": "images"}"#, "other:1"),
            (r#"{"allowedSchemes": "https"}"#, "images:1"),
            (r#"{"internalHosts": []}"#, "127.0.0.1:1"),
            (r#"{"uriPolicy": "strict"}"#, "https://images:1"),
        ] {
            let error = Target::parse(endpoint, &policy(settings)).unwrap_err();
            assert_eq!(error.code, 40107, "{endpoint}: {}", error.message);
        }
        let allowed = policy(r#"{"allowedHosts": "images"}"#);
        assert!(Target::parse("images:1", &allowed).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = Target::parse(&text, &policy("{}"));
        }
    }
}
