//! The flight that waits for its answer, so that it can be repeated (RFC 6347 §4.2.4).
//!
//! `rtc-dtls` loses its retransmission timer with every handshake record that brings nothing new,
//! such as one of a flight whose other datagrams were lost. A flight can be repeated without its
//! help because the records of epoch 0 carry no authentication: given fresh sequence numbers, they
//! are what a retransmission is, a copy with new numbers.

use bytes::{Bytes, BytesMut};

use super::record::{ALERT, records};

/// Datagrams of a flight; with a long certificate chain five or six.
const MAX_DATAGRAMS: usize = 32;
/// The level of alerts that end the association (RFC 5246 §7.2).
const FATAL: u8 = 2;

/// Numbers outgoing records of epoch 0 and keeps the latest flight.
#[derive(Debug, Default)]
pub(super) struct FlightLog {
    datagrams: Vec<Bytes>,
    next_sequence: u64,
}

impl FlightLog {
    /// What follows is a new flight.
    pub(super) fn begin(&mut self) {
        self.datagrams.clear();
    }

    /// Adds a datagram of the flight; returns it as it is to be sent.
    pub(super) fn add(&mut self, datagram: BytesMut) -> Bytes {
        let datagram = self.renumber(datagram);
        if self.datagrams.len() < MAX_DATAGRAMS {
            self.datagrams.push(datagram.clone());
        }
        datagram
    }

    /// The flight once more, under fresh numbers. Its encrypted records, which are bound to their
    /// numbers, stay as they are.
    pub(super) fn repeat(&mut self) -> Vec<Bytes> {
        let datagrams = self.datagrams.clone();
        datagrams
            .iter()
            .map(|datagram| self.renumber(BytesMut::from(&datagram[..])))
            .collect()
    }

    /// Gives the records of epoch 0 the next sequence numbers. Every datagram passes through here.
    pub(super) fn renumber(&mut self, mut datagram: BytesMut) -> Bytes {
        let positions: Vec<usize> = records(&datagram)
            .filter(|record| record.epoch == 0)
            .map(|record| record.start)
            .collect();
        for start in positions {
            let [_, _, sequence @ ..] = self.next_sequence.to_be_bytes();
            self.next_sequence += 1;
            if let Some(field) = datagram.get_mut(start + 5..start + 11) {
                field.copy_from_slice(&sequence);
            }
        }
        datagram.freeze()
    }
}

/// The description (RFC 5246 §7.2) of an alert in `datagram` by which its sender gives the handshake up. The epoch says
/// nothing: `rtc-dtls` marks such an alert as encrypted once it has sent ChangeCipherSpec, although
/// it is not. One that is has more than these two bytes.
pub(super) fn fatal_alert(datagram: &[u8]) -> Option<u8> {
    let mut alerts = records(datagram).filter(|record| record.content_type == ALERT);
    alerts.find_map(|record| match record.body() {
        [FATAL, description] => Some(*description),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn flight() -> BytesMut {
        let parts = [
            record(22, 0, 9, b"hello"),
            record(20, 0, 9, b"c"),
            record(22, 1, 0, b"fin"),
        ];
        BytesMut::from(&parts.concat()[..])
    }

    #[test]
    fn repetitions_have_fresh_numbers_in_epoch_zero_only() {
        let mut log = FlightLog::default();
        log.begin();
        let numbers = |bytes: &[u8]| {
            let numbers = records(bytes).map(|r| (r.epoch, r.bytes[10]));
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(numbers(&log.add(flight())), [(0, 0), (0, 1), (1, 0)]);
        assert_eq!(numbers(&log.repeat()[0]), [(0, 2), (0, 3), (1, 0)]);
        assert_eq!(numbers(&log.repeat()[0]), [(0, 4), (0, 5), (1, 0)]);
        log.begin();
        assert!(log.repeat().is_empty());
        let next = log.add(BytesMut::from(&record(22, 0, 1, b"x")[..]));
        assert_eq!(numbers(&next), [(0, 6)]);
    }

    #[test]
    fn fatal_alerts_are_told_from_other_records() {
        let alert = |body: &[u8]| record(21, 0, 0, body);
        assert_eq!(fatal_alert(&alert(&[2, 80])), Some(80));
        let behind = [record(22, 0, 0, b"x"), alert(&[2, 80])].concat();
        assert_eq!(fatal_alert(&behind), Some(80));
        assert_eq!(fatal_alert(&record(21, 1, 0, &[2, 80])), Some(80));
        assert_eq!(fatal_alert(&alert(&[1, 0])), None, "a warning");
        assert_eq!(fatal_alert(&record(21, 1, 0, &[2; 26])), None, "encrypted");
        assert_eq!(fatal_alert(&flight()), None);
    }
}
