//! Through a TURN server: allocating, connecting, staying.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::network::*;
use super::turn_server::*;
use crate::peer::*;

const RELAYED: &str = "203.0.113.1:50000";
const CLIENT: &str = "192.0.2.1:1000";
const PEER: &str = "198.51.100.2:2000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn turn_server(transport: TurnTransport) -> TurnServer {
    TurnServer {
        address: address("203.0.113.1:3478"),
        transport,
        host: "turn.example.org".to_owned(),
        username: "user".to_owned(),
        password: "pass@word:with=everything".to_owned(),
    }
}

/// A server that has nothing but a relay, and a peer with one address; nothing is lost or late.
struct Relayed {
    now: Instant,
    /// Ours and the other side.
    peers: [Peer; 2],
    events: [Vec<PeerEvent>; 2],
    turn: TestServer,
    received: [Vec<Vec<u8>>; 2],
}

impl Relayed {
    fn new(arrange: impl FnOnce(&mut TestServer)) -> Self {
        let now = Instant::now();
        let configs = [config("server", false), config("browser", true)];
        let mut peers = configs.map(|config| Peer::new(config, now).unwrap());
        let server = turn_server(TurnTransport::Udp);
        let mut turn = TestServer::new(&server, address(RELAYED), address(CLIENT));
        arrange(&mut turn);
        let roles = [DtlsRole::Client, DtlsRole::Server];
        for (side, dtls_role) in roles.into_iter().enumerate() {
            let other = &peers[1 - side];
            let remote = RemoteParameters {
                credentials: other.credentials().clone(),
                fingerprint: other.config.certificate.fingerprint().clone(),
                dtls_role,
            };
            peers[side].set_remote(now, remote).unwrap();
        }
        let gather = GatherConfig {
            turn_servers: vec![server],
            ..GatherConfig::default()
        };
        peers[0].gather(now, &gather);
        let line = peers[1]
            .add_local_candidate(now, LocalCandidate::host(address(PEER)))
            .unwrap();
        peers[0].add_remote_candidate(now, &line).unwrap();
        Self {
            now,
            peers,
            events: [Vec::new(), Vec::new()],
            turn,
            received: [Vec::new(), Vec::new()],
        }
    }

    fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            while self.exchange() {}
            if done(self) {
                return true;
            }
            let due = self.peers.iter().filter_map(Peer::poll_timeout).min();
            let Some(due) = due.filter(|due| *due <= end) else {
                self.now = end;
                return false;
            };
            self.now = self.now.max(due);
            for peer in &mut self.peers {
                peer.handle_timeout(self.now);
            }
        }
    }

    /// Carries what both sides have to say; whether there was anything.
    fn exchange(&mut self) -> bool {
        let mut busy = false;
        for side in 0..2 {
            while let Some(event) = self.peers[side].poll_event() {
                if let PeerEvent::LocalCandidate(line) = &event {
                    self.peers[1 - side]
                        .add_remote_candidate(self.now, line)
                        .unwrap();
                }
                self.events[side].push(event);
            }
        }
        while let Some(transmit) = self.peers[0].poll_transmit() {
            busy = true;
            assert_eq!(
                transmit.path.carrier,
                Carrier::Server(0),
                "no other way out"
            );
            let (answer, outward) = self.turn.take(self.now, &transmit.bytes);
            if let Some(answer) = answer {
                self.hand_over(answer);
            }
            if let Some((to, mut data)) = outward {
                assert_eq!(to, address(PEER));
                let inbound =
                    self.peers[1].handle_datagram(self.now, to, address(RELAYED), &mut data);
                self.keep(1, inbound, &data);
            }
        }
        while let Some(transmit) = self.peers[1].poll_transmit() {
            busy = true;
            assert_eq!(transmit.path.remote, address(RELAYED));
            if let Some(bytes) = self.turn.relay(self.now, address(PEER), &transmit.bytes) {
                self.hand_over(bytes);
            }
        }
        busy
    }

    fn hand_over(&mut self, mut bytes: Vec<u8>) {
        let (inbound, begin) = self.peers[0].handle_server_message(self.now, 0, &mut bytes);
        self.keep(0, inbound, &bytes[begin..]);
    }

    fn keep(&mut self, side: usize, inbound: Inbound, data: &[u8]) {
        if let Inbound::Rtp { len, .. } = inbound {
            self.received[side].push(data[..len].to_vec());
        }
    }

    fn both_connected(&self) -> bool {
        let connected = |e: &PeerEvent| matches!(e, PeerEvent::Connected { .. });
        self.events
            .iter()
            .all(|events| events.iter().any(connected))
    }

    fn last_state(&self, side: usize) -> Option<IceState> {
        let states = self.events[side].iter().filter_map(|event| match event {
            PeerEvent::IceState(state) => Some(*state),
            _ => None,
        });
        states.last()
    }

    /// Media from our side as a shard sends it.
    fn send_media(&mut self, sequence: u16) {
        let extensions = rivero_rtp::ExtensionBlock::default();
        let header = OutgoingHeader {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp: 0,
            ssrc: 7,
            extensions: &extensions,
            padding: 0,
        };
        let (_, _, framing) = self.peers[0].relay_in_use(self.now).unwrap();
        let mut out = Vec::new();
        let peer = &mut self.peers[0];
        assert!(framing.wrap(&mut out, |out| {
            peer.protect_rtp(&header, &[b"media"], out).is_ok()
        }));
        let (_, outward) = self.turn.take(self.now, &out);
        let (_, mut data) = outward.expect("the relay lets it through");
        let inbound =
            self.peers[1].handle_datagram(self.now, address(PEER), address(RELAYED), &mut data);
        self.keep(1, inbound, &data);
    }
}

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_relay_alone_connects_and_carries_media() {
    let mut network = Relayed::new(|_| {});
    assert!(network.run_until(LIMIT, Relayed::both_connected));
    network.send_media(1);
    assert_eq!(network.received[1].len(), 1);
    // A relay is nominated once better ones have had their chance.
    network.run_until(Duration::from_secs(1), |_| false);
    assert!(network.received[1][0].ends_with(b"media"));
    assert!(network.events[0].contains(&PeerEvent::GatheringDone));
    let pair = network.events[0].iter().find_map(|event| match event {
        PeerEvent::SelectedPair { local, path, .. } => Some((local.clone(), path.carrier)),
        _ => None,
    });
    let (local, carrier) = pair.unwrap();
    assert!(
        local.contains("203.0.113.1 50000 typ relay raddr 192.0.2.1 rport 1000"),
        "{local}"
    );
    assert_eq!(carrier, Carrier::Relay(0));
}

#[test]
fn short_lived_allocations_and_channels_are_refreshed() {
    let mut network = Relayed::new(|turn| turn.lifetime = Duration::from_secs(4));
    assert!(network.run_until(LIMIT, Relayed::both_connected));
    for minute in 1..=12 {
        // The server forgets its nonce now and then.
        network.turn.nonce += 1;
        network.run_until(Duration::from_secs(60), |_| false);
        assert_eq!(
            network.last_state(0),
            Some(IceState::Ready),
            "after {minute} minutes"
        );
        network.send_media(minute);
    }
    assert_eq!(network.received[1].len(), 12);
}

#[test]
fn with_usual_lifetimes_the_server_hears_of_us_every_four_minutes() {
    let mut network = Relayed::new(|_| {});
    assert!(network.run_until(LIMIT, Relayed::both_connected));
    network.turn.requests.clear();
    network.run_until(Duration::from_secs(721), |_| false);
    assert_eq!(network.turn.requests[&0x0004], 3, "refreshes");
    assert_eq!(network.turn.requests[&0x0009], 3, "channels");
}

#[test]
fn a_lost_allocation_disconnects_and_is_told() {
    let mut network = Relayed::new(|turn| turn.lifetime = Duration::from_secs(10));
    assert!(network.run_until(LIMIT, Relayed::both_connected));
    network.turn.mood = Mood::Silent;
    network.run_until(Duration::from_secs(60), |_| false);
    assert_eq!(network.last_state(0), Some(IceState::Failed));
    let trouble = |event: &PeerEvent| matches!(event, PeerEvent::ServerTrouble(text) if text.contains("turn.example.org"));
    assert!(network.events[0].iter().any(trouble));
}

