//! STUN messages (RFC 8489) as far as this module makes or reads them itself: towards STUN and
//! TURN servers, and consent checks. Connectivity checks are `rtc-ice`'s.
//!
//! Reading borrows, allocates nothing, and takes any bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Bytes before the attributes.
pub(super) const HEADER_LEN: usize = 20;
/// RFC 8489 §5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// RFC 8489 §14.7.
const FINGERPRINT_XOR: u32 = 0x5354_554e;
const INTEGRITY_LEN: usize = 20;

/// 96 bits that tie a response to its request.
pub(super) type TransactionId = [u8; 12];

/// A transaction id that nobody can guess.
pub(super) fn new_transaction() -> TransactionId {
    rand::random()
}

/// Message types: class and method together.
pub(super) mod kind {
    pub(crate) const BINDING_REQUEST: u16 = 0x0001;
    pub(crate) const BINDING_SUCCESS: u16 = 0x0101;
    pub(crate) const BINDING_ERROR: u16 = 0x0111;
    pub(crate) const ALLOCATE_REQUEST: u16 = 0x0003;
    pub(crate) const REFRESH_REQUEST: u16 = 0x0004;
    pub(crate) const CHANNEL_BIND_REQUEST: u16 = 0x0009;
    pub(crate) const SEND_INDICATION: u16 = 0x0016;
    pub(crate) const DATA_INDICATION: u16 = 0x0017;
    /// Added to a request's type.
    pub(crate) const SUCCESS: u16 = 0x0100;
    /// Added to a request's type.
    pub(crate) const ERROR: u16 = 0x0110;
}

/// Attribute types of RFC 8489 §18.3, RFC 8656 §18 and RFC 8445 §16.1.
pub(super) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const CHANNEL_NUMBER: u16 = 0x000c;
    pub(crate) const LIFETIME: u16 = 0x000d;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const PRIORITY: u16 = 0x0024;
    pub(crate) const USE_CANDIDATE: u16 = 0x0025;
    pub(crate) const ALTERNATE_DOMAIN: u16 = 0x8003;
    pub(crate) const ALTERNATE_SERVER: u16 = 0x8023;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
    pub(crate) const ICE_CONTROLLED: u16 = 0x8029;
    pub(crate) const ICE_CONTROLLING: u16 = 0x802a;
}

/// A received message; nothing of it is authenticated.
#[derive(Debug, Clone, Copy)]
pub(super) struct StunMessage<'a> {
    header: &'a [u8; HEADER_LEN],
    attributes: &'a [u8],
    raw: &'a [u8],
}

impl<'a> StunMessage<'a> {
    /// `None` unless the datagram is exactly one message.
    pub(super) fn parse(raw: &'a [u8]) -> Option<Self> {
        let (header, attributes) = raw.split_first_chunk::<HEADER_LEN>()?;
        let [t0, _, l0, l1, c0, c1, c2, c3, ..] = *header;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let is_stun = t0 < 4 && [c0, c1, c2, c3] == MAGIC_COOKIE && length == attributes.len();
        (is_stun && length % 4 == 0).then_some(Self {
            header,
            attributes,
            raw,
        })
    }

    /// Class and method.
    pub(super) fn kind(&self) -> u16 {
        let [t0, t1, ..] = *self.header;
        u16::from_be_bytes([t0, t1])
    }

    pub(super) fn transaction(&self) -> TransactionId {
        let [_, _, _, _, _, _, _, _, id @ ..] = *self.header;
        id
    }

