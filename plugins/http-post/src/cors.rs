//! What lets pages of other origins upload (the CORS protocol of the Fetch standard).

use hyper::{
    HeaderMap, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, HeaderName, HeaderValue, ORIGIN, VARY,
    },
};

use crate::server::{Answer, answer};

/// What may be done with an endpoint's URL.
pub(crate) const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
/// A page from the Internet may ask a server of a private network.
const PRIVATE_NETWORK: (HeaderName, HeaderName) = (
    HeaderName::from_static("access-control-request-private-network"),
    HeaderName::from_static("access-control-allow-private-network"),
);
/// How long browsers remember, s.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Lets the page that asked read the answer. The URL is the secret, not where a page comes from.
pub(crate) fn permit(request: &HeaderMap, answer: &mut HeaderMap) {
    let (yes, any) = (
        HeaderValue::from_static("true"),
        HeaderValue::from_static("*"),
    );
    match request.get(ORIGIN) {
        Some(origin) => {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
            answer.insert(VARY, HeaderValue::from_static("Origin"));
        }
        None => {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
        }
    }
}

/// The answer to `OPTIONS`, with which browsers ask before they upload.
pub(crate) fn preflight(request: &HeaderMap) -> Answer {
    let mut response = answer(StatusCode::NO_CONTENT, "");
    let headers = response.headers_mut();
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    if request.contains_key(PRIVATE_NETWORK.0) {
        headers.insert(PRIVATE_NETWORK.1, HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_ask_and_read() {
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, HeaderValue::from_static("https://a.example"));
        request.insert(
            ACCESS_CONTROL_REQUEST_HEADERS,
            HeaderValue::from_static("content-type"),
        );
        let mut response = preflight(&request);
        permit(&request, response.headers_mut());
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header(ACCESS_CONTROL_ALLOW_ORIGIN), "https://a.example");
        assert_eq!(header(ACCESS_CONTROL_ALLOW_HEADERS), "content-type");
        assert_eq!(header(ACCESS_CONTROL_ALLOW_METHODS), "POST, OPTIONS");
    }

    #[test]
    fn without_an_origin_anybody_may() {
        let mut answered = HeaderMap::new();
        permit(&HeaderMap::new(), &mut answered);
        assert_eq!(answered.get(ACCESS_CONTROL_ALLOW_ORIGIN).unwrap(), "*");
        assert!(!answered.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }
}
