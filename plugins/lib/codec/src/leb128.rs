//! Numbers of 7 bits a byte, the least significant ones first (`leb128()`, AV1 specification
//! §4.10.5): sizes of open bitstream units, and of the elements of an RTP packet.

/// A number and how many bytes it takes. `None` if it is cut off, or longer than the eight bytes
/// that the specification allows. Bytes that add nothing (`0x80 0x00`) are allowed: encoders write
/// them to fill a size in later.
#[inline]
#[must_use]
pub fn read(data: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (index, byte) in data.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, index + 1));
        }
    }
    None
}

/// Appends a number in as few bytes as it takes.
pub fn write(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_ends_where_its_highest_bit_is_clear() {
        assert_eq!(read(&[0xe5, 0x8e, 0x26, 0xff]), Some((624_485, 3)));
        assert_eq!(read(&[0x85, 0x80, 0x80, 0x80, 0x80, 0x00]), Some((5, 6)));
        assert_eq!(read(&[0x80, 0x80]), None, "cut off");
        assert_eq!(read(&[0x80; 9]), None, "longer than any");
        assert_eq!(read(&[]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0usize..1 << 56) {
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            prop_assert_eq!(read(&bytes), Some((value, bytes.len())));
        }
    }
}
