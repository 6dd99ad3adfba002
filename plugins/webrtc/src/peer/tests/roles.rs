//! Who nominates, and what: conflicts about the role, and a controlling server whose peer is made by
//! hand.

use std::net::SocketAddr;
use std::time::Duration;

use super::network::*;
use crate::peer::stun::{StunBuilder, StunMessage, attribute, kind};
use crate::peer::*;

const LIMIT: Duration = Duration::from_secs(20);
const LOCAL: &str = "192.0.2.1:1000";
const TCP: &str = "192.0.2.1:1001";
const HOME: &str = "203.0.113.1:1";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn udp(remote: &str) -> Path {
    Path::udp(address(LOCAL), address(remote))
}

fn tcp(remote: &str) -> Path {
    Path {
        local: address(TCP),
        remote: address(remote),
        carrier: Carrier::Tcp,
    }
}

/// A server with a socket for UDP and one for TCP.
fn server(now: Instant, controlling: bool) -> Peer {
    let mut peer = Peer::new(config("server", controlling), now).unwrap();
    let passive = LocalCandidate::TcpPassive {
        address: address(TCP),
        external: None,
    };
    for candidate in [LocalCandidate::host(address(LOCAL)), passive] {
        peer.add_local_candidate(now, candidate).unwrap();
    }
    let remote = RemoteParameters {
        credentials: credentials("browser"),
        fingerprint: Fingerprint::sha256(b""),
        dtls_role: DtlsRole::Client,
    };
    peer.set_remote(now, remote).unwrap();
    peer
}

/// A check of the browser's, without nomination.
fn check(role: u16, tie_breaker: u64) -> Vec<u8> {
    let username = format!(
        "{}:{}",
        credentials("server").ufrag,
        credentials("browser").ufrag
    );
    StunBuilder::new(kind::BINDING_REQUEST, crate::peer::stun::new_transaction())
        .add(attribute::USERNAME, username.as_bytes())
        .add(role, &tie_breaker.to_be_bytes())
        .add(attribute::PRIORITY, &100u32.to_be_bytes())
        .integrity(credentials("server").password.as_bytes())
        .fingerprint()
        .build()
}

fn response(to: &[u8], kind: u16, with: impl Fn(StunBuilder) -> StunBuilder) -> Vec<u8> {
    let request = StunMessage::parse(to).unwrap();
    with(StunBuilder::new(kind, request.transaction()))
        .integrity(credentials("browser").password.as_bytes())
        .fingerprint()
        .build()
}

fn success(to: &[u8]) -> Vec<u8> {
    response(to, kind::BINDING_SUCCESS, |builder| {
        builder.address(attribute::XOR_MAPPED_ADDRESS, address(LOCAL))
    })
}

fn conflict(to: &[u8]) -> Vec<u8> {
    response(to, kind::BINDING_ERROR, |builder| {
        builder.add(attribute::ERROR_CODE, &[0, 0, 4, 87])
    })
}

fn receive(peer: &mut Peer, now: Instant, on: Path, mut bytes: Vec<u8>) {
    peer.handle_carried(now, on, &mut bytes);
}

/// A check that the server sent.
struct Sent {
    path: Path,
    bytes: Vec<u8>,
    nominates: bool,
    controlling: Option<u64>,
    controlled: Option<u64>,
}

/// The checks that the server has to send.
fn sent(peer: &mut Peer) -> Vec<Sent> {
    let transmits = std::iter::from_fn(|| peer.poll_transmit());
    let checks = transmits.filter_map(|transmit| {
        let message = StunMessage::parse(&transmit.bytes)?;
        let number = |which| {
            let value: &[u8] = message.get(which)?;
            Some(u64::from_be_bytes(value.try_into().unwrap()))
        };
        (message.kind() == kind::BINDING_REQUEST).then(|| Sent {
            path: transmit.path,
            nominates: message.has(attribute::USE_CANDIDATE),
            controlling: number(attribute::ICE_CONTROLLING),
            controlled: number(attribute::ICE_CONTROLLED),
            bytes: transmit.bytes.to_vec(),
        })
    });
    checks.collect()
}

/// Lets `time` pass, in which the peer answers the checks on `open` paths; gives all checks.
fn pass(peer: &mut Peer, now: &mut Instant, time: Duration, open: &[Path]) -> Vec<Sent> {
    let end = *now + time;
    let mut all = Vec::new();
    loop {
        let checks = sent(peer);
        if !checks.is_empty() {
            for check in &checks {
                if open.contains(&check.path) {
                    receive(peer, *now, check.path, success(&check.bytes));
                }
            }
            all.extend(checks);
            continue;
        }
        let Some(due) = peer.poll_timeout().filter(|due| *due <= end) else {
            *now = end;
            return all;
        };
        *now = due.max(*now);
        peer.handle_timeout(*now);
    }
}

