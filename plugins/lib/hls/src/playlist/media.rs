//! Media playlists (RFC 8216 §4.3.2, §4.3.3).

use std::{sync::Arc, time::Duration};

use url::Url;

use super::{Key, Line, MOST_SEGMENTS, Map, Media, Part, Segment, attributes::Attributes, resolve};
use crate::Error;

/// A segment is not longer than a day.
const LONGEST_SEGMENT: f64 = 86_400.0;

pub(super) fn parse<'a>(
    lines: impl Iterator<Item = (usize, Line<'a>)>,
    base: &Url,
) -> Result<Media, Error> {
    let mut reader = Reader::new(base);
    for (number, line) in lines {
        match line {
            Line::Tag(name, value) => reader.tag(name, value, number)?,
            Line::Url(text) => reader.segment(text, number)?,
        }
    }
    reader.finish()
}

/// What is known at some line.
struct Reader<'a> {
    base: &'a Url,
    media: Media,
    has_target: bool,
    /// Of the segment that comes next.
    duration: Option<Duration>,
    part: Option<RawPart>,
    is_gap: bool,
    /// Of all segments that come.
    discontinuity: u64,
    key: Option<Arc<Key>>,
    map: Option<Arc<Map>>,
}

/// A part whose offset may be the end of the part before.
struct RawPart {
    length: u64,
    offset: Option<u64>,
}

impl<'a> Reader<'a> {
    fn new(base: &'a Url) -> Self {
        Self {
            base,
            media: Media {
                target: Duration::ZERO,
                first: 0,
                is_complete: false,
                start: None,
                segments: Vec::new(),
            },
            has_target: false,
            duration: None,
            part: None,
            is_gap: false,
            discontinuity: 0,
            key: None,
            map: None,
        }
    }

    fn tag(&mut self, name: &str, value: &str, line: usize) -> Result<(), Error> {
        let broken = |reason| Error::Line { line, reason };
        match name {
            "EXTINF" => {
                let text = value.split(',').next().unwrap_or_default();
                self.duration = Some(seconds(text).ok_or(broken("a segment has no duration"))?);
            }
            "EXT-X-TARGETDURATION" => {
                self.media.target = seconds(value).ok_or(broken("there is no target duration"))?;
                self.has_target = true;
            }
            "EXT-X-MEDIA-SEQUENCE" => {
                self.media.first = value.parse().map_err(|_| broken("it is no number"))?;
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.discontinuity = value.parse().map_err(|_| broken("it is no number"))?;
            }
            "EXT-X-DISCONTINUITY" => self.discontinuity = self.discontinuity.saturating_add(1),
            "EXT-X-BYTERANGE" => {
                self.part = Some(raw_part(value).ok_or(broken("it is no range of bytes"))?);
            }
            "EXT-X-KEY" => self.key = self.read_key(value, line)?,
            "EXT-X-MAP" => self.map = Some(Arc::new(self.read_map(value, line)?)),
            "EXT-X-GAP" => self.is_gap = true,
            "EXT-X-ENDLIST" => self.media.is_complete = true,
            "EXT-X-START" => {
                let offset = Attributes::parse(value).number::<f64>("TIME-OFFSET");
                self.media.start = offset.filter(|offset| offset.is_finite());
            }
            "EXT-X-I-FRAMES-ONLY" => {
                return Err(Error::Unsupported("pictures only (EXT-X-I-FRAMES-ONLY)"));
            }
            // Only who asks for a part of a playlist gets one.
            "EXT-X-SKIP" => return Err(Error::Unsupported("left out segments (EXT-X-SKIP)")),
            _ => {}
        }
        Ok(())
    }

