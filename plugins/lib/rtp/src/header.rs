//! The RTP fixed header (RFC 3550 §5.1).

use std::ops::Range;

use crate::extension::{ExtensionBlock, ExtensionElements};

/// Length of the fixed header without CSRC list and extension, in bytes.
pub const FIXED_HEADER_LEN: usize = 12;

/// Why bytes are not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpParseError {
    /// Shorter than the header that it announces.
    #[error("RTP packet of {0} bytes is shorter than its header")]
    TooShort(usize),
    /// The version field is not 2.
    #[error("RTP version {0} instead of 2")]
    Version(u8),
    /// The padding count does not fit into the payload.
    #[error("RTP padding of {padding} bytes in {available} bytes of payload")]
    Padding {
        /// The count in the last byte.
        padding: usize,
        /// Bytes after the header.
        available: usize,
    },
}

/// A parsed RTP header: the numbers, and where in the packet the variable parts lie.
///
/// It borrows nothing, so a packet can be decrypted in place after its header was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// The marker bit.
    pub marker: bool,
    /// 0–127.
    pub payload_type: u8,
    /// The sequence number as sent.
    pub sequence: u16,
    /// In units of the payload's clock rate.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Bytes before the payload: fixed header, CSRC list and extension.
    pub header_len: u16,
    /// Whether the packet ends with padding. RFC 3550 §5.1.
    pub has_padding: bool,
    /// The 16 bits that name the extension's format, if there is an extension.
    pub extension_profile: Option<u16>,
    /// Where the extension's elements begin; `header_len` is where they end.
    extension_start: u16,
}

impl RtpHeader {
    /// Parses the header at the front of `packet`. The payload is not looked at, so the packet may
    /// still be encrypted.
    ///
    /// # Errors
    /// [`RtpParseError::Version`] or [`RtpParseError::TooShort`].
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<Self, RtpParseError> {
        let too_short = RtpParseError::TooShort(packet.len());
        let (fixed, _) = packet
            .split_first_chunk::<FIXED_HEADER_LEN>()
            .ok_or(too_short)?;
        let [b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if b0 >> 6 != 2 {
            return Err(RtpParseError::Version(b0 >> 6));
        }
        let mut header_len = FIXED_HEADER_LEN + usize::from(b0 & 0x0f) * 4;
        let mut extension_start = header_len;
        let mut extension_profile = None;
        if b0 & 0x10 != 0 {
            let preamble = packet
                .get(header_len..)
                .and_then(|rest| rest.first_chunk::<4>())
                .ok_or(too_short)?;
            let [p0, p1, l0, l1] = *preamble;
            extension_profile = Some(u16::from_be_bytes([p0, p1]));
            extension_start = header_len + 4;
            header_len = extension_start + usize::from(u16::from_be_bytes([l0, l1])) * 4;
        }
        if header_len > packet.len() {
            return Err(too_short);
        }
        Ok(Self {
            marker: b1 & 0x80 != 0,
            payload_type: b1 & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            header_len: u16::try_from(header_len).map_err(|_| too_short)?,
            has_padding: b0 & 0x20 != 0,
            extension_profile,
            extension_start: u16::try_from(extension_start).map_err(|_| too_short)?,
        })
    }

    /// Where the payload lies in the plain `packet` that this header was parsed from, padding
    /// excluded.
    ///
    /// # Errors
    /// [`RtpParseError::Padding`] if the padding count is zero or exceeds the payload.
    #[inline]
    pub fn payload_range(&self, packet: &[u8]) -> Result<Range<usize>, RtpParseError> {
        let start = usize::from(self.header_len);
        let available = packet.len().saturating_sub(start);
        if !self.has_padding {
            return Ok(start..packet.len().max(start));
        }
        let padding = usize::from(packet.last().copied().unwrap_or(0));
        if padding == 0 || padding > available {
            return Err(RtpParseError::Padding { padding, available });
        }
        Ok(start..packet.len() - padding)
    }

    /// The payload of the plain `packet` that this header was parsed from, without padding.
    ///
    /// # Errors
    /// As [`Self::payload_range`].
    #[inline]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], RtpParseError> {
        let range = self.payload_range(packet)?;
        packet
            .get(range)
            .ok_or(RtpParseError::TooShort(packet.len()))
    }

    /// The bytes of the extension, without its four-byte preamble; empty without an extension.
    #[inline]
    #[must_use]
    pub fn extension_bytes<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet
            .get(usize::from(self.extension_start)..usize::from(self.header_len))
            .unwrap_or(&[])
    }

    /// The header extension elements (RFC 8285) of the packet that this header was parsed from.
    #[inline]
    #[must_use]
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> ExtensionElements<'a> {
        ExtensionElements::new(
            self.extension_profile.unwrap_or(0),
            self.extension_bytes(packet),
        )
    }
}

