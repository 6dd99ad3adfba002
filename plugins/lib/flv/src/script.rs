//! Bodies of script tags: `onMetaData` (§E.5), in AMF 0.

// Markers of values (§E.4.4.2, SCRIPTDATAVALUE).
const NUMBER: u8 = 0;
const STRING: u8 = 2;
const ECMA_ARRAY: u8 = 8;
/// An empty name and the marker that ends objects and arrays.
const END: [u8; 3] = [0, 0, 9];

/// `onMetaData` with a duration of 0, to be written over once the duration is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The body of the tag.
    pub body: Vec<u8>,
    /// Where in the body the eight bytes of [`number`] stand that are the duration in seconds.
    pub duration_offset: usize,
}

impl Metadata {
    /// Without anything but the duration: players find out the rest from the frames.
    #[must_use]
    pub fn new() -> Self {
        let mut body = vec![STRING];
        append_name(&mut body, "onMetaData");
        body.push(ECMA_ARRAY);
        body.extend(1u32.to_be_bytes()); // about how many entries there are
        append_name(&mut body, "duration");
        body.push(NUMBER);
        let duration_offset = body.len();
        body.extend(number(0.0));
        body.extend(END);
        Self {
            body,
            duration_offset,
        }
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new()
    }
}

/// A number as it stands behind its marker.
#[must_use]
pub fn number(value: f64) -> [u8; 8] {
    value.to_be_bytes()
}

/// A string behind 16 bits of length, without a marker.
fn append_name(body: &mut Vec<u8>, name: &str) {
    body.extend(u16::try_from(name.len()).unwrap_or_default().to_be_bytes());
    body.extend_from_slice(name.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_duration_stands_where_it_is_said_to() {
        let metadata = Metadata::new();
        let (before, after) = metadata.body.split_at(metadata.duration_offset);
        assert_eq!(
            before,
            b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x08duration\0"
        );
        assert_eq!(after, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert_eq!(number(1.0), [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
    }
}
