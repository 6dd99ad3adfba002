//! URIs as logs, errors and events may show them.

use std::borrow::Cow;

/// What stands for a secret.
const HIDDEN: &str = "***";

/// Parts of the names of query parameters whose values are secrets: passwords, tokens, keys, signatures and what
/// stores sign their URLs with (`X-Amz-Credential`, `sig`). A harmless parameter that is hidden as well costs less than
/// a token in a log.
const SECRETS: [&str; 9] = [
    "pass", "pwd", "token", "secret", "key", "auth", "sig", "cred", "session",
];

/// Parts of the names of elements' properties that are passwords.
const PROPERTIES: [&str; 6] = [
    "password",
    "passphrase",
    "user-pw",
    "proxy-pw",
    "secure-token",
    "username",
];

/// A text that may contain URIs, without their users, passwords and the values of query parameters that look like
/// secrets; see the README for which those are. Anything else, paths included, stays.
///
/// It needs no well-formed URI: what stands between `://` and the last `@` before the next space, quote or angle bracket
/// is taken for a user and a password, unless no colon is in it.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        shown.push_str(before);
        let end = after.find(ends_uri).unwrap_or(after.len());
        let (uri, following) = after.split_at(end);
        redact_hierarchy(uri, &mut shown);
        rest = following;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The same for a text that is one URI, or was meant to be: spaces and quotes may be part of its password.
#[must_use]
pub fn redact_uri(uri: &str) -> String {
    let mut shown = String::with_capacity(uri.len());
    match uri.split_once("://") {
        Some((scheme, rest)) => {
            // What comes before may be one, too: `user:password@rtsp://host`.
            redact_hierarchy(scheme, &mut shown);
            shown.push_str("://");
            redact_hierarchy(rest, &mut shown);
        }
        None => redact_hierarchy(uri, &mut shown),
    }
    shown
}

/// A graph of GStreamer's (DOT) without the values of properties that are passwords: `password=\"…\"`, up to the end of
/// the line in the label.
#[must_use]
pub fn redact_properties(graph: &str) -> String {
    let mut shown = String::with_capacity(graph.len());
    let mut rest = graph;
    while let Some(at) = rest.find('=') {
        let (name, value) = rest.split_at(at + 1);
        shown.push_str(name);
        let name = name
            .trim_end_matches('=')
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .next()
            .unwrap_or_default();
        // A label's lines end with a backslash and a letter, and begin with what may look like a part of the name.
        let is_secret = PROPERTIES.iter().any(|secret| name.contains(secret));
        let end = if is_secret { end_of_value(value) } else { 0 };
        if is_secret {
            shown.push_str(HIDDEN);
        }
        rest = value.get(end..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

/// Where a property's value ends: before `\n` or `\l` of the label, or the end of the line.
fn end_of_value(value: &str) -> usize {
    let ends = ["\\n", "\\l", "\n"];
    let found = ends.iter().filter_map(|end| value.find(end)).min();
    found.unwrap_or(value.len())
}

/// Characters that no URI contains (RFC 3986 appendix C), and the backslash that escapes a quote.
fn ends_uri(character: char) -> bool {
    character.is_whitespace() || character.is_control() || "\"'<>\\`".contains(character)
}

/// `rest`: what follows the two slashes of a URI.
fn redact_hierarchy(rest: &str, shown: &mut String) {
    let rest = match user_information(rest) {
        Some(end) => {
            shown.push_str(HIDDEN);
            rest.get(end..).unwrap_or_default()
        }
        None => rest,
    };
    let Some((path, query)) = rest.split_once('?') else {
        return shown.push_str(rest);
    };
    shown.push_str(path);
    for (index, parameter) in query.split('&').enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
            }
            _ => shown.push_str(parameter),
        }
    }
}

/// Where the user and password end, before the `@`. A password may contain slashes and what else should have been
/// escaped, so it is the last `@`, although a path may contain one: then more is hidden than has to be.
fn user_information(rest: &str) -> Option<usize> {
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let last = rest.rfind('@')?;
    let before = rest.get(..last)?;
    // A path of its own, after a host without a port.
    let is_path = last > authority && !before.contains([':', '@']);
    (!is_path).then_some(last)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn users_and_passwords_are_hidden() {
        for (uri, shown) in [
            ("rtsp://me:secret@host:554/a", "rtsp://***@host:554/a"),
            ("rtsp://me@host/a", "rtsp://***@host/a"),
            ("rtsp://:secret@[::1]/a", "rtsp://***@[::1]/a"),
            ("http://me:se@cret@host/a", "http://***@host/a"),
            ("http://host/a@b", "http://host/a@b"),
            ("http://host:80/a@b", "http://***@b"),
            ("rtsp://host/a?b=c", "rtsp://host/a?b=c"),
        ] {
            assert_eq!(redact_uri(uri), shown);
            assert_eq!(redact(uri), shown);
        }
    }

    #[test]
    fn what_should_have_been_escaped_is_hidden_too() {
        for uri in [
            "rtsp://me:sec/ret@host/a",
            "rtsp://me:sec#ret@host/a",
            "rtsp://me:sec?ret@host/a",
            "rtsp://me:sec ret@host/a",
            "rtsp://me:\"secret\"@host/a",
            "me:secret@rtsp://host/a",
            "rtsp:me:secret@host",
        ] {
            let shown = redact_uri(uri);
            assert!(!shown.contains("ret"), "{uri}: {shown}");
            assert!(shown.contains("host"), "{uri}: {shown}");
        }
    }

    #[test]
    fn secret_parameters_are_hidden() {
        assert_eq!(
            redact_uri("srt://h:1?mode=caller&passphrase=abc&latency=9"),
            "srt://h:1?mode=caller&passphrase=***&latency=9"
        );
        assert_eq!(
            redact_uri("https://h/a?X-Amz-Signature=1&X-Amz-Date=2&access_token=3&sig=4"),
            "https://h/a?X-Amz-Signature=***&X-Amz-Date=2&access_token=***&sig=***"
        );
    }

    #[test]
    fn uris_inside_of_texts() {
        assert_eq!(
            redact("'rtsp://a:b@c/d' and <http://e:f@g> and uri=\\\"srt://h?key=1\\\" x@y"),
            "'rtsp://***@c/d' and <http://***@g> and uri=\\\"srt://h?key=***\\\" x@y"
        );
        assert_eq!(redact("nothing"), "nothing");
    }

    #[test]
    fn passwords_among_properties_are_hidden() {
        let graph = "x [label=\"GstRtmp2Src\\nlocation=\\\"rtmp://h/a\\\"\\nusername=\\\"me\\\"\\npassword=\\\"se\\\\cret\\\"\\nport=1935\"]\ny [a=b]";
        assert_eq!(
            redact_properties(graph),
            "x [label=\"GstRtmp2Src\\nlocation=\\\"rtmp://h/a\\\"\\nusername=***\\npassword=***\\nport=1935\"]\ny [a=b]"
        );
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown(user in "[a-z]{0,5}", password in ".{0,9}", path in "[a-z/]{0,9}") {
            let secret = format!("Q{password}Q");
            let shown = redact_uri(&format!("rtsp://{user}:{secret}@host/{path}"));
            prop_assert!(!shown.contains(&secret), "{}", shown);
        }

        #[test]
        fn any_text_is_read(text in ".*") {
            let _ = (redact(&text), redact_uri(&text));
        }
    }
}
