//! What few packets have: times beside that of presentation, and metadata.
//!
//! All of it lies in one block, which clones of a packet share and nobody changes: who adds something makes
//! another one. The block is text and numbers without pointers, so that it can be copied into another process:
//!
//! | bytes | |
//! |---|---|
//! | 2 | length of all before the metadata, 24: a later version may have more there |
//! | 2 | how many entries of metadata follow |
//! | 4 | which of the times are known: bit 0 decoding, bit 1 capture |
//! | 8 + 8 | time of decoding, time of capture, ns |
//! | 1 + 4 + … | of each entry the length of its key, that of its value, the key, the value |
//!
//! Numbers are little-endian.

use abi_stable::StableAbi;

use super::bytes::{BytesMut, ThinBytes};
use crate::host::host;

const TIMES: usize = 24;
const DECODE_TIME: u32 = 1;
const CAPTURE_TIME: u32 = 2;

/// Why metadata is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Metadata {
    /// The key is empty or too long.
    #[error("a key of metadata has 1 to {} bytes", Details::KEY)]
    Key,
    /// There are too many keys already.
    #[error("a packet has {} keys of metadata at most", Details::KEYS)]
    Keys,
    /// The values and keys would be too long together.
    #[error("the metadata of a packet has {} bytes at most", Details::BYTES)]
    Bytes,
}

/// Times of decoding and of capture, and metadata: one word where a packet has none of them.
#[repr(transparent)]
#[derive(StableAbi, Clone)]
pub struct Details(ThinBytes);

/// What is written into a block.
struct Content<'a> {
    known: u32,
    decode_time: i64,
    capture_time: i64,
    entries: Vec<(&'a str, &'a [u8])>,
}

impl Details {
    /// Nothing.
    pub const NONE: Self = Self(ThinBytes::NONE);
    /// Keys of a packet at most.
    pub const KEYS: usize = 16;
    /// Bytes of a key at most.
    pub const KEY: usize = 64;
    /// Bytes of all keys and values of a packet at most.
    pub const BYTES: usize = 64 * 1024;

    /// Whether there is nothing.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn decode_time(&self) -> Option<i64> {
        self.time(DECODE_TIME, 8)
    }

    pub(crate) fn capture_time(&self) -> Option<i64> {
        self.time(CAPTURE_TIME, 16)
    }

    /// See [`Packet::metadata`](super::packet::Packet::metadata).
    pub(crate) fn metadata(&self, key: &str) -> Option<&[u8]> {
        let mut entries = self.entries();
        entries.find_map(|(known, value)| (known == key).then_some(value))
    }

    /// All metadata, by key, in the order in which it was added.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let begin = usize::from(u16::from_le_bytes(self.field(0).unwrap_or_default()));
        let count = u16::from_le_bytes(self.field(2).unwrap_or_default());
        let mut rest = self.0.get(begin..).unwrap_or_default();
        (0..count).map_while(move |_| {
            let (&key, behind) = rest.split_first()?;
            let (value, behind) = behind.split_first_chunk::<4>()?;
            let (key, behind) = behind.split_at_checked(key.into())?;
            let value = usize::try_from(u32::from_le_bytes(*value)).ok()?;
            let (value, behind) = behind.split_at_checked(value)?;
            rest = behind;
            Some((std::str::from_utf8(key).ok()?, value))
        })
    }

    pub(crate) fn with_decode_time(&self, time: i64) -> Self {
        let mut content = self.content();
        content.known |= DECODE_TIME;
        content.decode_time = time;
        content.written()
    }

    pub(crate) fn with_capture_time(&self, time: i64) -> Self {
        let mut content = self.content();
        content.known |= CAPTURE_TIME;
        content.capture_time = time;
        content.written()
    }

    pub(crate) fn with_metadata(&self, key: &str, value: &[u8]) -> Result<Self, Metadata> {
        let mut content = self.content();
        content.add(key, value)?;
        Ok(content.written())
    }

    /// What comes of media that had these, for what it is converted to, which may have some of its own: the
    /// time of capture and the metadata, as far as there is room. When it is to be decoded is the business
    /// of whoever encodes it.
    #[must_use]
    pub fn inherited_by(&self, own: &Self) -> Self {
        let mut content = self.content();
        content.known &= !DECODE_TIME;
        content.decode_time = 0;
        if own.is_none() {
            return match content.known == 0 && content.entries.is_empty() {
                true => Self::NONE,
                // The common case: nothing is copied.
                false if self.decode_time().is_none() => self.clone(),
                false => content.written(),
            };
        }
        let given = content.entries;
        let mut content = own.content();
        if content.known & CAPTURE_TIME == 0
            && let Some(time) = self.capture_time()
        {
            content.known |= CAPTURE_TIME;
            content.capture_time = time;
        }
        for (key, value) in given {
            if own.metadata(key).is_none() {
                // What there is no room for is lost: its own counts for more.
                let _ = content.add(key, value);
            }
        }
        content.written()
    }

    /// See [`Bytes::depends_on`](super::bytes::Bytes::depends_on).
    pub fn depends_on(&self, addresses: &std::ops::Range<usize>) -> bool {
        self.0.depends_on(addresses)
    }

    fn field<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    fn time(&self, bit: u32, at: usize) -> Option<i64> {
        let known = u32::from_le_bytes(self.field(4)?);
        (known & bit != 0).then_some(i64::from_le_bytes(self.field(at)?))
    }

    fn content(&self) -> Content<'_> {
        let (decode_time, capture_time) = (self.decode_time(), self.capture_time());
        let bit = |time: Option<i64>, bit| time.map_or(0, |_| bit);
        Content {
            known: bit(decode_time, DECODE_TIME) | bit(capture_time, CAPTURE_TIME),
            decode_time: decode_time.unwrap_or(0),
            capture_time: capture_time.unwrap_or(0),
            entries: self.entries().collect(),
        }
    }
}

