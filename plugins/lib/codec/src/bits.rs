//! Bits of a header, most significant first.

/// Reads bits from the front of a slice. Every read may fail, because there is nothing beyond the
/// end.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    data: &'a [u8],
    /// Bits that were read.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Begins at the most significant bit of the first byte.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// The next `count` bits as a number, 32 at most; `u(n)` of ITU-T H.264 §7.2, `f(n)` of the AV1
    /// specification §4.10.2. `None` beyond the end.
    pub fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            let byte = *self.data.get(self.position / 8)?;
            let bit = byte >> (7 - self.position % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.position += 1;
        }
        Some(value)
    }

    /// One bit; `None` beyond the end.
    pub fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    /// Passes over `count` bits; `None` if there are fewer.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.position = self.position.checked_add(count)?;
        (self.position <= self.data.len() * 8).then_some(())
    }

    /// An unsigned exp-Golomb code: `ue(v)` of ITU-T H.264 §9.1 and H.265 §9.2, `uvlc()` of the AV1
    /// specification §4.10.3. `None` beyond the end, and for numbers of more than 32 bits.
    pub fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            // A header of zeros alone would count on to its end; no field is wider than this.
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.read(zeros)?)
    }

    /// A signed exp-Golomb code: `se(v)` of ITU-T H.264 §9.1.1. `None` as in
    /// [`exp_golomb`](Self::exp_golomb).
    pub fn signed_exp_golomb(&mut self) -> Option<i64> {
        // Codes alternate: 0, 1, −1, 2, −2 …
        let code = i64::from(self.exp_golomb()?);
        Some(if code % 2 == 1 {
            (code + 1) / 2
        } else {
            -code / 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes() {
        // 1, 010, 011, 00100: 0, 1, 2, 3.
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        let codes: Vec<_> = (0..4).map(|_| bits.exp_golomb().unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3]);
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        let codes: Vec<_> = (0..4).map(|_| bits.signed_exp_golomb().unwrap()).collect();
        assert_eq!(codes, [0, 1, -1, 2]);
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut bits = BitReader::new(&[0; 5]);
        assert_eq!(bits.exp_golomb(), None);
        assert_eq!(BitReader::new(&[1]).read(9), None);
        assert_eq!(BitReader::new(&[1]).skip(9), None);
    }
}
