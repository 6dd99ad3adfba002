//! The header `Transport` of a server's answer (RFC 2326 §12.39).

use std::net::IpAddr;

use rivero_uri::Policy;

/// Parameters by which a server says where packets come from and where they are to go.
const PLACES: [&str; 2] = ["source", "destination"];

/// What may be sent because of the answer to a SETUP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confined {
    /// The header for the client: its packets go to `peer`, or stay on the connection.
    To(String),
    /// A group of hosts that the policy does not allow.
    Refused,
}

/// Takes out of a `Transport` what would make the client send packets to a host of the server's choice. A client that
/// reads `source` sends its receiver reports, and packets that open firewalls, there, so it is always `peer`: the
/// address that the connection was allowed to. A group that media is sent to has to be one, and allowed.
pub(crate) fn confine(header: &str, peer: IpAddr, policy: &Policy) -> Confined {
    // One of several, if a server gives several.
    let answer = header.split(',').next().unwrap_or_default();
    let mut parts = answer.split(';').map(str::trim);
    let profile = parts.next().unwrap_or_default();
    let parameters: Vec<&str> = parts.collect();
    let named = |name: &'static str| {
        move |parameter: &&str| {
            let own = parameter.split('=').next().unwrap_or_default().trim();
            own.eq_ignore_ascii_case(name)
        }
    };
    let is_multicast = parameters
        .iter()
        .any(|parameter| named("multicast")(parameter));
    let mut confined = vec![profile.to_owned()];
    confined.extend(
        parameters
            .iter()
            .filter(|parameter| !PLACES.iter().any(|place| named(place)(parameter)))
            .map(|parameter| (*parameter).to_owned()),
    );
    if is_multicast {
        let group = parameters
            .iter()
            .find(|parameter| named("destination")(parameter));
        let group = group.and_then(|parameter| parameter.split_once('='));
        // Without one it is the description's, which was checked.
        if let Some((_, group)) = group {
            match group.trim().trim_matches('"').parse() {
                Ok(group) if is_allowed_group(group, policy) => {
                    confined.push(format!("destination={group}"));
                }
                _ => return Confined::Refused,
            }
        }
    } else if !is_interleaved(profile) {
        confined.push(format!("source={peer}"));
    }
    Confined::To(confined.join(";"))
}

/// Whether an address is one of several hosts that may be listened to and reported to.
pub(crate) fn is_allowed_group(group: IpAddr, policy: &Policy) -> bool {
    group.is_multicast() && policy.check_address(group, &group.to_string()).is_ok()
}

/// `RTP/AVP/TCP`
fn is_interleaved(profile: &str) -> bool {
    let lower = profile.rsplit('/').next().unwrap_or_default();
    lower.trim().eq_ignore_ascii_case("TCP")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(settings: &str) -> Policy {
        Policy::new(&serde_json::from_str(settings).unwrap())
    }

    fn confined(header: &str) -> Confined {
        confine(header, [192, 0, 2, 7].into(), &policy("{}"))
    }

    #[test]
    fn packets_go_to_the_peer() {
        for header in [
            "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001",
            "RTP/AVP;unicast;source=10.0.0.1;client_port=5000-5001;server_port=6000-6001",
            "RTP/AVP;unicast; SOURCE = evil.test ;client_port=5000-5001;destination=10.0.0.1;server_port=6000-6001",
            "RTP/AVP;unicast;source=10.0.0.1;source=10.0.0.2;client_port=5000-5001;server_port=6000-6001,RTP/AVP;source=10.0.0.3",
        ] {
            let expected =
                "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=192.0.2.7";
            assert_eq!(
                confined(header),
                Confined::To(expected.to_owned()),
                "{header}"
            );
        }
    }

    #[test]
    fn what_stays_on_the_connection_names_no_place() {
        assert_eq!(
            confined("RTP/AVP/TCP;unicast;interleaved=0-1;source=10.0.0.1;ssrc=ABCD"),
            Confined::To("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=ABCD".to_owned())
        );
    }

    #[test]
    fn a_group_has_to_be_one_and_allowed() {
        let group = "RTP/AVP;multicast;destination=239.1.2.3;port=5000-5001;ttl=16";
        assert!(
            matches!(confined(group), Confined::To(header) if header.ends_with("destination=239.1.2.3"))
        );
        let closed = policy(r#"{"internalHosts": ""}"#);
        assert_eq!(
            confine(group, [192, 0, 2, 7].into(), &closed),
            Confined::Refused
        );
        for forbidden in ["10.0.0.1", "169.254.169.254", "evil.test", ""] {
            let header = group.replace("239.1.2.3", forbidden);
            assert_eq!(confined(&header), Confined::Refused, "{forbidden}");
        }
    }

    proptest! {
        #[test]
        fn no_place_of_the_servers_is_left(header in "(RTP/AVP|RTP/AVP/TCP|[a-zA-Z/]{0,5})(;(source|destination|Source|a|unicast)( ?= ?[0-9.a-z,]{0,9})?){0,5}") {
            let Confined::To(text) = confined(&header) else { return Ok(()) };
            for parameter in text.split(';').skip(1) {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                if PLACES.iter().any(|place| name.trim().eq_ignore_ascii_case(place)) {
                    prop_assert_eq!((name, value), ("source", "192.0.2.7"));
                }
            }
        }
    }
}
