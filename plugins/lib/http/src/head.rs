//! What a URL is in the head of a request.

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::header::HeaderValue;
use url::Url;

/// `host` or `host:port`, for the header `Host`.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Path and query (RFC 9112 §3.2.1).
pub fn target(url: &Url) -> String {
    url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    )
}

/// What the server calls itself.
pub fn user_agent() -> &'static str {
    concat!("Rivero/", env!("CARGO_PKG_VERSION"))
}

/// Basic authentication (RFC 7617) from the URL's user and password, if it has any.
pub fn basic(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let plain = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut pair = plain(url.username());
    pair.push(b':');
    pair.extend(plain(url.password().unwrap_or_default()));
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
