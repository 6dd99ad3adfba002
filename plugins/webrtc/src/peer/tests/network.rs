//! A simulated network between two peers, and the clock that drives them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rivero_srtp::SrtpProfile;

use crate::peer::*;

/// What the network does to datagrams; probabilities in percent.
#[derive(Clone, Copy)]
pub(super) struct Impairment {
    pub(super) one_way: Duration,
    pub(super) loss: u64,
    pub(super) duplication: u64,
    /// Up to this much more delay for each datagram, which reorders.
    pub(super) jitter: Duration,
}

impl Impairment {
    pub(super) const CLEAN: Self = Self {
        one_way: Duration::from_millis(10),
        loss: 0,
        duplication: 0,
        jitter: Duration::ZERO,
    };
}

/// A deterministic source of chance (Knuth's MMIX generator).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

struct Flying {
    to: usize,
    path: Path,
    bytes: Vec<u8>,
}

/// One side: the peer and what it reported.
pub(super) struct Side {
    pub(super) peer: Peer,
    pub(super) events: Vec<(Duration, PeerEvent)>,
    /// Plain packets that arrived.
    pub(super) received: Vec<Vec<u8>>,
    pub(super) sent_datagrams: usize,
}

impl Side {
    pub(super) fn ice_states(&self) -> Vec<IceState> {
        let states = self.events.iter().filter_map(|(_, event)| match event {
            PeerEvent::IceState(state) => Some(*state),
            _ => None,
        });
        states.collect()
    }

    pub(super) fn dtls_states(&self) -> Vec<DtlsState> {
        let states = self.events.iter().filter_map(|(_, event)| match event {
            PeerEvent::DtlsState(state) => Some(*state),
            _ => None,
        });
        states.collect()
    }

    pub(super) fn profile(&self) -> Option<SrtpProfile> {
        self.events.iter().find_map(|(_, event)| match event {
            PeerEvent::Connected { profile } => Some(*profile),
            _ => None,
        })
    }

    pub(super) fn time_of(&self, event: &PeerEvent) -> Option<Duration> {
        self.events
            .iter()
            .find(|(_, e)| e == event)
            .map(|(t, _)| *t)
    }

    pub(super) fn connected_at(&self) -> Option<Duration> {
        self.events
            .iter()
            .find(|(_, e)| matches!(e, PeerEvent::Connected { .. }))
            .map(|(t, _)| *t)
    }
}

/// Two sides and the datagrams between them.
pub(super) struct Network {
    begin: Instant,
    pub(super) now: Instant,
    pub(super) sides: [Side; 2],
    flying: BTreeMap<(Instant, u64), Flying>,
    sequence: u64,
    pub(super) impairment: Impairment,
    chance: Chance,
    /// Rewrites the source address of what the first side sends; what is sent to any other address
    /// of it is lost.
    pub(super) nat: Option<SocketAddr>,
    pub(super) cut: bool,
    /// Percentage of datagrams with one byte changed.
    pub(super) damage: u64,
}

pub(super) const ADDRESSES: [&str; 2] = ["192.0.2.1:1000", "198.51.100.2:2000"];

pub(super) fn credentials(name: &str) -> IceCredentials {
    IceCredentials {
        ufrag: format!("{name}1"),
        password: format!("{name}-password-of-sufficient-length"),
    }
}

pub(super) fn config(name: &str, controlling: bool) -> PeerConfig {
    let certificate = Certificate::generate(KeyType::Ecdsa).unwrap();
    PeerConfig::new(credentials(name), controlling, Arc::new(certificate))
}

impl Network {
    /// `configs[0]` is the DTLS client.
    pub(super) fn new(configs: [PeerConfig; 2], impairment: Impairment, seed: u64) -> Self {
        let begin = Instant::now();
        let sides = configs.map(|config| Side {
            peer: Peer::new(config, begin).unwrap(),
            events: Vec::new(),
            received: Vec::new(),
            sent_datagrams: 0,
        });
        Self {
            begin,
            now: begin,
            sides,
            flying: BTreeMap::new(),
            sequence: 0,
            impairment,
            chance: Chance(seed),
            nat: None,
            cut: false,
            damage: 0,
        }
    }

    /// A pair that knows all about each other; the first is controlled and the DTLS client, as an
    /// answering server is.
    pub(super) fn connecting(impairment: Impairment, seed: u64) -> Self {
        let mut network = Self::new(
            [config("server", false), config("browser", true)],
            impairment,
            seed,
        );
        network.exchange_parameters();
        network.exchange_candidates();
        network
    }

