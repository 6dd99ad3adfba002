//! What is put around each datagram of a burst.

/// Wraps datagrams for what carries them. A type for each module rather than an object: every packet
/// to every viewer passes it.
pub trait Framing: Copy {
    /// Lets `write` append one datagram to `out`, wrapped. Gives `false` where `write` does or the
    /// datagram does not fit; what was appended is not to be sent then, and the caller removes it.
    fn wrap(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool;
}

/// Nothing: UDP keeps datagrams apart by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unframed;

impl Framing for Unframed {
    #[inline]
    fn wrap(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        write(out)
    }
}

/// The length of each datagram in front of it, in 16 bits: how RTP and STUN share a connection
/// (RFC 4571 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthPrefix;

impl Framing for LengthPrefix {
    #[inline]
    fn wrap(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let begin = out.len();
        out.extend_from_slice(&[0, 0]);
        let written = write(out);
        let length = u16::try_from(out.len() - begin - 2).ok();
        let (true, Some(length), Some(field)) = (written, length, out.get_mut(begin..begin + 2))
        else {
            return false;
        };
        field.copy_from_slice(&length.to_be_bytes());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_preceded_by_its_length() {
        let mut out = vec![9];
        let wrapped = LengthPrefix.wrap(&mut out, |out| {
            out.extend_from_slice(b"abc");
            true
        });
        assert!(wrapped);
        assert_eq!(out, [9, 0, 3, b'a', b'b', b'c']);
    }

    #[test]
    fn what_is_not_written_or_too_long_is_not_sent() {
        assert!(!LengthPrefix.wrap(&mut Vec::new(), |_| false));
        let too_long = |out: &mut Vec<u8>| {
            out.resize(out.len() + 65_536, 0);
            true
        };
        assert!(!LengthPrefix.wrap(&mut Vec::new(), too_long));
    }
}
