//! How far a peer may advance over packets that it gives up (FORWARD TSN, RFC 3758).
//!
//! `rtc-sctp` walks through every number up to the new one, which for a number that a peer makes
//! up is a walk of up to 2³¹ steps.

/// Numbers ahead of what we have acknowledged that a peer may give up at once: many times what
/// our window lets it have underway.
const FARTHEST: u32 = 1 << 17;

/// Source and destination port, verification tag, checksum (RFC 9260 §3.1).
const HEADER: usize = 12;
const SACK: u8 = 3;
const FORWARD_TSN: u8 = 192;

/// The number up to which the peer has everything acknowledged.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Acknowledged(Option<u32>);

impl Acknowledged {
    /// We send this packet.
    pub(super) fn sent(&mut self, packet: &[u8]) {
        let acknowledgements = chunks(packet).filter(|(kind, _)| *kind == SACK);
        self.0 = acknowledgements.filter_map(number).last().or(self.0);
    }

    /// Whether a packet of the peer gives up no more than it can have sent. What it gives up before we
    /// have acknowledged anything it will say again.
    pub(super) fn permits(self, packet: &[u8]) -> bool {
        let mut advances = chunks(packet).filter(|(kind, _)| *kind == FORWARD_TSN);
        advances.all(|chunk| {
            let distance = self.0.zip(number(chunk));
            distance.is_some_and(|(known, new)| {
                let ahead = new.wrapping_sub(known);
                ahead <= FARTHEST || ahead > u32::MAX / 2
            })
        })
    }
}

/// Both kinds of chunk begin with a cumulative number (RFC 9260 §3.3.4, RFC 3758 §3.2).
fn number((_, value): (u8, &[u8])) -> Option<u32> {
    value.first_chunk().copied().map(u32::from_be_bytes)
}

/// Types and values of the chunks of a packet, up to one that is malformed.
fn chunks(packet: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    const CHUNK_HEADER: usize = 4;
    let mut rest = packet.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let [kind, _, high, low] = *rest.first_chunk::<CHUNK_HEADER>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let value = rest.get(CHUNK_HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(parts: &[(u8, u32)]) -> Vec<u8> {
        let mut packet = vec![0; HEADER];
        for (kind, number) in parts {
            packet.extend([*kind, 0, 0, 8]);
            packet.extend(number.to_be_bytes());
        }
        packet
    }

    #[test]
    fn an_advance_is_measured_from_the_latest_acknowledgement() {
        let mut acknowledged = Acknowledged::default();
        assert!(!acknowledged.permits(&packet(&[(FORWARD_TSN, 1)])));
        acknowledged.sent(&packet(&[(SACK, u32::MAX - 1), (10, 7)]));
        acknowledged.sent(&packet(&[(10, 7)]));
        for near in [0, 1, FARTHEST - 2, u32::MAX - 1, u32::MAX - 500] {
            assert!(
                acknowledged.permits(&packet(&[(FORWARD_TSN, near)])),
                "{near}"
            );
        }
        for far in [FARTHEST + 10, 1 << 30, (1 << 31) - 5] {
            let hidden = packet(&[(0, 5), (FORWARD_TSN, 1), (FORWARD_TSN, far)]);
            assert!(!acknowledged.permits(&hidden), "{far}");
        }
        assert!(acknowledged.permits(&packet(&[(0, 5)])));
    }

    #[test]
    fn every_cut_is_survived() {
        let whole = packet(&[(SACK, 1), (FORWARD_TSN, 1 << 30)]);
        let acknowledged = Acknowledged(Some(1));
        assert!(!acknowledged.permits(&whole));
        // A chunk that is not whole is none, neither for us nor for what reads the packet next.
        for end in 0..whole.len() {
            assert!(acknowledged.permits(&whole[..end]), "{end}");
        }
        assert!(acknowledged.permits(&[0; 40]));
    }
}
