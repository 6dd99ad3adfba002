//! Numbers of pictures, as VP8 (RFC 7741 §4.2) and VP9 (RFC 9628 §4.2) write them.

/// Counts pictures in 15 bits. Of the two forms, 7 and 15 bits, only the longer one is written: with 7 a
/// loss of 128 pictures would look like none.
#[derive(Default)]
pub(super) struct PictureId(u16);

impl PictureId {
    /// The bytes of the next picture's number. The first bit says that there are two.
    pub(super) fn next(&mut self) -> [u8; 2] {
        let bytes = (self.0 | 0x8000).to_be_bytes();
        self.0 = self.0.wrapping_add(1) & 0x7fff;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_after_15_bits() {
        let mut id = PictureId(0x7ffe);
        let numbers = [id.next(), id.next(), id.next()];
        assert_eq!(numbers, [[0xff, 0xfe], [0xff, 0xff], [0x80, 0x00]]);
    }
}
