//! Playlists (RFC 8216 §4), as far as who plays them has to know them.
//!
//! Unknown tags, comments and attributes are left out, as the standard wants it. What is named by a playlist is
//! resolved against the playlist's own URL, and is not judged here: where it may lead is the player's business.

mod attributes;
mod master;
mod media;

use std::{sync::Arc, time::Duration};

use url::Url;

use crate::Error;

/// A longer text is no playlist: a day of segments of two seconds has 4 MB.
pub const LONGEST_TEXT: usize = 8 << 20;
/// A day of segments of two seconds.
const MOST_SEGMENTS: usize = 45_000;
/// Variants and renditions of a master playlist.
const MOST_VARIANTS: usize = 1000;

/// A playlist.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    /// Variants of a stream (§4.3.4).
    Master(Master),
    /// Segments (§4.3.2, §4.3.3).
    Media(Media),
}

/// What a stream can be had as.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Master {
    /// In the playlist's order; at least one.
    pub variants: Vec<Variant>,
    /// Of sound; in the playlist's order.
    pub renditions: Vec<Rendition>,
}

/// One of several encodings of a stream (§4.3.4.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Of its media playlist.
    pub url: Url,
    /// Bit/s at most.
    pub bandwidth: u64,
    /// Width and height of the picture.
    pub resolution: Option<(u32, u32)>,
    /// As in RFC 6381.
    pub codecs: Vec<String>,
    /// Renditions of its sound have this group.
    pub audio_group: Option<String>,
}

/// Sound that may be played with a variant (§4.3.4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Rendition {
    /// Which variants it belongs to.
    pub group: String,
    /// Of its media playlist; `None`: it is in the segments of the variant.
    pub url: Option<Url>,
    /// To be played where nobody asked for another one.
    pub is_default: bool,
    /// May be played where nobody asked for another one.
    pub is_automatic: bool,
}

/// The segments of a stream, or of the part of it that can be had now.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// No segment is longer, up to rounding.
    pub target: Duration,
    /// Number of the first segment (§4.3.3.2).
    pub first: u64,
    /// There will be no other segments.
    pub is_complete: bool,
    /// Where to begin what is live, s; from the end if negative (§4.3.5.2).
    pub start: Option<f64>,
    /// In their order; at least one if `is_complete`.
    pub segments: Vec<Segment>,
}

/// A segment (§3).
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Where it is.
    pub url: Url,
    /// Which bytes of that it is.
    pub part: Option<Part>,
    /// Of its media.
    pub duration: Duration,
    /// Segments of one number have one clock (§6.2.1).
    pub discontinuity: u64,
    /// What it is encrypted with.
    pub key: Option<Arc<Key>>,
    /// What is needed to read it (§4.3.2.5).
    pub map: Option<Arc<Map>>,
    /// It cannot be had.
    pub is_gap: bool,
}

/// Some bytes of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Place of the first one.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// AES-128 with a key of this URL (§4.3.2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Of its 16 bytes.
    pub url: Url,
    /// The initialization vector, where it is not the segment's number.
    pub vector: Option<[u8; 16]>,
}

/// What is needed to read segments: the header of an MP4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// Where it is.
    pub url: Url,
    /// Which bytes of that it is.
    pub part: Option<Part>,
    /// What it is encrypted with.
    pub key: Option<Arc<Key>>,
}

impl Playlist {
    /// Reads a playlist that came from `base`.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(text: &str, base: &Url) -> Result<Self, Error> {
        if text.len() > LONGEST_TEXT {
            return Err(Error::TooMuch("8 MB"));
        }
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if !text.starts_with(BEGINNING) {
            return Err(Error::NoPlaylist);
        }
        let lines = || lines(text);
        if lines().any(|(_, line)| matches!(line, Line::Tag("EXT-X-DEFINE", _))) {
            return Err(Error::Unsupported("variables (EXT-X-DEFINE)"));
        }
        let is_master = lines()
            .any(|(_, line)| matches!(line, Line::Tag(name, _) if MASTER_TAGS.contains(&name)));
        if is_master {
            master::parse(lines(), base).map(Self::Master)
        } else {
            media::parse(lines(), base).map(Self::Media)
        }
    }
}

/// What every playlist begins with (§4.3.1.1).
const BEGINNING: &str = "#EXTM3U";
/// Tags that only a master playlist has.
const MASTER_TAGS: [&str; 2] = ["EXT-X-STREAM-INF", "EXT-X-MEDIA"];

/// Whether a text is a playlist of HLS, and not of the older kind that it borrows its name from.
pub fn is_hls(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with(BEGINNING)
        && lines(text)
            .any(|(_, line)| matches!(line, Line::Tag(name, _) if name.starts_with("EXT-X-")))
}

/// A line with a meaning.
#[derive(Debug, Clone, Copy)]
enum Line<'a> {
    /// Name and value.
    Tag(&'a str, &'a str),
    Url(&'a str),
}

/// The lines that are neither empty nor comments, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, Line<'_>)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        let read = match line.strip_prefix('#') {
            Some(tag) if tag.starts_with("EXT") => {
                let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
                Line::Tag(name.trim(), value.trim())
            }
            Some(_) => return None,
            None if line.is_empty() => return None,
            None => Line::Url(line),
        };
        Some((index + 1, read))
    })
}

/// A URL of a playlist. One without user and password that leads to the playlist's own server has those of the playlist.
fn resolve(base: &Url, text: &str, line: usize) -> Result<Url, Error> {
    let broken = Error::Line {
        line,
        reason: "it has no valid URL",
    };
    let mut url = base.join(text).map_err(|_| broken)?;
    if url.username().is_empty() && url.password().is_none() && url.origin() == base.origin() {
        // Schemes without hosts take neither, and need none.
        let _ = url.set_username(base.username());
        let _ = url.set_password(base.password());
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
