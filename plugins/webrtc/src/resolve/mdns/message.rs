//! Messages of multicast DNS (RFC 1035 §4, RFC 6762 §18) as far as addresses go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const A: u16 = 1;
const AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
/// The top bit of a class says something else in multicast DNS.
const CLASS_MASK: u16 = 0x7fff;
/// Records that are looked at.
const MAX_RECORDS: usize = 256;
/// Bytes of a name, and steps of its compression.
const MAX_NAME: usize = 255;
const MAX_JUMPS: usize = 16;

/// A question for both kinds of addresses of `name`.
pub(super) fn query(name: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    for kind in [A, AAAA] {
        for label in name.split('.').filter(|label| !label.is_empty()) {
            let label = label.as_bytes();
            let label = label.get(..label.len().min(63)).unwrap_or_default();
            bytes.push(u8::try_from(label.len()).unwrap_or(0));
            bytes.extend_from_slice(label);
        }
        bytes.push(0);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
    }
    bytes
}

/// The names and addresses that an answer tells; names in lower case.
pub(super) fn addresses(bytes: &[u8]) -> Vec<(String, IpAddr)> {
    let mut reader = Reader { bytes, at: 0 };
    let mut found = Vec::new();
    // A message that ends early tells what is before its end.
    let _ = reader.records(&mut found);
    found
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn records(&mut self, found: &mut Vec<(String, IpAddr)>) -> Option<()> {
        let _id = self.number()?;
        let is_response = self.number()? & 0x8000 != 0;
        let questions = self.number()?;
        let answers = usize::from(self.number()?);
        let authorities = usize::from(self.number()?);
        let additional = usize::from(self.number()?);
        if !is_response {
            return None;
        }
        for _ in 0..questions {
            self.name()?;
            self.skip(4)?;
        }
        for _ in 0..(answers + authorities + additional).min(MAX_RECORDS) {
            let name = self.name()?;
            let (kind, class) = (self.number()?, self.number()?);
            self.skip(4)?;
            let length = usize::from(self.number()?);
            let data = self.bytes.get(self.at..self.at + length)?;
            self.at += length;
            if class & CLASS_MASK != CLASS_IN {
                continue;
            }
            let address: Option<IpAddr> = match kind {
                A => <[u8; 4]>::try_from(data)
                    .ok()
                    .map(|a| Ipv4Addr::from(a).into()),
                AAAA => <[u8; 16]>::try_from(data)
                    .ok()
                    .map(|a| Ipv6Addr::from(a).into()),
                _ => None,
            };
            found.extend(address.map(|address| (name, address)));
        }
        Some(())
    }

    fn number(&mut self) -> Option<u16> {
        let number = *self.bytes.get(self.at..)?.first_chunk::<2>()?;
        self.at += 2;
        Some(u16::from_be_bytes(number))
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len()).then_some(())
    }

    /// A name, whose end may be elsewhere in the message (RFC 1035 §4.1.4).
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let (mut at, mut jumps) = (self.at, 0);
        loop {
            let length = *self.bytes.get(at)?;
            at += 1;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.bytes.get(at..at + usize::from(length))?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
                    at += usize::from(length);
                }
                0xc0..=0xff => {
                    let low = *self.bytes.get(at)?;
                    if jumps == 0 {
                        self.at = at + 1;
                    }
                    at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    jumps += 1;
                }
                _ => return None,
            }
            if name.len() > MAX_NAME || jumps > MAX_JUMPS {
                return None;
            }
        }
        if jumps == 0 {
            self.at = at;
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with a compressed name, an A and an AAAA record.
    fn answer() -> Vec<u8> {
        let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
        bytes.extend_from_slice(b"\x04aBcD\x05local\0");
        bytes.extend_from_slice(&[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 7]);
        bytes.extend_from_slice(&[0xc0, 12, 0, 28, 0x80, 1, 0, 0, 0, 120, 0, 16]);
        bytes.extend_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes
    }

    #[test]
    fn both_kinds_of_addresses_are_read() {
        let name = "abcd.local".to_owned();
        let expected = [
            (name.clone(), "192.0.2.7".parse().unwrap()),
            (name, "2001:db8::1".parse().unwrap()),
        ];
        assert_eq!(addresses(&answer()), expected);
    }

    #[test]
    fn a_query_asks_for_both() {
        let bytes = query("abcd.local");
        assert_eq!(bytes.len(), 12 + 2 * (12 + 4));
        assert!(bytes.ends_with(b"\x04abcd\x05local\0\x00\x1c\x00\x01"));
        assert!(addresses(&bytes).is_empty(), "it is no answer");
    }

    #[test]
    fn cut_changed_and_looping_messages_are_survived() {
        let whole = answer();
        for end in 0..whole.len() {
            addresses(&whole[..end]);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x3f, 0xc0, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                addresses(&changed);
            }
        }
        let mut looping = whole[..12].to_vec();
        looping.extend_from_slice(&[0xc0, 12, 0, 1]);
        assert!(addresses(&looping).is_empty());
    }
}