/// `aiortc` begins before we have its answer, and repeats a check after half a second.
#[test]
fn checks_before_the_answer_are_answered_with_it() {
    let now = Instant::now();
    let mut peer = Peer::new(config("server", true), now).unwrap();
    peer.add_local_candidate(now, LocalCandidate::host(address(LOCAL)))
        .unwrap();
    let early = check(attribute::ICE_CONTROLLED, 1);
    let mut forged = early.clone();
    *forged.last_mut().unwrap() ^= 1;
    let at = forged.len() - 20;
    forged[at] ^= 1;
    let inbound = peer.handle_carried(now, udp("203.0.113.2:2"), &mut forged);
    assert_eq!(inbound, Inbound::Dropped(DropReason::Stun));
    for port in 3..100 {
        let other = udp(&format!("203.0.113.3:{port}"));
        receive(&mut peer, now, other, early.clone());
    }
    receive(&mut peer, now, udp(HOME), early.clone());
    receive(&mut peer, now, udp(HOME), early.clone());
    assert_eq!(peer.poll_transmit(), None);
    let remote = RemoteParameters {
        credentials: credentials("browser"),
        fingerprint: Fingerprint::sha256(b""),
        dtls_role: DtlsRole::Client,
    };
    peer.set_remote(now, remote).unwrap();
    let transmits: Vec<Transmit> = std::iter::from_fn(|| peer.poll_transmit()).collect();
    let answers = transmits.iter().filter(|transmit| {
        let message = StunMessage::parse(&transmit.bytes).unwrap();
        message.kind() == kind::BINDING_SUCCESS
    });
    let answered: Vec<SocketAddr> = answers.map(|answer| answer.path.remote).collect();
    assert_eq!(answered.len(), 16, "{answered:?}");
    assert_eq!(answered.last(), Some(&address(HOME)));
}

/// RFC 8839 §5.4 wants 4 and 22 characters at least, which not every stack has, and no colon, which
/// USERNAME has between the two fragments.
#[test]
fn credentials_of_the_peer_may_have_any_length() {
    let now = Instant::now();
    let long = "app+webrtc+v1/0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    for (ufrag, password) in [
        ("a", "b"),
        ("7ia", "skq8t2d6881dsdi6k498oocq"),
        ("Ab3d", "1rWRyRkaDGkJ0WoH1gRZQ"),
        ("3f2a9c", "51d7b2c0"),
        ("x:y", "p:q"),
        (&format!("{long}:{long}"), &format!("{long}:{long}")),
        (&"Q".repeat(256), &"m".repeat(256)),
    ] {
        let mut peer = Peer::new(config("server", false), now).unwrap();
        peer.add_local_candidate(now, LocalCandidate::host(address(LOCAL)))
            .unwrap();
        let remote = RemoteParameters {
            credentials: IceCredentials {
                ufrag: ufrag.to_owned(),
                password: password.to_owned(),
            },
            fingerprint: Fingerprint::sha256(b""),
            dtls_role: DtlsRole::Client,
        };
        peer.set_remote(now, remote).unwrap();
        let username = format!("{}:{ufrag}", credentials("server").ufrag);
        let transaction = crate::peer::stun::new_transaction();
        let check = StunBuilder::new(kind::BINDING_REQUEST, transaction)
            .add(attribute::USERNAME, username.as_bytes())
            .add(attribute::ICE_CONTROLLING, &[7; 8])
            .add(attribute::USE_CANDIDATE, &[])
            .add(attribute::PRIORITY, &100u32.to_be_bytes())
            .integrity(credentials("server").password.as_bytes())
            .fingerprint()
            .build();
        receive(&mut peer, now, udp(HOME), check);
        for check in sent(&mut peer) {
            let request = StunMessage::parse(&check.bytes).unwrap();
            let answer = StunBuilder::new(kind::BINDING_SUCCESS, request.transaction())
                .address(attribute::XOR_MAPPED_ADDRESS, address(LOCAL))
                .integrity(password.as_bytes())
                .fingerprint()
                .build();
            receive(&mut peer, now, check.path, answer);
        }
        assert_eq!(peer.path(), Some(udp(HOME)), "{ufrag}");
    }
}

