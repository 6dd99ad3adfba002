//! The names of this machine, as far as its own files know them: the network is not asked, because
//! a name server that is silent would delay the start.

use std::fs;

use super::host::Host;

/// The host name, and the full ones that `/etc/hosts` and `/etc/resolv.conf` make of it.
#[must_use]
pub fn names() -> Vec<Host> {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let system = rustix::system::uname();
    names_of(
        &system.nodename().to_string_lossy(),
        &read("/etc/hosts"),
        &read("/etc/resolv.conf"),
    )
}

fn names_of(host_name: &str, hosts: &str, resolv_conf: &str) -> Vec<Host> {
    let host_name = host_name.to_ascii_lowercase();
    let mut names = vec![host_name.clone()];
    for line in hosts.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let of_line: Vec<_> = line.split_whitespace().skip(1).collect();
        if of_line
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&host_name))
        {
            names.extend(of_line.into_iter().map(str::to_owned));
        }
    }
    if !host_name.contains('.') {
        // By multicast DNS (RFC 6762), and in the domain of resolv.conf(5).
        let domains = ["local"].into_iter().chain(local_domain(resolv_conf));
        names.extend(domains.map(|domain| format!("{host_name}.{domain}")));
    }
    let mut hosts: Vec<Host> = Vec::new();
    for host in names.iter().filter_map(|name| Host::parse(name)) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// The last line counts, and of a `search` line its first domain.
fn local_domain(resolv_conf: &str) -> Option<&str> {
    let mut lines = resolv_conf.lines().rev();
    let domain = lines.find_map(|line| {
        let mut words = line.split_whitespace();
        let keyword = words.next();
        words
            .next()
            .filter(|_| matches!(keyword, Some("domain" | "search")))
    })?;
    Some(domain.trim_matches('.')).filter(|domain| !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(host_name: &str, hosts: &str, resolv_conf: &str) -> Vec<String> {
        let names = names_of(host_name, hosts, resolv_conf);
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_machine_has_its_name_and_those_that_are_made_of_it() {
        assert_eq!(names("Box", "", ""), ["box", "box.local"]);
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tbox.example.com box # the machine\n\
                     10.0.0.7 other.example.com boxer\n0.0.0.0 evil.example\n";
        assert_eq!(
            names(
                "box",
                hosts,
                "search one.example two.example\nnameserver 10.0.0.1\n"
            ),
            ["box", "box.example.com", "box.local", "box.one.example"]
        );
        let both = "search one.example\ndomain two.example.\n";
        assert_eq!(
            names("box", "", both),
            ["box", "box.local", "box.two.example"]
        );
        assert_eq!(names("box.example.com", "", both), ["box.example.com"]);
    }

    #[test]
    fn files_without_sense_name_nothing() {
        assert_eq!(
            names("box", "#\n\u{0}\n1.2.3.4\n", "search\nsearch .\n"),
            ["box", "box.local"]
        );
        assert!(names("", "", "").is_empty());
    }
}
