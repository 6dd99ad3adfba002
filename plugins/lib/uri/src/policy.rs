//! Which URIs the server may use.

use std::{
    fs::File,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use url::Host;

use crate::{
    Location, OpenError, Refusal, UriSettings, address,
    internal::Internal,
    location,
    places::{self, Places},
    settings::Preset,
    walk::{self, Creation, Place},
};

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
    internal: Internal,
    places: Arc<Places>,
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
        let hosts = lower(&settings.allowed_hosts).or_else(|| strict.then(Vec::new));
        let internal = match lower(&settings.internal_hosts) {
            Some(listed) => Internal::listed(&listed),
            // Whoever lists hosts means those, and not all of the network that a pattern may lead into.
            None if hosts.is_some() => Internal::none(),
            None => Internal::all(),
        };
        Self {
            readable: roots(&settings.readable_roots),
            writable: roots(&settings.writable_roots),
            schemes: lower(&settings.allowed_schemes)
                .or_else(|| strict.then(|| vec!["file".to_owned()])),
            hosts,
            internal,
            places: Arc::new(Places::new(&settings.protected)),
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
                Ok(place) => self.check_place(&place, access),
                // Opening it tells what is wrong.
                Err(_) => Ok(()),
            },
            Location::Remote(url) => match location::host(url) {
                Some(host) => self.check_host(&host),
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
    /// An address of the machine or a private network has to be allowed: by its host's own name among the allowed
    /// hosts (a pattern is not enough), or by the setting for internal ones.
    ///
    /// # Errors
    /// [`Refusal::Address`], [`Refusal::Internal`]
    pub fn check_address(&self, address: IpAddr, host: &str) -> Result<(), Refusal> {
        if let Some(reason) = address::never(address) {
            return Err(Refusal::Address { address, reason });
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let listed = |hosts: &Vec<String>| hosts.contains(&host);
        if !address::is_internal(address)
            || self.hosts.as_ref().is_some_and(listed)
            || self.internal.contains(address, &host)
        {
            return Ok(());
        }
        Err(Refusal::Internal { address })
    }

    /// Opens a file to be written from its beginning; missing directories are
    /// made with mode 0777 less the umask. It is not truncated yet.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was made when it is a refusal
    pub fn create(&self, path: &Path) -> Result<File, OpenError> {
        self.open_as(path, Access::Write)
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(&self, path: &Path) -> Result<File, OpenError> {
        self.open_as(path, Access::Read)
    }

    fn open_as(&self, path: &Path, access: Access) -> Result<File, OpenError> {
        let creation = match access {
            Access::Read => Creation::Never,
            Access::Write => Creation::WithDirectories,
        };
        let file = walk::open(path, creation, |place| self.check_place(place, access))?;
        let metadata = file.metadata().map_err(|error| OpenError::System {
            path: path.to_owned(),
            error,
        })?;
        places::check_file(path, &metadata, access)?;
        Ok(file)
    }

    fn check_place(&self, place: &Place, access: Access) -> Result<(), Refusal> {
        let path = place.path();
        self.places.check(&path, access)?;
        let roots = match access {
            Access::Read => &self.readable,
            Access::Write => &self.writable,
        };
        if let Some(roots) = roots {
            return if is_below(&path, roots) {
                Ok(())
            } else {
                Err(Refusal::OutsideRoots {
                    path,
                    access: access.name(),
                })
            };
        }
        match place.link() {
            // In a directory that others can write to, a link leads to where they cannot. What the roots contain
            // is the operator's to answer for.
            Some(directory) if access == Access::Write && path.parent() != Some(directory) => {
                Err(Refusal::Link { target: path })
            }
            _ => Ok(()),
        }
    }
}

fn is_below(path: &Path, roots: &[PathBuf]) -> bool {
    let contains = |root: &PathBuf| {
        let real = root.canonicalize();
        path.starts_with(real.as_ref().unwrap_or(root))
    };
    roots.iter().any(contains)
}

/// `pattern`: a host, or `*.` and the end of one.
pub(crate) fn matches(pattern: &str, host: &str) -> bool {
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
            "rtsp://169.254.169.254/a",
            "rtsp://[fe80::1]/a",
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
        assert_eq!(policy.check_address(internal, "Store."), Ok(()));
        assert_eq!(
            policy.check_address("192.0.2.1".parse().unwrap(), "eu.example.org"),
            Ok(())
        );
    }

    #[test]
    fn internal_hosts_have_to_be_allowed_by_themselves_where_the_setting_says_so() {
        let closed = policy(r#"{"internalHosts": ""}"#);
        assert_eq!(check(&closed, "http://192.0.2.1/"), Ok(()));
        for uri in ["http://10.1.2.3/", "http://0x7f000001/", "http://[::1]/"] {
            let refusal = check(&closed, uri).unwrap_err();
            assert!(
                matches!(refusal, Refusal::Internal { .. }),
                "{uri}: {refusal}"
            );
        }
        let some = policy(r#"{"internalHosts": "10.1.0.0/16, camera, fd00::/8"}"#);
        for (address, host, allowed) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.2.2.3", "10.2.2.3", false),
            ("192.168.1.1", "camera", true),
            ("192.168.1.1", "camera2", false),
            ("fd12::1", "x", true),
            ("::ffff:10.1.2.3", "x", true),
            ("169.254.169.254", "camera", false),
        ] {
            let answer = some.check_address(address.parse().unwrap(), host);
            assert_eq!(answer.is_ok(), allowed, "{address} {host}: {answer:?}");
        }
    }

    #[test]
    fn the_strict_preset_lets_nothing_into_the_private_network_unasked() {
        let strict = r#"{"uriPolicy": "strict", "allowedSchemes": "http", "allowedHosts": "*"}"#;
        assert!(check(&policy(strict), "http://10.0.0.1/").is_err());
        assert_eq!(check(&policy(strict), "http://192.0.2.1/"), Ok(()));
        let opted_in = strict.replace('}', r#", "internalHosts": "10.0.0.0/8"}"#);
        assert_eq!(check(&policy(&opted_in), "http://10.0.0.1/"), Ok(()));
        assert!(check(&policy(&opted_in), "http://127.0.0.1/").is_err());
    }

    #[test]
    fn a_file_that_only_its_owner_may_read_is_his() {
        use std::os::unix::fs::{PermissionsExt, chown};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("private.webm");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let policy = policy("{}");
        assert!(policy.open(&path).is_ok(), "his own");
        if chown(&path, Some(12_345), None).is_err() {
            return; // only the superuser can give it to somebody, and read it then
        }
        for opened in [policy.open(&path), policy.create(&path)] {
            let refused = matches!(opened, Err(OpenError::Refused(Refusal::Private(_))));
            assert!(refused, "{opened:?}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(policy.open(&path).is_ok(), "for everybody");
    }

    #[test]
    fn nothing_is_written_through_a_link_that_leads_elsewhere() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let [here, there] = ["here", "there"].map(|name| directory.path().join(name));
        std::fs::create_dir(&here).unwrap();
        std::fs::create_dir(&there).unwrap();
        let link = |name: &str, target: &Path| {
            symlink(target, here.join(name)).unwrap();
            here.join(name)
        };
        let policy = policy("{}");
        let elsewhere = link("elsewhere", &there.join("file"));
        let missing = link("missing", &there.join("new/file"));
        for path in [&elsewhere, &missing] {
            let refused = policy.create(path);
            assert!(
                matches!(refused, Err(OpenError::Refused(Refusal::Link { .. }))),
                "{refused:?}"
            );
        }
        assert_eq!(std::fs::read_dir(&there).unwrap().count(), 0);
        assert!(policy.create(&link("beside", Path::new("target"))).is_ok());
        // A directory may be a link: mounted disks are named so.
        assert!(policy.create(&link("disk", &there).join("file")).is_ok());
        assert!(policy.open(&elsewhere).is_ok(), "to be read");
    }

    #[test]
    fn a_file_with_another_name_is_not_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
        std::fs::write(&one, "x").unwrap();
        std::fs::hard_link(&one, &two).unwrap();
        let refused = policy("{}").create(&two);
        assert!(
            matches!(refused, Err(OpenError::Refused(Refusal::HardLink(_)))),
            "{refused:?}"
        );
        assert!(policy("{}").open(&two).is_ok());
    }
}
