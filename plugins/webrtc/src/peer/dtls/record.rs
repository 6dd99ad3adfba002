//! Records and handshake fragments as they stand in a datagram (RFC 6347 §4.1, §4.2.2).
//!
//! Everything here is read before anything is authenticated, so each reader stops at the first
//! byte that does not fit and never allocates.

/// Type, version, epoch, sequence number and length (RFC 6347 §4.1).
pub(super) const RECORD_HEADER_LEN: usize = 13;
/// Type, length, message_seq, fragment_offset and fragment_length (RFC 6347 §4.2.2).
pub(super) const FRAGMENT_HEADER_LEN: usize = 12;

/// Content types (RFC 5246 §6.2.1).
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;

/// The first byte of every DTLS version: 1.0 is {254, 255}, 1.2 is {254, 253}.
const VERSION_MAJOR: u8 = 254;

/// One record of a datagram.
pub(super) struct Record<'a> {
    /// Where in the datagram the record starts.
    pub(super) start: usize,
    pub(super) content_type: u8,
    pub(super) epoch: u16,
    /// The record with its header.
    pub(super) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// What the header is in front of.
    pub(super) fn body(&self) -> &'a [u8] {
        self.bytes.get(RECORD_HEADER_LEN..).unwrap_or_default()
    }
}

/// The records of `datagram`, up to the first malformed one.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let header = datagram.get(start..)?.first_chunk::<RECORD_HEADER_LEN>()?;
        let [content_type, major, _, e0, e1, .., l0, l1] = *header;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let end = start + RECORD_HEADER_LEN + len;
        let bytes = datagram.get(start..end)?;
        let record = Record {
            start,
            content_type,
            epoch: u16::from_be_bytes([e0, e1]),
            bytes,
        };
        start = end;
        (major == VERSION_MAJOR).then_some(record)
    })
}

/// A handshake message or a piece of one.
pub(super) struct Fragment<'a> {
    pub(super) message_type: u8,
    /// Bytes of the whole message, without headers.
    pub(super) length: usize,
    pub(super) message_seq: u16,
    /// Where in the message the bytes belong; they never reach beyond its end.
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
}

/// The fragments in the body of a plaintext handshake record, up to the first malformed one. A
/// record may hold several, the end of one message and the beginning of the next, say
/// (RFC 6347 §4.2.3).
pub(super) fn fragments(mut body: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    std::iter::from_fn(move || {
        let (header, rest) = body.split_first_chunk::<FRAGMENT_HEADER_LEN>()?;
        let [message_type, l0, l1, l2, s0, s1, o0, o1, o2, n0, n1, n2] = *header;
        let (bytes, rest) = rest.split_at_checked(number([n0, n1, n2]))?;
        body = rest;
        let fragment = Fragment {
            message_type,
            length: number([l0, l1, l2]),
            message_seq: u16::from_be_bytes([s0, s1]),
            offset: number([o0, o1, o2]),
            bytes,
        };
        // Both are less than 2^24: the sum cannot overflow.
        (fragment.offset + bytes.len() <= fragment.length).then_some(fragment)
    })
}

/// A `uint24` (RFC 5246 §4.4).
fn number(bytes: [u8; 3]) -> usize {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | usize::from(*byte))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record around `body`, as a peer would send it.
    pub(in crate::peer::dtls) fn record(
        content_type: u8,
        epoch: u16,
        sequence: u8,
        body: &[u8],
    ) -> Vec<u8> {
        let mut bytes = vec![content_type, VERSION_MAJOR, 253];
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, sequence]);
        bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    /// The fragment of `message` that has its bytes in `range`.
    pub(in crate::peer::dtls) fn fragment(
        message_type: u8,
        message_seq: u16,
        message: &[u8],
        range: std::ops::Range<usize>,
    ) -> Vec<u8> {
        let number = |value: usize| (value as u32).to_be_bytes()[1..].to_vec();
        let mut bytes = vec![message_type];
        bytes.extend(number(message.len()));
        bytes.extend(message_seq.to_be_bytes());
        bytes.extend(number(range.start));
        bytes.extend(number(range.len()));
        bytes.extend_from_slice(&message[range]);
        bytes
    }

    #[test]
    fn records_end_where_they_make_no_sense() {
        let one = record(HANDSHAKE, 0, 0, b"one");
        let two = record(ALERT, 1, 1, b"");
        let mut datagram = [one.clone(), two.clone()].concat();
        let read = |datagram: &[u8]| {
            let records = records(datagram).map(|r| (r.start, r.content_type, r.epoch));
            records.collect::<Vec<_>>()
        };
        assert_eq!(read(&datagram), [(0, HANDSHAKE, 0), (one.len(), ALERT, 1)]);
        assert_eq!(read(&datagram[..datagram.len() - 1]), [(0, HANDSHAKE, 0)]);
        datagram[one.len() + 1] = 3;
        assert_eq!(read(&datagram), [(0, HANDSHAKE, 0)], "TLS is not DTLS");
        assert_eq!(read(&[]), []);
    }

    #[test]
    fn a_record_may_hold_the_end_of_a_message_and_the_next_one() {
        let body = [
            fragment(11, 2, b"certificate", 4..11),
            fragment(14, 3, b"", 0..0),
        ]
        .concat();
        let read: Vec<_> = fragments(&body)
            .map(|f| (f.message_type, f.message_seq, f.length, f.offset, f.bytes))
            .collect();
        assert_eq!(
            read,
            [(11, 2, 11, 4, &b"ificate"[..]), (14, 3, 0, 0, &b""[..])]
        );
    }

    #[test]
    fn fragments_stay_within_their_message() {
        let mut body = fragment(11, 2, b"certificate", 4..11);
        body[3] = 10;
        assert_eq!(fragments(&body).count(), 0, "beyond the end");
        let body = fragment(11, 2, b"certificate", 4..11);
        assert_eq!(fragments(&body[..body.len() - 1]).count(), 0, "cut off");
    }
}
