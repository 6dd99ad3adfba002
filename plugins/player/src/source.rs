//! What a URI means for GStreamer, and how the elements that read it are set.

use std::{
    fs::File,
    net::{IpAddr, ToSocketAddrs},
    os::fd::AsRawFd,
};

use percent_encoding::percent_decode_str;
use rivero_gst::{element, gst, gst::prelude::*};
use rivero_uri::{Location, Policy};
use url::{Host, Url};

use crate::failure::Failure;

/// What is read from a network. Others of GStreamer's schemes lead to devices,
/// descriptors and files, past the policy.
const SCHEMES: [&str; 17] = [
    "rtsp", "rtsps", "rtspt", "rtspu", "rtsph", "rtspst", "rtspsu", "rtspsh", "rtp", "udp", "rtmp",
    "rtmps", "srt", "mms", "mmsh", "mmst", "ftp",
];

/// Where media comes from.
#[derive(Debug)]
pub(crate) enum Way {
    /// By an element of GStreamer.
    Element(Source),
    /// The same, once the name of its host was looked up.
    Named(Source, Lookup),
    /// By HTTP, asked for with requests of our own.
    Http(Url),
}

/// A host's name whose addresses are to be checked.
#[derive(Debug)]
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
    /// What `uri` leads to, open as long as it may be read.
    file: Option<File>,
}

/// How the element that reads a URI is set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// Of RTSP, ms.
    latency: u32,
    /// UDP ports of RTSP.
    ports: Option<(u16, u16)>,
    /// User and password, decoded.
    credentials: Option<(String, String)>,
    /// What comes by UDP.
    caps: Option<String>,
}

impl Way {
    /// Checks the location and opens it, if it is a file. The addresses of hosts that are asked
    /// by HTTP are checked with each request.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(crate) fn to(location: &Location, policy: &Policy, setup: Setup) -> Result<Self, Failure> {
        match location {
            Location::File(path) => {
                let file = policy.open(path)?;
                // The file that was checked, whatever its name leads to by now.
                let uri = format!("file:///proc/self/fd/{}", file.as_raw_fd());
                Ok(Self::Element(Source {
                    uri,
                    setup,
                    file: Some(file),
                }))
            }
            Location::Remote(url) if matches!(url.scheme(), "http" | "https") => {
                Ok(Self::Http(url.clone()))
            }
            Location::Remote(url) => {
                let source = Source::remote(url, setup)?;
                Ok(match check_host(url, policy)? {
                    Some(lookup) => Self::Named(source, lookup),
                    None => Self::Element(source),
                })
            }
        }
    }
}

impl Source {
    fn remote(url: &Url, mut setup: Setup) -> Result<Self, Failure> {
        if !SCHEMES.contains(&url.scheme()) {
            let text = format!("there is no player for {} URIs", url.scheme());
            return Err(Failure::Uri(text));
        }
        let mut url = url.clone();
        if url.scheme().starts_with("rtsp") {
            setup.credentials = take_credentials(&mut url);
        }
        if url.scheme() == "udp" {
            setup.caps = take_caps(&mut url);
        }
        Ok(Self {
            uri: url.into(),
            setup,
            file: None,
        })
    }

    pub(crate) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }
}

impl Lookup {
    /// Checks all addresses that the name has now. Waits for them, as long as the system does.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let name = self.name.as_str();
        let addresses = (name, self.port)
            .to_socket_addrs()
            .map_err(|error| Failure::Uri(format!("{name}: {error}")))?;
        for address in addresses {
            self.policy.check_address(address.ip(), name)?;
        }
        Ok(())
    }
}

/// Checks the host; its addresses too, unless they have to be looked up.
fn check_host(url: &Url, policy: &Policy) -> Result<Option<Lookup>, Failure> {
    // What `url` does not know it gives as a name, addresses too.
    let Some(name) = url.host_str() else {
        return Ok(None);
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        policy.check_host(&match address {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        })?;
        return Ok(None);
    }
    policy.check_host(&Host::Domain(name.to_owned()))?;
    Ok(Some(Lookup {
        name: name.to_owned(),
        port: url.port().unwrap_or(0),
        policy: policy.clone(),
    }))
}

fn take_credentials(url: &mut Url) -> Option<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let credentials = (
        decoded(url.username()),
        decoded(url.password().unwrap_or_default()),
    );
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(credentials)
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
            element::set(source, "latency", &self.latency.to_string());
            element::set(source, "drop-on-latency", "true");
            if let Some((first, last)) = self.ports {
                source.set_property("port-range", format!("{first}-{last}"));
            }
            if let Some((user, password)) = &self.credentials {
                source.set_property("user-id", user);
                source.set_property("user-pw", password);
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
            Way::Named(source, lookup) => lookup.check().map(|()| source),
            Way::Http(url) => panic!("{url}"),
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
    fn credentials_and_caps_leave_the_uri() {
        let source = open("rtsp://me:p%40ss%3A@127.0.0.1:554/a").unwrap();
        assert_eq!(source.uri(), "rtsp://127.0.0.1:554/a");
        let expected = ("me".to_owned(), "p@ss:".to_owned());
        assert_eq!(source.setup().credentials, Some(expected));
        let source = open("udp://127.0.0.1:5000?caps=application/x-rtp,payload%3D96").unwrap();
        assert_eq!(source.uri(), "udp://127.0.0.1:5000");
        assert_eq!(
            source.setup().caps.as_deref(),
            Some("application/x-rtp,payload=96")
        );
    }

    #[test]
    fn schemes_that_lead_past_the_policy_are_refused() {
        for uri in [
            "fd://0",
            "pushfile:///etc/passwd",
            "v4l2:///dev/video0",
            "foo://a/b",
        ] {
            assert_eq!(open(uri).unwrap_err().event().0, "INVALID_URI", "{uri}");
        }
    }

    #[test]
    fn addresses_in_any_spelling_are_checked() {
        for uri in ["rtsp://169.254.169.254/a", "rtsp://[fe80::1]/a"] {
            assert_eq!(open(uri).unwrap_err().event().0, "INVALID_URI", "{uri}");
        }
    }
}
