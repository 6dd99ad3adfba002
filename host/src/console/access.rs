//! Who may look at the console, and who may change something there: decided here and nowhere else.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

use crate::http::host::{Authority, Origin};

/// Why a change is refused; each is one line that says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The operator allows no changes.
    #[error(
        "The console only shows: mediaServer.console.write in the configuration allows changes"
    )]
    ReadOnly,
    /// Another page asks.
    #[error("Changes are asked for by the console's own page only")]
    Origin,
}

/// Whether a change may be made. `is_allowed` is what the configuration says.
///
/// Pages that may use the protocol (`allowedOrigins`) are not let in for that: the origin has to be the
/// server's own. What is no browser sends none.
pub(super) fn may_change(headers: &HeaderMap, is_allowed: bool) -> Result<(), Refusal> {
    if !is_allowed {
        return Err(Refusal::ReadOnly);
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(origin) = text(ORIGIN) else {
        return Ok(());
    };
    let host = text(HOST).and_then(Authority::parse);
    match (Origin::parse(origin), host) {
        (Origin::Web { authority, .. }, Some(host))
            if authority.host.is_same(&host.host) && authority.port == host.port =>
        {
            Ok(())
        }
        _ => Err(Refusal::Origin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn asked(origin: Option<&'static str>, is_allowed: bool) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("127.0.0.1:8890"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        may_change(&headers, is_allowed)
    }

    #[test]
    fn only_the_page_itself_changes_what_the_operator_lets_it() {
        assert_eq!(asked(None, false), Err(Refusal::ReadOnly));
        assert_eq!(asked(None, true), Ok(()));
        assert_eq!(asked(Some("http://127.0.0.1:8890"), true), Ok(()));
        assert_eq!(
            asked(Some("http://127.0.0.1:8890"), false),
            Err(Refusal::ReadOnly)
        );
        for foreign in [
            "http://127.0.0.1:8888",
            "http://evil.example:8890",
            "null",
            "",
            "http://127.0.0.1",
        ] {
            assert_eq!(
                asked(Some(foreign), true),
                Err(Refusal::Origin),
                "{foreign}"
            );
        }
    }
}
