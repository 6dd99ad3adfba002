//! What a URI means for GStreamer, and how the elements that read it are set.

use std::{
    fs::File,
    io::{self, Read},
    net::{IpAddr, ToSocketAddrs},
    os::fd::AsRawFd,
    path::Path,
};

use rivero_gst::{StreamError, element, gst, gst::prelude::*};
use rivero_hls::playlist::LONGEST_TEXT;
use rivero_http::Dialer;
use rivero_proxy::{Names, Proxy};
use rivero_uri::{Location, Policy};
use url::{Host, Url};

use crate::{
    failure::Failure,
    lists::{self, Base, Text},
    reports,
};

/// So many bytes of a file tell whether it is a playlist.
const BEGINNING: u64 = 64;

/// What GStreamer reads from a network by itself: it sends nothing but to the address of the URI, which is checked
/// before. Others of its schemes lead to devices, descriptors and files, or to hosts that no policy gets to see.
const SCHEMES: [&str; 2] = ["udp", "srt"];

/// Where media comes from.
#[derive(Debug)]
pub(crate) enum Way {
    /// By an element of GStreamer.
    Element(Source),
    /// The same, once the name of its host was looked up.
    Named(Source, Box<Lookup>),
    /// By HTTP, asked for with requests of our own.
    Http(Url),
    /// What a playlist names.
    List(Text),
}

/// A host's name whose addresses are to be checked.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    name: String,
    port: u16,
    policy: Policy,
}

/// A URI that GStreamer may read.
#[derive(Debug)]
pub(crate) struct Source {
    /// For GStreamer.
    uri: String,
    /// Of the elements that read it.
    setup: Setup,
    /// What `uri` leads to, as long as it may be read.
    opened: Opened,
}

/// What a source's URI leads to.
#[derive(Debug)]
enum Opened {
    File(#[expect(dead_code, reason = "it stays open")] File),
    /// Connections of our own.
    Proxy(Proxy),
    /// A place in the network.
    Direct(Url),
}

/// How the element that reads a URI is set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// Of RTSP, ms.
    latency: u32,
    /// UDP ports of RTSP.
    ports: Option<(u16, u16)>,
    /// What comes by UDP.
    caps: Option<String>,
    /// By which the proxy knows an RTSP source.
    token: Option<String>,
}

impl Way {
    /// Checks the location and opens it, if it is a file. The addresses of hosts that are asked
    /// by HTTP, RTSP and RTMP are checked with each connection.
    ///
    /// # Errors
    /// [`Failure::Uri`], [`Failure::Thread`]
    pub(crate) fn to(location: &Location, policy: &Policy, setup: Setup) -> Result<Self, Failure> {
        match location {
            Location::File(path) => {
                let mut file = policy.open(path)?;
                if let Some(text) = read_list(&mut file, path)? {
                    let base = Base::File(path.clone());
                    return Ok(Self::List(Text { text, base }));
                }
                // The file that was checked, whatever its name leads to by now.
                let uri = format!("file:///proc/self/fd/{}", file.as_raw_fd());
                Ok(Self::Element(Source {
                    uri,
                    setup,
                    opened: Opened::File(file),
                }))
            }
            Location::Remote(url) if matches!(url.scheme(), "http" | "https") => {
                Ok(Self::Http(url.clone()))
            }
            Location::Remote(url) if Proxy::knows(url.scheme()) => {
                Source::proxied(url, policy, setup).map(Self::Element)
            }
            Location::Remote(url) => {
                let source = Source::direct(url, setup)?;
                Ok(match check_host(url, policy)? {
                    Some(lookup) => Self::Named(source, Box::new(lookup)),
                    None => Self::Element(source),
                })
            }
        }
    }
}

impl Source {
    fn proxied(url: &Url, policy: &Policy, mut setup: Setup) -> Result<Self, Failure> {
        if let Some(host) = rivero_uri::host(url) {
            // What is certain already is told at once.
            policy.check_host(&host)?;
        }
        let proxy = Proxy::open(url, Dialer::new(policy.clone())).map_err(Failure::Thread)?;
        setup.token = Some(proxy.names().token().to_owned());
        Ok(Self {
            uri: proxy.url().to_owned(),
            setup,
            opened: Opened::Proxy(proxy),
        })
    }

    fn direct(url: &Url, mut setup: Setup) -> Result<Self, Failure> {
        if !SCHEMES.contains(&url.scheme()) {
            let text = format!("there is no player for {} URIs", url.scheme());
            return Err(Failure::Uri(text));
        }
        let mut url = url.clone();
        if url.scheme() == "udp" {
            setup.caps = take_caps(&mut url);
        }
        Ok(Self {
            uri: url.clone().into(),
            setup,
            opened: Opened::Direct(url),
        })
    }

