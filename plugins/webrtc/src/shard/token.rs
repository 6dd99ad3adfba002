//! Names of transports and tracks within a shard.

/// A transport of a shard: a place and, since places are used again, a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token {
    pub(crate) generation: u32,
    pub(crate) place: u32,
}

impl Token {
    pub(crate) const fn new(generation: u32, place: u32) -> Self {
        Self { generation, place }
    }

    /// The number of one track's sink pad: what a burst is addressed to.
    pub(crate) const fn sink(self, track: u8) -> u64 {
        (self.generation as u64) << 32 | (self.place as u64 & 0xff_ffff) << 8 | track as u64
    }

    /// The reverse of [`sink`](Self::sink).
    pub(crate) const fn of_sink(number: u64) -> (Self, u8) {
        let place = (number >> 8 & 0xff_ffff) as u32;
        (Self::new((number >> 32) as u32, place), number as u8)
    }
}

/// Transports that one shard may have, what fits into 24 bits.
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
