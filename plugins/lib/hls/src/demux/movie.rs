//! The header of fragmented MP4: which tracks there are (ISO/IEC 14496-12 §8).

use bytes::Bytes;

use super::{
    Codec, Kind,
    boxes::{boxes, child, descendant, i32_at, u16_at, u32_at, u64_at, version_and_flags},
};
use crate::Error;

/// What the fragments of a track need to be known.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) id: u32,
    pub(super) codec: Codec,
    /// Units of a second.
    pub(super) timescale: u32,
    /// What its edit list adds to its times, ns.
    pub(super) shift: i64,
    /// Of its samples, where fragments say nothing else.
    pub(super) defaults: Defaults,
}

/// Of samples (§8.8.3).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// The first track of each kind that can be played.
///
/// # Errors
/// [`Error::Encryption`]; [`Error::Segment`] where there is none
pub(super) fn tracks(movie: &[u8]) -> Result<Vec<Track>, Error> {
    let header = child(movie, b"mvhd").unwrap_or_default();
    let movie_scale = timescale(header).unwrap_or(0);
    let mut found: Vec<Track> = Vec::new();
    for own in boxes(movie).filter(|own| own.kind == *b"trak") {
        if let Some(track) = track(own.body, movie, movie_scale)? {
            let is_first = |kind: Kind| found.iter().all(|track| track.codec.kind() != kind);
            if is_first(track.codec.kind()) {
                found.push(track);
            }
        }
    }
    if found.is_empty() {
        return Err(Error::Segment(
            "there is no sound and no picture that is known in the header of its MP4",
        ));
    }
    Ok(found)
}

fn track(body: &[u8], movie: &[u8], movie_scale: u32) -> Result<Option<Track>, Error> {
    let Some(entries) = descendant(body, &[b"mdia", b"minf", b"stbl", b"stsd"]) else {
        return Ok(None);
    };
    // Behind version, flags and the number of entries, of which the first counts.
    let Some(entry) = entries.get(8..).and_then(|entries| boxes(entries).next()) else {
        return Ok(None);
    };
    let Some(codec) = codec(entry.kind, entry.body)? else {
        return Ok(None);
    };
    Ok(shape(body, movie, movie_scale, codec))
}

fn shape(body: &[u8], movie: &[u8], movie_scale: u32, codec: Codec) -> Option<Track> {
    let header = child(body, b"tkhd")?;
    let id = if header.first() == Some(&1) {
        u32_at(header, 20)?
    } else {
        u32_at(header, 12)?
    };
    let timescale = timescale(descendant(body, &[b"mdia", b"mdhd"])?).filter(|scale| *scale > 0)?;
    let edits = descendant(body, &[b"edts", b"elst"]);
    Some(Track {
        id,
        codec,
        timescale,
        shift: edits.map_or(0, |edits| shift(edits, timescale, movie_scale)),
        defaults: defaults(movie, id),
    })
}

/// Of `mvhd` and `mdhd`: behind two dates.
fn timescale(header: &[u8]) -> Option<u32> {
    u32_at(header, if header.first() == Some(&1) { 20 } else { 12 })
}

fn defaults(movie: &[u8], id: u32) -> Defaults {
    let extensions = child(movie, b"mvex").unwrap_or_default();
    let own = boxes(extensions).find(|own| own.kind == *b"trex" && u32_at(own.body, 4) == Some(id));
    let number = |at| own.and_then(|own| u32_at(own.body, at)).unwrap_or(0);
    Defaults {
        duration: number(12),
        size: number(16),
        flags: number(20),
    }
}

/// Empty edits delay a track; the first other one says where it begins (§8.6.6).
fn shift(edits: &[u8], timescale: u32, movie_scale: u32) -> i64 {
    let is_long = edits.first() == Some(&1);
    let size = if is_long { 20 } else { 12 };
    let mut delay = 0;
    for edit in edits.get(8..).unwrap_or_default().chunks_exact(size) {
        let (length, begin) = if is_long {
            (u64_at(edit, 0), u64_at(edit, 8).map(u64::cast_signed))
        } else {
            (
                u32_at(edit, 0).map(u64::from),
                i32_at(edit, 4).map(i64::from),
            )
        };
        match begin {
            Some(-1) if movie_scale > 0 => {
                let length = i64::try_from(length.unwrap_or(0)).unwrap_or(0);
                delay = nanoseconds(length, movie_scale).saturating_add(delay);
            }
            Some(begin) => return delay.saturating_sub(nanoseconds(begin, timescale)),
            None => break,
        }
    }
    delay
}