    /// Puts the address that was checked in the place of the host's name, so that nothing else is connected to.
    pub(crate) fn pin(&mut self, address: IpAddr) {
        if let Opened::Direct(url) = &mut self.opened
            && url.set_ip_host(address).is_ok()
        {
            self.uri = url.clone().into();
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self.opened, Opened::File(_))
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The names that mean nothing to clients, if the URI has any.
    pub(crate) fn names(&self) -> Option<&Names> {
        match &self.opened {
            Opened::Proxy(proxy) => Some(proxy.names()),
            Opened::File(_) | Opened::Direct(_) => None,
        }
    }

    /// What an element's error means. The proxy knows better why there is no connection; `began`: whether media flowed.
    pub(crate) fn failure(&self, mut error: StreamError, began: bool) -> Failure {
        let Opened::Proxy(proxy) = &self.opened else {
            return Failure::new(error, began);
        };
        match proxy.failure() {
            Some(text) if !began => Failure::Uri(text),
            Some(text) => {
                error.text = text;
                Failure::new(error, began)
            }
            None => {
                error.text = proxy.names().public(&error.text);
                Failure::new(error, began)
            }
        }
    }
}

impl PartialEq for Lookup {
    /// The policy is that of the endpoint.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.port == other.port
    }
}

impl Lookup {
    /// Checks all addresses that the name has now, and gives the first. Waits for them, as long as the system does.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(crate) fn check(&self) -> Result<IpAddr, Failure> {
        let name = self.name.as_str();
        let failed = |text: &dyn std::fmt::Display| Failure::Uri(format!("{name}: {text}"));
        let addresses = (name, self.port)
            .to_socket_addrs()
            .map_err(|error| failed(&error))?;
        let mut first = None;
        for address in addresses {
            self.policy.check_address(address.ip(), name)?;
            first.get_or_insert(address.ip());
        }
        first.ok_or_else(|| failed(&"it has no address"))
    }
}

