//! What a URI means.

use std::{ffi::OsString, net::IpAddr, os::unix::ffi::OsStringExt, path::PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

use crate::{Refusal, redact_uri};

/// What ends a host. A percent sign stays: the password may be escaped in part.
const DELIMITERS: &AsciiSet = &CONTROLS.add(b'/').add(b'?').add(b'#').add(b'@').add(b' ');
/// What helps against most URIs with a user that cannot be read.
const ESCAPING: &str =
    "; in a user or a password, the characters : / ? # [ ] @ % are to be percent-encoded, # as %23";

/// Where a URI leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of the server; absolute, not resolved yet.
    File(PathBuf),
    /// Anything else, by its scheme.
    Remote(Url),
}

impl Location {
    /// Reads the URI of an endpoint. One without scheme is taken below
    /// `default_path`, itself a URI such as `file:///var/lib/kurento/`.
    ///
    /// In `file` URIs slashes may be repeated or escaped (`%2F`).
    ///
    /// # Errors
    /// [`Refusal::Malformed`]
    pub fn parse(uri: &str, default_path: &str) -> Result<Self, Refusal> {
        if scheme(uri).is_some() {
            return Self::absolute(uri);
        }
        let base = default_path.trim_end_matches('/');
        match scheme(base) {
            Some(_) => Self::absolute(&format!("{base}/{uri}")),
            None => Self::absolute(&format!("file://{base}/{uri}")),
        }
    }

    fn absolute(uri: &str) -> Result<Self, Refusal> {
        let malformed = |reason: &str| Refusal::Malformed {
            uri: redact_uri(uri),
            reason: reason.to_owned(),
        };
        if let Some(("file", rest)) = scheme(uri) {
            return file(rest).map_err(malformed);
        }
        let escaped = escape_password(uri);
        let url = Url::parse(escaped.as_deref().unwrap_or(uri)).map_err(|error| {
            let hint = if uri.contains('@') { ESCAPING } else { "" };
            malformed(&format!("{error}{hint}"))
        })?;
        Ok(Self::Remote(url))
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> &str {
        match self {
            Self::File(_) => "file",
            Self::Remote(url) => url.scheme(),
        }
    }
}

/// The host of a URL. Of schemes that it does not know, such as `rtsp`, `url` gives addresses as names.
pub fn host(url: &Url) -> Option<Host<String>> {
    let name = match url.host()? {
        Host::Domain(name) => name,
        Host::Ipv4(address) => return Some(Host::Ipv4(address)),
        Host::Ipv6(address) => return Some(Host::Ipv6(address)),
    };
    Some(match name.parse() {
        Ok(IpAddr::V4(address)) => Host::Ipv4(address),
        Ok(IpAddr::V6(address)) => Host::Ipv6(address),
        Err(_) => Host::Domain(name.to_owned()),
    })
}

/// Scheme (RFC 3986 §3.1) and what follows its colon. A single letter is a
/// relative name, as is one whose colon no slash follows: `12:30.webm`.
fn scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let letters = scheme
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if !letters || !begins || !rest.starts_with('/') {
        return None;
    }
    if scheme.eq_ignore_ascii_case("file") {
        return Some(("file", rest));
    }
    rest.starts_with("//").then_some((scheme, rest))
}

/// A URI whose password contains what ends the host of a URI (RFC 3986 §3.2), as people write it who copied it from
/// a camera's settings; `None` where nothing is to be mended. Such a password is one before the last `@` that cannot be a port.
fn escape_password(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?', '#'])?;
    let (authority, beyond) = rest.split_at_checked(end)?;
    let (user, beginning) = authority.split_once(':')?;
    let last = rest.rfind('@')?;
    let is_port = beginning.bytes().all(|byte| byte.is_ascii_digit());
    // A path or a query may well contain an `@` after a port.
    if authority.contains(['@', '[']) || last < end || is_port && !beyond.starts_with('#') {
        return None;
    }
    let password = rest.get(user.len() + 1..last)?;
    let escaped = utf8_percent_encode(password, DELIMITERS);
    Some(format!("{scheme}://{user}:{escaped}{}", rest.get(last..)?))
}

