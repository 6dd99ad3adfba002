//! What the server itself takes from the configuration.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rivero_media::SharedEncoding;
use serde_json::Value;

use crate::accounts::Limits;
use crate::auth;
use crate::http::host::{HostPattern, OriginPattern};
use crate::modules::Isolated;
use crate::protocol::registrar::Address;
use crate::registry;

/// The server's settings with their defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Fraction of the process limits above which `create` is refused.
    pub exception_limit: f64,
    /// Fraction of the process limits above which the server ends once it has no objects left.
    pub kill_limit: Option<f64>,
    /// How long what runs may go on after SIGTERM; zero ends it at once.
    pub drain_timeout: Duration,
    /// Directories where room has to be for recordings; none: those by default.
    pub health_recordings: Vec<PathBuf>,
    /// Bytes that have to be free there for `/readyz`.
    pub health_least_free: u64,
    /// Period of the garbage collector.
    pub collector_period: Duration,
    /// The page for operators.
    pub console: Console,
    /// How modules are found and replaced.
    pub modules: Modules,
    /// Whether repeated requests are executed again.
    pub disable_request_cache: bool,
    /// Where the plain listener is; every address if `None`.
    pub address: Option<IpAddr>,
    /// Whether every address includes those of IPv6.
    pub ipv6: bool,
    /// Pages from elsewhere that may use the server.
    pub allowed_origins: Vec<OriginPattern>,
    /// Names of the server beside those that are known anyway.
    pub allowed_hosts: Vec<HostPattern>,
    /// 0 disables the listener.
    pub port: u16,
    /// Port of the TLS listener; 0 disables it.
    pub secure_port: u16,
    /// PEM file with the certificate chain and the key of the TLS listener.
    pub secure_certificate: Option<PathBuf>,
    /// Password of that key, empty without one.
    pub secure_password: String,
    /// The registrar that is told where the server is.
    pub registrar: Option<Address>,
    /// The host name that the registrar is told.
    pub local_address: String,
    /// Connections that may wait to be accepted; the system's maximum if `None`.
    pub backlog: Option<u32>,
    /// Path of the WebSocket.
    pub path: String,
    /// Threads that serve connections; one per processor if `None`.
    pub threads: Option<usize>,
    /// JSON text of the `metadata` node, empty without one.
    pub metadata: String,
    /// Defaults of elements.
    pub element: registry::Settings,
    /// Who decides how much is sent of an encoding that several viewers share.
    pub shared_encoding: SharedEncoding,
    /// How much clients may have and ask for.
    pub limits: Limits,
    /// Which modules have processes of their own.
    pub isolated: Isolated,
    /// What clients have to show; `None` if nothing.
    pub auth: Option<auth::Settings>,
    /// Whether a server that asks for nothing may be open to the network.
    pub require_auth: bool,
}

/// The page for operators on the management port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Console {
    /// Where its files are; in the places of a build or an installation if `None`.
    pub path: Option<PathBuf>,
    /// Whether it may change anything.
    pub write: bool,
}

/// How modules are found and replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modules {
    /// Whether changes of the modules directories are taken up while the server runs.
    pub hot_plug: bool,
    /// Whether files are taken that others than root and the server's user may write.
    pub anyone_may_write: bool,
}

impl Default for Modules {
    fn default() -> Modules {
        Modules {
            hot_plug: true,
            anyone_may_write: false,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            exception_limit: 0.8,
            kill_limit: None,
            drain_timeout: Duration::ZERO,
            health_recordings: Vec::new(),
            health_least_free: 256 << 20,
            collector_period: Duration::from_secs(240),
            console: Console::default(),
            modules: Modules::default(),
            disable_request_cache: false,
            address: None,
            ipv6: true,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            port: 8888,
            secure_port: 0,
            secure_certificate: None,
            secure_password: String::new(),
            registrar: None,
            local_address: "localhost".into(),
            backlog: None,
            path: "kurento".into(),
            threads: None,
            metadata: String::new(),
            element: registry::Settings::default(),
            shared_encoding: SharedEncoding::default(),
            limits: Limits::default(),
            isolated: Isolated::default(),
            auth: None,
            require_auth: false,
        }
    }
}

