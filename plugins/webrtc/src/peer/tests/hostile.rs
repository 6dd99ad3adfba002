//! Whatever arrives, a peer neither panics nor grows nor changes sides.

use std::net::SocketAddr;
use std::time::Duration;

use super::network::*;
use crate::peer::*;

fn connected() -> Network {
    let mut network = Network::connecting(Impairment::CLEAN, 1);
    assert!(network.run_until(Duration::from_secs(20), Network::both_connected));
    network
}

#[test]
fn noise_on_the_path_of_a_connection_is_harmless() {
    let mut network = connected();
    let [local, remote]: [SocketAddr; 2] = ADDRESSES.map(|a| a.parse().unwrap());
    let mut chance = Chance(9);
    let firsts = [0, 1, 20, 21, 22, 23, 25, 63, 128, 129, 143, 191, 255];
    for _ in 0..20_000 {
        let len = chance.below(80) as usize;
        let mut noise: Vec<u8> = (0..len).map(|_| chance.below(256) as u8).collect();
        if let Some(first) = noise.first_mut() {
            *first = firsts[chance.below(firsts.len() as u64) as usize];
        }
        let now = network.now;
        let inbound = network.sides[0]
            .peer
            .handle_datagram(now, local, remote, &mut noise);
        assert!(!matches!(
            inbound,
            Inbound::Rtp { .. } | Inbound::Rtcp { .. }
        ));
    }
    network.run_for(Duration::from_secs(5));
    network.send_media(0, 1, b"unharmed");
    network.send_media(1, 1, b"unharmed");
    network.run_for(Duration::from_secs(1));
    for side in &network.sides {
        assert_eq!(side.received.len(), 1);
        assert_eq!(side.dtls_states().last(), Some(&DtlsState::Connected));
    }
}

#[test]
fn damaged_handshakes_end_in_a_working_connection_or_none() {
    let mut connected = 0;
    for seed in 0..40 {
        let mut network = Network::connecting(Impairment::CLEAN, seed);
        network.damage = 30;
        network.run_for(Duration::from_secs(30));
        for side in &network.sides {
            assert_eq!(side.received.len(), 0, "seed {seed}: media out of nothing");
        }
        if !network.both_connected() {
            continue;
        }
        connected += 1;
        network.damage = 0;
        network.run_for(Duration::from_secs(5));
        network.send_media(0, 1, b"unharmed");
        network.send_media(1, 1, b"unharmed");
        network.run_for(Duration::from_secs(1));
        for side in &network.sides {
            assert_eq!(side.received.len(), 1, "seed {seed}");
        }
    }
    // What is damaged is sent again, so most get there.
    assert!((10..=40).contains(&connected), "{connected} of 40");
}

/// The agent would change its role before it looked at the integrity.
#[test]
fn a_forged_role_conflict_changes_nothing() {
    let now = Instant::now();
    let mut peer = Peer::new(config("server", false), now).unwrap();
    let local: SocketAddr = ADDRESSES[0].parse().unwrap();
    peer.add_local_candidate(now, LocalCandidate::host(local))
        .unwrap();
    let remote = RemoteParameters {
        credentials: credentials("browser"),
        fingerprint: Fingerprint::sha256(b""),
        dtls_role: DtlsRole::Client,
    };
    peer.set_remote(now, remote).unwrap();
    let mut request = vec![0x00, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    request.extend_from_slice(&[5; 12]);
    request.extend_from_slice(&[0x80, 0x29, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    let inbound = peer.handle_datagram(now, local, ADDRESSES[1].parse().unwrap(), &mut request);
    assert_eq!(inbound, Inbound::Dropped(DropReason::Stun));
    assert!(!peer.ice.is_controlling());
}

#[test]
fn remote_candidates_are_bounded() {
    let now = Instant::now();
    let mut peer = Peer::new(config("server", false), now).unwrap();
    let mut add = |port: u16| {
        peer.add_remote_candidate(now, &format!("1 1 udp 1 203.0.113.1 {port} typ host"))
    };
    assert!((1..=64).all(|port| add(port).is_ok()));
    assert_eq!(add(65), Err(PeerError::Ice(IceError::TooManyCandidates)));
    assert_eq!(add(64), Ok(()), "known ones are fine");
}