#[test]
fn closing_gives_the_allocation_back() {
    let mut network = Relayed::new(|_| {});
    assert!(network.run_until(LIMIT, Relayed::both_connected));
    assert!(network.turn.allocated.is_some());
    let now = network.now;
    network.peers[0].close(now);
    network.exchange();
    assert!(network.turn.allocated.is_none());
}

#[test]
fn wrong_credentials_end_the_gathering() {
    let mut network = Relayed::new(|turn| {
        *turn = TestServer::new(
            &TurnServer {
                password: "another".to_owned(),
                ..turn_server(TurnTransport::Udp)
            },
            address(RELAYED),
            address(CLIENT),
        );
    });
    let done = |network: &Relayed| network.events[0].contains(&PeerEvent::GatheringDone);
    assert!(network.run_until(LIMIT, done));
    let trouble = network.events[0].iter().find_map(|event| match event {
        PeerEvent::ServerTrouble(text) => Some(text.clone()),
        _ => None,
    });
    assert!(
        trouble
            .unwrap()
            .contains("does not accept the user name and password")
    );
}

#[test]
fn silent_and_forging_servers_are_given_up() {
    for mood in [Mood::Silent, Mood::Forged] {
        let mut network = Relayed::new(|turn| turn.mood = mood);
        let done = |network: &Relayed| network.events[0].contains(&PeerEvent::GatheringDone);
        assert!(network.run_until(LIMIT, done));
        assert!(!network.both_connected());
        let found = |event: &PeerEvent| matches!(event, PeerEvent::LocalCandidate(_));
        assert!(!network.events[0].iter().any(found), "nothing to believe");
    }
}

#[test]
fn a_server_that_sends_us_on_is_followed() {
    let other = address("203.0.113.2:3479");
    let mut network = Relayed::new(|turn| turn.mood = Mood::Elsewhere(other, true));
    assert!(network.run_until(LIMIT, Relayed::both_connected));
    assert_eq!(network.peers[0].take_redirected(), [0]);
    let (_, server) = network.peers[0].servers().next().unwrap();
    assert_eq!(server.address, other);
}

#[test]
fn servers_that_send_us_in_a_circle_are_given_up() {
    let other = address("203.0.113.2:3479");
    let mut network = Relayed::new(|turn| turn.mood = Mood::Elsewhere(other, false));
    let done = |network: &Relayed| network.events[0].contains(&PeerEvent::GatheringDone);
    assert!(network.run_until(LIMIT, done));
    let told = |event: &PeerEvent| matches!(event, PeerEvent::ServerTrouble(text) if text.contains("each other"));
    assert!(
        network.events[0].iter().any(told),
        "{:?}",
        network.events[0]
    );
}

#[test]
fn without_channels_nothing_is_permitted() {
    let mut network = Relayed::new(|turn| turn.mood = Mood::NoChannels);
    assert!(!network.run_until(LIMIT, Relayed::both_connected));
}

/// What a hostile server, or somebody between, may send at any time.
#[test]
fn noise_from_the_server_is_harmless() {
    let mut network = Relayed::new(|_| {});
    assert!(network.run_until(LIMIT, Relayed::both_connected));
    let mut chance = Chance(5);
    let firsts = [0x00, 0x01, 0x40, 0x41, 0x4f, 0x50, 0x80, 0xff];
    for _ in 0..20_000 {
        let len = chance.below(90) as usize;
        let mut noise: Vec<u8> = (0..len).map(|_| chance.below(256) as u8).collect();
        if noise.len() > 24 {
            noise[0] = firsts[chance.below(firsts.len() as u64) as usize];
            if chance.below(2) == 0 {
                let length = (noise.len() - 20) / 4 * 4;
                noise.truncate(20 + length);
                noise[1] = [0x01, 0x03, 0x11, 0x13, 0x17][chance.below(5) as usize];
                noise[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                noise[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
        }
        let now = network.now;
        let (inbound, _) = network.peers[0].handle_server_message(now, 0, &mut noise);
        assert!(!matches!(
            inbound,
            Inbound::Rtp { .. } | Inbound::Rtcp { .. }
        ));
        network.peers[0].handle_server_message(now, 7, &mut noise);
    }
    network.run_until(Duration::from_secs(20), |_| false);
    assert_eq!(network.last_state(0), Some(IceState::Ready));
    network.send_media(1);
    assert_eq!(network.received[1].len(), 1);
}