/// Both made the first offer, say, or neither; tie-breakers decide (RFC 8445 §7.3.1.1).
#[test]
fn agents_of_one_role_agree_on_two() {
    for both in [true, false] {
        for seed in 0..6 {
            let configs = [config("server", both), config("browser", both)];
            let mut network = Network::new(configs, Impairment::CLEAN, seed);
            network.exchange_parameters();
            network.exchange_candidates();
            let connected = network.run_until(LIMIT, Network::both_connected);
            assert!(connected, "both {both}, seed {seed}");
            let roles = network
                .sides
                .each_ref()
                .map(|side| side.peer.ice.is_controlling());
            assert_ne!(roles[0], roles[1], "both {both}, seed {seed}");
        }
    }
}

#[test]
fn a_role_conflict_error_changes_the_role() {
    for controlling in [true, false] {
        let mut now = Instant::now();
        let mut peer = server(now, controlling);
        // Known, so that there is a pair to check.
        peer.add_remote_candidate(now, "1 1 udp 2122260223 203.0.113.1 1 typ host")
            .unwrap();
        let checks = pass(&mut peer, &mut now, Duration::from_millis(30), &[]);
        let first = checks.first().unwrap();
        assert_eq!(first.controlling.is_some(), controlling);
        let mut forged = conflict(&first.bytes);
        *forged.last_mut().unwrap() ^= 1;
        let at = forged.len() - 20;
        forged[at] ^= 1;
        receive(&mut peer, now, first.path, forged);
        assert_eq!(peer.ice.is_controlling(), controlling, "who knows of whom");
        receive(&mut peer, now, first.path, conflict(&first.bytes));
        assert_eq!(peer.ice.is_controlling(), !controlling);
        // The same answer again, and one to an older check, change nothing.
        for check in &checks {
            receive(&mut peer, now, check.path, conflict(&check.bytes));
        }
        assert_eq!(peer.ice.is_controlling(), !controlling);
        let open = [udp(HOME)];
        let later = pass(&mut peer, &mut now, Duration::from_millis(100), &open);
        let roles = later.iter().map(|check| check.controlling.is_some());
        assert!(!later.is_empty() && roles.clone().all(|is| is != controlling));
        assert_eq!(later.iter().any(|check| check.nominates), !controlling);
    }
}

#[test]
fn the_role_that_a_conflict_decided_outlives_a_restart() {
    let now = Instant::now();
    let mut peer = server(now, false);
    // The smallest tie-breaker loses: we are controlling from here on.
    receive(
        &mut peer,
        now,
        udp(HOME),
        check(attribute::ICE_CONTROLLED, 0),
    );
    assert!(peer.ice.is_controlling());
    let fresh = |name: &str| IceCredentials {
        ufrag: format!("{name}2"),
        ..credentials(name)
    };
    peer.restart_ice(now, fresh("server")).unwrap();
    let remote = RemoteParameters {
        credentials: fresh("browser"),
        fingerprint: Fingerprint::sha256(b""),
        dtls_role: DtlsRole::Client,
    };
    peer.set_remote(now, remote).unwrap();
    assert!(peer.ice.is_controlling());
}

/// RFC 8445 §16.1: the number is the agent's, so that a conflict is settled once.
#[test]
fn all_checks_have_one_tie_breaker() {
    let mut now = Instant::now();
    let mut peer = server(now, false);
    receive(
        &mut peer,
        now,
        udp(HOME),
        check(attribute::ICE_CONTROLLING, 1),
    );
    let open = [udp(HOME)];
    let checks = pass(&mut peer, &mut now, Duration::from_secs(60), &open);
    assert!(checks.len() > 10, "consent was asked for");
    let mut numbers: Vec<_> = checks.iter().map(|check| check.controlled).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 1, "{numbers:?}");
    assert!(numbers[0].is_some());
}

#[test]
fn a_direct_path_is_nominated_at_once() {
    let mut now = Instant::now();
    let mut peer = server(now, true);
    let role = attribute::ICE_CONTROLLED;
    receive(&mut peer, now, udp(HOME), check(role, 1));
    let open = [udp(HOME)];
    // The agent steps each 20 ms where nothing takes any time.
    let checks = pass(&mut peer, &mut now, Duration::from_millis(25), &open);
    assert!(checks.iter().any(|check| check.nominates));
    assert_eq!(peer.path(), Some(udp(HOME)));
    let ready = PeerEvent::IceState(IceState::Ready);
    assert!(std::iter::from_fn(|| peer.poll_event()).any(|event| event == ready));
}

