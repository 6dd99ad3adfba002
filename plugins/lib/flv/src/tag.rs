//! The header of a file (§E.2) and the tags behind it (§E.4.1).

/// Where the byte of [`flags`] stands in the header of a file.
pub const FLAGS_OFFSET: u64 = 4;
/// Bytes in front of the body of a tag.
pub const TAG_HEADER_LENGTH: usize = 11;

/// What a tag holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagType {
    /// See [`audio`](crate::audio).
    Audio,
    /// See [`video`](crate::video).
    Video,
    /// See [`script`](crate::script).
    Script,
}

impl TagType {
    /// The number of the type, in tags and as type of an RTMP message.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }
}

/// The byte that says which media a file has. Players take it at its word: they wait for what it
/// promises, and ignore what it does not.
#[must_use]
pub fn flags(has_audio: bool, has_video: bool) -> u8 {
    u8::from(has_audio) << 2 | u8::from(has_video)
}

/// What stands before the first tag: signature, version 1, flags, the header's own length of 9
/// bytes, and the size of the tag before the first, which is 0.
#[must_use]
pub fn file_header(flags: u8) -> [u8; 13] {
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// A tag and, behind it, its size. `timestamp`: ms. `body`: less than 16 MiB, which is what 24 bits of
/// length can say.
#[must_use]
pub fn tag(kind: TagType, timestamp: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or_default();
    let [_, length @ ..] = length.to_be_bytes();
    // 24 bits of time came first; the highest eight were added behind them later.
    let [extended, timestamp @ ..] = timestamp.to_be_bytes();
    let mut bytes = Vec::with_capacity(TAG_HEADER_LENGTH + body.len() + 4);
    bytes.push(kind.number());
    bytes.extend(length);
    bytes.extend(timestamp);
    bytes.push(extended);
    bytes.extend([0, 0, 0]); // StreamID
    bytes.extend_from_slice(body);
    // Players seek backwards by these sizes.
    let size = u32::try_from(bytes.len()).unwrap_or_default();
    bytes.extend(size.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_its_length_in_front_and_its_size_behind() {
        assert_eq!(
            tag(TagType::Video, 0x0102_0304, &[7, 8]),
            [9, 0, 0, 2, 2, 3, 4, 1, 0, 0, 0, 7, 8, 0, 0, 0, 13]
        );
        assert_eq!(tag(TagType::Audio, 0, &[]).len(), TAG_HEADER_LENGTH + 4);
    }

    #[test]
    fn the_flags_stand_where_they_are_changed() {
        let header = file_header(flags(true, false));
        assert_eq!(header[..4], *b"FLV\x01");
        assert_eq!(header[usize::try_from(FLAGS_OFFSET).unwrap()], 4);
        assert_eq!((flags(false, true), flags(true, true)), (1, 5));
    }
}