    /// Attribute types with their values and positions in the message, up to the first one that
    /// does not fit into it.
    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8], usize)> + use<'a> {
        let mut rest = self.attributes;
        let whole = rest.len();
        std::iter::from_fn(move || {
            let (&[k0, k1, l0, l1], after) = rest.split_first_chunk::<4>()?;
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let value = after.get(..length)?;
            let position = HEADER_LEN + whole - rest.len();
            rest = after.get(length.next_multiple_of(4)..).unwrap_or(&[]);
            Some((u16::from_be_bytes([k0, k1]), value, position))
        })
    }

    /// The value of the first attribute of a type. What follows MESSAGE-INTEGRITY does not count
    /// (RFC 8489 §14.5).
    pub(super) fn get(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut protected = true;
        self.attributes()
            .take_while(|(kind, ..)| {
                let before = protected;
                protected &= *kind != attribute::MESSAGE_INTEGRITY;
                before
            })
            .find(|(kind, ..)| *kind == wanted)
            .map(|(_, value, _)| value)
    }

    pub(super) fn has(&self, wanted: u16) -> bool {
        self.get(wanted).is_some()
    }

    pub(super) fn text(&self, wanted: u16) -> Option<&'a str> {
        std::str::from_utf8(self.get(wanted)?).ok()
    }

    pub(super) fn number(&self, wanted: u16) -> Option<u32> {
        let value = self.get(wanted)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*value))
    }

    /// An address that is exclusive-ored with the header (RFC 8489 §14.2).
    pub(super) fn address(&self, wanted: u16) -> Option<SocketAddr> {
        let (&[_, family, p0, p1], value) = self.get(wanted)?.split_first_chunk::<4>()?;
        let [m0, m1, ..] = MAGIC_COOKIE;
        let port = u16::from_be_bytes([p0 ^ m0, p1 ^ m1]);
        let mask = self.header.get(4..)?;
        let ip: IpAddr = match family {
            1 => Ipv4Addr::from(unmask::<4>(value, mask)?).into(),
            2 => Ipv6Addr::from(unmask::<16>(value, mask)?).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// An address as it is (RFC 8489 §14.1).
    pub(super) fn plain_address(&self, wanted: u16) -> Option<SocketAddr> {
        let (&[_, family, p0, p1], value) = self.get(wanted)?.split_first_chunk::<4>()?;
        let ip: IpAddr = match family {
            1 => Ipv4Addr::from(*value.first_chunk::<4>()?).into(),
            2 => Ipv6Addr::from(*value.first_chunk::<16>()?).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes([p0, p1])))
    }

    /// Number and reason of an error response.
    pub(super) fn error(&self) -> Option<(u16, String)> {
        let (&[_, _, class, number], reason) =
            self.get(attribute::ERROR_CODE)?.split_first_chunk::<4>()?;
        let code = u16::from(class & 7) * 100 + u16::from(number.min(99));
        let reason = String::from_utf8_lossy(reason.get(..reason.len().min(200))?);
        Some((code, reason.into_owned()))
    }

    /// Whether the message was made with `key`.
    pub(super) fn has_integrity(&self, key: &[u8]) -> bool {
        let is_integrity = |(kind, ..): &(u16, _, _)| *kind == attribute::MESSAGE_INTEGRITY;
        let Some((_, value, position)) = self.attributes().find(is_integrity) else {
            return false;
        };
        let covered = self.raw.get(HEADER_LEN..position).unwrap_or_default();
        let (Ok(mut mac), Ok(length)) = (
            Hmac::<Sha1>::new_from_slice(key),
            u16::try_from(position + 4 + INTEGRITY_LEN - HEADER_LEN),
        ) else {
            return false;
        };
        let [t0, t1, _, _, rest @ ..] = *self.header;
        mac.update(&[t0, t1]);
        mac.update(&length.to_be_bytes());
        mac.update(&rest);
        mac.update(covered);
        mac.verify_slice(value).is_ok()
    }
}

fn unmask<const N: usize>(value: &[u8], mask: &[u8]) -> Option<[u8; N]> {
    let mut bytes = *value.first_chunk::<N>()?;
    bytes.iter_mut().zip(mask).for_each(|(b, m)| *b ^= m);
    Some(bytes)
}

/// A message in the making.
pub(super) struct StunBuilder(Vec<u8>);

