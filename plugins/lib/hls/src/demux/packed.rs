//! Packed audio (RFC 8216 §3.4): frames one behind the other, with the time of the first in an ID3 tag.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Clock, Codec, Event, Frame, Kind};
use crate::Error;

/// The owner of the private frame that has the time.
const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";
/// Head of a tag (ID3 v2.4.0 §3.1), and of a frame in it (§4).
const HEAD: usize = 10;
/// Tags may have pictures; larger ones are not read.
const LONGEST_TAG: usize = 1 << 20;

/// Whether bytes begin packed audio.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ID3") || codec(bytes).is_some()
}

fn codec(bytes: &[u8]) -> Option<Codec> {
    match bytes {
        [0x0b, 0x77, _, _, _, sixth, ..] if sixth >> 3 > 10 => Some(Codec::Eac3),
        [0x0b, 0x77, ..] => Some(Codec::Ac3),
        // The layer is 0 in ADTS only.
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Some(Codec::Aac(None)),
        [0xff, second, ..] if second & 0xe0 == 0xe0 && second & 0x06 != 0 => Some(Codec::MpegAudio),
        _ => None,
    }
}

/// See the head of this file.
pub(super) struct Packed {
    /// The tag, as long as it is not whole; `None` behind it.
    beginning: Option<Vec<u8>>,
    codec: Option<Codec>,
    /// Of the next frame.
    time: Option<i64>,
    clock: Clock,
}

impl Packed {
    pub(super) fn new(near: Option<i64>) -> Self {
        Self {
            beginning: Some(Vec::new()),
            codec: None,
            time: None,
            clock: Clock::near(near),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], found: &mut VecDeque<Event>) -> Result<(), Error> {
        let Some(beginning) = &mut self.beginning else {
            self.give(bytes, found);
            return Ok(());
        };
        beginning.extend_from_slice(bytes);
        let length = tag_length(beginning);
        if length > LONGEST_TAG {
            return Err(Error::Segment(
                "the ID3 tag of it is larger than is accepted",
            ));
        }
        if beginning.len() < (length + 2).max(HEAD) {
            return Ok(());
        }
        let beginning = self.beginning.take().unwrap_or_default();
        let (tag, media) = beginning.split_at(length);
        self.time = stamp(tag).map(|coded| self.clock.read(coded));
        let codec = codec(media).ok_or(Error::Container)?;
        if self.codec.as_ref() != Some(&codec) {
            found.push_back(Event::Track(codec.clone()));
            self.codec = Some(codec);
        }
        self.give(media, found);
        Ok(())
    }

    fn give(&mut self, bytes: &[u8], found: &mut VecDeque<Event>) {
        if !bytes.is_empty() {
            found.push_back(Event::Frame(Frame {
                kind: Kind::Audio,
                time: self.time.take(),
                decode_time: None,
                duration: 0,
                is_delta: false,
                bytes: Bytes::copy_from_slice(bytes),
            }));
        }
    }

    /// The next segment begins with a tag.
    pub(super) fn end_segment(&mut self) {
        self.beginning = Some(Vec::new());
    }
}

/// Four bytes of seven bits each (ID3 v2.4.0 §6.2).
fn number(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.first_chunk::<4>()?;
    Some({ bytes.iter() }.fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f)))
}

/// Bytes of the tag that `bytes` begin with; 0 where there is none.
fn tag_length(bytes: &[u8]) -> usize {
    let rest = bytes.strip_prefix(b"ID3").and_then(|rest| rest.get(3..));
    rest.and_then(number).map_or(0, |length| length + HEAD)
}

/// What the tag says, in 1/90000 s.
fn stamp(tag: &[u8]) -> Option<u64> {
    let mut rest = tag.get(HEAD..)?;
    while let Some(head) = rest.get(..HEAD) {
        let length = number(head.get(4..)?)?;
        let (content, next) = rest.get(HEAD..)?.split_at_checked(length)?;
        if head.starts_with(b"PRIV")
            && let Some(value) = content.strip_prefix(OWNER)
        {
            return Some(u64::from_be_bytes(value.try_into().ok()?));
        }
        rest = next;
    }
    None
}
