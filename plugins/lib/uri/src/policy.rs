//! Which URIs the server may use.

use std::{
    fs::File,
    net::IpAddr,
    path::{Path, PathBuf},
};

use url::Host;

use crate::{
    Location, OpenError, Refusal, UriSettings, address,
    settings::Preset,
    walk::{self, Creation},
};

/// Where no endpoint reads or writes under any preset.
const SYSTEM: [&str; 5] = ["/etc", "/proc", "/sys", "/dev", "/boot"];

/// What is to be done at a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Play, load.
    Read,
    /// Record.
    Write,
}

impl Access {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "readable",
            Self::Write => "writable",
        }
    }
}

/// The rules. Cheap to clone, without state.
#[derive(Debug, Clone)]
pub struct Policy {
    readable: Option<Vec<PathBuf>>,
    writable: Option<Vec<PathBuf>>,
    schemes: Option<Vec<String>>,
    hosts: Option<Vec<String>>,
    protected: Vec<PathBuf>,
}

impl Policy {
    /// The policy of a configuration.
    pub fn new(settings: &UriSettings) -> Self {
        let strict = settings.uri_policy == Preset::Strict;
        let default_root = || match Location::parse("x", &settings.default_path) {
            Ok(Location::File(path)) => path.parent().map(Path::to_owned).into_iter().collect(),
            _ => Vec::new(),
        };
        let roots = |given: &Option<Vec<String>>| match given {
            Some(roots) => Some(roots.iter().map(PathBuf::from).collect()),
            None => strict.then(default_root),
        };
        let lower = |given: &Option<Vec<String>>| {
            given
                .as_ref()
                .map(|names| names.iter().map(|name| name.to_ascii_lowercase()).collect())
        };
        let system = SYSTEM.iter().map(PathBuf::from);
        Self {
            readable: roots(&settings.readable_roots),
            writable: roots(&settings.writable_roots),
            schemes: lower(&settings.allowed_schemes)
                .or_else(|| strict.then(|| vec!["file".to_owned()])),
            hosts: lower(&settings.allowed_hosts).or_else(|| strict.then(Vec::new)),
            protected: system.chain(settings.protected.iter().cloned()).collect(),
        }
    }

    /// Checks all that can be known without using the location.
    ///
    /// A file is resolved as it is now; opening it checks again.
    ///
    /// # Errors
    /// [`Refusal`] of any kind
    pub fn check(&self, location: &Location, access: Access) -> Result<(), Refusal> {
        self.check_scheme(location.scheme())?;
        match location {
            Location::File(path) => match walk::resolve(path) {
                Ok(place) => self.check_path(&place.path(), access),
                // Opening it tells what is wrong.
                Err(_) => Ok(()),
            },
            Location::Remote(url) => match url.host() {
                Some(host) => self.check_host(&host.to_owned()),
                None => Ok(()),
            },
        }
    }

    fn check_scheme(&self, scheme: &str) -> Result<(), Refusal> {
        let Some(allowed) = &self.schemes else {
            return Ok(());
        };
        if allowed.iter().any(|allowed| allowed == scheme) {
            return Ok(());
        }
        Err(Refusal::Scheme {
            scheme: scheme.to_owned(),
            allowed: allowed.join(", "),
        })
    }