impl Settings {
    /// Reads the settings out of a tree; the second part names the keys whose values cannot be
    /// used, and for which the default counts.
    #[must_use]
    pub fn read(tree: &Value) -> (Settings, Vec<String>) {
        let mut reader = Reader {
            tree,
            problems: Vec::new(),
        };
        let default = Settings::default();
        let socket = "/mediaServer/net/websocket";
        let secure = "/mediaServer/net/websocket/secure";
        let registrar = "/mediaServer/net/websocket/registrar";
        let resources = "/mediaServer/resources";
        let modules = "/mediaServer/modules";
        let health = "/mediaServer/health";
        let console = "/mediaServer/console";
        let element = "/modules/kurento/MediaElement";
        let settings = Settings {
            exception_limit: reader
                .get(resources, "exceptionLimit")
                .map_or(default.exception_limit, |Fraction(limit)| limit),
            kill_limit: reader
                .get(resources, "killLimit")
                .map(|Fraction(limit)| limit),
            drain_timeout: reader
                .get("/mediaServer", "drainTimeout")
                .map_or(default.drain_timeout, drain_seconds),
            health_recordings: reader.list(health, "recordings"),
            health_least_free: reader
                .get(health, "minFreeMiB")
                .map_or(default.health_least_free, |mib: u32| u64::from(mib) << 20),
            collector_period: reader
                .get(resources, "garbageCollectorPeriod")
                .map_or(default.collector_period, |seconds: NonZeroU64| {
                    Duration::from_secs(seconds.get())
                }),
            console: Console {
                path: reader.get(console, "path"),
                write: reader.flag(console, "write").unwrap_or_default(),
            },
            modules: Modules {
                hot_plug: reader
                    .flag(modules, "hotPlug")
                    .unwrap_or(default.modules.hot_plug),
                anyone_may_write: reader.flag(modules, "allowWritable").unwrap_or_default(),
            },
            disable_request_cache: reader
                .flag(resources, "disableRequestCache")
                .unwrap_or_default(),
            address: reader.get(socket, "address").map(|Host(address)| address),
            ipv6: reader.flag(socket, "ipv6").unwrap_or(default.ipv6),
            allowed_origins: reader.list(socket, "allowedOrigins"),
            allowed_hosts: reader.list(socket, "allowedHosts"),
            // In a file that is there, a missing port disables the listener.
            port: reader.get(socket, "port").unwrap_or_default(),
            secure_port: reader.get(secure, "port").unwrap_or_default(),
            secure_certificate: reader.get(secure, "certificate"),
            secure_password: reader.text(secure, "password").unwrap_or_default(),
            registrar: reader.get(registrar, "address"),
            local_address: reader
                .get(registrar, "localAddress")
                .map_or(default.local_address, |HostName(name)| name),
            backlog: reader.get(socket, "connqueue"),
            path: reader
                .get(socket, "path")
                .map_or(default.path, |RequestPath(path)| path),
            threads: reader.get(socket, "threads").map(NonZeroUsize::get),
            metadata: tree
                .get("metadata")
                .map(ToString::to_string)
                .unwrap_or_default(),
            shared_encoding: reader.get(element, "sharedEncoding").unwrap_or_default(),
            // Read on their own, since nothing in them may be wrong.
            limits: default.limits,
            isolated: default.isolated,
            auth: default.auth,
            require_auth: reader
                .flag("/mediaServer", "requireAuth")
                .unwrap_or_default(),
            element: element_settings(&mut reader, element),
        };
        (settings, reader.problems)
    }
}

/// The bitrates of encoders. Those that are set hold as if a client had set them; a maximum of 0 is
/// what a client reads as the largest number.
fn element_settings(reader: &mut Reader<'_>, element: &str) -> registry::Settings {
    let mut settings = registry::Settings::default();
    if let Some(bitrate) = reader.get(element, "encoderBitrate") {
        settings.set_encoder_bitrate(bitrate);
    }
    if let Some(most) = reader
        .get(element, "maxEncoderBitrate")
        .filter(|most| *most > 0)
    {
        settings.set_max_encoder_bitrate(most);
    }
    if let Some(least) = reader.get(element, "minEncoderBitrate") {
        settings.set_min_encoder_bitrate(least);
    }
    settings
}

/// Seconds of draining. A number of 32 bits, so that no clock overflows.
pub(super) fn drain_seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// An address, or a name that stands for one on this machine.
struct Host(IpAddr);

impl FromStr for Host {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Host> {
        if let Ok(address) = text.parse() {
            return Ok(Host(address));
        }
        let first = (text, 0).to_socket_addrs()?.next();
        first
            .map(|address| Host(address.ip()))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A part of a limit of the system.
struct Fraction(f64);

impl FromStr for Fraction {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Fraction, Self::Err> {
        let number = text.parse().ok();
        let fraction = number.filter(|fraction| (0.0..=1.0).contains(fraction));
        fraction
            .map(Fraction)
            .ok_or("it should be a number from 0 to 1")
    }
}

/// The path of a URL, with or without the first slash, as a client can request it: other
/// characters reach the server percent-encoded, and `?` and `#` end a path (RFC 3986 §3.3).
struct RequestPath(String);

impl FromStr for RequestPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<RequestPath, Self::Err> {
        let mut bytes = text.bytes();
        let mut is_possible = true;
        while let Some(byte) = bytes.next() {
            is_possible &= match byte {
                b'%' => {
                    let mut is_digit = || bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
                    is_digit() && is_digit()
                }
                byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte),
            };
        }
        // A client takes these steps itself, and requests what they lead to.
        is_possible &= !text.split('/').any(|step| matches!(step, "." | ".."));
        is_possible
            .then(|| RequestPath(text.to_owned()))
            .ok_or("no client can request this path")
    }
}