#[test]
fn tcp_waits_a_little_for_udp() {
    let mut now = Instant::now();
    let mut peer = server(now, true);
    let role = attribute::ICE_CONTROLLED;
    receive(&mut peer, now, tcp(HOME), check(role, 1));
    let both = [udp(HOME), tcp(HOME)];
    let early = pass(&mut peer, &mut now, Duration::from_millis(200), &both);
    assert!(early.iter().all(|check| !check.nominates));
    assert_eq!(
        peer.path(),
        Some(tcp(HOME)),
        "before a nomination it is used"
    );
    receive(&mut peer, now, udp(HOME), check(role, 1));
    pass(&mut peer, &mut now, Duration::from_millis(25), &both);
    assert_eq!(peer.path(), Some(udp(HOME)));
    pass(&mut peer, &mut now, Duration::from_secs(20), &both);
    assert_eq!(peer.path(), Some(udp(HOME)), "and it stays");
}

/// Without UDP a call is on TCP after the wait; once UDP works it moves there.
#[test]
fn udp_takes_the_place_of_tcp_whenever_it_works() {
    for late in [1, 5, 120] {
        let mut now = Instant::now();
        let mut peer = server(now, true);
        let role = attribute::ICE_CONTROLLED;
        receive(&mut peer, now, tcp(HOME), check(role, 1));
        let only_tcp = [tcp(HOME)];
        let wait = Duration::from_millis(400);
        let checks = pass(&mut peer, &mut now, wait, &only_tcp);
        assert!(checks.iter().any(|check| check.nominates));
        assert_eq!(peer.path(), Some(tcp(HOME)));
        pass(&mut peer, &mut now, Duration::from_secs(late), &only_tcp);
        assert_eq!(peer.path(), Some(tcp(HOME)));
        // The peer's check gets through.
        receive(&mut peer, now, udp(HOME), check(role, 1));
        let both = [udp(HOME), tcp(HOME)];
        let checks = pass(&mut peer, &mut now, Duration::from_millis(2500), &both);
        let nominated = { checks.iter() }.filter(|check| check.nominates);
        let paths: Vec<Path> = nominated.map(|check| check.path).collect();
        assert_eq!(paths, [udp(HOME)], "once, after {late} s");
        assert_eq!(peer.path(), Some(udp(HOME)));
    }
}

/// Where the peer told its address, a server behind nothing asks there without being asked.
#[test]
fn the_addresses_of_the_peer_are_asked_for_a_while() {
    let mut now = Instant::now();
    let mut peer = server(now, true);
    receive(
        &mut peer,
        now,
        tcp(HOME),
        check(attribute::ICE_CONTROLLED, 1),
    );
    let line = "1 1 udp 2122260223 203.0.113.1 1 typ host";
    peer.add_remote_candidate(now, line).unwrap();
    let only_tcp = [tcp(HOME)];
    let wait = Duration::from_secs(3);
    pass(&mut peer, &mut now, wait, &only_tcp);
    assert_eq!(peer.path(), Some(tcp(HOME)));
    let both = [udp(HOME), tcp(HOME)];
    pass(&mut peer, &mut now, wait, &both);
    assert_eq!(peer.path(), Some(udp(HOME)));

    // Not for ever, where nobody is.
    let mut now = Instant::now();
    let mut peer = server(now, true);
    receive(
        &mut peer,
        now,
        tcp(HOME),
        check(attribute::ICE_CONTROLLED, 1),
    );
    peer.add_remote_candidate(now, line).unwrap();
    pass(&mut peer, &mut now, Duration::from_secs(15), &only_tcp);
    let checks = pass(&mut peer, &mut now, Duration::from_secs(60), &only_tcp);
    assert!(checks.iter().all(|check| check.path == tcp(HOME)));
}

/// It is not ours to nominate there.
#[test]
fn a_controlled_server_stays_where_it_was_told_to_be() {
    let mut now = Instant::now();
    let mut peer = server(now, false);
    let role = attribute::ICE_CONTROLLING;
    receive(&mut peer, now, tcp(HOME), check(role, 1));
    receive(&mut peer, now, udp(HOME), check(role, 1));
    let both = [udp(HOME), tcp(HOME)];
    let checks = pass(&mut peer, &mut now, Duration::from_secs(5), &both);
    assert!(checks.iter().all(|check| !check.nominates));
}
