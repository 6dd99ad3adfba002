//! Media between connected peers.

use std::collections::HashSet;
use std::time::Duration;

use rivero_rtp::rtcp::{self, CompoundBuilder, RtcpPacket};

use super::network::*;
use rivero_srtp::SrtpError;

use crate::peer::*;

const LIMIT: Duration = Duration::from_secs(20);

fn connected(impairment: Impairment, seed: u64) -> Network {
    let mut network = Network::connecting(impairment, seed);
    assert!(network.run_until(LIMIT, Network::both_connected));
    network
}

#[test]
fn packets_arrive_once_whatever_the_network_does() {
    let impairment = Impairment {
        one_way: Duration::from_millis(20),
        loss: 10,
        duplication: 20,
        jitter: Duration::from_millis(40),
    };
    let mut network = connected(impairment, 3);
    for sequence in 0..2000u16 {
        network.send_media(0, sequence, &sequence.to_be_bytes());
        network.send_media(1, sequence, &sequence.to_be_bytes());
        network.run_for(Duration::from_millis(1));
    }
    network.run_for(Duration::from_secs(1));
    for side in &network.sides {
        let mut seen = HashSet::new();
        for packet in &side.received {
            let header = RtpHeader::parse(packet).unwrap();
            assert_eq!(
                header.payload(packet).unwrap(),
                header.sequence.to_be_bytes()
            );
            assert!(seen.insert(header.sequence), "delivered twice");
        }
        assert!((1650..1900).contains(&seen.len()), "{}", seen.len());
    }
}

#[test]
fn reports_travel_both_ways() {
    let mut network = connected(Impairment::CLEAN, 1);
    let mut builder = CompoundBuilder::default();
    builder.receiver_report(5, &[]).picture_loss(5, 9);
    for from in 0..2 {
        let peer = &mut network.sides[from].peer;
        let mut out = Vec::new();
        peer.protect_rtcp(builder.as_bytes(), &mut out).unwrap();
        let path = peer.path().unwrap();
        network.send(from, path, out);
    }
    network.run_for(Duration::from_secs(1));
    for side in &network.sides {
        let packets: Vec<_> = rtcp::packets(&side.received[0]).collect();
        assert_eq!(packets[1], RtcpPacket::PictureLoss { media_ssrc: 9 });
    }
}

#[test]
fn many_packets_lie_side_by_side_in_one_buffer() {
    let mut network = connected(Impairment::CLEAN, 1);
    let extensions = rivero_rtp::ExtensionBlock::default();
    let mut out = Vec::new();
    let peer = &mut network.sides[0].peer;
    let mut lengths = Vec::new();
    for sequence in 0..4 {
        let header = OutgoingHeader {
            marker: sequence == 3,
            payload_type: 96,
            sequence,
            timestamp: 1,
            ssrc: 2,
            extensions: &extensions,
            padding: 0,
        };
        lengths.push(peer.protect_rtp(&header, &[&[7; 500]], &mut out).unwrap());
    }
    assert_eq!(lengths, [500 + 12 + 16; 4]);
    let path = peer.path().unwrap();
    for segment in out.chunks(lengths[0]) {
        network.send(0, path, segment.to_vec());
    }
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.sides[1].received.len(), 4);
}

#[test]
fn media_needs_keys_and_the_right_address() {
    let now = Instant::now();
    let mut peer = Peer::new(config("server", false), now).unwrap();
    let local = ADDRESSES[0].parse().unwrap();
    let remote = ADDRESSES[1].parse().unwrap();
    let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0];
    let inbound = peer.handle_datagram(now, local, remote, &mut packet);
    assert_eq!(inbound, Inbound::Dropped(DropReason::Path));
    assert_eq!(
        peer.protect_rtcp(&[0; 8], &mut Vec::new()),
        Err(PeerError::NotConnected)
    );

    let mut network = connected(Impairment::CLEAN, 1);
    let extensions = rivero_rtp::ExtensionBlock::default();
    let header = OutgoingHeader {
        marker: false,
        payload_type: 96,
        sequence: 1,
        timestamp: 1,
        ssrc: 2,
        extensions: &extensions,
        padding: 0,
    };
    let mut out = Vec::new();
    network.sides[1]
        .peer
        .protect_rtp(&header, &[b"x"], &mut out)
        .unwrap();
    let stranger = "203.0.113.66:6".parse().unwrap();
    let now = network.now;
    let peer = &mut network.sides[0].peer;
    let inbound = peer.handle_datagram(now, local, stranger, &mut out.clone());
    assert_eq!(inbound, Inbound::Dropped(DropReason::Path));
    let inbound = peer.handle_datagram(now, local, remote, &mut out.clone());
    assert!(
        matches!(inbound, Inbound::Rtp { len: 13, .. }),
        "{inbound:?}"
    );
    let inbound = peer.handle_datagram(now, local, remote, &mut out);
    assert_eq!(
        inbound,
        Inbound::Dropped(DropReason::Srtp(SrtpError::Replayed))
    );
}

#[test]
fn application_data_travels_over_dtls() {
    let mut network = connected(Impairment::CLEAN, 1);
    let now = network.now;
    network.sides[0]
        .peer
        .send_application_data(now, b"sctp")
        .unwrap();
    let arrived = |n: &Network| {
        let data = PeerEvent::ApplicationData(Bytes::from_static(b"sctp"));
        n.sides[1].events.iter().any(|(_, event)| *event == data)
    };
    assert!(network.run_until(LIMIT, arrived));
}
