//! What a request shows of itself (RFC 6750).

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

/// The parameter of the query that carries a token: browsers let a page give a WebSocket no header
/// fields (RFC 6750 section 2.3).
const PARAMETER: &str = "access_token";
/// The longest token: more than fits into the head of a request.
const MAX_LENGTH: usize = 8 << 10;

/// The credential of a request. It shows itself in no log.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// The request shows none.
    None,
    /// Several that differ, or one that can be none.
    Malformed,
    /// A token.
    Bearer(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Credential::None => "None",
            Credential::Malformed => "Malformed",
            Credential::Bearer(_) => "Bearer(…)",
        })
    }
}

impl Credential {
    /// Of a request with these fields and this query.
    #[must_use]
    pub fn of(headers: &HeaderMap, query: Option<&str>) -> Credential {
        let fields = headers.get_all(AUTHORIZATION).into_iter();
        // A proxy in front may have a password of its own, which is none of ours.
        let in_fields = fields.filter_map(|field| bearer(field.as_bytes()));
        let in_query = query.into_iter().flat_map(parameters);
        let mut shown: Vec<Option<String>> = in_fields.chain(in_query).collect();
        shown.dedup();
        match shown.as_mut_slice() {
            [] => Credential::None,
            [Some(token)] => Credential::Bearer(std::mem::take(token)),
            _ => Credential::Malformed,
        }
    }

    /// Of a request for a page that people look at: also the password that a browser asked for
    /// (RFC 7617), whatever the name beside it.
    #[must_use]
    pub fn of_page(headers: &HeaderMap, query: Option<&str>) -> Credential {
        let shown = Credential::of(headers, query);
        if shown != Credential::None {
            return shown;
        }
        let fields = headers.get_all(AUTHORIZATION).into_iter();
        let mut passwords = fields.filter_map(|field| password(field.as_bytes()));
        passwords.next().map_or(Credential::None, |password| {
            password.map_or(Credential::Malformed, Credential::Bearer)
        })
    }
}

/// Whether a text can be a token: visible ASCII, so that it fits into a header field.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The token of an `Authorization` field, if that is of the scheme `Bearer`; inside, `None` if it is
/// malformed.
fn bearer(field: &[u8]) -> Option<Option<String>> {
    let (scheme, rest) = field.split_at_checked("Bearer".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer") || rest.first().is_some_and(|b| *b != b' ') {
        return None;
    }
    let token = std::str::from_utf8(rest).ok().map(str::trim);
    Some(token.filter(|token| is_token(token)).map(str::to_owned))
}

/// The password of an `Authorization` field, if that is of the scheme `Basic`; inside, `None` if it
/// can be no token.
fn password(field: &[u8]) -> Option<Option<String>> {
    let (scheme, rest) = field.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let decoded = BASE64.decode(rest.trim_ascii()).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let password = text.and_then(|text| Some(text.split_once(':')?.1.to_owned()));
    Some(password.filter(|password| is_token(password)))
}

/// The tokens in a query.
fn parameters(query: &str) -> impl Iterator<Item = Option<String>> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(name, _)| *name == PARAMETER);
    named.map(|(_, value)| decoded(value).filter(|token| is_token(token)))
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_take_the_password_that_a_browser_asked_for() {
        let of_page = |field: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(AUTHORIZATION, field.parse().unwrap());
            assert_eq!(Credential::of(&headers, None), Credential::None);
            Credential::of_page(&headers, None)
        };
        // anybody:abc, :abc, anybody:a:b
        for (field, token) in [
            ("Basic YW55Ym9keTphYmM=", "abc"),
            ("basic OmFiYw==", "abc"),
            ("Basic YW55Ym9keTphOmI=", "a:b"),
        ] {
            assert_eq!(of_page(field), Credential::Bearer(token.into()));
        }
        // No base64, no colon, no password.
        for field in ["Basic ?", "Basic YWJj", "Basic YWJjOg=="] {
            assert_eq!(of_page(field), Credential::Malformed);
        }
    }

    fn of(fields: &[&'static str], query: Option<&str>) -> Credential {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, field.parse().unwrap());
        }
        Credential::of(&headers, query)
    }

    fn token(text: &str) -> Credential {
        Credential::Bearer(text.to_owned())
    }

    #[test]
    fn a_token_is_in_a_field_or_in_the_query() {
        assert_eq!(of(&[], None), Credential::None);
        assert_eq!(of(&["Bearer abc"], None), token("abc"));
        assert_eq!(
            of(&["bearer  a.b-c_d~e+f/g="], None),
            token("a.b-c_d~e+f/g=")
        );
        assert_eq!(of(&[], Some("x=1&access_token=a%2bb%3D")), token("a+b="));
        assert_eq!(of(&["Basic dTpw"], Some("access_token=abc")), token("abc"));
        assert_eq!(
            of(&["Basic dTpw"], Some("access_tokens=abc")),
            Credential::None
        );
        // The same twice is one.
        assert_eq!(of(&["Bearer abc"], Some("access_token=abc")), token("abc"));
    }

    #[test]
    fn several_or_none_at_all_are_malformed() {
        for (fields, query) in [
            (&["Bearer abc"][..], Some("access_token=abd")),
            (&["Bearer abc", "Bearer abd"], None),
            (&["Bearer"], None),
            (&["Bearer "], None),
            (&["Bearer a b"], None),
            (&[], Some("access_token=")),
            (&[], Some("access_token=%")),
            (&[], Some("access_token=%g0")),
            (&[], Some("access_token=%ff")),
            (&[], Some("access_token=%00")),
            (&[], Some("access_token=a&access_token=b")),
        ] {
            assert_eq!(
                of(fields, query),
                Credential::Malformed,
                "{fields:?} {query:?}"
            );
        }
    }

    #[test]
    fn whatever_a_query_says_comes_to_an_end() {
        let parts = [
            "access_token=",
            "%",
            "%2",
            "%41",
            "&",
            "=",
            "a",
            "\u{e9}",
            "\0",
        ];
        let mut state = 1_u64;
        let mut next = move |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..5_000 {
            let query: String = (0..next(12)).map(|_| parts[next(parts.len())]).collect();
            let found = of(&[], Some(&query));
            let names = query
                .split('&')
                .any(|pair| pair.starts_with("access_token="));
            assert_eq!(found != Credential::None, names, "{query}");
            let clean = crate::redact::redacted(&query).into_owned();
            assert_eq!(crate::redact::redacted(&clean), clean);
        }
    }

    #[test]
    fn a_credential_shows_itself_nowhere() {
        assert_eq!(format!("{:?}", token("secret")), "Bearer(…)");
    }
}
