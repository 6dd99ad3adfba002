//! The flight that waits for its answer, so that it can be repeated (RFC 6347 §4.2.4).
//!
//! `rtc-dtls` loses its retransmission timer with every handshake record that brings nothing new,
//! such as one of a flight whose other datagrams were lost. A flight can be repeated without its
//! help because the records of epoch 0 carry no authentication: given fresh sequence numbers, they
//! are what a retransmission is, a copy with new numbers.

use bytes::{Bytes, BytesMut};

const RECORD_HEADER_LEN: usize = 13;
/// Datagrams of a flight; with a long certificate chain five or six.
const MAX_DATAGRAMS: usize = 32;
const HANDSHAKE: u8 = 22;

/// Numbers outgoing records of epoch 0 and keeps the latest flight.
#[derive(Debug, Default)]
pub(super) struct FlightLog {
    datagrams: Vec<Bytes>,
    next_sequence: u64,
    encrypted: bool,
}

impl FlightLog {
    /// What follows is a new flight.
    pub(super) fn begin(&mut self) {
        self.datagrams.clear();
        self.encrypted = false;
    }

    /// Adds a datagram of the flight; returns it as it is to be sent.
    pub(super) fn add(&mut self, datagram: BytesMut) -> Bytes {
        self.encrypted |= records(&datagram).any(|record| record.epoch != 0);
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

    /// Whether the flight has encrypted records: it is the sender's last.
    pub(super) fn is_last(&self) -> bool {
        self.encrypted
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

/// One record of a datagram.
struct Record {
    start: usize,
    end: usize,
    content_type: u8,
    epoch: u16,
}

/// The records of `datagram`, up to the first malformed one.
fn records(datagram: &[u8]) -> impl Iterator<Item = Record> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let header = datagram.get(start..)?.first_chunk::<RECORD_HEADER_LEN>()?;
        let [content_type, _, _, e0, e1, .., l0, l1] = *header;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let end = start + RECORD_HEADER_LEN + len;
        let record = Record {
            start,
            end,
            content_type,
            epoch: u16::from_be_bytes([e0, e1]),
        };
        start = end;
        (end <= datagram.len()).then_some(record)
    })
}

/// Splits off the plaintext handshake records of `datagram`: what is left, and whether there were
/// any.
pub(super) fn without_plain_handshake(datagram: &[u8]) -> (BytesMut, bool) {
    let mut rest = BytesMut::with_capacity(datagram.len());
    let mut found = false;
    for record in records(datagram) {
        if record.content_type == HANDSHAKE && record.epoch == 0 {
            found = true;
        } else if let Some(bytes) = datagram.get(record.start..record.end) {
            rest.extend_from_slice(bytes);
        }
    }
    (rest, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, epoch: u16, sequence: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![content_type, 254, 253];
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, sequence]);
        bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

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
            let numbers = records(bytes).map(|r| (r.epoch, bytes[r.start + 10]));
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(numbers(&log.add(flight())), [(0, 0), (0, 1), (1, 0)]);
        assert!(log.is_last());
        assert_eq!(numbers(&log.repeat()[0]), [(0, 2), (0, 3), (1, 0)]);
        assert_eq!(numbers(&log.repeat()[0]), [(0, 4), (0, 5), (1, 0)]);
        log.begin();
        assert!(log.repeat().is_empty() && !log.is_last());
        let next = log.add(BytesMut::from(&record(22, 0, 1, b"x")[..]));
        assert_eq!(numbers(&next), [(0, 6)]);
    }

    #[test]
    fn plain_handshake_records_are_split_off() {
        let (rest, found) = without_plain_handshake(&flight());
        assert!(found);
        assert_eq!(
            rest,
            [record(20, 0, 9, b"c"), record(22, 1, 0, b"fin")].concat()
        );
        let (rest, found) = without_plain_handshake(&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert!(rest.is_empty() && !found, "malformed");
    }
}
