//! What a module tells about itself without being run.
//!
//! The ELF section [`SECTION`] holds: 8 bytes magic, u16 ABI major, u16 ABI
//! minor, u32 flags, u32 length, all little-endian, then that many bytes of JSON
//! (the module's name, version, classes and descriptor).

use super::{ABI_MAJOR, ABI_MINOR};

pub const SECTION: &str = ".rivero.module";
pub const MAGIC: [u8; 8] = *b"RIVEROM\x02";
/// Of sections without flags, which do not tell whether the module unwinds.
const WITHOUT_FLAGS: [u8; 8] = *b"RIVEROM\x01";
pub const HEADER: usize = 20;

/// Flag: panics unwind, so that they can be contained. Without it the first one ends the process.
pub const UNWINDS: u32 = 1;

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where it cannot fail later"
)]
/// The section's content, made at compile time; `N` is [`HEADER`] + length.
pub const fn encode<const N: usize>(manifest: &[u8], flags: u32) -> [u8; N] {
    let mut section = [0u8; N];
    let major = ABI_MAJOR.to_le_bytes();
    let minor = ABI_MINOR.to_le_bytes();
    let flags = flags.to_le_bytes();
    let length = (manifest.len() as u32).to_le_bytes();
    let mut index = 0;
    while index < N {
        section[index] = match index {
            0..8 => MAGIC[index],
            8..10 => major[index - 8],
            10..12 => minor[index - 10],
            12..16 => flags[index - 12],
            16..20 => length[index - 16],
            _ => manifest[index - HEADER],
        };
        index += 1;
    }
    section
}

/// A section as found in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Section<'a> {
    pub major: u16,
    pub minor: u16,
    /// A panic in the module unwinds.
    pub unwinds: bool,
    pub manifest: &'a [u8],
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    #[error("its {SECTION} section is cut off")]
    Truncated,
    #[error("its {SECTION} section does not begin with the magic of a Rivero module")]
    Magic,
    #[error(
        "it was built with an older plugin-api, which does not tell whether its panics can be contained: rebuild it with this server's"
    )]
    WithoutFlags,
}

/// Reads a section; trailing bytes (alignment) are allowed.
pub fn decode(section: &[u8]) -> Result<Section<'_>, SectionError> {
    match section.first_chunk() {
        Some(&MAGIC) => {}
        Some(&WITHOUT_FLAGS) => return Err(SectionError::WithoutFlags),
        Some(_) => return Err(SectionError::Magic),
        None => return Err(SectionError::Truncated),
    }
    let (header, rest) = section
        .split_at_checked(HEADER)
        .ok_or(SectionError::Truncated)?;
    let field = |range: std::ops::Range<usize>| header.get(range).unwrap_or_default();
    let small = |range| {
        let bytes = field(range).try_into();
        bytes.map(u16::from_le_bytes).unwrap_or_default()
    };
    let large = |range| {
        let bytes = field(range).try_into();
        bytes.map(u32::from_le_bytes).unwrap_or_default()
    };
    let length = large(16..20) as usize;
    Ok(Section {
        major: small(8..10),
        minor: small(10..12),
        unwinds: large(12..16) & UNWINDS != 0,
        manifest: rest.get(..length).ok_or(SectionError::Truncated)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let section = encode::<22>(b"{}", UNWINDS);
        assert_eq!(
            decode(&section),
            Ok(Section {
                major: ABI_MAJOR,
                minor: ABI_MINOR,
                unwinds: true,
                manifest: b"{}"
            })
        );
        assert_eq!(decode(&section[..21]), Err(SectionError::Truncated));
        assert_eq!(decode(&section[..9]), Err(SectionError::Truncated));
        assert_eq!(decode(&section[..7]), Err(SectionError::Truncated));
        assert_eq!(decode(&[0; 32]), Err(SectionError::Magic));
    }

    #[test]
    fn a_module_that_does_not_unwind_says_so_and_an_older_one_says_nothing() {
        let mut section = encode::<22>(b"{}", 0);
        assert!(!decode(&section).unwrap().unwinds);
        section[7] = 1;
        assert_eq!(decode(&section), Err(SectionError::WithoutFlags));
    }
}