    /// Checks the host of a URL, also of one that a server redirects to. A
    /// name has to be resolved, and every address checked, besides.
    ///
    /// # Errors
    /// [`Refusal::Host`], [`Refusal::Address`]
    pub fn check_host(&self, host: &Host<String>) -> Result<(), Refusal> {
        let name = match host {
            Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let listed = match &self.hosts {
            Some(hosts) => hosts.iter().any(|pattern| matches(pattern, &name)),
            None => true,
        };
        if !listed {
            return Err(Refusal::Host { host: name });
        }
        match host {
            // Unlike other programs, `url` reads every spelling of an address as one.
            Host::Domain(_) => Ok(()),
            Host::Ipv4(address) => self.check_address((*address).into(), &name),
            Host::Ipv6(address) => self.check_address((*address).into(), &name),
        }
    }

    /// Checks an address that `host`, a name or the address itself, resolved to.
    ///
    /// With a list of hosts, a name that is covered by a pattern only must not
    /// lead into the machine or a private network.
    ///
    /// # Errors
    /// [`Refusal::Address`]
    pub fn check_address(&self, address: IpAddr, host: &str) -> Result<(), Refusal> {
        let refuse = |reason| Err(Refusal::Address { address, reason });
        if let Some(reason) = address::never(address) {
            return refuse(reason);
        }
        let named = |hosts: &Vec<String>| hosts.iter().any(|pattern| pattern == host);
        let by_pattern_only = self.hosts.as_ref().is_some_and(|hosts| !named(hosts));
        if by_pattern_only && address::is_internal(address) {
            return refuse("internal and not listed by its own name");
        }
        Ok(())
    }

    /// Opens a file to be written from its beginning; missing directories are
    /// made with mode 0777 less the umask. It is not truncated yet.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was made when it is a refusal
    pub fn create(&self, path: &Path) -> Result<File, OpenError> {
        walk::open(path, Creation::WithDirectories, |resolved| {
            self.check_path(resolved, Access::Write)
        })
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(&self, path: &Path) -> Result<File, OpenError> {
        walk::open(path, Creation::Never, |resolved| {
            self.check_path(resolved, Access::Read)
        })
    }

    /// `path`: without `..` and symbolic links.
    fn check_path(&self, path: &Path, access: Access) -> Result<(), Refusal> {
        // A protected directory may be named through a link, or be one.
        let protects = |directory: &&PathBuf| {
            path.starts_with(directory)
                || directory
                    .canonicalize()
                    .is_ok_and(|real| path.starts_with(real))
        };
        if let Some(directory) = self.protected.iter().find(protects) {
            return Err(Refusal::Protected {
                path: path.to_owned(),
                directory: directory.clone(),
            });
        }
        let roots = match access {
            Access::Read => &self.readable,
            Access::Write => &self.writable,
        };
        let Some(roots) = roots else { return Ok(()) };
        let contains = |root: &PathBuf| {
            let real = root.canonicalize();
            path.starts_with(real.as_ref().unwrap_or(root))
        };
        if roots.iter().any(contains) {
            return Ok(());
        }
        Err(Refusal::OutsideRoots {
            path: path.to_owned(),
            access: access.name(),
        })
    }
}

/// `pattern`: a host, or `*.` and the end of one.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(end) => host
            .strip_suffix(end)
            .is_some_and(|start| start.len() > 1 && start.ends_with('.')),
        None => pattern == host || pattern == "*",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(settings: &str) -> Policy {
        Policy::new(&serde_json::from_str(settings).unwrap())
    }

    fn check(policy: &Policy, uri: &str) -> Result<(), Refusal> {
        policy.check(
            &Location::parse(uri, "file:///var/lib/kurento/")?,
            Access::Write,
        )
    }

    #[test]
    fn by_default_only_the_systems_own_places_are_closed() {
        let policy = policy("{}");
        assert_eq!(check(&policy, "file:///tmp/a.webm"), Ok(()));
        assert_eq!(check(&policy, "http://127.0.0.1:8000/a"), Ok(()));
        assert_eq!(check(&policy, "rtsp://example.org/a"), Ok(()));
        for uri in [
            "file:///etc/passwd",
            "file:////etc//x/y",
            "file:///tmp/../etc/x",
            "file:///tmp/%2e%2e/proc/self/mem",
            "file:///proc/self/root/etc/x",
            "file:///sys/x",
            "file:///dev/null",
        ] {
            let refusal = check(&policy, uri).unwrap_err();
            assert!(
                matches!(refusal, Refusal::Protected { .. }),
                "{uri}: {refusal}"
            );
        }
    }

    #[test]
    fn the_servers_own_directories_are_closed() {
        let policy = policy(r#"{"protected": ["/opt/modules", "/opt/conf/kurento.conf.json"]}"#);
        assert!(check(&policy, "file:///opt/modules/a.so").is_err());
        assert!(check(&policy, "file:///opt/conf/kurento.conf.json").is_err());
        assert_eq!(check(&policy, "file:///opt/modules-of-mine/a"), Ok(()));
        assert_eq!(check(&policy, "file:///opt/conf/a"), Ok(()));
    }

    #[test]
    fn addresses_in_any_spelling() {
        let policy = policy("{}");
        for uri in [
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://[::ffff:a9fe:a9fe]/",
        ] {
            let refusal = check(&policy, uri).unwrap_err();
            assert!(
                matches!(refusal, Refusal::Address { .. }),
                "{uri}: {refusal}"
            );
        }
    }

    #[test]
    fn strict_allows_only_what_is_configured() {
        let nothing = policy(r#"{"uriPolicy": "strict"}"#);
        assert_eq!(check(&nothing, "file:///var/lib/kurento/a.webm"), Ok(()));
        assert!(check(&nothing, "file:///tmp/a.webm").is_err());
        assert!(check(&nothing, "http://example.org/").is_err());
        let some = policy(
            r#"{"uriPolicy": "strict", "writableRoots": "/tmp/recordings",
                "allowedSchemes": "file,https", "allowedHosts": "*.example.org, store"}"#,
        );
        assert_eq!(check(&some, "file:///tmp/recordings/a/b.webm"), Ok(()));
        assert!(check(&some, "file:///tmp/recordings/../b.webm").is_err());
        assert!(check(&some, "file:///tmp/recordings-not/b.webm").is_err());
        assert_eq!(check(&some, "https://eu.example.org/"), Ok(()));
        assert_eq!(check(&some, "https://STORE/"), Ok(()));
        for uri in [
            "http://eu.example.org/",
            "https://example.org.evil/",
            "https://badexample.org/",
            "https://127.0.0.1/",
        ] {
            assert!(check(&some, uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn a_pattern_does_not_lead_into_the_private_network() {
        let policy = policy(r#"{"allowedHosts": "*.example.org, store"}"#);
        let internal = "10.0.0.1".parse().unwrap();
        assert!(policy.check_address(internal, "eu.example.org").is_err());
        assert_eq!(policy.check_address(internal, "store"), Ok(()));
        assert_eq!(
            policy.check_address("192.0.2.1".parse().unwrap(), "eu.example.org"),
            Ok(())
        );
    }
}
