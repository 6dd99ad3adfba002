//! A controlling peer made by hand, which nominates what and when it likes.

use std::net::SocketAddr;
use std::time::Duration;

use rtc_ice::attributes::control::AttrControlling;
use rtc_ice::attributes::priority::PriorityAttr;
use rtc_ice::attributes::use_candidate::UseCandidateAttr;
use rtc_stun::attributes::ATTR_USERNAME;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc_stun::textattrs::Username;
use rtc_stun::xoraddr::XorMappedAddress;

use super::network::*;
use crate::peer::*;

const LOCAL: &str = "192.0.2.1:1000";

fn server(now: Instant) -> Peer {
    let mut peer = Peer::new(config("server", false), now).unwrap();
    peer.add_local_candidate(now, LocalCandidate::host(LOCAL.parse().unwrap()))
        .unwrap();
    let remote = RemoteParameters {
        credentials: credentials("browser"),
        fingerprint: Fingerprint::sha256(b""),
        dtls_role: DtlsRole::Client,
    };
    peer.set_remote(now, remote).unwrap();
    peer
}

fn check(nominates: bool, password: &str) -> Vec<u8> {
    let provider = rtc_crypto::default_provider().unwrap();
    let username = format!(
        "{}:{}",
        credentials("server").ufrag,
        credentials("browser").ufrag
    );
    let mut setters: Vec<Box<dyn Setter>> = vec![
        Box::new(BINDING_REQUEST),
        Box::new(TransactionId::new()),
        Box::new(Username::new(ATTR_USERNAME, username)),
        Box::new(AttrControlling(1)),
        Box::new(PriorityAttr(100)),
    ];
    if nominates {
        setters.push(Box::<UseCandidateAttr>::default());
    }
    setters.push(Box::new(
        MessageIntegrity::new_short_term_integrity_with_provider(
            password.to_owned(),
            provider.crypto(),
        ),
    ));
    setters.push(Box::new(FINGERPRINT));
    let mut message = Message::new();
    message.build(&setters).unwrap();
    message.raw
}

/// The answer to a check that the server sent.
fn answer(request: &[u8]) -> Option<Vec<u8>> {
    let mut received = Message {
        raw: request.to_vec(),
        ..Message::default()
    };
    received.decode().ok()?;
    if received.typ != BINDING_REQUEST {
        return None;
    }
    let provider = rtc_crypto::default_provider().unwrap();
    let local: SocketAddr = LOCAL.parse().unwrap();
    let mut message = Message::new();
    let setters: [Box<dyn Setter>; 5] = [
        Box::new(received),
        Box::new(BINDING_SUCCESS),
        Box::new(XorMappedAddress {
            ip: local.ip(),
            port: local.port(),
        }),
        Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
            credentials("browser").password,
            provider.crypto(),
        )),
        Box::new(FINGERPRINT),
    ];
    message.build(&setters).unwrap();
    Some(message.raw)
}

fn receive(peer: &mut Peer, now: Instant, from: SocketAddr, mut datagram: Vec<u8>) -> Inbound {
    peer.handle_datagram(now, LOCAL.parse().unwrap(), from, &mut datagram)
}

/// Answers all checks that the server sends to `address`; drops everything else.
fn answer_checks(peer: &mut Peer, now: Instant, address: SocketAddr) {
    while let Some(transmit) = peer.poll_transmit() {
        if transmit.path.remote == address
            && let Some(bytes) = answer(&transmit.bytes)
        {
            receive(peer, now, address, bytes);
        }
    }
}

fn password() -> String {
    credentials("server").password
}

#[test]
fn a_later_nomination_moves_the_media() {
    let now = Instant::now();
    let mut peer = server(now);
    let addresses: [SocketAddr; 2] = ["203.0.113.1:1", "203.0.113.2:2"].map(|a| a.parse().unwrap());
    for (round, address) in [addresses[0], addresses[1], addresses[0]]
        .into_iter()
        .enumerate()
    {
        let now = now + Duration::from_millis(100) * round as u32;
        receive(&mut peer, now, address, check(false, &password()));
        answer_checks(&mut peer, now, address);
        receive(&mut peer, now, address, check(true, &password()));
        answer_checks(&mut peer, now, address);
        assert_eq!(peer.path().unwrap().remote, address);
    }
    let selections = std::iter::from_fn(|| peer.poll_event())
        .filter(|event| matches!(event, PeerEvent::SelectedPair { .. }));
    assert_eq!(selections.count(), 3);
}

/// `rtc-ice` itself would wait for the next nomination.
#[test]
fn a_nomination_before_our_check_counts_when_the_check_succeeds() {
    let now = Instant::now();
    let mut peer = server(now);
    let address = "203.0.113.1:1".parse().unwrap();
    receive(&mut peer, now, address, check(true, &password()));
    assert_eq!(peer.path(), None);
    answer_checks(&mut peer, now, address);
    assert_eq!(peer.path().unwrap().remote, address);
    let ready = PeerEvent::IceState(IceState::Ready);
    assert!(std::iter::from_fn(|| peer.poll_event()).any(|event| event == ready));
}

#[test]
fn answers_from_elsewhere_validate_nothing() {
    let now = Instant::now();
    let mut peer = server(now);
    let address = "203.0.113.1:1".parse().unwrap();
    let elsewhere = "203.0.113.2:2".parse().unwrap();
    receive(&mut peer, now, elsewhere, check(false, &password()));
    while peer.poll_transmit().is_some() {}
    receive(&mut peer, now, address, check(false, &password()));
    while let Some(transmit) = peer.poll_transmit() {
        if transmit.path.remote == address
            && let Some(bytes) = answer(&transmit.bytes)
        {
            receive(&mut peer, now, elsewhere, bytes);
        }
    }
    assert_eq!(peer.path(), None);
}

