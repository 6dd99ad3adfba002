//! The name of the section in its packets (RFC 9143 §15), by which a peer that no description told the SSRC
//! knows what a stream is.

use smallvec::SmallVec;

/// Longer names need the two-byte form of header extensions, which peers may not take (RFC 8285 §4.1.2).
const LONGEST: usize = 16;

/// That name, until the peer has reported about the stream, and so knows it (RFC 9143 §15.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mid {
    id: u8,
    name: SmallVec<[u8; LONGEST]>,
    /// The extended number of the first packet that goes without.
    known_from: Option<u64>,
}

impl Mid {
    /// `id`: of the header extension.
    pub(super) fn new(id: u8, name: &str) -> Option<Self> {
        let fits = (1..=LONGEST).contains(&name.len());
        fits.then(|| Self {
            id,
            name: SmallVec::from_slice(name.as_bytes()),
            known_from: None,
        })
    }

    /// Id and value of the header extension.
    pub(super) fn element(&self) -> (u8, &[u8]) {
        (self.id, &self.name)
    }

    /// Whether it is the same name under the same id.
    pub(super) fn is_written_as(&self, other: &Self) -> bool {
        self.element() == other.element()
    }

    /// The peer has reported about the stream, and `latest` is the extended number of what was sent last.
    pub(super) fn on_report(&mut self, latest: u64) {
        self.known_from.get_or_insert(latest + 1);
    }

    /// Whether the packet with this extended number has it. It depends on nothing else: one that is sent again
    /// under its number has to be the same to the bit.
    #[inline]
    pub(super) fn goes_with(&self, number: u64) -> bool {
        self.known_from.is_none_or(|from| number < from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_it_until_the_peer_reports_and_repeated_ones_stay_as_they_were() {
        let mut mid = Mid::new(9, "video").unwrap();
        assert_eq!(mid.element(), (9, &b"video"[..]));
        assert!(mid.goes_with(70_000));
        mid.on_report(70_010);
        mid.on_report(70_500);
        assert!(mid.goes_with(70_000) && mid.goes_with(70_010) && !mid.goes_with(70_011));
        assert_eq!(Mid::new(9, "a name of seventeen"), None);
        assert_eq!(Mid::new(9, ""), None);
    }
}
