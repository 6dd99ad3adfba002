//! The section by which the server knows a module that is linked with the static library for C.

use rivero_plugin_api::abi::{
    ABI_MAJOR, ABI_MINOR,
    section::{MAGIC, UNWINDS},
};

/// Its content, as [`rivero_plugin_api::abi::section::encode`] makes it where the length is known
/// to the compiler. Panics in the library unwind.
pub(super) fn write(manifest: &str) -> Vec<u8> {
    let length = u32::try_from(manifest.len()).unwrap_or(u32::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(ABI_MAJOR.to_le_bytes());
    bytes.extend(ABI_MINOR.to_le_bytes());
    bytes.extend(UNWINDS.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(manifest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::abi::section;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let written = write("{}");
        let read = section::decode(&written).unwrap();
        assert_eq!((read.major, read.minor), (ABI_MAJOR, ABI_MINOR));
        assert!(read.unwinds);
        assert_eq!(read.manifest, b"{}");
        assert_eq!(
            written,
            section::encode::<{ section::HEADER + 2 }>(b"{}", UNWINDS)
        );
    }
}
