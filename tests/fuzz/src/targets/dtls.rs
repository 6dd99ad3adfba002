//! DTLS of a peer whose address is proven, which is where it begins to be read: two peers connect,
//! and of what goes from one to the other the input decides. Each datagram is a byte with its length
//! and as many bytes; a length of 0 lets the next real one pass, 254 passes it with one byte (whose
//! place and value follow) changed, and 255 lets 500 ms pass. The first byte says which side is hit
//! (1), and whether the side that is hit is the DTLS client (2).

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use rivero_bench_peer::{
    Certificate, DatagramKind, DtlsRole, IceCredentials, KeyType, LocalCandidate, Peer, PeerConfig,
    RemoteParameters,
};

const DATAGRAMS: usize = 64;
const REAL: u8 = 0;
const DAMAGED: u8 = 254;
const PAUSE: u8 = 255;

pub(crate) fn run(input: &[u8]) {
    let Some((&flags, mut rest)) = input.split_first() else {
        return;
    };
    let mut pair = Pair::new(flags);
    pair.connect();
    for _ in 0..DATAGRAMS {
        let Some((&length, others)) = rest.split_first() else {
            break;
        };
        rest = others;
        let mut take = |count: usize| {
            let (taken, others) = rest.split_at(rest.len().min(count));
            rest = others;
            taken
        };
        match length {
            REAL => pair.pass(None),
            DAMAGED => match *take(2) {
                [place, value] => pair.pass(Some((place, value))),
                _ => break,
            },
            PAUSE => pair.pause(),
            length => pair.hit(take(length.into())),
        }
        pair.exchange();
    }
}

/// Two peers; what goes from the second to the first is the input's.
struct Pair {
    now: Instant,
    peers: [Peer; 2],
    /// DTLS from the second to the first.
    held: Vec<Vec<u8>>,
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, if side == 0 { 1 } else { 2 }], 1000))
}

impl Pair {
    fn new(flags: u8) -> Self {
        let now = Instant::now();
        let hit = usize::from(flags & 1);
        let is_client = |side: usize| (flags & 2 == 2) == (side == 0);
        let peers = [0, 1].map(|side| {
            let config = PeerConfig::new(credentials(side), side == hit, certificate().clone());
            let mut peer = Peer::new(config, now).expect("a peer");
            let host = LocalCandidate::host(address(side));
            peer.add_local_candidate(now, host).expect("a candidate");
            let remote = RemoteParameters {
                credentials: credentials(1 - side),
                fingerprint: certificate().fingerprint().clone(),
                dtls_role: match is_client(side) {
                    true => DtlsRole::Client,
                    false => DtlsRole::Server,
                },
            };
            peer.set_remote(now, remote).expect("parameters");
            let other = address(1 - side);
            let line = format!("1 1 udp 1 {} {} typ host", other.ip(), other.port());
            peer.add_remote_candidate(now, &line).expect("a candidate");
            peer
        });
        Self {
            now,
            peers,
            held: Vec::new(),
        }
    }

    /// Lets ICE find its path.
    fn connect(&mut self) {
        for _ in 0..100 {
            self.exchange();
            if self.peers.iter().all(|peer| peer.path().is_some()) {
                return;
            }
            self.pause();
        }
        panic!("ICE finds no path");
    }

    fn pause(&mut self) {
        self.now += Duration::from_millis(500);
        for peer in &mut self.peers {
            peer.handle_timeout(self.now);
        }
    }

    /// Delivers everything but DTLS to the first.
    fn exchange(&mut self) {
        loop {
            let mut moved = false;
            for side in [0, 1] {
                let (one, other) = self.peers.split_at_mut(1);
                let (Some(one), Some(other)) = (one.first_mut(), other.first_mut()) else {
                    return;
                };
                let (from, to) = if side == 0 {
                    (one, other)
                } else {
                    (other, one)
                };
                while let Some(transmit) = from.poll_transmit() {
                    moved = true;
                    let mut bytes = transmit.bytes.to_vec();
                    let is_dtls = DatagramKind::of(&bytes) == Some(DatagramKind::Dtls);
                    if side == 1 && is_dtls {
                        self.held.push(bytes);
                    } else {
                        to.handle_datagram(self.now, address(1 - side), address(side), &mut bytes);
                    }
                }
                while from.poll_event().is_some() {}
            }
            if !moved {
                return;
            }
        }
    }

    /// Delivers the next DTLS datagram to the first, with one byte changed.
    fn pass(&mut self, change: Option<(u8, u8)>) {
        if self.held.is_empty() {
            return;
        }
        let mut datagram = self.held.remove(0);
        if let Some((place, value)) = change {
            let place = usize::from(place) % datagram.len();
            if let Some(byte) = datagram.get_mut(place) {
                *byte = value;
            }
        }
        self.hit(&datagram);
    }

    fn hit(&mut self, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        if let Some(first) = self.peers.first_mut() {
            first.handle_datagram(self.now, address(0), address(1), &mut datagram);
        }
    }
}

fn certificate() -> &'static Arc<Certificate> {
    static CERTIFICATE: OnceLock<Arc<Certificate>> = OnceLock::new();
    CERTIFICATE
        .get_or_init(|| Arc::new(Certificate::generate(KeyType::Ecdsa).expect("a certificate")))
}

fn credentials(side: usize) -> IceCredentials {
    IceCredentials {
        ufrag: format!("side{side}"),
        password: format!("password-of-sufficient-length-{side}"),
    }
}
