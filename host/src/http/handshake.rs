//! The opening handshake of a WebSocket, as the server sees it (RFC 6455 section 4.2).

use hyper::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{HeaderMap, Method, Request, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What a request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// No WebSocket.
    None,
    /// A WebSocket, but key or version are missing. Health checks written for Kurento ask so.
    Incomplete,
    /// A WebSocket of a version that is not 13.
    OtherVersion,
    /// A WebSocket.
    Complete {
        /// The value of `Sec-WebSocket-Accept`.
        accept: String,
    },
}

impl Handshake {
    /// Of a request. HTTP/1.0 knows no upgrade (RFC 9110 section 7.8).
    pub fn of<B>(request: &Request<B>) -> Handshake {
        let headers = request.headers();
        let asks = request.method() == Method::GET
            && request.version() >= Version::HTTP_11
            && lists(headers, &UPGRADE, "websocket")
            && lists(headers, &CONNECTION, "upgrade");
        if !asks {
            return Handshake::None;
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).map(|key| key.as_bytes());
        let version = headers.get(SEC_WEBSOCKET_VERSION);
        match (key, version.map(|version| version.as_bytes())) {
            (None | Some(b""), _) | (_, None) => Handshake::Incomplete,
            (Some(key), Some(b"13")) => Handshake::Complete {
                accept: derive_accept_key(key),
            },
            _ => Handshake::OtherVersion,
        }
    }
}

/// Whether a field, which may come several times, lists `word`.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// Whether `path` of a request is the configured one (`kurento`): the leading slash does not
/// count, a trailing slash does.
#[must_use]
pub fn is_path(path: &str, configured: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.strip_prefix('/').unwrap_or(path) == configured.strip_prefix('/').unwrap_or(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(version: Version, fields: &[(&'static str, &'static str)]) -> Handshake {
        let mut request = Request::builder().version(version).uri("/kurento");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Handshake::of(&request.body(()).unwrap())
    }

    #[test]
    fn requests_are_told_apart() {
        let upgrade = ("upgrade", "WebSocket");
        let connection = ("connection", "keep-alive, Upgrade");
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let version = ("sec-websocket-version", "13");
        let of = |fields: &[_]| handshake(Version::HTTP_11, fields);
        // The example of RFC 6455 section 1.3.
        let complete = Handshake::Complete {
            accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into(),
        };
        assert_eq!(of(&[upgrade, connection, key, version]), complete);
        let twice = ("connection", "close");
        assert_eq!(of(&[twice, upgrade, connection, key, version]), complete);
        assert_eq!(of(&[upgrade, connection]), Handshake::Incomplete);
        assert_eq!(of(&[upgrade, connection, key]), Handshake::Incomplete);
        assert_eq!(of(&[upgrade, connection, version]), Handshake::Incomplete);
        let old = ("sec-websocket-version", "8");
        assert_eq!(
            of(&[upgrade, connection, key, old]),
            Handshake::OtherVersion
        );
        for fields in [
            &[][..],
            &[upgrade, key, version],
            &[connection, key, version],
        ] {
            assert_eq!(of(fields), Handshake::None);
        }
        let all = [upgrade, connection, key, version];
        assert_eq!(handshake(Version::HTTP_10, &all), Handshake::None);
    }

    #[test]
    fn the_path_is_compared_without_query() {
        assert!(is_path("/kurento", "kurento") && is_path("/kurento?x=1", "/kurento"));
        assert!(
            !is_path("/kurento/", "kurento")
                && !is_path("/", "kurento")
                && !is_path("/kurentoX", "kurento")
        );
    }
}
