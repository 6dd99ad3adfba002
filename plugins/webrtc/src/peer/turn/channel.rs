//! Channels of an allocation (RFC 8656 §12) and how datagrams are framed for the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Relayed;
use crate::peer::stun::{StunBuilder, attribute, kind, new_transaction};

/// Numbers that a client may choose (RFC 8656 §12).
const FIRST: u16 = 0x4000;
const LAST: u16 = 0x4fff;
/// Channels of one allocation: more than a peer has addresses.
const MAX_CHANNELS: usize = 128;
/// Before another attempt at a channel that was refused.
const REFUSED_WAIT: Duration = Duration::from_secs(10);

/// How a datagram to one address of the peer is wrapped for the TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayFraming {
    /// In a ChannelData message, over connections padded to four bytes.
    Channel {
        /// The channel's number.
        number: u16,
        /// Whether to pad.
        padded: bool,
    },
    /// In a Send indication to this address.
    Indication(SocketAddr),
}

impl RelayFraming {
    /// Lets `write` append one datagram to `out`, wrapped; nothing is appended if it gives false.
    pub fn wrap(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let begin = out.len();
        match self {
            Self::Channel { number, .. } => {
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(&[0, 0]);
            }
            Self::Indication(remote) => {
                let header = StunBuilder::new(kind::SEND_INDICATION, new_transaction())
                    .address(attribute::XOR_PEER_ADDRESS, remote)
                    .add(attribute::DATA, &[])
                    .build();
                out.extend_from_slice(&header);
            }
        }
        let data = out.len();
        if !write(out) {
            out.truncate(begin);
            return false;
        }
        let Ok(length) = u16::try_from(out.len() - data) else {
            out.truncate(begin);
            return false;
        };
        // The length of what was written stands right before it in both cases.
        set_number(out, data - 2, length);
        match self {
            Self::Channel { padded: false, .. } => {}
            Self::Channel { .. } => pad(out, begin),
            Self::Indication(_) => {
                pad(out, begin);
                let attributes = out.len() - begin - crate::peer::stun::HEADER_LEN;
                set_number(out, begin + 2, u16::try_from(attributes).unwrap_or(0));
            }
        }
        true
    }
}

fn set_number(out: &mut [u8], at: usize, number: u16) {
    if let Some(field) = out.get_mut(at..at + 2) {
        field.copy_from_slice(&number.to_be_bytes());
    }
}

fn pad(out: &mut Vec<u8>, begin: usize) {
    let length = (out.len() - begin).next_multiple_of(4);
    out.resize(begin + length, 0);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Asked for; whether it was bound before.
    Requested(bool),
    Bound(Instant),
    /// Since when.
    Refused(Instant),
}

#[derive(Debug)]
struct Channel {
    number: u16,
    remote: SocketAddr,
    state: State,
}

/// The channels of one allocation.
#[derive(Debug, Default)]
pub(super) struct Channels(Vec<Channel>);

impl Channels {
    fn find(&mut self, remote: SocketAddr) -> Option<&mut Channel> {
        self.0.iter_mut().find(|channel| channel.remote == remote)
    }

    /// Whether a channel to `remote` has to be asked for now; it counts as asked for.
    pub(super) fn open(&mut self, now: Instant, remote: SocketAddr) -> bool {
        if let Some(channel) = self.find(remote) {
            let again = matches!(channel.state, State::Refused(at) if at + REFUSED_WAIT <= now);
            if again {
                channel.state = State::Requested(false);
            }
            return again;
        }
        let number = u16::try_from(self.0.len()).map_or(LAST, |count| FIRST + count);
        let fits = self.0.len() < MAX_CHANNELS;
        if fits {
            self.0.push(Channel {
                number,
                remote,
                state: State::Requested(false),
            });
        }
        fits
    }

    /// The number of the channel to `remote`.
    pub(super) fn number(&mut self, remote: SocketAddr) -> u16 {
        self.find(remote).map_or(LAST, |channel| channel.number)
    }

    pub(super) fn bound(&mut self, now: Instant, remote: SocketAddr) {
        if let Some(channel) = self.find(remote) {
            channel.state = State::Bound(now);
        }
    }

    pub(super) fn refused(&mut self, now: Instant, remote: SocketAddr) {
        if let Some(channel) = self.find(remote) {
            channel.state = State::Refused(now);
        }
    }

    /// How to send to `remote`, if the server may let it through.
    pub(super) fn framing(&mut self, remote: SocketAddr, padded: bool) -> Option<RelayFraming> {
        let permitted = |channel: &Channel| {
            channel.remote.ip() == remote.ip()
                && matches!(channel.state, State::Bound(_) | State::Requested(true))
        };
        let permitted = self.0.iter().any(permitted);
        let channel = self.find(remote)?;
        match channel.state {
            State::Bound(_) | State::Requested(true) => Some(RelayFraming::Channel {
                number: channel.number,
                padded,
            }),
            // Permissions are for all ports of an address.
            _ => permitted.then_some(RelayFraming::Indication(remote)),
        }
    }

    /// A channel that has to be refreshed; it counts as asked for.
    pub(super) fn due(&mut self, now: Instant, interval: Duration) -> Option<SocketAddr> {
        let is_due = |channel: &&mut Channel| matches!(channel.state, State::Bound(at) if at + interval <= now);
        let channel = self.0.iter_mut().find(is_due)?;
        channel.state = State::Requested(true);
        Some(channel.remote)
    }

    /// When [`Self::due`] has something.
    pub(super) fn next(&self, interval: Duration) -> Option<Instant> {
        let bound = self.0.iter().filter_map(|channel| match channel.state {
            State::Bound(at) => Some(at + interval),
            _ => None,
        });
        bound.min()
    }

    /// The peer's datagram in a ChannelData message.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Relayed> {
        let (&[n0, n1, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
        let number = u16::from_be_bytes([n0, n1]);
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if !(FIRST..=LAST).contains(&number) || length > rest.len() {
            return None;
        }
        let channel = self.0.iter().find(|channel| channel.number == number)?;
        Some(Relayed {
            remote: channel.remote,
            range: 4..4 + length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::stun::StunMessage;

    fn write(data: &[u8]) -> impl FnOnce(&mut Vec<u8>) -> bool {
        move |out| {
            out.extend_from_slice(data);
            true
        }
    }

    #[test]
    fn channel_data_is_that_of_rfc_8656() {
        let mut out = b"before".to_vec();
        let framing = |padded| RelayFraming::Channel {
            number: 0x4001,
            padded,
        };
        assert!(framing(false).wrap(&mut out, write(b"abcde")));
        assert_eq!(out, b"before\x40\x01\x00\x05abcde");
        out.clear();
        assert!(framing(true).wrap(&mut out, write(b"abcde")));
        assert_eq!(out, b"\x40\x01\x00\x05abcde\0\0\0");
        out.clear();
        assert!(!framing(true).wrap(&mut out, |_| false));
        assert!(out.is_empty());
    }

    #[test]
    fn send_indications_are_messages() {
        let remote: SocketAddr = "192.0.2.7:5000".parse().unwrap();
        let mut out = b"x".to_vec();
        assert!(RelayFraming::Indication(remote).wrap(&mut out, write(b"abcde")));
        let message = StunMessage::parse(&out[1..]).unwrap();
        assert_eq!(message.kind(), kind::SEND_INDICATION);
        assert_eq!(message.address(attribute::XOR_PEER_ADDRESS), Some(remote));
        assert_eq!(message.get(attribute::DATA), Some(&b"abcde"[..]));
    }
}
