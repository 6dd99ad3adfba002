//! Recent packets of a source, kept once for all its viewers (RFC 4585 NACK).

use std::sync::{Mutex, PoisonError};

use rivero_plugin_api::{Packaging, Packet};

/// Packets kept per encoding: 1024 are 1 s at about 10 Mbit/s.
const LENGTH: usize = 1024;
/// Encodings of one source; packets of further ones are not kept.
const ENCODINGS: usize = 8;

/// A ring per encoding, addressed by sequence number.
#[derive(Default)]
pub(crate) struct History(Mutex<Vec<Vec<Option<Packet>>>>);

impl History {
    pub(crate) fn store(&self, packets: &[Packet]) {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for packet in packets {
            let encoding = usize::from(packet.layer.encoding);
            if encoding >= ENCODINGS {
                continue;
            }
            while rings.len() <= encoding {
                rings.push(vec![None; LENGTH]);
            }
            let slot = rings
                .get_mut(encoding)
                .and_then(|ring| ring.get_mut(usize::from(packet.rtp.sequence) % LENGTH));
            if let Some(slot) = slot {
                *slot = Some(packet.clone());
            }
        }
    }

    pub(crate) fn find(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rings.iter().find_map(|ring| {
            let packet = ring.get(usize::from(sequence) % LENGTH)?.as_ref()?;
            (packet.rtp.ssrc == ssrc && packet.rtp.sequence == sequence).then(|| packet.clone())
        })
    }

    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Whether packets of this packaging may be asked for again.
pub(crate) fn keeps(packaging: Packaging) -> bool {
    packaging == Packaging::Rtp
}