/// The header of a packet to be sent.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingHeader<'a> {
    /// The marker bit.
    pub marker: bool,
    /// 0–127; the receiver's number for the format.
    pub payload_type: u8,
    /// Our sequence number.
    pub sequence: u16,
    /// Our timestamp, in units of the payload's clock rate.
    pub timestamp: u32,
    /// Our synchronisation source.
    pub ssrc: u32,
    /// Extension elements under the receiver's ids.
    pub extensions: &'a ExtensionBlock,
    /// Bytes of padding behind the payload, their count included. RFC 3550 §5.1.
    pub padding: u8,
}

impl OutgoingHeader<'_> {
    /// Appends the header to `out`, without a CSRC list.
    #[inline]
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let extension_bit = if self.extensions.is_empty() { 0 } else { 0x10 };
        let padding_bit = if self.padding == 0 { 0 } else { 0x20 };
        let marker_bit = if self.marker { 0x80 } else { 0 };
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        out.extend_from_slice(&[
            0x80 | padding_bit | extension_bit,
            marker_bit | (self.payload_type & 0x7f),
            s0,
            s1,
            t0,
            t1,
            t2,
            t3,
            c0,
            c1,
            c2,
            c3,
        ]);
        self.extensions.write_to(out);
    }

    /// Appends the padding, which comes behind the payload and is encrypted with it.
    #[inline]
    pub fn write_padding(&self, out: &mut Vec<u8>) {
        if self.padding > 0 {
            out.resize(out.len() + usize::from(self.padding) - 1, 0);
            out.push(self.padding);
        }
    }

    /// Bytes that [`Self::write_to`] appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        FIXED_HEADER_LEN + self.extensions.encoded_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![first, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        packet.extend_from_slice(rest);
        packet
    }

    #[test]
    fn parses_the_fixed_header() {
        let bytes = packet(0x80, b"abc");
        let header = RtpHeader::parse(&bytes).unwrap();
        assert!(header.marker);
        assert_eq!(header.payload_type, 96);
        assert_eq!(header.sequence, 0x1234);
        assert_eq!(header.timestamp, 9);
        assert_eq!(header.ssrc, 7);
        assert_eq!(header.payload(&bytes).unwrap(), b"abc");
        assert_eq!(header.extensions(&bytes).count(), 0);
    }

    #[test]
    fn skips_csrcs_and_padding() {
        let bytes = packet(0xa1, &[1, 1, 1, 1, b'x', b'y', 0, 2]);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(header.payload(&bytes).unwrap(), b"xy");
    }

    #[test]
    fn refuses_impossible_padding() {
        for padding in [0, 4] {
            let bytes = packet(0xa0, &[1, 2, padding]);
            let header = RtpHeader::parse(&bytes).unwrap();
            assert!(matches!(
                header.payload(&bytes),
                Err(RtpParseError::Padding { .. })
            ));
        }
    }

    #[test]
    fn every_truncation_is_an_error_or_a_packet() {
        let bytes = packet(0x92, &[0; 8].map(|_| 5u8));
        let mut full = bytes;
        full.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, 1, 2, 3]);
        for len in 0..full.len() {
            let cut = &full[..len];
            if let Ok(header) = RtpHeader::parse(cut) {
                assert!(usize::from(header.header_len) <= len);
                if let Ok(payload) = header.payload(cut) {
                    assert!(usize::from(header.header_len) + payload.len() <= len);
                }
                // One element of one byte, which the words of the block hold before its padding.
                assert!(header.extensions(cut).count() <= 1);
            }
        }
    }

    #[test]
    fn written_header_parses_back() {
        let mut extensions = ExtensionBlock::default();
        extensions.push(3, &[1, 2, 3]);
        extensions.push(5, &[9]);
        let out = OutgoingHeader {
            marker: true,
            payload_type: 111,
            sequence: 65535,
            timestamp: 0xdead_beef,
            ssrc: 42,
            extensions: &extensions,
            padding: 3,
        };
        let mut bytes = Vec::new();
        out.write_to(&mut bytes);
        assert_eq!(bytes.len(), out.encoded_len());
        bytes.extend_from_slice(b"ab");
        out.write_padding(&mut bytes);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(header.payload(&bytes).unwrap(), b"ab");
        assert_eq!(bytes.len(), out.encoded_len() + 5);
        assert_eq!(header.sequence, 65535);
        assert_eq!(header.timestamp, 0xdead_beef);
        let elements: Vec<_> = header.extensions(&bytes).collect();
        assert_eq!(elements, [(3, &[1u8, 2, 3][..]), (5, &[9][..])]);
    }
}
