//! Connecting: how long it takes, under which circumstances, and what is reported on the way.

use std::time::Duration;

use super::network::*;
use rivero_srtp::SrtpProfile;

use crate::peer::*;

const LIMIT: Duration = Duration::from_secs(20);

/// One round trip for ICE and two for DTLS, and one more for the cookie that `rtc-dtls` asks for as
/// server and browsers do not.
#[test]
fn peers_connect_within_four_round_trips() {
    let mut network = Network::connecting(Impairment::CLEAN, 1);
    assert!(network.run_until(LIMIT, Network::both_connected));
    let round_trip = 2 * Impairment::CLEAN.one_way;
    for side in &network.sides {
        let rounds = side.connected_at().unwrap().as_secs_f64() / round_trip.as_secs_f64();
        assert!(rounds <= 4.01, "{rounds}");
    }
}

#[test]
fn the_steps_are_reported_in_order() {
    let mut network = Network::connecting(Impairment::CLEAN, 1);
    assert!(network.run_until(LIMIT, Network::both_connected));
    for side in &network.sides {
        let mut states = side.ice_states();
        states.retain(|state| *state != IceState::Gathering);
        assert_eq!(
            states,
            [IceState::Connecting, IceState::Connected, IceState::Ready]
        );
        assert_eq!(
            side.dtls_states(),
            [DtlsState::Connecting, DtlsState::Connected]
        );
        assert_eq!(side.profile(), Some(SrtpProfile::AeadAes128Gcm));
    }
    let selected = network.sides[0]
        .events
        .iter()
        .find_map(|(_, event)| match event {
            PeerEvent::SelectedPair {
                path,
                local,
                remote,
            } => Some((path, local, remote)),
            _ => None,
        });
    let (path, local, remote) = selected.unwrap();
    assert_eq!(path.remote.to_string(), ADDRESSES[1]);
    assert!(local.contains("192.0.2.1 1000 typ host"), "{local}");
    assert!(remote.contains("198.51.100.2 2000 typ host"), "{remote}");
}

#[test]
fn gathering_is_reported_before_connecting() {
    let configs = [config("server", false), config("browser", true)];
    let mut network = Network::new(configs, Impairment::CLEAN, 1);
    network.exchange_candidates();
    network.exchange_parameters();
    assert!(network.run_until(LIMIT, Network::both_connected));
    assert_eq!(
        network.sides[0].ice_states()[..2],
        [IceState::Gathering, IceState::Connecting]
    );
}

#[test]
fn a_controlling_server_connects_as_fast() {
    let configs = [config("server", true), config("browser", false)];
    let mut network = Network::new(configs, Impairment::CLEAN, 1);
    network.exchange_parameters();
    network.exchange_candidates();
    assert!(network.run_until(LIMIT, Network::both_connected));
    assert!(network.elapsed() <= 8 * Impairment::CLEAN.one_way + Duration::from_micros(1));
}

/// Trickling browsers behind a NAT often get through before their candidate arrives.
#[test]
fn an_unknown_address_is_discovered() {
    for nat in [None, Some("203.0.113.9:61000".parse().unwrap())] {
        let configs = [config("browser", true), config("server", false)];
        let mut network = Network::new(configs, Impairment::CLEAN, 1);
        network.nat = nat;
        network.exchange_parameters();
        network.add_local(0);
        let line = network.add_local(1);
        let now = network.now;
        network.sides[0]
            .peer
            .add_remote_candidate(now, &line)
            .unwrap();
        assert!(network.run_until(LIMIT, Network::both_connected));
        assert!(
            network.elapsed() <= 10 * Impairment::CLEAN.one_way,
            "{:?}",
            network.elapsed()
        );
        let remote = network.sides[1].peer.path().unwrap().remote;
        assert_eq!(remote, nat.unwrap_or(ADDRESSES[0].parse().unwrap()));
    }
}

