//! Action Message Format 0: the values of commands and of metadata.

/// Values within values, as deep as this.
const DEEPEST: usize = 16;
/// Values of one message: a value may be a single byte, and takes much more when it was read.
const MOST_VALUES: usize = 2048;

// Markers (§2.1 of its specification).
const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const TEXT: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const REFERENCE: u8 = 7;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_TEXT: u8 = 12;
const UNSUPPORTED: u8 = 13;
const XML: u8 = 15;
const TYPED_OBJECT: u8 = 16;

/// A value, as far as anybody here needs it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Also a date, in ms since 1970.
    Number(f64),
    Boolean(bool),
    /// Bytes that are no UTF-8 are replaced.
    Text(String),
    /// Objects and ECMA arrays, whose names are in the order of the message.
    Object(Vec<(String, Value)>),
    /// What is written as an ECMA array; it is read as an object.
    EcmaArray(Vec<(String, Value)>),
    /// Read to be passed over; nothing here writes one.
    Array(Vec<Value>),
    /// Null, undefined and everything without a meaning here.
    Null,
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A value of an object by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(entries) | Self::EcmaArray(entries) => {
                let entry = entries.iter().find(|(known, _)| known == name);
                entry.map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

/// The values of a message, up to its end or the first that cannot be read: servers put all kinds of things behind what
/// matters, AMF 3 among them. Takes a bounded amount of memory for each byte, and never more than for 2,048 values.
pub(crate) fn read(bytes: &[u8]) -> Vec<Value> {
    let mut reader = Reader {
        rest: bytes,
        values: MOST_VALUES,
    };
    let mut values = Vec::new();
    while let Some(value) = reader.value(0) {
        values.push(value);
    }
    values
}

/// Appends values one behind the other.
pub(crate) fn write(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        append(value, &mut bytes);
    }
    bytes
}

