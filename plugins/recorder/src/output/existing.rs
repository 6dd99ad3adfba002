//! What a recording may take the place of.

use std::{fs::File, io, os::unix::fs::FileExt};

/// The content type of recordings that are nothing but pictures.
const JPEG: &str = "image/jpeg";
/// Bytes that tell what a file is.
const HEAD: usize = 12;

/// Checks that a file is empty or a recording, whole or broken off: a mistaken or forged name must not cost anything
/// else. `content_type`: of what is to be written. Pictures are taken for recordings by those alone that write
/// pictures; all others would destroy photographs.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]; those of the system
pub(super) fn check(file: &File, content_type: &str) -> io::Result<()> {
    let mut head = [0; HEAD];
    let length = file.read_at(&mut head, 0)?;
    let head = head.get(..length).unwrap_or_default();
    if head.is_empty() || is_container(head) || content_type == JPEG && is_jpeg(head) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "the file exists and is no recording (WEBM, MKV, MP4, FLV or, where pictures are recorded, JPEG): nothing else is overwritten; record to another name, or remove the file",
    ))
}

/// One of those that recordings have: EBML (RFC 8794 §11.2.1), `ftyp` (ISO/IEC 14496-12 §4.3), FLV.
fn is_container(head: &[u8]) -> bool {
    head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3])
        || head.get(4..8) == Some(b"ftyp")
        || head.starts_with(b"FLV\x01")
}

/// Start of image, and of the next marker (ITU-T T.81 §B.1.1).
fn is_jpeg(head: &[u8]) -> bool {
    head.starts_with(&[0xff, 0xd8, 0xff])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaces(content: &[u8], content_type: &str) -> bool {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, content).unwrap();
        check(&file, content_type).is_ok()
    }

    #[test]
    fn recordings_and_empty_files_are_replaced() {
        for content in [
            b"".as_slice(),
            b"\x1a\x45\xdf\xa3\x01",
            b"\0\0\0\x20ftypisom",
            b"FLV\x01\x05",
        ] {
            assert!(replaces(content, "video/webm"), "{content:?}");
            assert!(replaces(content, JPEG), "{content:?}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for content in [
            b"x".as_slice(),
            b"Dear diary, today",
            b"ssh-ed25519 AAAA",
            b"\x7fELF\x02\x01\x01",
            b"#!/bin/sh\n",
            b"SQLite format 3\0",
            b"FLV",
            b"%PDF-1.7",
        ] {
            assert!(!replaces(content, "video/webm"), "{content:?}");
            assert!(!replaces(content, JPEG), "{content:?}");
        }
    }

    #[test]
    fn photographs_are_replaced_by_pictures_only() {
        let photograph = b"\xff\xd8\xff\xe1\0\0Exif";
        assert!(replaces(photograph, JPEG));
        assert!(!replaces(photograph, "video/mp4"));
    }
}
