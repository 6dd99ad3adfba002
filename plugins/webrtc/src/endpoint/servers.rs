//! STUN and TURN servers, from properties to addresses.

use rivero_plugin_api::{Error, Result};

use super::properties::Properties;
use crate::{
    peer::{GatherConfig, TurnServer, TurnTransport},
    resolve, shard,
};

/// Ports of RFC 8656 §5.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// A TURN server as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TurnUrl {
    username: String,
    password: String,
    host: String,
    port: u16,
    transport: TurnTransport,
}

/// The servers that an endpoint is to use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Servers {
    stun: Option<(String, u16)>,
    turn: Vec<TurnUrl>,
}

impl Servers {
    /// # Errors
    /// Says what is wrong with `turnUrl`.
    pub(super) fn of(properties: &Properties) -> Result<Self> {
        let stun = properties.stun_server_address.trim();
        let stun = stun.trim_start_matches('[').trim_end_matches(']');
        let port = u16::try_from(properties.stun_server_port).unwrap_or(PORT);
        Ok(Self {
            stun: (!stun.is_empty()).then(|| (stun.to_owned(), port)),
            turn: turn_urls(&properties.turn_url)?,
        })
    }

    /// Looks the servers' names up and completes `config` with their addresses. `then` is called
    /// with that and with what could not be found, at once where there are no names.
    pub(super) fn resolve(
        self,
        mut config: GatherConfig,
        then: impl FnOnce(GatherConfig, Vec<String>) + Send + 'static,
    ) {
        let stun = self.stun.iter().cloned();
        let turn = self.turn.iter().map(|url| (url.host.clone(), url.port));
        let hosts: Vec<(String, u16)> = stun.chain(turn).collect();
        let tls = self
            .turn
            .iter()
            .any(|url| url.transport == TurnTransport::Tls);
        if tls && let Err(error) = shard::tls_configuration() {
            tracing::error!(error, "TURN over TLS");
        }
        resolve::servers(hosts, move |found| {
            let unknown = found.iter().filter(|host| host.addresses.is_empty());
            let troubles = unknown
                .map(|host| format!("STUN or TURN server {:?} is not known", host.name))
                .collect();
            let mut found = found.into_iter().map(|host| host.addresses);
            if self.stun.is_some() {
                config.stun_servers = found.next().unwrap_or_default();
            }
            for (url, addresses) in self.turn.into_iter().zip(found) {
                // One allocation for each IP version.
                for v6 in [false, true] {
                    let address = addresses.iter().find(|address| address.is_ipv6() == v6);
                    config
                        .turn_servers
                        .extend(address.map(|address| TurnServer {
                            address: *address,
                            transport: url.transport,
                            host: url.host.clone(),
                            username: url.username.clone(),
                            password: url.password.clone(),
                        }));
                }
            }
            then(config, troubles);
        });
    }
}

/// Servers separated by spaces, or by commas where what is on both sides is a server: passwords
/// may have commas, too.
fn turn_urls(text: &str) -> Result<Vec<TurnUrl>> {
    let mut urls = Vec::new();
    for part in text.split_whitespace() {
        let part = part.trim_matches(',');
        let separate: Option<Vec<TurnUrl>> = part.split(',').map(turn_url).collect();
        let whole = || turn_url(part).map(|url| vec![url]);
        urls.extend(separate.or_else(whole).ok_or_else(|| {
            Error::illegal_parameter(
                "turnUrl has to be user:password@host:port with an optional \
                 ?transport=udp, tcp or tls at the end",
            )
        })?);
    }
    Ok(urls)
}

fn turn_url(text: &str) -> Option<TurnUrl> {
    let (credential, server) = text.rsplit_once('@')?;
    let (username, password) = split_credential(credential)?;
    let (address, query) = server.split_once('?').unwrap_or((server, ""));
    let transport = transport(query)?;
    let default = if transport == TurnTransport::Tls {
        TLS_PORT
    } else {
        PORT
    };
    let (host, port) = split_address(address, default)?;
    Some(TurnUrl {
        username: username.to_owned(),
        password: password.to_owned(),
        host: host.to_owned(),
        port,
        transport,
    })
}

