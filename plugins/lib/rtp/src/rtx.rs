//! Retransmissions in a stream of their own (RFC 4588).

use crate::header::{FIXED_HEADER_LEN, RtpHeader};

/// Bytes of the original sequence number in front of the payload. RFC 4588 §4.
pub const ORIGINAL_SEQUENCE_LEN: usize = 2;

/// Turns the plain retransmission `packet`, whose header is `header`, into the packet that it
/// repeats, of the stream `ssrc` with the payload type `payload_type`, in place. Gives where in
/// `packet` it begins; `None` for one that repeats nothing (padding that probes the path).
pub fn restore(
    packet: &mut [u8],
    header: &RtpHeader,
    payload_type: u8,
    ssrc: u32,
) -> Option<usize> {
    let payload = header.payload_range(packet).ok()?;
    if payload.len() < ORIGINAL_SEQUENCE_LEN {
        return None;
    }
    let number = payload.start..payload.start + ORIGINAL_SEQUENCE_LEN;
    let sequence: [u8; 2] = packet.get(number)?.try_into().ok()?;
    packet.copy_within(..payload.start, ORIGINAL_SEQUENCE_LEN);
    let fixed = packet.get_mut(ORIGINAL_SEQUENCE_LEN..ORIGINAL_SEQUENCE_LEN + FIXED_HEADER_LEN)?;
    if let [_, kind, s0, s1, _, _, _, _, source @ ..] = fixed {
        *kind = *kind & 0x80 | payload_type & 0x7f;
        [*s0, *s1] = sequence;
        source.copy_from_slice(&ssrc.to_be_bytes());
    }
    Some(ORIGINAL_SEQUENCE_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExtensionBlock, OutgoingHeader};

    fn packet(payload: &[u8]) -> Vec<u8> {
        let mut extensions = ExtensionBlock::default();
        extensions.push(3, &[1, 2, 3]);
        let header = OutgoingHeader {
            marker: true,
            payload_type: 97,
            sequence: 7,
            timestamp: 90_000,
            ssrc: 2,
            extensions: &extensions,
            padding: 0,
        };
        let mut bytes = Vec::new();
        header.write_to(&mut bytes);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_retransmission_becomes_what_it_repeats() {
        let mut bytes = packet(&[0x12, 0x34, b'a', b'b', b'c']);
        let header = RtpHeader::parse(&bytes).unwrap();
        let start = restore(&mut bytes, &header, 96, 1).unwrap();
        let restored = &bytes[start..];
        let header = RtpHeader::parse(restored).unwrap();
        assert_eq!((header.sequence, header.ssrc), (0x1234, 1));
        assert_eq!((header.payload_type, header.marker), (96, true));
        assert_eq!(header.timestamp, 90_000);
        assert_eq!(header.payload(restored).unwrap(), b"abc");
        let extensions: Vec<_> = header.extensions(restored).collect();
        assert_eq!(extensions, [(3, &[1u8, 2, 3][..])]);
    }

    #[test]
    fn padding_repeats_nothing() {
        for payload in [&[][..], &[9]] {
            let mut bytes = packet(payload);
            let header = RtpHeader::parse(&bytes).unwrap();
            assert_eq!(restore(&mut bytes, &header, 96, 1), None);
        }
        let mut bytes = packet(&[0, 0, 0, 4]);
        bytes[0] |= 0x20;
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(restore(&mut bytes, &header, 96, 1), None);
    }
}
