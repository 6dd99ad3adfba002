//! What a module tells about itself without being run.
//!
//! The ELF section [`SECTION`] holds: 8 bytes magic, u16 ABI major, u16 ABI
//! minor, u32 length, all little-endian, then that many bytes of JSON (the
//! module's name, version, classes and descriptor).

use super::{ABI_MAJOR, ABI_MINOR};

pub const SECTION: &str = ".rivero.module";
pub const MAGIC: [u8; 8] = *b"RIVEROM\x01";
pub const HEADER: usize = 16;

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where it cannot fail later"
)]
/// The section's content, made at compile time; `N` is [`HEADER`] + length.
pub const fn encode<const N: usize>(manifest: &[u8]) -> [u8; N] {
    let mut section = [0u8; N];
    let major = ABI_MAJOR.to_le_bytes();
    let minor = ABI_MINOR.to_le_bytes();
    let length = (manifest.len() as u32).to_le_bytes();
    let mut index = 0;
    while index < N {
        section[index] = match index {
            0..8 => MAGIC[index],
            8..10 => major[index - 8],
            10..12 => minor[index - 10],
            12..16 => length[index - 12],
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
    pub manifest: &'a [u8],
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    #[error("its {SECTION} section is cut off")]
    Truncated,
    #[error("its {SECTION} section does not begin with the magic of a Rivero module")]
    Magic,
}

/// Reads a section; trailing bytes (alignment) are allowed.
pub fn decode(section: &[u8]) -> Result<Section<'_>, SectionError> {
    let (header, rest) = section
        .split_at_checked(HEADER)
        .ok_or(SectionError::Truncated)?;
    let field = |range: std::ops::Range<usize>| header.get(range).unwrap_or_default();
    if field(0..8) != MAGIC {
        return Err(SectionError::Magic);
    }
    let small = |range| {
        field(range)
            .try_into()
            .map(u16::from_le_bytes)
            .unwrap_or_default()
    };
    let length: u32 = field(12..16)
        .try_into()
        .map(u32::from_le_bytes)
        .unwrap_or_default();
    let manifest = rest.get(..length as usize).ok_or(SectionError::Truncated)?;
    Ok(Section {
        major: small(8..10),
        minor: small(10..12),
        manifest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let section = encode::<18>(b"{}");
        assert_eq!(
            decode(&section),
            Ok(Section {
                major: ABI_MAJOR,
                minor: ABI_MINOR,
                manifest: b"{}"
            })
        );
        assert_eq!(decode(&section[..17]), Err(SectionError::Truncated));
        assert_eq!(decode(&section[..9]), Err(SectionError::Truncated));
        assert_eq!(decode(&[0; 32]), Err(SectionError::Magic));
    }
}
