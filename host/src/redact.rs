//! Takes what is secret out of texts that others read: user names and passwords in URLs
//! (RFC 3986 section 3.2.1), and tokens in their queries.

use std::borrow::Cow;

const HIDDEN: &str = "***";
/// Parameters of queries whose values are secret: those of RFC 6750 and of signed URLs.
const PARAMETERS: [&str; 3] = ["access_token=", "X-Amz-Signature=", "X-Amz-Credential="];

/// A text without the secrets of the URLs in it.
#[must_use]
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut clean = Cow::Borrowed(text);
    if text.contains("://") && text.contains('@') {
        clean = Cow::Owned(without_user(text));
    }
    for parameter in PARAMETERS {
        if clean.contains(parameter) {
            clean = Cow::Owned(without_values(&clean, parameter));
        }
    }
    clean
}

/// What ends an authority: the rest of a URL, or of the text around it.
fn ends_authority(c: char) -> bool {
    "/?#\\\"'<>`".contains(c) || c.is_whitespace() || c.is_control()
}

fn without_user(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        clean.push_str(before);
        clean.push_str("://");
        let end = after.find(ends_authority).unwrap_or(after.len());
        let (authority, following) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                clean.push_str(HIDDEN);
                clean.push('@');
                clean.push_str(host);
            }
            None => clean.push_str(authority),
        }
        rest = following;
    }
    clean.push_str(rest);
    clean
}

fn without_values(text: &str, parameter: &str) -> String {
    let mut parts = text.split(parameter);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str(parameter);
        clean.push_str(HIDDEN);
        let ends = |c: char| "&#;\\\"'<>`)".contains(c) || c.is_whitespace();
        let end = part.find(ends).unwrap_or(part.len());
        clean.push_str(part.get(end..).unwrap_or_default());
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_tokens_are_taken_out_of_urls() {
        for (text, clean) in [
            ("rtsp://user:pass@host/x", "rtsp://***@host/x"),
            (
                "at 'http://token@host:80?a=b': refused",
                "at 'http://***@host:80?a=b': refused",
            ),
            ("a://u:p@h b://v:q@i/@c", "a://***@h b://***@i/@c"),
            ("rtmp://u:p@ss@h/live", "rtmp://***@h/live"),
            (
                "wss://h/kurento?access_token=abc&x=1",
                "wss://h/kurento?access_token=***&x=1",
            ),
            (
                "?access_token=a b?access_token=c",
                "?access_token=*** b?access_token=***",
            ),
            (
                "\"s3://b/k?X-Amz-Signature=ab\"",
                "\"s3://b/k?X-Amz-Signature=***\"",
            ),
        ] {
            assert_eq!(redacted(text), clean);
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for text in [
            "",
            "a@b",
            "http://host/a@b",
            "http://host?mail=a@b",
            "x://",
            "user:password@10.0.0.1:3478",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
