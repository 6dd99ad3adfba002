//! Packetized elementary streams (ISO/IEC 13818-1 §2.4.3.6).

use bytes::{Bytes, BytesMut};

/// What is known of a packet on its way.
#[derive(Default)]
pub(super) struct Pes {
    bytes: BytesMut,
    /// It begins with a head.
    has_head: bool,
}

/// What a packet carries.
pub(super) struct Packet {
    /// In 1/90000 s, of 33 bits.
    pub(super) time: Option<u64>,
    pub(super) decode_time: Option<u64>,
    pub(super) bytes: Bytes,
}

/// Start code, stream, length and what flags there are.
const FIXED: usize = 9;

impl Pes {
    pub(super) fn push(&mut self, payload: &[u8], is_start: bool) {
        if self.bytes.is_empty() {
            self.has_head = is_start;
        }
        self.bytes.extend_from_slice(payload);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// It says how long it is, and is.
    pub(super) fn is_whole(&self) -> bool {
        match self.bytes.get(4..6) {
            Some([0, 0]) | None => false,
            Some(length) => {
                let length = length
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                self.has_head && self.bytes.len() >= 6 + length
            }
        }
    }

    /// What has come of it; `None`: nothing that can be used.
    pub(super) fn take(&mut self) -> Option<Packet> {
        let mut bytes = std::mem::take(&mut self.bytes);
        if !self.has_head {
            // The end of what began in the segment before.
            let bytes = bytes.freeze();
            return (!bytes.is_empty()).then_some(Packet {
                time: None,
                decode_time: None,
                bytes,
            });
        }
        let (flags, length) = match bytes.get(..FIXED)? {
            [0, 0, 1, _, _, _, _, flags, length] => (*flags, usize::from(*length)),
            _ => return None,
        };
        let stamps = bytes.get(FIXED..FIXED + length)?;
        let time = (flags & 0x80 != 0).then(|| stamp(stamps)).flatten();
        let decode_time = (flags & 0xc0 == 0xc0)
            .then(|| stamp(stamps.get(5..)?))
            .flatten();
        let bytes = bytes.split_off(FIXED + length).freeze();
        (!bytes.is_empty()).then_some(Packet {
            time,
            decode_time,
            bytes,
        })
    }
}

/// 33 bits in five bytes, with marker bits between them (§2.4.3.7).
fn stamp(bytes: &[u8]) -> Option<u64> {
    let [a, b, c, d, e] = *bytes.first_chunk::<5>()?;
    let [a, b, c, d, e] = [a, b, c, d, e].map(u64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}
