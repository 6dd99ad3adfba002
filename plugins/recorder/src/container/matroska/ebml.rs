//! Elements of EBML (RFC 8794).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The bytes of elements, one after the other.
#[derive(Default)]
pub(super) struct Ebml(Vec<u8>);

impl Ebml {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// An unsigned integer, in as few bytes as it needs.
    pub(super) fn uint(self, id: u32, value: u64) -> Self {
        let bytes = value.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
        self.binary(id, bytes.get(first..).unwrap_or_default())
    }

    /// A floating-point number of 8 bytes.
    pub(super) fn float(self, id: u32, value: f64) -> Self {
        self.binary(id, &value.to_be_bytes())
    }

    /// A moment, in ns from the beginning of 2001 on (RFC 8794 §7.6).
    pub(super) fn date(self, id: u32, moment: SystemTime) -> Self {
        const BEFORE_2001: u64 = 978_307_200;
        let since = moment.duration_since(UNIX_EPOCH + Duration::from_secs(BEFORE_2001));
        let nanoseconds = i64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or_default();
        self.binary(id, &nanoseconds.to_be_bytes())
    }

    pub(super) fn string(self, id: u32, value: &str) -> Self {
        self.binary(id, value.as_bytes())
    }

    pub(super) fn binary(mut self, id: u32, value: &[u8]) -> Self {
        self.head(id, value.len());
        self.0.extend_from_slice(value);
        self
    }

    /// An element that contains others.
    pub(super) fn master(self, id: u32, content: Self) -> Self {
        self.binary(id, &content.0)
    }

    /// Fills up to `length` bytes with one Void element, or leaves things as
    /// they are when less than two bytes are left.
    pub(super) fn padded(mut self, length: usize) -> Self {
        let left = length.saturating_sub(self.0.len());
        if left >= 9 {
            self.0.push(VOID);
            self.0.extend(size_of_width(left as u64 - 9, 8));
        } else if left >= 2 {
            self.0.push(VOID);
            self.0.extend(size_of_width(left as u64 - 2, 1));
        } else {
            return self;
        }
        self.0.resize(length, 0);
        self
    }

    fn head(&mut self, id: u32, length: usize) {
        let bytes = id.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
        self.0
            .extend_from_slice(bytes.get(first..).unwrap_or_default());
        let width = (1..8).find(|width| (length as u64) < (1 << (7 * width)) - 1);
        self.0
            .extend(size_of_width(length as u64, width.unwrap_or(8)));
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

const VOID: u8 = 0xec;

/// A size (RFC 8794 §6) in `width` bytes, 1 to 8.
pub(super) fn size_of_width(size: u64, width: usize) -> Vec<u8> {
    let marked = size | 1 << (7 * width);
    marked.to_be_bytes().into_iter().skip(8 - width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        assert_eq!(Ebml::new().uint(0xd7, 1).into_bytes(), [0xd7, 0x81, 1]);
        assert_eq!(
            Ebml::new().uint(0x2ad7b1, 1_000_000).into_bytes(),
            [0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40]
        );
        assert_eq!(Ebml::new().uint(0x83, 0).into_bytes(), [0x83, 0x81, 0]);
        let inner = Ebml::new().string(0x86, "V_VP8");
        assert_eq!(
            Ebml::new().master(0xae, inner).into_bytes()[..3],
            [0xae, 0x87, 0x86]
        );
        assert_eq!(
            Ebml::new().binary(0xa3, &[0; 127]).into_bytes()[..3],
            [0xa3, 0x40, 0x7f]
        );
    }

    #[test]
    fn dates_count_from_2001_on() {
        let moment = UNIX_EPOCH + Duration::from_secs(978_307_201);
        assert_eq!(
            Ebml::new().date(0x4461, moment).into_bytes(),
            [0x44, 0x61, 0x88, 0, 0, 0, 0, 0x3b, 0x9a, 0xca, 0]
        );
    }

    #[test]
    fn padding_has_the_length_that_is_asked_for() {
        for length in [5, 6, 12, 13, 200] {
            assert_eq!(Ebml::new().uint(0xd7, 1).padded(length).len(), length);
        }
        assert_eq!(Ebml::new().uint(0xd7, 1).padded(3).len(), 3);
    }

    #[test]
    fn sizes_of_eight_bytes() {
        assert_eq!(size_of_width(5, 8), [1, 0, 0, 0, 0, 0, 0, 5]);
    }
}