/// `rest`: what follows `file:`.
fn file(rest: &str) -> Result<Location, &'static str> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(authority) => match authority.find('/') {
            Some(0) => authority,
            Some(end) if authority.get(..end).is_some_and(is_local) => {
                authority.get(end..).unwrap_or_default()
            }
            Some(_) => return Err("a file URI has three slashes, or the host localhost"),
            None => return Err("it names no file"),
        },
    };
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    if bytes.contains(&0) {
        return Err("it contains a zero byte");
    }
    if bytes.ends_with(b"/") {
        return Err("it names a directory");
    }
    Ok(Location::File(PathBuf::from(OsString::from_vec(bytes))))
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEFAULT: &str = "file:///var/lib/kurento/";

    fn path(uri: &str) -> String {
        match Location::parse(uri, DEFAULT).unwrap() {
            Location::File(path) => path.to_str().unwrap().to_owned(),
            Location::Remote(url) => panic!("{url}"),
        }
    }

    #[test]
    fn file_uris() {
        assert_eq!(path("file:///tmp/a.webm"), "/tmp/a.webm");
        assert_eq!(path("FILE:/tmp/a.webm"), "/tmp/a.webm");
        assert_eq!(path("file://localhost/tmp/a.webm"), "/tmp/a.webm");
        assert_eq!(path("file:////tmp///deep//a.webm"), "//tmp///deep//a.webm");
        assert_eq!(path("file:///tmp%2Fa%20b.webm"), "/tmp/a b.webm");
        assert_eq!(path("file:///tmp/a?b#c"), "/tmp/a?b#c");
    }

    #[test]
    fn relative_uris_are_below_the_default_path() {
        assert_eq!(path("a.webm"), "/var/lib/kurento/a.webm");
        assert_eq!(path("dir/a.webm"), "/var/lib/kurento/dir/a.webm");
        assert_eq!(path("12:30.webm"), "/var/lib/kurento/12:30.webm");
        assert_eq!(path("/a.webm"), "/var/lib/kurento//a.webm");
        let below_http = Location::parse("a.webm", "http://store/media").unwrap();
        assert_eq!(
            below_http,
            Location::Remote("http://store/media/a.webm".parse().unwrap())
        );
        let plain = Location::parse("a.webm", "/srv").unwrap();
        assert_eq!(plain, Location::File("/srv/a.webm".into()));
    }

    #[test]
    fn remote_uris_keep_what_they_have() {
        let location = Location::parse("http://user:pass@host:8080/a?b=c", DEFAULT).unwrap();
        assert_eq!(location.scheme(), "http");
        let Location::Remote(url) = location else {
            panic!()
        };
        assert_eq!(
            (url.username(), url.password(), url.port()),
            ("user", Some("pass"), Some(8080))
        );
    }

    #[test]
    fn passwords_may_contain_what_ends_a_host() {
        for (written, password) in [
            ("p#ss", "p#ss"),
            ("p/ss", "p/ss"),
            ("p?ss", "p?ss"),
            ("p@ss", "p@ss"),
            ("a#b/c?d@e:f", "a#b/c?d@e:f"),
            ("100%", "100%"),
            ("12#34", "12#34"),
            ("p%40s#s", "p@s#s"),
            ("p%23ss", "p#ss"),
        ] {
            for scheme in ["rtsp", "http"] {
                let uri = format!("{scheme}://me:{written}@camera:8554/a@b");
                let uri = if written.contains('#') || written.contains('/') || written.contains('?')
                {
                    uri.replace("/a@b", "/a")
                } else {
                    uri
                };
                let Location::Remote(url) = Location::parse(&uri, DEFAULT).unwrap() else {
                    panic!("{uri}")
                };
                let read = percent_decode_str(url.password().unwrap())
                    .decode_utf8()
                    .unwrap();
                assert_eq!(read, password, "{uri}");
                assert_eq!(
                    (url.host_str(), url.port(), url.username()),
                    (Some("camera"), Some(8554), "me")
                );
            }
        }
    }

    #[test]
    fn an_at_sign_behind_the_host_is_none_of_a_password() {
        for uri in [
            "http://host:80/a@b",
            "http://host/a:b@c",
            "http://host:80?mail=a@b",
            "http://me:secret@host/a@b#c@d",
            "rtsp://[::1]:554/a@b",
        ] {
            let Location::Remote(url) = Location::parse(uri, DEFAULT).unwrap() else {
                panic!("{uri}")
            };
            assert!(matches!(url.host_str(), Some("host" | "[::1]")), "{url}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_without_its_password() {
        for uri in [
            "rtsp://me:s/ecret@cam[era/a",
            "http://me:s#ecret@ho st/a",
            "http://me:s:ecret@ho st/a",
            "rtsp://me:secret@camera:port/",
        ] {
            let refusal = Location::parse(uri, DEFAULT).unwrap_err().to_string();
            assert!(!refusal.contains("ecret"), "{refusal}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for uri in [
            "file://server/share",
            "file://",
            "file:///tmp/%00",
            "file:///tmp/",
            "http://",
        ] {
            assert!(Location::parse(uri, DEFAULT).is_err(), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(uri in ".*") {
            if let Ok(Location::File(path)) = Location::parse(&uri, DEFAULT) {
                prop_assert!(path.is_absolute());
            }
        }
    }
}
