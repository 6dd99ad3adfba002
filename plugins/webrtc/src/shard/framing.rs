//! What is put around the datagrams of a link, by what carries them.

use std::io;

use rivero_net::{Frame, LengthPrefix, Unframed};

use crate::peer::RelayFraming;

/// How a link's datagrams are framed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Framing {
    /// Not at all: they are datagrams of UDP.
    Unframed,
    /// Behind their lengths, in a TCP connection with the peer (RFC 4571 §2).
    LengthPrefix,
    /// As a TURN server wants them.
    Relay(RelayFraming),
}

impl rivero_net::Framing for Framing {
    #[inline]
    fn wrap(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        match self {
            Self::Unframed => Unframed.wrap(out, write),
            Self::LengthPrefix => LengthPrefix.wrap(out, write),
            Self::Relay(framing) => framing.wrap(out, write),
        }
    }
}

/// A [`Delimiter`](rivero_net::Delimiter): STUN messages and ChannelData, which know their lengths and are
/// padded to four bytes in a connection (RFC 8656 §12.5).
pub(super) fn turn_message(bytes: &[u8]) -> io::Result<Option<Frame>> {
    let Some((&[first, _, l0, l1], _)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    // RFC 7983 §7 has the ranges of the first byte, RFC 8489 §5 and RFC 8656 §12.4 the headers.
    let end = match first {
        0..=3 => 20 + length,
        0x40..=0x4f => 4 + length,
        _ => return Err(io::Error::other("it does not speak TURN")),
    };
    let taken = end.next_multiple_of(4);
    Ok((bytes.len() >= taken).then_some((0..end, taken)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_where_they_end() {
        let first = |bytes: &[u8]| turn_message(bytes).unwrap();
        let channel = [0x40, 0, 0, 1, 7, 0, 0, 0];
        assert_eq!(first(&channel[..3]), None);
        assert_eq!(first(&channel[..7]), None);
        assert_eq!(first(&channel), Some((0..5, 8)));
        let mut stun = vec![1, 1, 0, 4];
        stun.resize(24, 0);
        assert_eq!(first(&stun[..23]), None);
        assert_eq!(first(&stun), Some((0..24, 24)));
        assert!(turn_message(b"\x16\x03\x01 TLS").is_err());
    }
}
