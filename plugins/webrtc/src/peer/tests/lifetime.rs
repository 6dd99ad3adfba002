//! What happens to a connection: silence, return, restart, end.

use std::time::Duration;

use super::network::*;
use crate::peer::*;

const LIMIT: Duration = Duration::from_secs(20);

fn connected() -> Network {
    let mut network = Network::connecting(Impairment::CLEAN, 1);
    assert!(network.run_until(LIMIT, Network::both_connected));
    network
}

#[test]
fn consent_keeps_an_idle_connection() {
    let mut network = connected();
    let before = network.sides[0].sent_datagrams;
    network.run_for(Duration::from_secs(60));
    for side in &network.sides {
        assert_eq!(side.ice_states().last(), Some(&IceState::Ready));
        let keep_alive = side.sent_datagrams - before;
        assert!(
            // A check and an answer every 5 s at least (RFC 7675 §5.1).
            (24..120).contains(&keep_alive),
            "{keep_alive} datagrams in a minute"
        );
    }
}

#[test]
fn silence_disconnects_and_then_fails() {
    let mut network = connected();
    network.run_for(Duration::from_secs(10));
    network.cut = true;
    let cut_at = network.elapsed();
    network.run_for(Duration::from_secs(50));
    let side = &network.sides[0];
    let after = |state| {
        let at = side.time_of(&PeerEvent::IceState(state)).unwrap();
        (at - cut_at).as_secs_f64()
    };
    let disconnected = after(IceState::Disconnected);
    let failed = after(IceState::Failed);
    assert!((3.0..7.0).contains(&disconnected), "{disconnected}");
    assert!((27.0..33.0).contains(&failed), "{failed}");
}

#[test]
fn a_short_silence_is_survived() {
    let mut network = connected();
    network.cut = true;
    network.run_for(Duration::from_secs(12));
    assert_eq!(
        network.sides[0].ice_states().last(),
        Some(&IceState::Disconnected)
    );
    network.cut = false;
    network.run_for(Duration::from_secs(5));
    for side in &network.sides {
        assert_eq!(side.ice_states().last(), Some(&IceState::Ready));
    }
    network.send_media(0, 1, b"still here");
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.sides[1].received.len(), 1);
}

#[test]
fn closing_tells_the_other_side() {
    let mut network = connected();
    let now = network.now;
    network.sides[0].peer.close(now);
    let ended = |side: &Side| side.events.iter().any(|(_, e)| *e == PeerEvent::Closed);
    assert!(network.run_until(LIMIT, |n| n.sides.iter().all(ended)));
    for side in &mut network.sides {
        assert_eq!(side.dtls_states().last(), Some(&DtlsState::Closed));
        assert_eq!(side.peer.poll_timeout(), None);
        let closed = side.events.iter().filter(|(_, e)| *e == PeerEvent::Closed);
        assert_eq!(closed.count(), 1);
        side.peer.close(now);
        assert_eq!(side.peer.poll_event(), None);
    }
}

#[test]
fn closing_before_connecting_ends_quietly() {
    let now = Instant::now();
    let mut peer = Peer::new(config("server", false), now).unwrap();
    peer.close(now);
    assert_eq!(peer.poll_event(), Some(PeerEvent::Closed));
    assert_eq!(peer.poll_timeout(), None);
    assert_eq!(peer.poll_transmit(), None);
}

#[test]
fn an_ice_restart_keeps_keys_and_media() {
    let mut network = connected();
    let now = network.now;
    let old = network.sides[0].peer.path();
    for (side, name) in [(0, "server-again"), (1, "browser-again")] {
        network.sides[side]
            .peer
            .restart_ice(now, credentials(name))
            .unwrap();
        network.sides[side].events.clear();
    }
    assert_eq!(
        network.sides[0].peer.path(),
        old,
        "media has somewhere to go"
    );
    network.send_media(0, 1, b"meanwhile");
    network.exchange_parameters();
    for (side, other) in [(0, 1), (1, 0)] {
        let [ip, port] = ADDRESSES[other].split(':').collect::<Vec<_>>()[..] else {
            panic!("address");
        };
        let line = format!("1 1 udp 2130706431 {ip} {port} typ host");
        network.sides[side]
            .peer
            .add_remote_candidate(now, &line)
            .unwrap();
    }
    let selected = |side: &Side| {
        side.events
            .iter()
            .any(|(_, event)| matches!(event, PeerEvent::SelectedPair { .. }))
    };
    assert!(network.run_until(LIMIT, |n| n.sides.iter().all(selected)));
    network.send_media(1, 1, b"afterwards");
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.sides[0].received.len(), 1);
    assert_eq!(network.sides[1].received.len(), 1);
    for side in &network.sides {
        assert_eq!(side.ice_states().last(), Some(&IceState::Ready));
        assert!(side.dtls_states().is_empty(), "no new handshake");
    }
}

/// A translator gives one side, controlled or controlling, another address without its noticing.
#[test]
fn media_follows_a_peer_whose_address_changed() {
    for controlling in [false, true] {
        let mapped = |port: u16| std::net::SocketAddr::from(([203, 0, 113, 9], port));
        let configs = [
            config("moving", controlling),
            config("staying", !controlling),
        ];
        let mut network = Network::new(configs, Impairment::CLEAN, 1);
        network.nat = Some(mapped(1));
        network.exchange_parameters();
        network.exchange_candidates();
        assert!(network.run_until(LIMIT, Network::both_connected));
        network.run_for(Duration::from_secs(10));
        assert_eq!(network.sides[1].peer.path().unwrap().remote, mapped(1));
        network.sides[1].events.clear();

        network.nat = Some(mapped(2));
        let moved = |network: &Network| {
            let path = network.sides[1].peer.path();
            path.is_some_and(|path| path.remote == mapped(2))
        };
        let limit = Duration::from_secs(10);
        assert!(
            network.run_until(limit, moved),
            "controlling: {controlling}"
        );
        network.send_media(1, 1, b"to the new address");
        network.send_media(0, 1, b"from the new address");
        network.run_for(Duration::from_secs(1));
        let [moving, staying] = &network.sides;
        assert_eq!((moving.received.len(), staying.received.len()), (1, 1));
        assert_eq!(
            staying.ice_states(),
            [IceState::Disconnected, IceState::Ready]
        );
        let selected = staying.events.iter().filter_map(|(_, event)| match event {
            PeerEvent::SelectedPair { path, .. } => Some(path.remote),
            _ => None,
        });
        assert_eq!(selected.collect::<Vec<_>>(), [mapped(2)]);
        network.run_for(Duration::from_secs(60));
        let states = network.sides[1].ice_states();
        assert_eq!(states.last(), Some(&IceState::Ready), "it lasts");
    }
}
