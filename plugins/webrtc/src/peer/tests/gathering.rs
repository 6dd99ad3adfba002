//! Server-reflexive candidates.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::network::config;
use crate::peer::stun::{StunBuilder, StunMessage, attribute, kind};
use crate::peer::*;

const SERVER: &str = "203.0.113.1:3478";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn gathering(hosts: &[&str]) -> (Peer, Instant) {
    let now = Instant::now();
    let mut peer = Peer::new(config("server", false), now).unwrap();
    let gather = GatherConfig {
        hosts: hosts.iter().map(|host| address(host)).collect(),
        stun_servers: vec![address(SERVER)],
        external_v6: Some("2001:db8::99".parse().unwrap()),
        ..GatherConfig::default()
    };
    peer.gather(now, &gather);
    (peer, now)
}

fn answer(request: &[u8], mapped: &str) -> Vec<u8> {
    let request = StunMessage::parse(request).unwrap();
    StunBuilder::new(kind::BINDING_SUCCESS, request.transaction())
        .address(attribute::XOR_MAPPED_ADDRESS, address(mapped))
        .build()
}

fn questions(peer: &mut Peer) -> Vec<Transmit> {
    let transmits = std::iter::from_fn(|| peer.poll_transmit());
    transmits.collect()
}

fn events(peer: &mut Peer) -> Vec<PeerEvent> {
    let events = std::iter::from_fn(|| peer.poll_event());
    events
        .filter(|event| !matches!(event, PeerEvent::IceState(_)))
        .collect()
}

fn candidates(events: &[PeerEvent]) -> Vec<&str> {
    let lines = events.iter().filter_map(|event| match event {
        PeerEvent::LocalCandidate(line) => Some(line.as_str()),
        _ => None,
    });
    lines.collect()
}

#[test]
fn the_server_says_where_it_sees_each_socket() {
    let hosts = ["10.0.0.1:4000", "10.1.0.1:4000", "[2001:db8::1]:4001"];
    let (mut peer, now) = gathering(&hosts);
    let early = events(&mut peer);
    let lines = candidates(&early);
    assert_eq!(lines.len(), 3, "host candidates do not wait");
    assert!(
        lines[2].contains("2001:db8::99 4001 typ host"),
        "{}",
        lines[2]
    );
    let questions = questions(&mut peer);
    assert_eq!(questions.len(), 2, "of its IP version only");
    for (question, mapped) in questions.iter().zip(["198.51.100.7:6000", "10.1.0.1:4000"]) {
        let mut bytes = answer(&question.bytes, mapped);
        peer.handle_datagram(now, question.path.local, address(SERVER), &mut bytes);
    }
    let late = events(&mut peer);
    let [line] = candidates(&late)[..] else {
        panic!("{late:?}: no candidate for a socket that nobody translates");
    };
    assert!(
        line.ends_with("198.51.100.7 6000 typ srflx raddr 10.0.0.1 rport 4000"),
        "{line}"
    );
    assert_eq!(late.last(), Some(&PeerEvent::GatheringDone));
    assert_eq!(peer.poll_timeout(), None);
}

#[test]
fn questions_are_repeated_and_given_up() {
    let (mut peer, begin) = gathering(&["10.0.0.1:4000"]);
    let mut sent = questions(&mut peer).len();
    let mut now = begin;
    while let Some(due) = peer.poll_timeout() {
        now = due;
        peer.handle_timeout(now);
        sent += questions(&mut peer).len();
    }
    assert_eq!(sent, 4);
    assert!(now - begin < Duration::from_secs(5));
    let events = events(&mut peer);
    assert!(events.contains(&PeerEvent::GatheringDone));
    let trouble = PeerEvent::ServerTrouble(format!("STUN server {SERVER} does not answer"));
    assert!(events.contains(&trouble));
}

#[test]
fn addresses_without_a_way_out_do_not_hold_the_others_up() {
    let (mut peer, begin) = gathering(&["10.0.0.1:4000", "172.17.0.1:4000"]);
    let [question, _] = &questions(&mut peer)[..] else {
        panic!("two questions");
    };
    let mut bytes = answer(&question.bytes, "198.51.100.7:6000");
    peer.handle_datagram(begin, question.path.local, address(SERVER), &mut bytes);
    let mut now = begin;
    while let Some(due) = peer.poll_timeout() {
        now = due;
        peer.handle_timeout(now);
    }
    assert!(
        now - begin <= Duration::from_millis(500),
        "{:?}",
        now - begin
    );
    let events = events(&mut peer);
    assert!(events.contains(&PeerEvent::GatheringDone));
    let trouble = |event: &PeerEvent| matches!(event, PeerEvent::ServerTrouble(_));
    assert!(!events.iter().any(trouble));
}

#[test]
fn answers_from_elsewhere_and_to_other_questions_tell_nothing() {
    let (mut peer, now) = gathering(&["10.0.0.1:4000"]);
    let question = questions(&mut peer).remove(0);
    let local = question.path.local;
    let genuine = answer(&question.bytes, "198.51.100.7:6000");
    let mut other = genuine.clone();
    other[8] ^= 1;
    let mut wrong_kind = genuine.clone();
    wrong_kind[..2].copy_from_slice(&[0, 1]);
    let attempts = [
        (local, "203.0.113.2:3478", genuine.clone()),
        (address("10.0.0.2:4000"), SERVER, genuine.clone()),
        (local, SERVER, other),
        (local, SERVER, wrong_kind),
        (local, SERVER, genuine[..20].to_vec()),
    ];
    events(&mut peer);
    for (local, from, mut bytes) in attempts {
        peer.handle_datagram(now, local, address(from), &mut bytes);
        assert_eq!(events(&mut peer), []);
    }
    let mut genuine = genuine;
    peer.handle_datagram(now, local, address(SERVER), &mut genuine);
    assert_eq!(events(&mut peer).len(), 2);
}