/// The user name ends at the first colon, except that one limited in time has a colon itself:
/// seconds since 1970, and whose it is.
fn split_credential(text: &str) -> Option<(&str, &str)> {
    const SECONDS_DIGITS: usize = 9;
    let (first, rest) = text.split_once(':')?;
    let is_time = first.len() >= SECONDS_DIGITS && first.bytes().all(|byte| byte.is_ascii_digit());
    match rest.split_once(':') {
        Some((user, password)) if is_time => {
            let end = first.len() + 1 + user.len();
            Some((text.get(..end)?, password))
        }
        _ => (!first.is_empty()).then_some((first, rest)),
    }
}

fn transport(query: &str) -> Option<TurnTransport> {
    let wanted = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("transport="));
    match wanted {
        None if query.is_empty() => Some(TurnTransport::Udp),
        Some("udp" | "UDP") => Some(TurnTransport::Udp),
        Some("tcp" | "TCP") => Some(TurnTransport::Tcp),
        Some("tls" | "TLS") => Some(TurnTransport::Tls),
        _ => None,
    }
}

/// IPv6 addresses stand in brackets.
fn split_address(text: &str, default: u16) -> Option<(&str, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, rest) = text.split_once(']')?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':')?),
            };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => default,
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> TurnUrl {
        let mut urls = turn_urls(text).unwrap();
        assert_eq!(urls.len(), 1, "{text}");
        urls.remove(0)
    }

    #[test]
    fn kurentos_urls_are_understood() {
        let url = one("alice:secret@192.0.2.1:3479?transport=tcp");
        assert_eq!(
            (url.username.as_str(), url.password.as_str()),
            ("alice", "secret")
        );
        assert_eq!((url.host.as_str(), url.port), ("192.0.2.1", 3479));
        assert_eq!(url.transport, TurnTransport::Tcp);
        assert_eq!(one("a:b@host").port, 3478);
        assert_eq!(one("a:b@host?transport=tls").port, 5349);
        let url = one("a:b@[2001:db8::1]:4000");
        assert_eq!((url.host.as_str(), url.port), ("2001:db8::1", 4000));
    }

    #[test]
    fn passwords_may_have_anything_but_spaces() {
        for password in ["p@ss", "p=ss==", "p:ss", "p,ss", "p?a@b:c=d,e", "p/ss%40"] {
            let url = one(&format!("alice:{password}@192.0.2.1:3478"));
            assert_eq!(
                (url.username.as_str(), url.password.as_str()),
                ("alice", password)
            );
            assert_eq!(url.host, "192.0.2.1");
        }
    }

    #[test]
    fn a_user_name_limited_in_time_keeps_its_colon() {
        let url = one("1795171843:alice:c2VjcmV0/+==@turn.example.org:3478");
        assert_eq!(url.username, "1795171843:alice");
        assert_eq!(url.password, "c2VjcmV0/+==");
        let url = one("1795171843:c2VjcmV0@turn.example.org");
        assert_eq!(
            (url.username.as_str(), url.password.as_str()),
            ("1795171843", "c2VjcmV0")
        );
    }

    #[test]
    fn several_servers_are_separated_by_spaces_or_commas() {
        let both = |text: &str| -> Vec<String> {
            let urls = turn_urls(text).unwrap();
            urls.into_iter().map(|url| url.host).collect()
        };
        assert_eq!(both("a:b@one:1 c:d@two:2"), ["one", "two"]);
        assert_eq!(both("a:b@one:1,c:d@two:2?transport=tls"), ["one", "two"]);
        assert_eq!(both(" a:b@one:1,\n c:d@two:2 "), ["one", "two"]);
        assert!(turn_urls("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "host:3478",
            "alice@host",
            ":b@host",
            "a:b@",
            "a:b@h:x",
            "a:b@h?transport=x",
        ] {
            assert!(turn_urls(text).is_err(), "{text}");
        }
    }
}