fn append(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            bytes.push(NUMBER);
            bytes.extend(number.to_be_bytes());
        }
        Value::Boolean(is) => bytes.extend([BOOLEAN, u8::from(*is)]),
        Value::Text(text) => match u16::try_from(text.len()) {
            Ok(length) => {
                bytes.push(TEXT);
                bytes.extend(length.to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            Err(_) => {
                bytes.push(LONG_TEXT);
                let length = u32::try_from(text.len()).unwrap_or_default();
                bytes.extend(length.to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        },
        Value::Object(entries) => {
            bytes.push(OBJECT);
            append_entries(entries, bytes);
        }
        Value::EcmaArray(entries) => {
            bytes.push(ECMA_ARRAY);
            let count = u32::try_from(entries.len()).unwrap_or_default();
            bytes.extend(count.to_be_bytes());
            append_entries(entries, bytes);
        }
        Value::Array(values) => {
            bytes.push(STRICT_ARRAY);
            let count = u32::try_from(values.len()).unwrap_or_default();
            bytes.extend(count.to_be_bytes());
            for value in values {
                append(value, bytes);
            }
        }
        Value::Null => bytes.push(NULL),
    }
}

/// Names longer than 16 bits of length can say do not come up: they are our own.
fn append_entries(entries: &[(String, Value)], bytes: &mut Vec<u8>) {
    for (name, value) in entries {
        let Ok(length) = u16::try_from(name.len()) else {
            continue;
        };
        bytes.extend(length.to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        append(value, bytes);
    }
    bytes.extend([0, 0, OBJECT_END]);
}

struct Reader<'a> {
    rest: &'a [u8],
    /// How many more there may be.
    values: usize,
}

impl Reader<'_> {
    fn bytes(&mut self, length: usize) -> Option<&[u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn short_text(&mut self) -> Option<String> {
        let length = u16::from_be_bytes(self.array()?);
        self.text(usize::from(length))
    }

    fn long_text(&mut self) -> Option<String> {
        let length = u32::from_be_bytes(self.array()?);
        self.text(usize::try_from(length).ok()?)
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let bytes = self.bytes(length)?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.values = self.values.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        let [marker] = self.array()?;
        Some(match marker {
            NUMBER => Value::Number(f64::from_be_bytes(self.array()?)),
            BOOLEAN => Value::Boolean(self.array::<1>()? != [0]),
            TEXT => Value::Text(self.short_text()?),
            OBJECT => Value::Object(self.entries(depth)?),
            NULL | UNDEFINED | UNSUPPORTED => Value::Null,
            REFERENCE => {
                self.array::<2>()?;
                Value::Null
            }
            ECMA_ARRAY => {
                // The count is a hint only: senders write 0, or whatever.
                self.array::<4>()?;
                Value::Object(self.entries(depth)?)
            }
            STRICT_ARRAY => {
                let count = u32::from_be_bytes(self.array()?);
                // Nothing is reserved for what is only announced.
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            DATE => {
                let time = f64::from_be_bytes(self.array()?);
                self.array::<2>()?; // a time zone that is to be 0
                Value::Number(time)
            }
            LONG_TEXT | XML => Value::Text(self.long_text()?),
            TYPED_OBJECT => {
                self.short_text()?;
                Value::Object(self.entries(depth)?)
            }
            _ => return None,
        })
    }

    /// What stands in an object, up to its end or that of the message: some senders leave the end out.
    fn entries(&mut self, depth: usize) -> Option<Vec<(String, Value)>> {
        let mut entries = Vec::new();
        while !self.rest.is_empty() {
            let name = self.short_text()?;
            if name.is_empty() && self.rest.first() == Some(&OBJECT_END) {
                self.array::<1>()?;
                break;
            }
            entries.push((name, self.value(depth + 1)?));
        }
        Some(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let values = [
            Value::text("connect"),
            Value::Number(1.0),
            Value::Object(vec![
                ("app".to_owned(), Value::text("live")),
                ("fpad".to_owned(), Value::Boolean(false)),
            ]),
            Value::Null,
            Value::Array(vec![Value::text("avc1"), Value::Number(-1.5)]),
        ];
        assert_eq!(read(&write(&values)), values);
        let long = Value::text("x".repeat(70_000));
        assert_eq!(read(&write(std::slice::from_ref(&long))), [long]);
    }

    /// Field report 26.
    #[test]
    fn counts_of_arrays_are_not_believed() {
        for count in [0u32, 1, 7, u32::MAX] {
            let mut bytes = vec![8];
            bytes.extend(count.to_be_bytes());
            bytes.extend(b"\0\x01a\x01\x01\0\x01b\x01\0\0\0\x09\x02\0\x01z");
            let expected = Value::Object(vec![
                ("a".to_owned(), Value::Boolean(true)),
                ("b".to_owned(), Value::Boolean(false)),
            ]);
            assert_eq!(read(&bytes), [expected, Value::text("z")], "{count}");
        }
        assert_eq!(read(&[10, 0xff, 0xff, 0xff, 0xff, 5, 5]), []);
    }

    /// Field report 26.
    #[test]
    fn a_nine_within_a_text_ends_nothing() {
        let object = Value::Object(vec![("name".to_owned(), Value::text("\0\0\u{9}\0\0\u{9}"))]);
        let values = [object, Value::Null];
        assert_eq!(read(&write(&values)), values);
    }

    /// Field report 26.
    #[test]
    fn what_cannot_be_read_is_left_out_with_what_follows() {
        let mut bytes = write(&[Value::text("onStatus"), Value::Number(0.0)]);
        bytes.extend([0x11, 0x0a, 0x0b, 1]); // AMF 3
        assert_eq!(read(&bytes), [Value::text("onStatus"), Value::Number(0.0)]);
        assert_eq!(read(b"no AMF at all"), []);
        // Without its end, and one that is cut within a value.
        assert_eq!(
            read(b"\x03\0\x01a\x05"),
            [Value::Object(vec![("a".to_owned(), Value::Null)])]
        );
        assert_eq!(read(b"\x03\0\x01a\x00\x01"), []);
    }

    #[test]
    fn neither_depth_nor_number_is_without_a_bound() {
        let deep: Vec<u8> = b"\x03\0\x01a".repeat(10_000);
        assert_eq!(read(&deep), []);
        assert_eq!(read(&[5; 100_000]).len(), MOST_VALUES);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (-1e9f64..1e9).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            "[a-z\\x09]{0,12}".prop_map(Value::Text),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::Array),
                vec(("[a-z]{1,4}", inner), 0..4).prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in vec(values(), 0..4)) {
            prop_assert_eq!(read(&write(&values)), values);
        }

        #[test]
        fn any_bytes_are_read_up_to_somewhere(bytes in vec(any::<u8>(), 0..256)) {
            prop_assert!(read(&bytes).len() <= bytes.len());
        }
    }
}
