//! What the network sends to a WebRTC peer: STUN, DTLS, SRTP. Each datagram is a byte with its
//! length and as many bytes; a length of 255 lets 100 ms pass in place of one. The first byte says
//! whether we control (1), and whether datagrams are messages of a TURN server (2).

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use rivero_bench_peer::{
    Certificate, DtlsRole, Fingerprint, GatherConfig, IceCredentials, KeyType, Peer, PeerConfig,
    RemoteParameters, TurnServer, TurnTransport,
};

const DATAGRAMS: usize = 64;
const PAUSE: u8 = 255;

pub(crate) fn run(input: &[u8]) {
    let mut now = Instant::now();
    let Some((role, mut rest)) = input.split_first() else {
        return;
    };
    let [local, remote] = addresses();
    let mut peer = peer(now, *role, local);
    for _ in 0..DATAGRAMS {
        let Some((&length, datagrams)) = rest.split_first() else {
            break;
        };
        if length == PAUSE {
            now += Duration::from_millis(100);
            peer.handle_timeout(now);
            rest = datagrams;
        } else {
            let (datagram, others) = datagrams.split_at(datagrams.len().min(length.into()));
            let mut datagram = datagram.to_vec();
            if role & 2 == 2 {
                std::hint::black_box(peer.handle_server_message(now, 0, &mut datagram));
            } else {
                std::hint::black_box(peer.handle_datagram(now, local, remote, &mut datagram));
            }
            rest = others;
        }
        while peer.poll_transmit().is_some() {}
        while peer.poll_event().is_some() {}
    }
    peer.close(now);
}

fn addresses() -> [SocketAddr; 2] {
    [
        ([192, 0, 2, 1], 1000).into(),
        ([198, 51, 100, 2], 2000).into(),
    ]
}

fn peer(now: Instant, role: u8, local: SocketAddr) -> Peer {
    static CERTIFICATE: OnceLock<Arc<Certificate>> = OnceLock::new();
    let certificate = CERTIFICATE
        .get_or_init(|| Arc::new(Certificate::generate(KeyType::Ecdsa).expect("a certificate")));
    let config = PeerConfig::new(credentials("local"), role & 1 == 1, certificate.clone());
    let mut peer = Peer::new(config, now).expect("a peer");
    let server: SocketAddr = ([203, 0, 113, 1], 3478).into();
    let gather = GatherConfig {
        hosts: vec![local],
        stun_servers: vec![server],
        turn_servers: vec![TurnServer {
            address: server,
            transport: TurnTransport::Udp,
            host: "turn.example.org".to_owned(),
            username: "user".to_owned(),
            password: "password".to_owned(),
        }],
        ..GatherConfig::default()
    };
    peer.gather(now, &gather);
    let remote = RemoteParameters {
        credentials: credentials("remote"),
        fingerprint: Fingerprint::sha256(b"nobody"),
        dtls_role: if role & 2 == 2 {
            DtlsRole::Client
        } else {
            DtlsRole::Server
        },
    };
    let _ = peer.set_remote(now, remote);
    peer
}

fn credentials(name: &str) -> IceCredentials {
    IceCredentials {
        ufrag: format!("{name}1"),
        password: format!("{name}-password-of-sufficient-length"),
    }
}
