//! AWS Signature Version 4, in the header `Authorization`
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>). Without clock and network.

use std::{fmt::Write as _, time::SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{
    digest::{SHA256, digest},
    hmac,
};
use time::OffsetDateTime;

use super::store::Credentials;

/// What a signature leaves as it is: the unreserved characters of RFC 3986 §2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same in a path, whose slashes stay.
const ESCAPED_PATH: &AsciiSet = &ESCAPED.remove(b'/');
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A text as it stands in a query.
pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A key as it stands in a path.
pub(super) fn escape_path(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED_PATH).to_string()
}

/// The SHA-256 of data as signatures write it.
pub(super) fn hash(data: &[u8]) -> String {
    hex(digest(&SHA256, data).as_ref())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is signed of a request.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// Escaped.
    pub(super) path: &'a str,
    /// Unescaped names and values.
    pub(super) query: &'a [(&'a str, String)],
    /// Lower case, sorted; the values have no spaces around them.
    pub(super) headers: &'a [(&'a str, String)],
    /// [`hash`] of the body.
    pub(super) body: &'a str,
}

/// `20130524T000000Z`, as the header `x-amz-date` has it.
pub(super) fn stamp(now: SystemTime) -> String {
    let now = OffsetDateTime::from(now);
    let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
    let (hour, minute, second) = (now.hour(), now.minute(), now.second());
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The query of a request, sorted, as it is signed and sent.
pub(super) fn canonical_query(query: &[(&str, String)]) -> String {
    let mut pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// The header `Authorization` of a request that is sent at `stamp`.
pub(super) fn authorization(
    request: &Signed<'_>,
    stamp: &str,
    region: &str,
    credentials: &Credentials,
) -> String {
    let day = stamp.get(..8).unwrap_or(stamp);
    let scope = format!("{day}/{region}/s3/aws4_request");
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let headers: String = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        request.method,
        request.path,
        canonical_query(request.query),
        request.body
    );
    let text = format!(
        "{ALGORITHM}\n{stamp}\n{scope}\n{}",
        hash(canonical.as_bytes())
    );
    let secret = format!("AWS4{}", credentials.secret());
    let key = [day, region, "s3", "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| keyed(&key, part));
    let signature = hex(&keyed(&key, &text));
    let id = credentials.id();
    format!("{ALGORITHM} Credential={id}/{scope},SignedHeaders={names},Signature={signature}")
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The examples of Amazon's documentation, "Authenticating Requests: Using the Authorization Header".
    fn example(
        method: &str,
        path: &str,
        query: &[(&str, String)],
        more: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let body = hash(body);
        let mut headers = vec![
            ("host", "examplebucket.s3.amazonaws.com".to_owned()),
            ("x-amz-content-sha256", body.clone()),
            ("x-amz-date", "20130524T000000Z".to_owned()),
        ];
        headers.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        headers.sort();
        let request = Signed {
            method,
            path,
            query,
            headers: &headers,
            body: &body,
        };
        let credentials = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            None,
        );
        let signed = authorization(&request, "20130524T000000Z", "us-east-1", &credentials);
        signed.split_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn documented_requests_have_the_documented_signatures() {
        assert_eq!(
            example("GET", "/test.txt", &[], &[("range", "bytes=0-9")], b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let more = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        let path = escape_path("/test$file.text");
        assert_eq!(
            example("PUT", &path, &[], &more, b"Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            example("GET", "/", &[("lifecycle", String::new())], &[], b""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        let query = [("prefix", "J".to_owned()), ("max-keys", "2".to_owned())];
        assert_eq!(
            example("GET", "/", &query, &[], b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn times_are_those_of_utc() {
        let at = |seconds| stamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101T000000Z");
        assert_eq!(at(1_369_353_600), "20130524T000000Z");
        assert_eq!(at(1_709_251_199), "20240229T235959Z");
    }

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(escape("a/b c~d+e"), "a%2Fb%20c~d%2Be");
        assert_eq!(escape_path("/a b/Köln"), "/a%20b/K%C3%B6ln");
    }
}