impl<'a> Content<'a> {
    fn add(&mut self, key: &'a str, value: &'a [u8]) -> Result<(), Metadata> {
        if key.is_empty() || key.len() > Details::KEY {
            return Err(Metadata::Key);
        }
        let others = self.entries.iter().filter(|(known, _)| *known != key);
        let length: usize = others
            .clone()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if length + key.len() + value.len() > Details::BYTES {
            return Err(Metadata::Bytes);
        }
        if others.count() == Details::KEYS {
            return Err(Metadata::Keys);
        }
        match self.entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key, value)),
        }
        Ok(())
    }

    fn written(&self) -> Details {
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        let mut times = Vec::with_capacity(TIMES);
        times.extend((TIMES as u16).to_le_bytes());
        times.extend(count.to_le_bytes());
        times.extend(self.known.to_le_bytes());
        times.extend(self.decode_time.to_le_bytes());
        times.extend(self.capture_time.to_le_bytes());
        // Both are short enough: `add` has looked.
        let lengths: Vec<[u8; 5]> = { self.entries.iter() }
            .map(|(key, value)| {
                let [a, b, c, d] = (value.len() as u32).to_le_bytes();
                [key.len() as u8, a, b, c, d]
            })
            .collect();
        let mut parts: Vec<&[u8]> = vec![&times];
        for (lengths, (key, value)) in lengths.iter().zip(&self.entries) {
            parts.extend([lengths.as_slice(), key.as_bytes(), value]);
        }
        // The host's memory, where there is a host: it outlives the module, which may be replaced.
        Details(ThinBytes::of(&parts, |length| match host() {
            Some(host) => host.buffer(length),
            None => BytesMut::new(length),
        }))
    }
}

impl Default for Details {
    fn default() -> Self {
        Self::NONE
    }
}

impl std::fmt::Debug for Details {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&str> = self.entries().map(|(key, _)| key).collect();
        formatter
            .debug_struct("Details")
            .field("decode_time", &self.decode_time())
            .field("capture_time", &self.capture_time())
            .field("keys", &keys)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_read_and_clones_keep_what_they_had() {
        let times = Details::NONE
            .with_decode_time(i64::MIN)
            .with_capture_time(7);
        let faces = times.with_metadata("kms.faces", b"one").unwrap();
        let more = faces.with_metadata("other", &[]).unwrap();
        let replaced = more.with_metadata("kms.faces", b"two").unwrap();
        assert_eq!(faces.metadata("kms.faces"), Some(b"one".as_slice()));
        assert_eq!(times.metadata("kms.faces"), None);
        let entries: Vec<_> = replaced.entries().collect();
        assert_eq!(entries, [("kms.faces", b"two".as_slice()), ("other", &[])]);
        let both = (replaced.decode_time(), replaced.capture_time());
        assert_eq!(both, (Some(i64::MIN), Some(7)));
        assert!(Details::NONE.is_none() && !replaced.is_none());
        assert_eq!(Details::NONE.capture_time(), None);
    }

    #[test]
    fn there_is_a_bound_of_everything() {
        let add = |details: &Details, key: &str, length: usize| {
            details.with_metadata(key, &vec![1; length]).map(|_| ())
        };
        assert_eq!(add(&Details::NONE, "", 1), Err(Metadata::Key));
        let long = "k".repeat(Details::KEY);
        assert_eq!(
            add(&Details::NONE, &format!("{long}k"), 1),
            Err(Metadata::Key)
        );
        assert_eq!(
            add(&Details::NONE, &long, Details::BYTES - Details::KEY),
            Ok(())
        );
        let beyond = Details::BYTES - Details::KEY + 1;
        assert_eq!(add(&Details::NONE, &long, beyond), Err(Metadata::Bytes));
        let mut full = Details::NONE;
        for number in 0..Details::KEYS {
            full = full.with_metadata(&number.to_string(), b"x").unwrap();
        }
        assert_eq!(add(&full, "another", 1), Err(Metadata::Keys));
        assert_eq!(add(&full, "3", 1), Ok(()));
        assert_eq!(full.entries().count(), Details::KEYS);
    }

    #[test]
    fn a_conversion_inherits_all_but_the_time_of_decoding() {
        let given = Details::NONE
            .with_decode_time(1)
            .with_metadata("a", b"given")
            .unwrap();
        let alone = given.inherited_by(&Details::NONE);
        assert_eq!(
            (alone.decode_time(), alone.metadata("a")),
            (None, Some(b"given".as_slice()))
        );
        let own = Details::NONE
            .with_decode_time(5)
            .with_metadata("a", b"own")
            .unwrap();
        let given = given
            .with_metadata("b", b"too")
            .unwrap()
            .with_capture_time(3);
        let both = given.inherited_by(&own);
        assert_eq!(
            (both.decode_time(), both.capture_time()),
            (Some(5), Some(3))
        );
        let entries: Vec<_> = both.entries().collect();
        assert_eq!(entries, [("a", b"own".as_slice()), ("b", b"too")]);
        let timed = Details::NONE.with_decode_time(1);
        assert!(timed.inherited_by(&Details::NONE).is_none());
    }

    #[test]
    fn a_block_of_any_bytes_is_read_without_harm() {
        for length in 0..64_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37) | 3).collect();
            let details = Details(ThinBytes::of(&[&bytes], BytesMut::new));
            let _ = (
                details.decode_time(),
                details.capture_time(),
                details.entries().count(),
            );
        }
    }
}
