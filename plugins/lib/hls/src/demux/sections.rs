//! Tables of transport streams: which packets belong to which track (ISO/IEC 13818-1 §2.4.4).

use super::{Codec, Kind};
use crate::Error;

/// Bytes of a section at most, with its head (§2.4.4.11).
const LONGEST: usize = 1024 + 3;

/// A table on its way: a section is divided into packets.
#[derive(Default)]
pub(super) struct Section {
    bytes: Vec<u8>,
    is_open: bool,
}

/// A track of a program.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Elementary {
    /// Its packets have this identifier.
    pub(super) pid: u16,
    pub(super) codec: Codec,
}

impl Section {
    /// Takes the payload of a packet; gives the section when it is whole, from `table_id` up to before its checksum.
    pub(super) fn push(&mut self, payload: &[u8], is_start: bool) -> Option<Vec<u8>> {
        if is_start {
            let pointer = usize::from(*payload.first()?);
            self.bytes = payload.get(1 + pointer..)?.to_vec();
            self.is_open = true;
        } else if self.is_open {
            self.bytes.extend_from_slice(payload);
        }
        let length = match self.bytes.get(1..3)? {
            [high, low] => usize::from(u16::from_be_bytes([high & 0x0f, *low])) + 3,
            _ => return None,
        };
        if !self.is_open || length > LONGEST || self.bytes.len() < length {
            self.is_open &= length <= LONGEST;
            return None;
        }
        self.is_open = false;
        self.bytes.truncate(length.saturating_sub(4));
        Some(std::mem::take(&mut self.bytes))
    }
}

/// The packets that have the map of the first program (§2.4.4.3).
pub(super) fn map_pid(table: &[u8]) -> Option<u16> {
    if table.first() != Some(&0) {
        return None;
    }
    let programs = table.get(8..)?.chunks_exact(4);
    { programs }.find_map(|program| match program {
        // Number 0 is the network.
        [0, 0, ..] => None,
        [_, _, high, low] => Some(u16::from_be_bytes([high & 0x1f, *low])),
        _ => None,
    })
}

/// The first track of each kind (§2.4.4.8).
///
/// # Errors
/// [`Error::Encryption`] where the frames of a track are encrypted by themselves
pub(super) fn streams(table: &[u8]) -> Result<Vec<Elementary>, Error> {
    let mut found: Vec<Elementary> = Vec::new();
    let length = |bytes: &[u8], at: usize| match bytes.get(at..at + 2) {
        Some([high, low]) => usize::from(u16::from_be_bytes([high & 0x0f, *low])),
        _ => 0,
    };
    if table.first() != Some(&2) {
        return Ok(found);
    }
    let mut rest = table.get(12 + length(table, 10)..).unwrap_or_default();
    while let Some([kind, high, low, ..]) = rest.get(..5) {
        let end = 5 + length(rest, 3);
        let descriptors = rest.get(5..end).unwrap_or_default();
        let pid = u16::from_be_bytes([high & 0x1f, *low]);
        if let Some(codec) = codec(*kind, descriptors)? {
            let is_first = |kind: Kind| found.iter().all(|own| own.codec.kind() != kind);
            if is_first(codec.kind()) {
                found.push(Elementary { pid, codec });
            }
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    Ok(found)
}

/// What a stream type means (§2.4.4.9, ATSC A/52 annex A, Apple's for HLS).
fn codec(kind: u8, descriptors: &[u8]) -> Result<Option<Codec>, Error> {
    Ok(Some(match kind {
        0x01 => Codec::MpegVideo(1),
        0x02 => Codec::MpegVideo(2),
        0x03 | 0x04 => Codec::MpegAudio,
        0x0f => Codec::Aac(None),
        0x11 => Codec::AacLoas,
        0x1b => Codec::H264(None),
        0x24 => Codec::H265(None),
        0x81 => Codec::Ac3,
        0x87 => Codec::Eac3,
        // Private streams say what they are (ETSI EN 300 468 §6.1).
        0x06 => match descriptors_of(descriptors).find_map(private) {
            Some(codec) => codec,
            None => return Ok(None),
        },
        0xc1 | 0xc2 | 0xcf | 0xdb => {
            return Err(Error::Encryption("SAMPLE-AES".to_owned()));
        }
        _ => return Ok(None),
    }))
}

fn private((tag, _): (u8, &[u8])) -> Option<Codec> {
    match tag {
        0x6a => Some(Codec::Ac3),
        0x7a => Some(Codec::Eac3),
        _ => None,
    }
}

/// Tags and contents.
fn descriptors_of(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [tag, length, rest @ ..] = bytes else {
            return None;
        };
        let (content, next) = rest.split_at_checked(usize::from(*length))?;
        bytes = next;
        Some((*tag, content))
    })
}