/// The text of a file that is a playlist.
fn read_list(file: &mut File, path: &Path) -> Result<Option<String>, Failure> {
    let failed = |error: io::Error| Failure::Uri(format!("{}: {error}", path.display()));
    let mut text = Vec::new();
    let beginning = file
        .take(BEGINNING)
        .read_to_end(&mut text)
        .map_err(failed)?;
    // A list by its name alone is one if it is text.
    let is_named = lists::is_list_name(&path.to_string_lossy());
    let is_text = is_named && beginning > 0 && !text.contains(&0);
    if !lists::is_list(&text) && !is_text {
        return Ok(None);
    }
    let most = LONGEST_TEXT as u64 + 1;
    file.take(most).read_to_end(&mut text).map_err(failed)?;
    if text.len() > LONGEST_TEXT {
        let text = format!("{}: a playlist of more than 8 MB", path.display());
        return Err(Failure::Media(text));
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Checks the host; its addresses too, unless they have to be looked up.
fn check_host(url: &Url, policy: &Policy) -> Result<Option<Lookup>, Failure> {
    let Some(host) = rivero_uri::host(url) else {
        return Ok(None);
    };
    policy.check_host(&host)?;
    Ok(match host {
        Host::Domain(name) => Some(Lookup {
            name,
            port: url.port().unwrap_or(0),
            policy: policy.clone(),
        }),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    })
}

/// `udp://address:port?caps=…`
fn take_caps(url: &mut Url) -> Option<String> {
    let caps = url
        .query_pairs()
        .find(|(name, _)| name == "caps")?
        .1
        .into_owned();
    url.set_query(None);
    Some(caps)
}

impl Setup {
    /// `latency`: of RTSP, ms; `ports`: UDP, of RTSP.
    pub(crate) fn new(latency: u32, ports: Option<(u16, u16)>) -> Self {
        Self {
            latency,
            ports,
            ..Self::default()
        }
    }

    /// Sets the element that reads the URI.
    pub(crate) fn apply(&self, source: &gst::Element) {
        let has = |property: &str| source.find_property(property).is_some();
        if source
            .factory()
            .is_some_and(|factory| factory.name() == "rtspsrc")
        {
            // Not `drop-on-latency`: cameras send sound in bunches, behind each picture, and what a bunch has more than the
            // buffer is long would be thrown away, as would all that follows a report with a wrong clock.
            element::set(source, "latency", &self.latency.to_string());
            source.connect("new-manager", false, |values| {
                reports::watch(&values.get(1)?.get::<gst::Element>().ok()?);
                None
            });
            if let Some(token) = &self.token {
                source.set_property("user-agent", token);
            }
            if let Some((first, last)) = self.ports {
                source.set_property("port-range", format!("{first}-{last}"));
            }
        }
        if let Some(caps) = &self.caps
            && has("caps")
        {
            match caps.parse::<gst::Caps>() {
                Ok(caps) => source.set_property("caps", caps),
                Err(_) => tracing::warn!(caps, "no caps of GStreamer"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_uri::UriSettings;

    fn open(uri: &str) -> Result<Source, Failure> {
        let settings = UriSettings::default();
        let location = Location::parse(uri, &settings.default_path).unwrap();
        match Way::to(&location, &Policy::new(&settings), Setup::default())? {
            Way::Element(source) => Ok(source),
            Way::Named(mut source, lookup) => {
                source.pin(lookup.check()?);
                Ok(source)
            }
            way => panic!("{way:?}"),
        }
    }

    #[test]
    fn a_file_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a b.webm");
        std::fs::write(&path, "media").unwrap();
        let source = open(&format!("file://{}", path.display())).unwrap();
        let opened = source.uri().strip_prefix("file://").unwrap();
        assert_eq!(std::fs::read(opened).unwrap(), b"media");
        let missing = open(&format!("file://{}/b.webm", directory.path().display()));
        assert_eq!(missing.unwrap_err().event(), ("INVALID_URI", 0));
    }

    #[test]
    fn a_playlist_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let way = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            let policy = Policy::new(&UriSettings::default());
            Way::to(&Location::File(path), &policy, Setup::default()).unwrap()
        };
        let long = format!("#EXTM3U\n{}", "a.ts\n".repeat(100));
        for (name, content) in [
            ("a", long.as_str()),
            ("a.m3u", "b.mp3\n"),
            ("a.pls", "[playlist]\n"),
        ] {
            let way = way(name, content.as_bytes());
            assert!(
                matches!(&way, Way::List(list) if list.text == content),
                "{way:?}"
            );
        }
        for (name, content) in [
            ("a.m3u", &b""[..]),
            ("a.pls", b"\0\0"),
            ("a.txt", b"b.mp3\n"),
        ] {
            let way = way(name, content);
            assert!(matches!(way, Way::Element(_)), "{way:?}");
        }
    }

    #[test]
    fn credentials_and_hosts_of_rtsp_are_not_told_to_gstreamer() {
        let source = open("rtsp://me:p%40ss%3A@camera.test:554/a?b").unwrap();
        assert!(
            source.uri().starts_with("rtsp://127.0.0.1:"),
            "{}",
            source.uri()
        );
        assert!(source.uri().ends_with("/a?b"), "{}", source.uri());
        let text = format!("no {}", source.uri());
        assert_eq!(
            source.names().unwrap().public(&text),
            "no rtsp://camera.test:554/a?b"
        );
        let tcp = open("rtspst://camera.test/a").unwrap();
        assert!(tcp.uri().starts_with("rtspt://127.0.0.1:"), "{}", tcp.uri());
    }

    #[test]
    fn caps_leave_the_uri() {
        let source = open("udp://127.0.0.1:5000?caps=application/x-rtp,payload%3D96").unwrap();
        assert_eq!(source.uri(), "udp://127.0.0.1:5000");
        assert_eq!(
            source.setup().caps.as_deref(),
            Some("application/x-rtp,payload=96")
        );
    }

    #[test]
    fn a_name_gives_way_to_the_address_that_was_checked() {
        let source = open("srt://localhost:9000?mode=caller").unwrap();
        let uri = source.uri();
        assert!(
            uri == "srt://127.0.0.1:9000?mode=caller" || uri == "srt://[::1]:9000?mode=caller",
            "{uri}"
        );
    }

    #[test]
    fn schemes_that_lead_past_the_policy_are_refused() {
        for uri in [
            "fd://0",
            "rtp://127.0.0.1:5004",
            "rtsph://127.0.0.1/a",
            "rtmpe://127.0.0.1/a",
            "mms://127.0.0.1/a",
            "ftp://127.0.0.1/a",
            "pushfile:///etc/passwd",
            "v4l2:///dev/video0",
            "foo://a/b",
        ] {
            assert_eq!(open(uri).unwrap_err().event().0, "INVALID_URI", "{uri}");
        }
    }

    #[test]
    fn addresses_in_any_spelling_are_checked() {
        for uri in [
            "rtsp://169.254.169.254/a",
            "rtsp://[fe80::1]/a",
            "srt://169.254.169.254:9000",
            "udp://[fe80::1]:9",
        ] {
            assert_eq!(open(uri).unwrap_err().event().0, "INVALID_URI", "{uri}");
        }
    }
}
