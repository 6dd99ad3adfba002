//! Where a URL leads.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Position, Url};

/// A stream on a server. The key that lets somebody publish is most often the stream's name, so neither that nor user
/// and password are shown by `Debug` and `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) is_encrypted: bool,
    /// Scheme, host and, where it was given, the port.
    base: String,
    /// The application: the path but for its last part.
    pub(crate) app: String,
    /// The stream: the last part of the path, with the query.
    pub(crate) name: String,
    /// Empty where there is none.
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Target {
    /// Reads `rtmp://[user:password@]host[:1935]/app[/instance]/name[?query]`, or `rtmps` with port 443. Where the slashes
    /// are repeated, or stand at the end, does not matter. `None` for other schemes, and without a host.
    pub(crate) fn parse(url: &Url) -> Option<Self> {
        let is_encrypted = match url.scheme() {
            "rtmp" => false,
            "rtmps" => true,
            _ => return None,
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let (app, name) = split(url.path(), &url[Position::AfterPath..]);
        Some(Self {
            host: rivero_uri::host(url)?,
            port: url.port().unwrap_or(if is_encrypted { 443 } else { 1935 }),
            is_encrypted,
            base: format!("{}://{authority}", url.scheme()),
            app,
            name,
            user: decoded(url.username()),
            password: decoded(url.password().unwrap_or_default()),
        })
    }

    /// `tcUrl` of the command `connect`, without what lets somebody in.
    pub(crate) fn tc_url(&self) -> String {
        format!("{}/{}", self.base, self.app)
    }

    /// Where a server leads that is asked for this: the URL has another place of the application, and perhaps the name
    /// of the stream, too. Another host does not get the password.
    pub(crate) fn redirected(&self, url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let mut target = Self::parse(&url)?;
        if target.name != self.name {
            let parts = [target.app.as_str(), target.name.as_str()];
            let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            target.app = parts.join("/");
            target.name.clone_from(&self.name);
        }
        if target.user.is_empty() && target.host == self.host {
            target.user.clone_from(&self.user);
            target.password.clone_from(&self.password);
        }
        Some(target)
    }
}

/// Application and stream out of a path and what stands behind it.
fn split(path: &str, query: &str) -> (String, String) {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let Some((last, before)) = parts.split_last() else {
        return (String::new(), query.to_owned());
    };
    (before.join("/"), format!("{last}{query}"))
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The application may have a query, too, with a token in it.
        let app = self.app.split('?').next().unwrap_or_default();
        write!(formatter, "{}/{app}/***", self.base)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(&Url::parse(url).unwrap()).unwrap()
    }

    fn parts(url: &str) -> (String, String, String) {
        let target = target(url);
        (target.tc_url(), target.app, target.name)
    }

    fn owned(tc_url: &str, app: &str, name: &str) -> (String, String, String) {
        (tc_url.to_owned(), app.to_owned(), name.to_owned())
    }

    /// Field report 35.
    #[test]
    fn the_last_part_is_the_stream_and_the_rest_the_application() {
        let base = "rtmp://host";
        for (url, app, name) in [
            ("/live/key?token=a/b", "live", "key?token=a/b"),
            ("/a/b/c/key", "a/b/c", "key"),
            ("/key", "", "key"),
            ("/live/key/", "live", "key"),
            ("//live//key", "live", "key"),
            ("/live/key#1", "live", "key#1"),
            ("/live/a%20b+c", "live", "a%20b+c"),
            ("/", "", ""),
        ] {
            let tc_url = format!("{base}/{app}");
            assert_eq!(parts(&format!("{base}{url}")), owned(&tc_url, app, name));
        }
    }

    #[test]
    fn hosts_and_ports() {
        let (tc_url, ..) = parts("rtmps://u:p@[::1]:8443/live/key");
        assert_eq!(tc_url, "rtmps://[::1]:8443/live");
        for (url, port, is_encrypted) in [
            ("rtmp://h/a/b", 1935, false),
            ("rtmps://h/a/b", 443, true),
            ("rtmp://h:1/a/b", 1, false),
        ] {
            let target = target(url);
            assert_eq!((target.port, target.is_encrypted), (port, is_encrypted));
        }
        assert!(matches!(target("rtmp://127.0.0.1/a/b").host, Host::Ipv4(_)));
        for url in ["http://host/live/key", "rtmp:///live/key", "rtmpt://h/a/b"] {
            assert_eq!(
                Url::parse(url).ok().and_then(|url| Target::parse(&url)),
                None
            );
        }
    }

    #[test]
    fn what_lets_somebody_in_is_not_shown() {
        let target = target("rtmp://me:s%2Fecret@host/live?token=secret/key-secret?sign=secret");
        assert_eq!((&*target.user, &*target.password), ("me", "s/ecret"));
        for shown in [target.to_string(), format!("{target:?}"), target.tc_url()] {
            assert!(
                !shown.contains("ecret") && !shown.contains("me:"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_redirection_keeps_the_stream_and_shows_the_password_to_nobody_else() {
        let first = target("rtmp://me:secret@host/live/key?a=b");
        for url in [
            "rtmp://edge:1936/other/live",
            "rtmp://edge:1936/other/live/key?a=b",
        ] {
            let next = first.redirected(url).unwrap();
            assert_eq!((&*next.app, &*next.name), ("other/live", "key?a=b"));
            assert_eq!((next.port, &*next.password), (1936, ""));
        }
        assert_eq!(
            first.redirected("rtmp://host/live").unwrap().password,
            "secret"
        );
        assert_eq!(first.redirected("http://host/live"), None);
    }
}