/// The name of a host or its address, to be put into a URL.
struct HostName(String);

impl FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<HostName, Self::Err> {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let is_name = !text.is_empty() && text.len() <= 253 && text.bytes().all(is_part);
        (is_name || text.parse::<IpAddr>().is_ok())
            .then(|| HostName(text.to_owned()))
            .ok_or("it should be the name or the address of a host, without a port")
    }
}

struct Reader<'a> {
    tree: &'a Value,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// A scalar in the type wanted, from JSON of that type or from text.
    fn get<T: FromStr<Err: Display>>(&mut self, parent: &str, key: &str) -> Option<T> {
        let text = self.text(parent, key)?;
        match text.trim().parse() {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problem(parent, key, &text, &reason);
                None
            }
        }
    }

    fn flag(&mut self, parent: &str, key: &str) -> Option<bool> {
        let text = self.text(parent, key)?;
        match text.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.problem(parent, key, &text, &"it should be true or false");
                None
            }
        }
    }

    /// The usable entries of a list, or of a text with commas or spaces between them.
    fn list<T: FromStr<Err: Display>>(&mut self, parent: &str, key: &str) -> Vec<T> {
        let value = self.tree.pointer(parent).and_then(|node| node.get(key));
        let entries: Vec<String> = match value {
            None => Vec::new(),
            Some(Value::String(text)) => text
                .split([',', ' ', '\t', '\n', '\r'])
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), str::to_owned)
                })
                .collect(),
            Some(other) => vec![other.to_string()],
        };
        let mut list = Vec::new();
        for entry in entries {
            match entry.parse() {
                Ok(usable) => list.push(usable),
                Err(reason) => self.problem(parent, key, &entry, &reason),
            }
        }
        list
    }

    fn text(&mut self, parent: &str, key: &str) -> Option<String> {
        match self.tree.pointer(parent)?.get(key)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            value => {
                let reason = "it should be a text, a number or true or false";
                self.problem(parent, key, &value.to_string(), &reason);
                None
            }
        }
    }

    fn problem(&mut self, parent: &str, key: &str, value: &str, reason: &dyn Display) {
        let parent = parent.trim_start_matches('/').replace('/', ".");
        self.problems.push(format!(
            "{parent}.{key}: '{value}' cannot be used: {reason}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_leniently() {
        let (settings, problems) = Settings::read(&json!({
            "mediaServer": {
                "net": {"websocket": {"port": "9999", "ipv6": "0", "path": "x", "connqueue": 100}},
                "resources": {"garbageCollectorPeriod": 6, "disableRequestCache": true},
            },
            "metadata": {"a": 1},
            "modules": {"kurento": {"MediaElement": {
                "encoderBitrate": "500000", "sharedEncoding": "best",
            }}},
        }));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            (settings.port, settings.ipv6, settings.path.as_str()),
            (9999, false, "x")
        );
        assert_eq!(
            (settings.backlog, settings.collector_period),
            (Some(100), Duration::from_secs(6))
        );
        assert!(settings.disable_request_cache && settings.metadata == r#"{"a":1}"#);
        assert_eq!(settings.element.encoder_bitrate, Some(500_000));
        assert_eq!(settings.shared_encoding, SharedEncoding::BestViewer);
    }

    #[test]
    fn who_may_speak_is_a_list_or_a_text() {
        let read = |value: Value| {
            let socket = json!({"allowedOrigins": value, "allowedHosts": value});
            let tree = json!({"mediaServer": {"net": {"websocket": socket}}});
            let (settings, problems) = Settings::read(&tree);
            let hosts = settings.allowed_hosts.len();
            (settings.allowed_origins.len(), hosts, problems.len())
        };
        assert_eq!(read(json!(["a.example", "*.b.example", "*"])), (3, 3, 0));
        assert_eq!(read(json!("a.example, *.b.example *")), (3, 3, 0));
        assert_eq!((read(json!([])), read(json!(""))), ((0, 0, 0), (0, 0, 0)));
        // What cannot be used lets nobody in.
        assert_eq!(read(json!(["a.*", "b.example", 1, {}])), (2, 2, 4));
        assert_eq!(read(json!({"a": 1})), (0, 0, 2));
        assert_eq!(read(json!("https://a.example")), (1, 0, 1));
    }

    #[test]
    fn an_address_may_be_a_name() {
        let address = |text: &str| {
            let tree = json!({"mediaServer": {"net": {"websocket": {"address": text}}}});
            Settings::read(&tree).0.address
        };
        assert_eq!(address("10.1.2.3"), "10.1.2.3".parse().ok());
        assert!(address("localhost").is_some_and(|address| address.is_loopback()));
        assert_eq!(address("127.0.0.1:8888"), None);
    }

    #[test]
    fn tls_and_registrar_are_read() {
        let (settings, problems) = Settings::read(&json!({"mediaServer": {
            "resources": {"killLimit": 0.7},
            "drainTimeout": "90",
            "net": {"websocket": {
                "secure": {"port": 8433, "certificate": "cert.pem", "password": " a b "},
                "registrar": {"address": "wss://host:9090/r", "localAddress": "media.example"},
            }},
        }}));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            (settings.secure_port, settings.kill_limit),
            (8433, Some(0.7))
        );
        assert_eq!(settings.drain_timeout, Duration::from_secs(90));
        assert_eq!(settings.secure_certificate, Some("cert.pem".into()));
        assert_eq!(settings.secure_password, " a b ");
        assert_eq!(settings.registrar, "wss://host:9090/r".parse().ok());
        assert_eq!(settings.local_address, "media.example");

        let tree =
            json!({"mediaServer": {"net": {"websocket": {"registrar": {"address": "host"}}}}});
        let (settings, problems) = Settings::read(&tree);
        assert_eq!((settings.registrar, problems.len()), (None, 1));
    }

    #[test]
    fn unusable_values_are_named() {
        let tree = json!({"mediaServer": {"net": {"websocket": {"port": 70000, "ipv6": "perhaps", "path": {}}}}});
        let (settings, problems) = Settings::read(&tree);
        assert_eq!((settings.port, settings.path.as_str()), (0, "kurento"));
        assert_eq!(
            problems[0],
            "mediaServer.net.websocket.ipv6: 'perhaps' cannot be used: it should be true or false"
        );
        assert_eq!(problems.len(), 3);
    }

    #[test]
    fn what_a_start_cannot_use_is_a_problem_and_the_default_counts() {
        let with = |group: &str, key: &str, value: Value| {
            let mut tree =
                json!({"mediaServer": {"resources": {}, "net": {"websocket": {"registrar": {}}}}});
            tree.pointer_mut(group).unwrap()[key] = value;
            Settings::read(&tree)
        };
        let (resources, socket) = ("/mediaServer/resources", "/mediaServer/net/websocket");
        for value in ["-1", "1.01", "NaN", "inf", "-inf", "", "much"] {
            for key in ["exceptionLimit", "killLimit"] {
                let (settings, problems) = with(resources, key, value.into());
                assert_eq!((settings.exception_limit, settings.kill_limit), (0.8, None));
                assert!(
                    problems[0].ends_with("a number from 0 to 1"),
                    "{problems:?}"
                );
            }
        }
        for value in [0.0, 0.5, 1.0] {
            let (settings, problems) = with(resources, "exceptionLimit", value.into());
            assert_eq!((settings.exception_limit, problems.len()), (value, 0));
        }
        for path in [
            "a b", "a?b", "a#b", "ä", "a\nb", "%", "%2", "%zz", "..", "a/./b", "a\"b", "a\\b",
        ] {
            let (settings, problems) = with(socket, "path", path.into());
            assert_eq!(settings.path, "kurento");
            assert!(
                problems[0].ends_with("no client can request this path"),
                "{problems:?}"
            );
        }
        for path in [
            "",
            "/",
            "kurento",
            "/a/b-c_d.e~f",
            "a%20b",
            "x:y@z;v=1,2",
            "a..b",
        ] {
            let (settings, problems) = with(socket, "path", path.into());
            assert_eq!((settings.path.as_str(), problems.len()), (path, 0));
        }
        let registrar = "/mediaServer/net/websocket/registrar";
        for host in ["", "a b", "host:8888", "ws://host", "a/b"] {
            assert_eq!(
                with(registrar, "localAddress", host.into()).1.len(),
                1,
                "{host}"
            );
        }
        for host in ["media.example", "10.0.0.1", "2001:db8::1"] {
            assert_eq!(
                with(registrar, "localAddress", host.into()).0.local_address,
                host
            );
        }
        assert_eq!(
            with(resources, "garbageCollectorPeriod", 0.into()).1.len(),
            1
        );
        assert_eq!(with(socket, "threads", "0".into()).1.len(), 1);
    }
}
