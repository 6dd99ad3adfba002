//! J05 and J07 of the acceptance list, where they concern a single transport.

use std::time::Duration;

use bytes::Bytes;

use super::network::*;
use crate::peer::*;

const LIMIT: Duration = Duration::from_secs(20);
/// How long an answer takes to get to the side that offered.
const SIGNALLING: Duration = Duration::from_millis(400);

/// Two sides of which the second learns what the first has signalled only later; `roles` are
/// their DTLS roles.
fn late_answer(roles: [DtlsRole; 2], offerer_is_ours: bool) -> Network {
    let configs = [
        config("server", offerer_is_ours),
        config("browser", !offerer_is_ours),
    ];
    let mut network = Network::new(configs, Impairment::CLEAN, 3);
    let (early, late) = if offerer_is_ours { (1, 0) } else { (0, 1) };
    let lines = [network.add_local(0), network.add_local(1)];
    let now = network.now;
    let known = network.parameters_of(late, roles[early]);
    let peer = &mut network.sides[early].peer;
    peer.set_remote(now, known).unwrap();
    peer.add_remote_candidate(now, &lines[late]).unwrap();
    network.run_for(SIGNALLING);
    let now = network.now;
    let known = network.parameters_of(early, roles[late]);
    let peer = &mut network.sides[late].peer;
    peer.set_remote(now, known).unwrap();
    peer.add_remote_candidate(now, &lines[early]).unwrap();
    network
}

#[test]
fn j05_packets_before_the_answer_are_survived_as_client_and_as_server() {
    let (client, server) = (DtlsRole::Client, DtlsRole::Server);
    for roles in [[client, server], [server, client]] {
        for offerer_is_ours in [true, false] {
            let mut network = late_answer(roles, offerer_is_ours);
            let sent = network.sides.iter().map(|side| side.sent_datagrams);
            assert!(sent.sum::<usize>() > 0, "nothing came early");
            assert!(network.run_until(LIMIT, Network::both_connected));
            let after = network.elapsed() - SIGNALLING;
            assert!(after < Duration::from_secs(1), "{roles:?}: {after:?}");
        }
    }
}

#[test]
fn j07_dtls_sends_and_receives_as_client_and_as_server() {
    let (client, server) = (DtlsRole::Client, DtlsRole::Server);
    for roles in [[client, server], [server, client]] {
        let mut network = late_answer(roles, false);
        assert!(network.run_until(LIMIT, Network::both_connected));
        for (from, to) in [(0, 1), (1, 0)] {
            let now = network.now;
            let peer = &mut network.sides[from].peer;
            peer.send_application_data(now, b"sctp").unwrap();
            let data = PeerEvent::ApplicationData(Bytes::from_static(b"sctp"));
            let arrived = |n: &Network| n.sides[to].events.iter().any(|(_, event)| *event == data);
            assert!(network.run_until(LIMIT, arrived), "{roles:?} from {from}");
        }
    }
}

#[test]
fn j07_dtls_srtp_takes_each_packet_once_within_its_window() {
    let mut network = Network::connecting(Impairment::CLEAN, 5);
    assert!(network.run_until(LIMIT, Network::both_connected));
    network.impairment.duplication = 100;
    for sequence in (0..300).rev().chain(300..600) {
        network.send_media(0, sequence, &sequence.to_be_bytes());
        network.run_for(Duration::from_millis(1));
    }
    network.run_for(Duration::from_secs(1));
    let received = &network.sides[1].received;
    let numbers: Vec<u16> = received
        .iter()
        .map(|packet| RtpHeader::parse(packet).unwrap().sequence)
        .collect();
    let mut once = numbers.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), numbers.len(), "a repeated packet was taken");
    // What comes in order is complete; what came backwards is as long as the window.
    assert!((300..600).all(|sequence| once.contains(&sequence)));
    assert!(once.len() >= 300 + 64, "{}", once.len());
}

/// As between two servers whose shared sockets have another transport's connection already.
#[test]
fn a_socket_of_its_own_is_discovered_by_the_peer_and_used() {
    let mut network = Network::new(
        [config("server", true), config("browser", false)],
        Impairment::CLEAN,
        7,
    );
    network.exchange_parameters();
    let lines = [network.add_local(0), network.add_local(1)];
    let now = network.now;
    let ours = &mut network.sides[0].peer;
    ours.add_own_socket(now, false, 1717);
    ours.add_remote_candidate(now, &lines[1]).unwrap();
    let shared: std::net::SocketAddr = ADDRESSES[0].parse().unwrap();
    let own = std::net::SocketAddr::new(shared.ip(), 1717);
    for step in 0..5 {
        ours.handle_timeout(now + step * Duration::from_millis(50));
    }
    let checks = std::iter::from_fn(|| ours.poll_transmit());
    let checks: Vec<Transmit> = checks.collect();
    let from_own = |transmit: &Transmit| {
        transmit.path.local == own && transmit.path.carrier == Carrier::OwnUdp
    };
    assert!(checks.iter().any(from_own), "{checks:?}");
    assert!(ours.holds(ADDRESSES[1].parse().unwrap()));
    let told = std::iter::from_fn(|| ours.poll_event());
    let is_own = |event: &PeerEvent| matches!(event, PeerEvent::LocalCandidate(line) if line.contains("1717"));
    assert!(
        !told.collect::<Vec<_>>().iter().any(is_own),
        "nobody is told"
    );
}
