//! Bits of a header, most significant first.

/// Reads bits; beyond the end there is nothing, so every read may fail.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// Up to 32 bits.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            let byte = *self.data.get(self.position / 8)?;
            let bit = byte >> (7 - self.position % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.position += 1;
        }
        Some(value)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.position = self.position.checked_add(count)?;
        (self.position <= self.data.len() * 8).then_some(())
    }

    /// ue(v), ITU-T H.264 §9.1; also uvlc() of AV1 §4.10.3.
    pub(super) fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.read(zeros)?)
    }

    /// se(v), ITU-T H.264 §9.1.1.
    pub(super) fn signed_exp_golomb(&mut self) -> Option<i64> {
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
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        let codes: Vec<_> = (0..4).map(|_| bits.exp_golomb().unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3]);
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        let codes: Vec<_> = (0..4).map(|_| bits.signed_exp_golomb().unwrap()).collect();
        assert_eq!(codes, [0, 1, -1, 2]);
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut bits = Bits::new(&[0; 5]);
        assert_eq!(bits.exp_golomb(), None);
        assert_eq!(Bits::new(&[1]).read(9), None);
        assert_eq!(Bits::new(&[1]).skip(9), None);
    }
}
