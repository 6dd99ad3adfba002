//! Master key identifiers (RFC 3711 §3.1): which key a packet is for, before its tag.

/// The identifier of one key, as it stands in packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mki(Vec<u8>);

impl Mki {
    /// `value` in so many bytes, the most significant first (RFC 4568 §6.1).
    #[must_use]
    pub fn new(value: u64, bytes: u8) -> Self {
        let number = value.to_be_bytes();
        let bytes = usize::from(bytes);
        let zeros = bytes.saturating_sub(number.len());
        let tail = number.get(number.len().saturating_sub(bytes)..);
        let mut identifier = vec![0; zeros];
        identifier.extend_from_slice(tail.unwrap_or_default());
        Self(identifier)
    }

    /// Inserts it before the tag at the end of `packet`.
    pub(super) fn insert(&self, tag_len: usize, packet: &mut Vec<u8>) {
        let at = packet.len().saturating_sub(tag_len);
        packet.splice(at..at, self.0.iter().copied());
    }

    /// Takes it out from before the tag, which moves up; gives the length that is left. `None` for a packet
    /// of another key.
    pub(super) fn remove(&self, tag_len: usize, packet: &mut [u8]) -> Option<usize> {
        let tag = packet.len().checked_sub(tag_len)?;
        let start = tag.checked_sub(self.0.len())?;
        if packet.get(start..tag)? != self.0.as_slice() {
            return None;
        }
        packet.copy_within(tag.., start);
        Some(start + tag_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stands_before_the_tag() {
        assert_eq!(Mki::new(1, 1).0, [1]);
        assert_eq!(Mki::new(0x1_0203, 2).0, [2, 3]);
        assert_eq!(Mki::new(7, 10).0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        let (mki, mut packet) = (Mki::new(5, 2), vec![1, 1, 9, 9, 9]);
        mki.insert(3, &mut packet);
        assert_eq!(packet, [1, 1, 0, 5, 9, 9, 9]);
        assert_eq!(mki.remove(3, &mut packet.clone()), Some(5));
        assert_eq!(Mki::new(6, 2).remove(3, &mut packet), None);
        assert_eq!(mki.remove(3, &mut [1, 2, 3]), None);
    }
}