    pub(super) fn exchange_parameters(&mut self) {
        for (side, dtls_role) in [(0, DtlsRole::Client), (1, DtlsRole::Server)] {
            let remote = self.parameters_of(1 - side, dtls_role);
            self.sides[side].peer.set_remote(self.now, remote).unwrap();
        }
    }

    /// What `side` signals to the other one, whose DTLS role is `dtls_role`.
    pub(super) fn parameters_of(&self, side: usize, dtls_role: DtlsRole) -> RemoteParameters {
        let peer = &self.sides[side].peer;
        RemoteParameters {
            credentials: peer.credentials().clone(),
            fingerprint: peer.config.certificate.fingerprint().clone(),
            dtls_role,
        }
    }

    pub(super) fn exchange_candidates(&mut self) {
        for (side, other) in [(0, 1), (1, 0)] {
            let line = self.add_local(side);
            self.sides[other]
                .peer
                .add_remote_candidate(self.now, &line)
                .unwrap();
        }
    }

    pub(super) fn add_local(&mut self, side: usize) -> String {
        let address = ADDRESSES[side].parse().unwrap();
        let candidate = LocalCandidate::host(address);
        self.sides[side]
            .peer
            .add_local_candidate(self.now, candidate)
            .unwrap()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.begin
    }

    /// Runs until `done`, at most for `limit` of virtual time; whether `done` came true.
    pub(super) fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.drain();
            if done(self) {
                return true;
            }
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let timers = self
                .sides
                .iter()
                .filter_map(|side| side.peer.poll_timeout());
            let Some(next) = timers.chain(arrival).min().filter(|at| *at <= end) else {
                self.now = end;
                return false;
            };
            self.now = self.now.max(next);
            self.deliver();
            for side in &mut self.sides {
                if side.peer.poll_timeout().is_some_and(|due| due <= self.now) {
                    side.peer.handle_timeout(self.now);
                }
            }
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
            let mut datagram = entry.remove();
            let side = &mut self.sides[datagram.to];
            let Path { local, remote, .. } = datagram.path;
            let inbound = side
                .peer
                .handle_datagram(self.now, local, remote, &mut datagram.bytes);
            if let Inbound::Rtp { len, .. } | Inbound::Rtcp { len } = inbound {
                datagram.bytes.truncate(len);
                side.received.push(datagram.bytes);
            }
        }
    }

    fn drain(&mut self) {
        let elapsed = self.elapsed();
        for index in 0..2 {
            while let Some(event) = self.sides[index].peer.poll_event() {
                self.sides[index].events.push((elapsed, event));
            }
            while let Some(transmit) = self.sides[index].peer.poll_transmit() {
                self.send(index, transmit.path, transmit.bytes.to_vec());
            }
        }
    }

    /// Puts a datagram of side `from` on the wire.
    pub(super) fn send(&mut self, from: usize, path: Path, bytes: Vec<u8>) {
        self.sides[from].sent_datagrams += 1;
        let local = match (from, self.nat) {
            (0, Some(mapped)) => mapped,
            _ => path.local,
        };
        let mut remote = path.remote;
        if let (1, Some(mapped)) = (from, self.nat) {
            if remote != mapped {
                return;
            }
            remote = ADDRESSES[0].parse().unwrap();
        }
        let copies = 1 + u64::from(self.chance.below(100) < self.impairment.duplication);
        for _ in 0..copies {
            if self.cut || self.chance.below(100) < self.impairment.loss {
                continue;
            }
            let jitter = self
                .chance
                .below(self.impairment.jitter.as_micros() as u64 + 1);
            let arrival = self.now + self.impairment.one_way + Duration::from_micros(jitter);
            self.sequence += 1;
            let mut bytes = bytes.clone();
            if self.chance.below(100) < self.damage {
                let position = self.chance.below(bytes.len() as u64) as usize;
                bytes[position] = self.chance.below(256) as u8;
            }
            let flying = Flying {
                to: 1 - from,
                path: Path::udp(remote, local),
                bytes,
            };
            self.flying.insert((arrival, self.sequence), flying);
        }
    }

    /// Sends one media packet from side `from`.
    pub(super) fn send_media(&mut self, from: usize, sequence: u16, payload: &[u8]) {
        let extensions = rivero_rtp::ExtensionBlock::default();
        let header = OutgoingHeader {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp: u32::from(sequence) * 3000,
            ssrc: 0x1000 + from as u32,
            extensions: &extensions,
            padding: 0,
        };
        let mut out = Vec::new();
        let peer = &mut self.sides[from].peer;
        peer.protect_rtp(&header, &[payload], &mut out).unwrap();
        let path = peer.path().unwrap();
        self.send(from, path, out);
    }

    pub(super) fn both_connected(&self) -> bool {
        self.sides.iter().all(|side| side.connected_at().is_some())
    }
}
