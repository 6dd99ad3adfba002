//! What an `s3` URI names.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use url::Url;

/// What cannot stand in the path of a URI as it is (RFC 3986 §3.3).
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// Bytes of a key at most, as S3 has it.
const LONGEST_KEY: usize = 1024;
/// Bytes of a bucket's name: S3 has 63 today, and had 255.
const LONGEST_BUCKET: usize = 255;

/// An object of a store, by its bucket and its key in there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    /// Without a slash at its beginning.
    pub(crate) key: String,
}

impl Object {
    /// Reads `s3://bucket/key`; what is escaped in the key (`%20`) stands for what it means.
    ///
    /// # Errors
    /// What is wrong with it, and what to do
    pub(crate) fn parse(url: &Url) -> Result<Self, &'static str> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "an s3 URI has no credentials: they belong into the server's configuration, RecorderEndpoint.s3AccessKeyId and s3SecretAccessKey",
            );
        }
        if url.port().is_some() {
            return Err(
                "an s3 URI has a bucket in place of a host, and no port: the store's address is the setting RecorderEndpoint.s3Endpoint",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "an s3 URI has neither a query nor a fragment: ? and # in a key are written %3F and %23",
            );
        }
        let bucket = url.host_str().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let begins = bucket.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins || bucket.len() > LONGEST_BUCKET || !bucket.chars().all(fits) {
            return Err("an s3 URI is s3://bucket/key, and this is no name of a bucket");
        }
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let Ok(key) = percent_decode_str(path).decode_utf8() else {
            return Err("the key is no UTF-8");
        };
        if key.is_empty() || key.ends_with('/') {
            return Err("an s3 URI is s3://bucket/key, and this names no key");
        }
        if key.len() > LONGEST_KEY {
            return Err("a key has at most 1024 bytes");
        }
        // Routers of stores, and the signatures of paths, read these differently.
        if key.split('/').any(|part| matches!(part, "." | "..")) {
            return Err("a key has no parts . or ..");
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.into_owned(),
        })
    }

    /// `name.mkv` has the parts `name-00000.mkv`, `name-00001.mkv` …, as files have them.
    pub(crate) fn part(&self, part: u32) -> Self {
        let name = self.key.rfind('/').map_or(0, |slash| slash + 1);
        let dot = self.key.rfind('.').filter(|dot| *dot > name);
        let (stem, extension) = self.key.split_at(dot.unwrap_or(self.key.len()));
        Self {
            bucket: self.bucket.clone(),
            key: format!("{stem}-{part:05}{extension}"),
        }
    }
}

/// As a URI.
impl std::fmt::Display for Object {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = utf8_percent_encode(&self.key, ESCAPED);
        write!(formatter, "s3://{}/{key}", self.bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<Object, &'static str> {
        Object::parse(&uri.parse().unwrap())
    }

    #[test]
    fn keys_are_unescaped() {
        for (uri, bucket, key) in [
            ("s3://calls/a.webm", "calls", "a.webm"),
            (
                "s3://calls.example/2026/12/a.webm",
                "calls.example",
                "2026/12/a.webm",
            ),
            ("s3://calls/a%20b%3Fc%23.webm", "calls", "a b?c#.webm"),
            ("s3://calls/a b+c=d&e.webm", "calls", "a b+c=d&e.webm"),
            ("s3://Old_Bucket/K%C3%B6ln/a", "Old_Bucket", "Köln/a"),
        ] {
            let object = parse(uri).unwrap();
            assert_eq!((object.bucket.as_str(), object.key.as_str()), (bucket, key));
            assert_eq!(parse(&object.to_string()).unwrap(), object);
        }
    }

    #[test]
    fn what_names_no_object_is_refused() {
        for uri in [
            "s3://calls",
            "s3://calls/",
            "s3://calls/a/",
            "s3:///a.webm",
            "s3://calls:9000/a",
            "s3://calls/a?versionId=1",
            "s3://calls/a#b",
            "s3://-calls/a",
            "s3://calls/%2e%2e%2Fa",
            "s3://calls/%ff",
        ] {
            assert!(parse(uri).is_err(), "{uri}");
        }
        assert!(parse(&format!("s3://calls/{}", "a".repeat(1025))).is_err());
        let reason = parse("s3://key:secret@calls/a").unwrap_err();
        assert!(reason.contains("s3AccessKeyId"), "{reason}");
    }

    #[test]
    fn parts_are_numbered() {
        let part = |uri: &str| parse(uri).unwrap().part(7).key;
        assert_eq!(part("s3://b/x.y/name.mkv"), "x.y/name-00007.mkv");
        assert_eq!(part("s3://b/x.y/name"), "x.y/name-00007");
        assert_eq!(part("s3://b/.name"), ".name-00007");
    }
}
