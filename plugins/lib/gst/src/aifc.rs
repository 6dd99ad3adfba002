//! Sound of AIFF-C that is compressed.
//!
//! GStreamer takes it for AIFF, and `aiffparse` refuses it only when it has read the head of the file: too late for another
//! element. So it is told apart before, in its caps, and `avdemux_aiff` reads it. That in turn refuses samples of 24 bits and more,
//! so all else is left to `aiffparse`.

use gstreamer as gst;

/// The field of caps that says so.
pub(crate) const COMPRESSED: &str = "compressed";

/// What `avdemux_aiff` reads and `aiffparse` does not.
const KINDS: [&[u8; 4]; 9] = [
    b"ULAW", b"ulaw", b"ALAW", b"alaw", b"ima4", b"G722", b"GSM ", b"raw ", b"twos",
];
/// Of the file: `FORM`, its size, `AIFC`.
const HEAD: u32 = 12;
/// The head of a chunk, and what stands in `COMM` up to the kind of compression and with it.
const CHUNK_HEAD: u32 = 8;
const COMMON: u32 = CHUNK_HEAD + 22;
/// So many chunks may be before `COMM`, and it begins within so many bytes.
const MOST_CHUNKS: usize = 16;
const FARTHEST: i64 = 1 << 16;

/// Has GStreamer tell it apart from now on.
///
/// # Errors
/// What GStreamer says.
pub(crate) fn register() -> Result<(), gst::glib::BoolError> {
    let caps = gst::Caps::builder("audio/x-aiff")
        .field(COMPRESSED, true)
        .build();
    // Before the finder of AIFF, which is as certain: the first of them counts.
    let rank = gst::Rank::PRIMARY + 1;
    let own = caps.clone();
    gst::TypeFind::register(None, "rivero-aifc", rank, None, Some(&caps), move |media| {
        if is_compressed(media) == Some(true) {
            media.suggest(gst::TypeFindProbability::Maximum, &own);
        }
    })
}

/// `None` if it is no AIFF-C, or its kind of compression is not found.
fn is_compressed(media: &mut gst::TypeFind) -> Option<bool> {
    let head = media.peek(0, HEAD)?;
    if !head.starts_with(b"FORM") || !head.ends_with(b"AIFC") {
        return None;
    }
    let mut place = i64::from(HEAD);
    for _ in 0..MOST_CHUNKS {
        let head = media.peek(place, CHUNK_HEAD)?;
        if head.starts_with(b"COMM") {
            let common = media.peek(place, COMMON)?;
            return Some(KINDS.iter().any(|kind| common.ends_with(*kind)));
        }
        let size = i64::from(u32::from_be_bytes(head.get(4..)?.try_into().ok()?));
        // Chunks begin at even places.
        place += i64::from(CHUNK_HEAD) + size + (size & 1);
        if place > FARTHEST {
            break;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        let padding = vec![0; body.len() % 2];
        [name, &size[..], body, &padding].concat()
    }

    /// Whether it is taken for compressed, with `chunks` before the one that says so.
    fn is_told_apart(kind: &[u8; 4], chunks: &[Vec<u8>]) -> bool {
        crate::init().unwrap();
        let common = chunk(b"COMM", &[&[0; 18], &kind[..], b"\0\0"].concat());
        let sound = chunk(b"SSND", &[0; 100]);
        let file = [b"FORM\0\0\0\0AIFC", &chunks.concat()[..], &common, &sound].concat();
        let (_, caps) = gst::SliceTypeFind::type_find(file);
        let caps = caps.unwrap();
        let found = caps.structure(0).unwrap();
        assert_eq!(found.name(), "audio/x-aiff");
        found.has_field(COMPRESSED)
    }

    #[test]
    fn compressed_sound_is_told_apart() {
        let version = chunk(b"FVER", &[0; 4]);
        let odd = chunk(b"NAME", b"one");
        for kind in KINDS {
            assert!(is_told_apart(kind, &[]), "{kind:?}");
            assert!(is_told_apart(kind, &[version.clone(), odd.clone()]));
        }
        for kind in [b"NONE", b"sowt", b"fl32"] {
            assert!(!is_told_apart(kind, std::slice::from_ref(&version)));
        }
        assert!(!is_told_apart(b"ulaw", &vec![version; MOST_CHUNKS]));
        let long = u32::MAX.to_be_bytes();
        assert!(!is_told_apart(b"ulaw", &[[b"NAME", &long[..]].concat()]));
    }
}
