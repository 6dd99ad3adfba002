//! SCTP and the messages that open data channels, as they come out of DTLS. Each packet is a byte
//! with its length and as many bytes of chunks, which get the header that the association expects
//! (odd length: they are the whole packet); a length of 255 lets a second pass.

use std::{
    sync::Once,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rivero_bench_peer::DtlsRole;
use rivero_sdp::SctpParameters;

use crate::data::{DataEvent, DataTransport};

const PACKETS: usize = 64;
const PAUSE: u8 = 255;
/// Ports, verification tag, checksum (RFC 9260 §3.1).
const HEADER: usize = 12;

pub(crate) fn run(input: &[u8]) {
    // What the crate panics at ends its association and nothing else (see the module's
    // `association.rs`); libFuzzer's own hook would end the process. One that gets out still does.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let mut pair = Pair::new();
    let mut rest = input;
    for _ in 0..PACKETS {
        let Some((&length, others)) = rest.split_first() else {
            return;
        };
        if length == PAUSE {
            pair.now += Duration::from_secs(1);
            pair.hit.handle_timeout(pair.now);
            rest = others;
        } else {
            let (chunks, others) = others.split_at(others.len().min(length.into()));
            let packet = match length % 2 {
                0 => pair.packet(chunks),
                _ => chunks.to_vec(),
            };
            pair.hit.handle(pair.now, Bytes::from(packet));
            rest = others;
        }
        while pair.hit.poll_packet(pair.now).is_some() {}
        while pair.hit.poll_event().is_some() {}
    }
}

/// An association, and what its other side was told to call it.
struct Pair {
    now: Instant,
    hit: DataTransport,
    ports: [u8; 4],
    tag: [u8; 4],
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let side = |role| {
            let parameters = SctpParameters {
                local_port: 5000,
                remote_port: 5000,
                remote_max_message_size: 0,
            };
            DataTransport::new(role, parameters)
        };
        let (mut hit, mut other) = (side(DtlsRole::Server), side(DtlsRole::Client));
        hit.start(now);
        other.start(now);
        let (mut up, mut tag, mut ports) = (false, [0; 4], [0; 4]);
        for _ in 0..10 {
            while let Some(packet) = other.poll_packet(now) {
                if let (Some(first), Some(second)) = (packet.get(..4), packet.get(4..8)) {
                    ports.copy_from_slice(first);
                    tag.copy_from_slice(second);
                }
                hit.handle(now, packet);
            }
            while let Some(packet) = hit.poll_packet(now) {
                other.handle(now, packet);
            }
            while let Some(event) = hit.poll_event() {
                up |= event == DataEvent::Up;
            }
        }
        assert!(up, "there is no association");
        Self {
            now,
            hit,
            ports,
            tag,
        }
    }

    fn packet(&self, chunks: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(HEADER + chunks.len());
        packet.extend_from_slice(&self.ports);
        packet.extend_from_slice(&self.tag);
        packet.extend_from_slice(&[0; 4]);
        packet.extend_from_slice(chunks);
        let checksum = crc32c::crc32c(&packet).to_le_bytes();
        if let Some(field) = packet.get_mut(8..HEADER) {
            field.copy_from_slice(&checksum);
        }
        packet
    }
}