#[test]
fn lossy_networks_are_overcome() {
    let mut slowest = Duration::ZERO;
    for seed in 0..60 {
        let impairment = Impairment {
            one_way: Duration::from_millis(25),
            loss: 15,
            duplication: 10,
            jitter: Duration::from_millis(30),
        };
        let mut network = Network::connecting(impairment, seed);
        assert!(
            network.run_until(LIMIT, Network::both_connected),
            "seed {seed}"
        );
        slowest = slowest.max(network.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[test]
fn profiles_are_negotiated() {
    let gcm = SrtpProfile::AeadAes128Gcm;
    let strong = SrtpProfile::AeadAes256Gcm;
    let classic = SrtpProfile::Aes128CmHmacSha1_80;
    for (ours, theirs, expected) in [
        (vec![gcm, classic], vec![classic], Some(classic)),
        // The client's order decides.
        (vec![gcm, classic], vec![classic, gcm], Some(gcm)),
        (vec![strong, classic], vec![strong], Some(strong)),
        (vec![gcm], vec![classic], None),
    ] {
        let mut configs = [config("server", false), config("browser", true)];
        configs[0].srtp_profiles = ours;
        configs[1].srtp_profiles = theirs;
        let mut network = Network::new(configs, Impairment::CLEAN, 1);
        network.exchange_parameters();
        network.exchange_candidates();
        let connected = network.run_until(LIMIT, Network::both_connected);
        assert_eq!(connected, expected.is_some());
        assert_eq!(network.sides[0].profile(), expected);
        if expected.is_none() {
            assert!(
                network
                    .sides
                    .iter()
                    .all(|s| s.dtls_states().contains(&DtlsState::Failed))
            );
        }
    }
}

#[test]
fn another_certificate_than_the_signalled_one_is_refused() {
    for deceived in [0, 1] {
        let configs = [config("server", false), config("browser", true)];
        let mut network = Network::new(configs, Impairment::CLEAN, 1);
        for (side, role) in [(0, DtlsRole::Client), (1, DtlsRole::Server)] {
            let mut remote = network.parameters_of(1 - side, role);
            if side == deceived {
                remote.fingerprint = Fingerprint::sha256(b"another certificate");
            }
            let now = network.now;
            network.sides[side].peer.set_remote(now, remote).unwrap();
        }
        network.exchange_candidates();
        assert!(!network.run_until(LIMIT, |n| n.sides[deceived].connected_at().is_some()));
        assert!(
            network.sides[deceived]
                .dtls_states()
                .contains(&DtlsState::Failed)
        );
    }
}

#[test]
fn a_wrong_password_fails_in_the_end() {
    let configs = [config("server", false), config("browser", true)];
    let mut network = Network::new(configs, Impairment::CLEAN, 1);
    for (side, role) in [(0, DtlsRole::Client), (1, DtlsRole::Server)] {
        let mut remote = network.parameters_of(1 - side, role);
        remote.credentials.password.push('!');
        let now = network.now;
        network.sides[side].peer.set_remote(now, remote).unwrap();
    }
    network.exchange_candidates();
    network.run_for(Duration::from_secs(40));
    for side in &network.sides {
        assert!(side.connected_at().is_none());
        assert_eq!(side.ice_states().last(), Some(&IceState::Failed));
        assert!(side.sent_datagrams < 400, "{}", side.sent_datagrams);
        assert_eq!(side.peer.poll_timeout(), None, "nothing is left to do");
    }
}

#[test]
fn candidates_are_taken_as_browsers_write_them() {
    let now = Instant::now();
    let mut peer = Peer::new(config("server", false), now).unwrap();
    let mut add = |line: &str| peer.add_remote_candidate(now, line);
    let rest = "1 1 udp 2122260223 192.168.1.5 50000 typ host generation 0 ufrag abcd network-id 1";
    assert_eq!(add(rest), Ok(()));
    assert_eq!(add(&format!("candidate:{rest}")), Ok(()));
    assert_eq!(add(&format!("a=candidate:{rest}")), Ok(()));
    let srflx = "candidate:8 1 UDP 1686052607 203.0.113.5 6000 typ srflx raddr 10.0.0.1 rport 5";
    assert_eq!(add(srflx), Ok(()));
    let v6 = "candidate:8 1 udp 1686052607 2001:db8::1 6000 typ host";
    assert_eq!(add(v6), Ok(()));
    let mdns = "candidate:1 1 udp 2122260223 0a1b2c3d.local 50000 typ host";
    assert!(
        matches!(add(mdns), Err(PeerError::Ice(IceError::Unresolved(name))) if name == "0a1b2c3d.local")
    );
    let active = "candidate:1 1 tcp 1518280447 192.168.1.5 9 typ host tcptype active";
    assert_eq!(add(active), Ok(()));
    let passive = "candidate:1 1 TCP 1518280447 192.168.1.5 50000 typ host tcptype passive";
    assert_eq!(add(passive), Ok(()));
    let sctp = "candidate:1 1 sctp 1518280447 192.168.1.5 9 typ host";
    assert!(matches!(
        add(sctp),
        Err(PeerError::Ice(IceError::Transport(_)))
    ));
    for bad in [
        "",
        "candidate:",
        "candidate:1 1 udp x 192.0.2.1 5 typ host",
        "a b udp d 1.2.3.4",
        "1 1 udp 5 192.0.2.1 5 typ nothing",
        "1 1 udp 5 192.0.2.1 99999 typ host",
    ] {
        assert!(
            matches!(add(bad), Err(PeerError::Ice(IceError::Candidate(_)))),
            "{bad}"
        );
    }
}
