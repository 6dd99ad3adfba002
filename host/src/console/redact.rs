//! Takes secrets out of what is shown: passwords in URIs, tokens, keys of SDP.
//!
//! Modules and clients choose most texts, so that this goes by what secrets look like: a name that
//! speaks of one, with what is assigned to it; the part of an address before its `@`; the words after
//! `Bearer` and `inline:`; tokens of JSON (RFC 7519). Too much is hidden rather than too little.

use serde_json::Value;

/// Stands where something was hidden.
const HIDDEN: &str = "•••";
/// Parts of names of secrets, in small letters.
const PARTS: &[&str] = &[
    "passw",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "signature",
    "apikey",
    "api_key",
    "api-key",
    "private",
    "authorization",
];
/// Whole names of secrets.
const NAMES: &[&str] = &[
    "key",
    "keybase64",
    "sig",
    "auth",
    "inline",
    "bearer",
    "crypto",
];

/// Hides secrets in a value and below it.
pub(super) fn value(value: &mut Value) {
    match value {
        Value::String(shown) => *shown = text(shown),
        Value::Array(items) => items.iter_mut().for_each(self::value),
        Value::Object(members) => {
            for (name, member) in members {
                self::member(name, member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Hides a member whose name speaks of a secret, and else secrets in it.
pub(super) fn member(name: &str, member: &mut Value) {
    match member {
        Value::String(text) if is_secret(name) && !text.is_empty() => HIDDEN.clone_into(text),
        Value::Number(_) if is_secret(name) => *member = HIDDEN.into(),
        other => value(other),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || PARTS.iter().any(|part| name.contains(part))
}

/// The text without its secrets.
pub(super) fn text(text: &str) -> String {
    if text.contains("PRIVATE KEY") {
        return HIDDEN.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut former = "";
    let mut hides = false;
    while !rest.is_empty() {
        let (word, after) = split(rest, is_gap);
        let (gap, after) = split(after, |c| !is_gap(c));
        let is_kind = ["bearer", "basic"]
            .iter()
            .any(|kind| word.eq_ignore_ascii_case(kind));
        if hides && !word.is_empty() {
            out.push_str(HIDDEN);
        } else {
            out.push_str(&self::word(word));
        }
        out.push_str(gap);
        // `Authorization: Bearer` and the like: the secret is still to come.
        hides = is_kind || is_label(former, word);
        former = word;
        rest = after;
    }
    out
}

fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn is_gap(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | '<' | '>' | ',' | '{' | '}')
}

/// A word like `password:`, or the colon after `"password"`: the secret is the next one.
fn is_label(former: &str, word: &str) -> bool {
    match word.trim_end_matches([':', '=']) {
        "" => !word.is_empty() && is_secret(last_name(former)),
        name => name.len() < word.len() && is_secret(last_name(name)),
    }
}

/// The name at the end of a text.
fn last_name(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = text.rfind(|c| !is_part(c));
    start
        .and_then(|start| text.get(start..))
        .map_or(text, |name| name.trim_start_matches(|c| !is_part(c)))
}

fn word(word: &str) -> String {
    let word = without_user(word);
    if word.matches('.').count() >= 2 && word.contains("eyJ") {
        let start = word.find("eyJ").unwrap_or_default();
        return format!("{}{HIDDEN}", word.get(..start).unwrap_or_default());
    }
    let mut out = String::with_capacity(word.len());
    let mut rest = word.as_str();
    while let Some(at) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(at);
        let (sign, after) = after.split_at(1);
        out.push_str(before);
        out.push_str(sign);
        rest = after;
        if is_secret(last_name(before)) {
            let end = rest
                .find(['&', '#', ';', '|', ')', ']'])
                .unwrap_or(rest.len());
            let (secret, after) = rest.split_at(end);
            if !secret.is_empty() {
                out.push_str(HIDDEN);
            }
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// The word without what stands before an address: `scheme://user:password@host` (RFC 3986
/// section 3.2.1), and `user:password@host`, as TURN servers are given.
fn without_user(word: &str) -> String {
    let (scheme, rest) = match word.find("://") {
        Some(at) => word.split_at(at + 3),
        None => ("", word),
    };
    // A password may have an `@` of its own, and a slash where somebody did not escape it.
    let path = rest.find(['?', '#']).unwrap_or(rest.len());
    let (authority, query) = rest.split_at(path);
    let Some(at) = authority.rfind('@') else {
        return word.to_owned();
    };
    let (user, host) = authority.split_at(at);
    if scheme.is_empty() && !user.contains(':') {
        return word.to_owned();
    }
    // What stands before an assignment is the assignment's: `uri=rtsp://…`.
    let label = match (scheme.is_empty(), user.find('=')) {
        (true, Some(at)) => user.get(..=at).unwrap_or_default(),
        _ => "",
    };
    format!("{scheme}{label}{HIDDEN}{host}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_and_the_rest_is_shown() {
        for (given, shown) in [
            ("rtsp://joe:s3cret@camera/1", "rtsp://•••@camera/1"),
            (
                "uri=rtsp://joe:p@ss/w@camera/1?x=1",
                "uri=rtsp://•••@camera/1?x=1",
            ),
            ("turn:joe:s3cret@10.0.0.1:3478", "•••@10.0.0.1:3478"),
            (
                "joe:s3cret@10.0.0.1:3478?transport=udp",
                "•••@10.0.0.1:3478?transport=udp",
            ),
            (
                "http://h/a?access_token=s3cret&b=1",
                "http://h/a?access_token=•••&b=1",
            ),
            (
                "http://h/a?X-Amz-Signature=s3cret",
                "http://h/a?X-Amz-Signature=•••",
            ),
            ("a=ice-pwd:s3cret\r\na=mid:0", "a=ice-pwd:•••\r\na=mid:0"),
            (
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:s3cret|2^20",
                "a=crypto:••• AES_CM_128_HMAC_SHA1_80 inline:•••|2^20",
            ),
            ("Authorization: Bearer s3cret", "Authorization: ••• •••"),
            ("bearer s3cret refused", "bearer ••• refused"),
            ("got eyJhbGciOi.eyJzdWIi.s3cret", "got •••"),
            (
                r#"{"password":"s3cret","a":1}"#,
                r#"{"password":"•••","a":1}"#,
            ),
            ("-----BEGIN PRIVATE KEY-----s3cret", "•••"),
        ] {
            let hidden = text(given);
            assert!(!hidden.contains("s3cret"), "{given}: {hidden}");
            assert_eq!(hidden, shown);
        }
        for harmless in [
            "rtsp://camera/1?x=a@b",
            "o=- 0 0 IN IP4 127.0.0.1",
            "TRANSCODING ACTIVE for video: 1_kurento.X/2 sends VP8, accepts H264",
            "me@example.org",
            "12:30:01 key frame",
            "",
        ] {
            assert_eq!(text(harmless), harmless);
        }
    }

    #[test]
    fn members_are_hidden_by_their_names() {
        let mut shown = json!({
            "key": "s3cret", "keyBase64": "s3cret", "turnUrl": "u:s3cret@h:1", "name": "me",
            "list": [{"accessToken": "s3cret"}], "packetsLost": 3, "keyframes": 1, "secret": 5,
        });
        value(&mut shown);
        assert!(!shown.to_string().contains("s3cret"), "{shown}");
        assert_eq!(
            (&shown["name"], &shown["packetsLost"]),
            (&json!("me"), &json!(3))
        );
        assert_eq!(
            (&shown["keyframes"], &shown["secret"]),
            (&json!(1), &json!(HIDDEN))
        );
    }
}
