//! Names of sessions and tracks within a shard.

/// A session of a shard: a place and, since places are used again, a generation, so that what comes late
/// for a former session is not taken for its successor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// The use of the place that is meant.
    pub generation: u32,
    /// Where the session is in its shard's list, less than 2²⁴.
    pub place: u32,
}

impl Token {
    /// The session of a generation at a place.
    #[must_use]
    pub const fn new(generation: u32, place: u32) -> Self {
        Self { generation, place }
    }

    /// The number of one track's sink pad: what a burst is addressed to. 32 bits are the generation's,
    /// 24 the place's and 8 the track's.
    #[must_use]
    #[inline]
    pub const fn sink(self, track: u8) -> u64 {
        (self.generation as u64) << 32 | (self.place as u64 & 0xff_ffff) << 8 | track as u64
    }

    /// The reverse of [`sink`](Self::sink).
    #[must_use]
    #[inline]
    pub const fn of_sink(number: u64) -> (Self, u8) {
        let place = (number >> 8 & 0xff_ffff) as u32;
        (Self::new((number >> 32) as u32, place), number as u8)
    }
}

/// Sessions that one shard may have: what fits into 24 bits of a sink's number.
pub(crate) const MAX_PLACES: u32 = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sink_numbers_lead_back() {
        let token = Token::new(u32::MAX, MAX_PLACES - 1);
        assert_eq!(Token::of_sink(token.sink(255)), (token, 255));
        let token = Token::new(1, 0);
        assert_eq!(Token::of_sink(token.sink(1)), (token, 1));
    }
}