impl StunBuilder {
    pub(super) fn new(kind: u16, transaction: TransactionId) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&MAGIC_COOKIE);
        bytes.extend_from_slice(&transaction);
        Self(bytes)
    }

    /// Values longer than an attribute can be are cut.
    pub(super) fn add(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        let value = value.get(..usize::from(length)).unwrap_or_default();
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.set_length(0);
        self
    }

    pub(super) fn address(self, kind: u16, address: SocketAddr) -> Self {
        let mut value = match address.ip() {
            IpAddr::V4(ip) => [&[0, 1, 0, 0][..], &ip.octets()].concat(),
            IpAddr::V6(ip) => [&[0, 2, 0, 0][..], &ip.octets()].concat(),
        };
        let [m0, m1, ..] = MAGIC_COOKIE;
        let [p0, p1] = address.port().to_be_bytes();
        let mask: Vec<u8> = self.0.iter().skip(4).take(16).copied().collect();
        let masked = [&[0, 0, p0 ^ m0, p1 ^ m1][..], &mask].concat();
        value.iter_mut().zip(masked).for_each(|(b, m)| *b ^= m);
        self.add(kind, &value)
    }

    pub(super) fn integrity(mut self, key: &[u8]) -> Self {
        self.set_length(4 + INTEGRITY_LEN);
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
            return self;
        };
        mac.update(&self.0);
        let tag = mac.finalize().into_bytes();
        self.add(attribute::MESSAGE_INTEGRITY, &tag)
    }

    pub(super) fn fingerprint(mut self) -> Self {
        self.set_length(8);
        let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&self.0);
        let value = (sum ^ FINGERPRINT_XOR).to_be_bytes();
        self.add(attribute::FINGERPRINT, &value)
    }

    pub(super) fn build(self) -> Vec<u8> {
        self.0
    }

    /// Writes the length of what is there and `further` bytes.
    fn set_length(&mut self, further: usize) {
        let length = self.0.len().saturating_sub(HEADER_LEN) + further;
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(field) = self.0.get_mut(2..4) {
            field.copy_from_slice(&length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 §2.1, whose password and layout are given there.
    const SAMPLE_REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
    /// RFC 5769 §2.3: an IPv6 mapped address.
    const SAMPLE_RESPONSE: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_samples_of_rfc_5769_are_understood() {
        let raw = bytes(SAMPLE_REQUEST);
        let message = StunMessage::parse(&raw).unwrap();
        assert_eq!(message.kind(), kind::BINDING_REQUEST);
        assert_eq!(message.text(attribute::USERNAME), Some("evtj:h6vY"));
        assert!(message.has_integrity(b"VOkJxbRl1RmTxUk/WvJxBt"));
        assert!(!message.has_integrity(b"another password"));
        let raw = bytes(SAMPLE_RESPONSE);
        let message = StunMessage::parse(&raw).unwrap();
        let mapped = message.address(attribute::XOR_MAPPED_ADDRESS).unwrap();
        let expected = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        assert_eq!(mapped.to_string(), expected);
    }

    #[test]
    fn what_is_built_is_understood() {
        for address in ["192.0.2.1:3478", "[2001:db8::7]:9"] {
            let address: SocketAddr = address.parse().unwrap();
            let raw = StunBuilder::new(kind::BINDING_SUCCESS, [3; 12])
                .address(attribute::XOR_MAPPED_ADDRESS, address)
                .add(attribute::REALM, b"odd")
                .integrity(b"key")
                .fingerprint()
                .build();
            let message = StunMessage::parse(&raw).unwrap();
            assert_eq!(message.transaction(), [3; 12]);
            assert_eq!(
                message.address(attribute::XOR_MAPPED_ADDRESS),
                Some(address)
            );
            assert_eq!(message.text(attribute::REALM), Some("odd"));
            assert!(message.has_integrity(b"key"));
            // Another reader's opinion.
            let mut other = rtc_stun::message::Message {
                raw: raw.clone(),
                ..Default::default()
            };
            other.decode().unwrap();
            rtc_stun::fingerprint::FINGERPRINT.check(&other).unwrap();
        }
    }

    #[test]
    fn what_follows_the_integrity_does_not_count() {
        let raw = StunBuilder::new(kind::BINDING_SUCCESS, [0; 12])
            .integrity(b"key")
            .add(attribute::REALM, b"forged")
            .build();
        let message = StunMessage::parse(&raw).unwrap();
        assert!(message.has_integrity(b"key"));
        assert!(!message.has(attribute::REALM));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_noticed() {
        let whole = bytes(SAMPLE_REQUEST);
        for end in 0..whole.len() {
            assert!(StunMessage::parse(&whole[..end]).is_none(), "{end}");
        }
        let protected = whole.len() - 8; // the fingerprint follows the integrity
        for at in 0..whole.len() {
            for value in [0, 1, 4, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let Some(message) = StunMessage::parse(&changed) else {
                    continue;
                };
                // Whatever is read, it is no reason to end.
                message.error();
                message.number(attribute::LIFETIME);
                message.address(attribute::USERNAME);
                message.text(attribute::USERNAME);
                let unharmed = changed == whole || at >= protected;
                let genuine = message.has_integrity(b"VOkJxbRl1RmTxUk/WvJxBt");
                assert_eq!(genuine, unharmed, "byte {at} is {value}");
            }
        }
    }
}
