//! Boxes of ISO/IEC 14496-12.

/// The bytes of boxes, one after the other, and of what is in them.
#[derive(Default)]
pub(super) struct Boxes(Vec<u8>);

impl Boxes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A box around other content.
    pub(super) fn child(mut self, kind: &[u8; 4], content: Self) -> Self {
        let size = u32::try_from(content.0.len() + 8).unwrap_or(u32::MAX);
        self.0.extend(size.to_be_bytes());
        self.0.extend(kind);
        self.0.extend(content.0);
        self
    }

    /// A box with version and flags (§4.2).
    pub(super) fn full(self, kind: &[u8; 4], version: u8, flags: u32, content: Self) -> Self {
        let head = Self::new().u32(u32::from(version) << 24 | flags);
        self.child(kind, head.bytes(&content.0))
    }

    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    /// The 3x3 matrix that changes nothing (§8.2.2).
    pub(super) fn matrix(self) -> Self {
        self.turned(0, 0, 0)
    }

    /// The matrix that turns a picture of `width` by `height` pixels clockwise, by so many quarters, and moves
    /// it back to where it can be seen.
    pub(super) fn turned(self, quarters: u8, width: u16, height: u16) -> Self {
        const ONE: i32 = 0x1_0000;
        let (width, height) = (i32::from(width) << 16, i32::from(height) << 16);
        let (a, b, c, d, x, y) = match quarters {
            1 => (0, ONE, -ONE, 0, height, 0),
            2 => (-ONE, 0, 0, -ONE, width, height),
            3 => (0, -ONE, ONE, 0, 0, width),
            _ => (ONE, 0, 0, ONE, 0, 0),
        };
        let rows = [a, b, 0, c, d, 0, x, y, 0x4000_0000];
        rows.into_iter()
            .fold(self, |boxes, value| boxes.u32(value.cast_unsigned()))
    }

    /// Fills up to `length` bytes with a free box; `None` when there is too much already.
    pub(super) fn padded(self, length: usize) -> Option<Vec<u8>> {
        let left = length.checked_sub(self.0.len())?;
        match left {
            0 => Some(self.0),
            1..8 => None,
            _ => Some(self.child(b"free", Self::new().zeros(left - 8)).0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes() {
        let content = Boxes::new().u16(0x0102).bytes(&[3]);
        let bytes = Boxes::new().full(b"abcd", 1, 2, content).into_bytes();
        assert_eq!(
            bytes,
            [0, 0, 0, 15, b'a', b'b', b'c', b'd', 1, 0, 0, 2, 1, 2, 3]
        );
    }

    #[test]
    fn padding() {
        let some = || Boxes::new().child(b"abcd", Boxes::new());
        assert_eq!(some().padded(8).unwrap().len(), 8);
        assert_eq!(some().padded(100).unwrap().len(), 100);
        assert_eq!(some().padded(12), None);
        assert_eq!(some().padded(4), None);
    }
}
