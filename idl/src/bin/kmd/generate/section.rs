//! The ELF section by which the server knows a module: `rivero_plugin_api::abi::section` once more, since the
//! descriptors depend on no other crate of the workspace. That the two agree is seen by the tests that read modules
//! in Rust here (tests/clients) and have the server read what is written here (tests/modules).

/// Its name in the library.
pub(super) const SECTION: &str = ".rivero.module";

const MAGIC: [u8; 8] = *b"RIVEROM\x02";
/// Major and minor number of the ABI that the static library for C speaks.
const ABI: [u16; 2] = [2, 0];
/// Panics in the library unwind.
const UNWINDS: u32 = 1;
/// Bytes before the manifest: magic, major and minor (16 bits each), flags and length (32 bits each), little-endian.
const HEADER: usize = 20;

/// The manifest in a section's content.
pub(super) fn read(section: &[u8]) -> Result<&[u8], String> {
    if !section.starts_with(&MAGIC) {
        return Err(format!(
            "its {SECTION} section is not of this version: rebuild the module with this server's plugin-api"
        ));
    }
    let length = section
        .get(16..HEADER)
        .and_then(|bytes| bytes.try_into().ok());
    let length = length.map(u32::from_le_bytes).unwrap_or_default() as usize;
    let manifest = section.get(HEADER..).and_then(|rest| rest.get(..length));
    manifest.ok_or_else(|| format!("its {SECTION} section is cut off"))
}

/// The section of a module that is linked with the static library for C.
pub(super) fn write(manifest: &str) -> Vec<u8> {
    let length = u32::try_from(manifest.len()).unwrap_or(u32::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(ABI.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(UNWINDS.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(manifest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let section = write("{}");
        assert_eq!(read(&section), Ok(&b"{}"[..]));
        assert!(read(&section[..21]).unwrap_err().contains("cut off"));
        assert!(read(&section[..10]).unwrap_err().contains("cut off"));
        assert!(read(b"RIVEROM\x01").unwrap_err().contains("rebuild"));
        assert!(read(b"").is_err());
    }
}
