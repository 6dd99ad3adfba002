//! The data channel establishment protocol (RFC 8832).

use super::channels::{ChannelOptions, Limit};

const ACK: u8 = 2;
const OPEN: u8 = 3;
/// The bit of the channel type that says so (RFC 8832 §5.1).
const UNORDERED: u8 = 0x80;
const RETRANSMITS: u8 = 1;
const LIFETIME: u8 = 2;
/// "Normal" (RFC 8831 §6.4).
const PRIORITY: u16 = 256;

/// A message of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dcep {
    Open(ChannelOptions),
    Ack,
}

impl Dcep {
    /// `None` for anything else, text that is not UTF-8 included.
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        match message {
            [ACK, ..] => Some(Self::Ack),
            [OPEN, kind, _, _, r0, r1, r2, r3, l0, l1, p0, p1, rest @ ..] => {
                let value = u32::from_be_bytes([*r0, *r1, *r2, *r3]);
                let limit = match kind & !UNORDERED {
                    RETRANSMITS => Limit::Retransmits(value),
                    LIFETIME => Limit::LifetimeMs(value),
                    0 => Limit::None,
                    _ => return None,
                };
                let label_length = usize::from(u16::from_be_bytes([*l0, *l1]));
                let protocol_length = usize::from(u16::from_be_bytes([*p0, *p1]));
                let (label, rest) = rest.split_at_checked(label_length)?;
                let protocol = rest.get(..protocol_length)?;
                Some(Self::Open(ChannelOptions {
                    label: std::str::from_utf8(label).ok()?.to_owned(),
                    protocol: std::str::from_utf8(protocol).ok()?.to_owned(),
                    ordered: kind & UNORDERED == 0,
                    limit,
                }))
            }
            _ => None,
        }
    }

    /// Labels and protocols longer than 65,535 bytes are cut.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Self::Open(options) = self else {
            return vec![ACK];
        };
        let (kind, value) = match options.limit {
            Limit::None => (0, 0),
            Limit::Retransmits(count) => (RETRANSMITS, count),
            Limit::LifetimeMs(ms) => (LIFETIME, ms),
        };
        let order = if options.ordered { 0 } else { UNORDERED };
        let (label, label_length) = cut(&options.label);
        let (protocol, protocol_length) = cut(&options.protocol);
        let mut bytes = vec![OPEN, kind | order];
        bytes.extend(PRIORITY.to_be_bytes());
        bytes.extend(value.to_be_bytes());
        bytes.extend(label_length.to_be_bytes());
        bytes.extend(protocol_length.to_be_bytes());
        bytes.extend_from_slice(label);
        bytes.extend_from_slice(protocol);
        bytes
    }
}

fn cut(text: &str) -> (&[u8], u16) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let bytes = text.as_bytes().get(..usize::from(length));
    (bytes.unwrap_or_default(), length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_open_message_is_that_of_rfc_8832() {
        let options = ChannelOptions {
            label: "chat".into(),
            protocol: "v1".into(),
            ordered: false,
            limit: Limit::Retransmits(3),
        };
        let bytes = Dcep::Open(options.clone()).to_bytes();
        assert_eq!(
            bytes,
            b"\x03\x81\x01\x00\x00\x00\x00\x03\x00\x04\x00\x02chatv1"
        );
        assert_eq!(Dcep::parse(&bytes), Some(Dcep::Open(options)));
        for end in 0..bytes.len() {
            assert_eq!(Dcep::parse(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Dcep::parse(&Dcep::Ack.to_bytes()), Some(Dcep::Ack));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(message: Vec<u8>) {
            if let Some(read) = Dcep::parse(&message) {
                prop_assert_eq!(Dcep::parse(&read.to_bytes()), Some(read));
            }
        }
    }
}