#[test]
fn checks_without_the_password_have_no_effect() {
    let now = Instant::now();
    let mut peer = server(now);
    while peer.poll_transmit().is_some() {}
    let address = "203.0.113.1:1".parse().unwrap();
    let inbound = receive(
        &mut peer,
        now,
        address,
        check(true, "a-wrong-password-of-some-length"),
    );
    assert_eq!(inbound, Inbound::Dropped(DropReason::Stun));
    assert_eq!(peer.poll_transmit(), None, "not even an answer");
}

/// Lets what is due happen until `now + time`; gives the paths of the checks that were sent.
fn pass(peer: &mut Peer, now: &mut Instant, time: Duration) -> Vec<SocketAddr> {
    let end = *now + time;
    let mut checked = Vec::new();
    while let Some(due) = peer.poll_timeout().filter(|due| *due <= end) {
        *now = due.max(*now);
        peer.handle_timeout(*now);
        let sent = std::iter::from_fn(|| peer.poll_transmit());
        let checks = sent.filter(|transmit| answer(&transmit.bytes).is_some());
        checked.extend(checks.map(|transmit| transmit.path.remote));
    }
    *now = end;
    checked
}

fn events(peer: &mut Peer) -> Vec<PeerEvent> {
    std::iter::from_fn(|| peer.poll_event()).collect()
}

const HOME: &str = "203.0.113.1:1";
const ELSEWHERE: &str = "203.0.113.2:2";

/// A server whose peer has nominated [`HOME`].
fn nominated(now: Instant) -> Peer {
    let mut peer = server(now);
    let home = HOME.parse().unwrap();
    receive(&mut peer, now, home, check(true, &password()));
    answer_checks(&mut peer, now, home);
    assert_eq!(peer.path().unwrap().remote, home);
    peer
}

#[test]
fn a_path_in_use_is_left_only_when_it_is_silent_and_another_one_answers() {
    let mut now = Instant::now();
    let mut peer = nominated(now);
    let [home, elsewhere]: [SocketAddr; 2] = [HOME, ELSEWHERE].map(|a| a.parse().unwrap());
    // Not while it is alive.
    receive(&mut peer, now, elsewhere, check(false, &password()));
    answer_checks(&mut peer, now, elsewhere);
    assert_eq!(peer.path().unwrap().remote, home);
    pass(&mut peer, &mut now, Duration::from_secs(6));
    assert!(events(&mut peer).contains(&PeerEvent::IceState(IceState::Disconnected)));
    // Not for a request alone, which may have been recorded and sent again by somebody else.
    receive(&mut peer, now, elsewhere, check(false, &password()));
    while peer.poll_transmit().is_some() {}
    let checked = pass(&mut peer, &mut now, Duration::from_secs(3));
    assert!(checked.contains(&elsewhere) && checked.contains(&home));
    assert_eq!(peer.path().unwrap().remote, home);
    // But for the answer.
    receive(&mut peer, now, elsewhere, check(false, &password()));
    answer_checks(&mut peer, now, elsewhere);
    assert_eq!(peer.path().unwrap().remote, elsewhere);
    let told = events(&mut peer);
    let selected = |event: &PeerEvent| matches!(event, PeerEvent::SelectedPair { path, .. } if path.remote == elsewhere);
    assert!(told.iter().any(selected), "{told:?}");
    assert_eq!(told.last(), Some(&PeerEvent::IceState(IceState::Ready)));
}

#[test]
fn whoever_lacks_the_password_moves_nothing() {
    let mut now = Instant::now();
    let mut peer = nominated(now);
    let elsewhere = ELSEWHERE.parse().unwrap();
    pass(&mut peer, &mut now, Duration::from_secs(6));
    let wrong = "a-wrong-password-of-some-length";
    receive(&mut peer, now, elsewhere, check(false, wrong));
    let checked = pass(&mut peer, &mut now, Duration::from_secs(5));
    assert!(!checked.contains(&elsewhere), "nobody is asked there");
    let mut media = [0x80; 40];
    let inbound = peer.handle_datagram(now, LOCAL.parse().unwrap(), elsewhere, &mut media);
    assert_eq!(inbound, Inbound::Dropped(DropReason::Path));
    assert_eq!(
        peer.path().unwrap().remote,
        HOME.parse::<SocketAddr>().unwrap()
    );
}

/// The peer nominated once, and does not again.
#[test]
fn a_peer_that_comes_back_elsewhere_is_ready_again() {
    let mut now = Instant::now();
    let mut peer = nominated(now);
    pass(&mut peer, &mut now, Duration::from_secs(40));
    let failed = PeerEvent::IceState(IceState::Failed);
    assert_eq!(events(&mut peer).last(), Some(&failed));
    assert_eq!(peer.path(), None);
    let elsewhere = ELSEWHERE.parse().unwrap();
    receive(&mut peer, now, elsewhere, check(false, &password()));
    assert_eq!(peer.path(), None, "not before an answer");
    answer_checks(&mut peer, now, elsewhere);
    assert_eq!(peer.path().unwrap().remote, elsewhere);
    let told = events(&mut peer);
    assert_eq!(
        told.first(),
        Some(&PeerEvent::IceState(IceState::Connected))
    );
    assert!(
        matches!(told.get(1), Some(PeerEvent::SelectedPair { .. })),
        "{told:?}"
    );
    assert_eq!(told.last(), Some(&PeerEvent::IceState(IceState::Ready)));
    pass(&mut peer, &mut now, Duration::from_secs(2));
    assert_eq!(peer.path().unwrap().remote, elsewhere, "it has consent");
}