/// Of units of a timescale.
pub(super) fn nanoseconds(units: i64, timescale: u32) -> i64 {
    let ns = i128::from(units) * 1_000_000_000 / i128::from(timescale.max(1));
    i64::try_from(ns).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

/// What a sample entry says (ISO/IEC 14496-12 §8.5.2, 14496-14, 14496-15, and those of other codecs).
fn codec(kind: [u8; 4], entry: &[u8]) -> Result<Option<Codec>, Error> {
    // What stands in the entry of pictures, and of sound, before its boxes.
    let (pictures, sound) = (entry.get(78..).unwrap_or_default(), sound_boxes(entry));
    let record = |kind| child(pictures, kind).map(Bytes::copy_from_slice);
    Ok(match &kind {
        b"encv" | b"enca" => {
            return Err(Error::Encryption("Common Encryption".to_owned()));
        }
        b"avc1" | b"avc3" => record(b"avcC").map(|own| Codec::H264(Some(own))),
        b"hvc1" | b"hev1" => record(b"hvcC").map(|own| Codec::H265(Some(own))),
        b"av01" => record(b"av1C").map(Codec::Av1),
        b"vp09" => Some(Codec::Vp9),
        b"mp4a" => child(sound, b"esds").and_then(elementary),
        b".mp3" => Some(Codec::MpegAudio),
        b"ac-3" => Some(Codec::Ac3),
        b"ec-3" => Some(Codec::Eac3),
        b"Opus" => child(sound, b"dOps").and_then(opus),
        _ => None,
    })
}

/// QuickTime has more before the boxes.
fn sound_boxes(entry: &[u8]) -> &[u8] {
    let more = match u16_at(entry, 8) {
        Some(1) => 16,
        Some(2) => 36,
        _ => 0,
    };
    entry.get(28 + more..).unwrap_or_default()
}

/// One or two channels need no mapping.
fn opus(head: &[u8]) -> Option<Codec> {
    let channels = *head.get(1)?;
    matches!(channels, 1 | 2).then_some(Codec::Opus(channels))
}

/// What the descriptor of an elementary stream says (ISO/IEC 14496-1 §7.2.6.5).
fn elementary(body: &[u8]) -> Option<Codec> {
    let (_, stream) = descriptor(body.get(4..)?, 0x03)?;
    // Number and flags, and what these say that there is.
    let flags = *stream.get(2)?;
    let mut at = 3;
    if flags & 0x80 != 0 {
        at += 2;
    }
    if flags & 0x40 != 0 {
        at += 1 + usize::from(*stream.get(at)?);
    }
    if flags & 0x20 != 0 {
        at += 2;
    }
    let (_, decoder) = descriptor(stream.get(at..)?, 0x04)?;
    match decoder.first()? {
        0x69 | 0x6b => Some(Codec::MpegAudio),
        0x40 | 0x66..=0x68 => {
            let (_, configuration) = descriptor(decoder.get(13..)?, 0x05)?;
            Some(Codec::Aac(Some(Bytes::copy_from_slice(configuration))))
        }
        0xa5 => Some(Codec::Ac3),
        0xa6 => Some(Codec::Eac3),
        _ => None,
    }
}

/// The descriptor of a tag at the beginning: what follows it, and what is in it.
fn descriptor(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes.strip_prefix(&[tag])?;
    let mut length = 0;
    // Seven bits a byte, four bytes at most.
    for _ in 0..4 {
        let (byte, next) = rest.split_first()?;
        rest = next;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((rest, content))
}

/// See [`version_and_flags`]; of a box that has both.
pub(super) fn flags(body: &[u8]) -> u32 {
    version_and_flags(body).map_or(0, |(_, flags)| flags)
}