    /// `None`: what follows is not encrypted.
    fn read_key(&self, value: &str, line: usize) -> Result<Option<Arc<Key>>, Error> {
        let attributes = Attributes::parse(value);
        let method = attributes.get("METHOD").unwrap_or_default();
        if method == "NONE" {
            return Ok(None);
        }
        let format = attributes.get("KEYFORMAT").unwrap_or("identity");
        if method != "AES-128" || format != "identity" {
            return Err(Error::Encryption(
                format!("{method} ({format})").chars().take(100).collect(),
            ));
        }
        let broken = |reason| Error::Line { line, reason };
        let text = attributes.get("URI").ok_or(broken("a key has no URL"))?;
        let vector = match attributes.get("IV") {
            None => None,
            Some(text) => Some(vector(text).ok_or(broken("it is no initialization vector"))?),
        };
        let url = resolve(self.base, text, line)?;
        Ok(Some(Arc::new(Key { url, vector })))
    }

    fn read_map(&self, value: &str, line: usize) -> Result<Map, Error> {
        let broken = |reason| Error::Line { line, reason };
        let attributes = Attributes::parse(value);
        let text = attributes.get("URI").ok_or(broken("a header has no URL"))?;
        let part = match attributes.get("BYTERANGE") {
            None => None,
            Some(text) => {
                let raw = raw_part(text).ok_or(broken("it is no range of bytes"))?;
                let offset = raw.offset.unwrap_or(0);
                Some(Part {
                    offset,
                    length: raw.length,
                })
            }
        };
        // Without a vector it is the number of a segment, and a header has none (§4.3.2.5).
        if self.key.as_ref().is_some_and(|key| key.vector.is_none()) {
            return Err(broken("an encrypted header needs an initialization vector"));
        }
        let url = resolve(self.base, text, line)?;
        Ok(Map {
            url,
            part,
            key: self.key.clone(),
        })
    }

    fn segment(&mut self, text: &str, line: usize) -> Result<(), Error> {
        if self.media.segments.len() >= MOST_SEGMENTS {
            return Err(Error::TooMuch("45000 segments"));
        }
        let broken = |reason| Error::Line { line, reason };
        let url = resolve(self.base, text, line)?;
        let part = match self.part.take() {
            None => None,
            Some(RawPart {
                length,
                offset: Some(offset),
            }) => Some(Part { offset, length }),
            Some(RawPart {
                length,
                offset: None,
            }) => {
                let former = self
                    .media
                    .segments
                    .last()
                    .filter(|former| former.url == url);
                let end = former.and_then(|former| former.part?.end());
                let offset = end.ok_or(broken("a range of bytes has no beginning"))?;
                Some(Part { offset, length })
            }
        };
        if part.is_some_and(|part| part.end().is_none()) {
            return Err(broken("a range of bytes has no end"));
        }
        self.media.segments.push(Segment {
            url,
            part,
            // Some leave it out where all segments have the target duration.
            duration: self.duration.take().unwrap_or(self.media.target),
            discontinuity: self.discontinuity,
            key: self.key.clone(),
            map: self.map.clone(),
            is_gap: std::mem::take(&mut self.is_gap),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Media, Error> {
        let longest = self
            .media
            .segments
            .iter()
            .map(|segment| segment.duration)
            .max();
        if !self.has_target {
            self.media.target = longest.unwrap_or_default();
        }
        // Who reloads a playlist each moment is no good client.
        self.media.target = self.media.target.max(Duration::from_secs(1));
        if self.media.is_complete && self.media.segments.is_empty() {
            return Err(Error::Empty);
        }
        if self.media.first.checked_add(MOST_SEGMENTS as u64).is_none() {
            return Err(Error::TooMuch("numbers of segments of 64 bits"));
        }
        Ok(self.media)
    }
}

impl Part {
    /// Place behind the last byte.
    pub fn end(self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    (0.0..=LONGEST_SEGMENT)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// `length` or `length@offset` (§4.3.2.2).
fn raw_part(text: &str) -> Option<RawPart> {
    let (length, offset) = match text.split_once('@') {
        Some((length, offset)) => (length, Some(offset.trim().parse().ok()?)),
        None => (text, None),
    };
    let length = length.trim().parse().ok()?;
    Some(RawPart { length, offset })
}

/// `0x` and up to 32 hexadecimal digits (§4.3.2.4).
fn vector(text: &str) -> Option<[u8; 16]> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    if digits.len() > 32 {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}
