//! Boxes of the ISO base media file format (ISO/IEC 14496-12 §4.2), and numbers in them.

/// Size and type.
pub(super) const HEAD: usize = 8;

/// A box in memory.
#[derive(Clone, Copy)]
pub(super) struct Box<'a> {
    pub(super) kind: [u8; 4],
    pub(super) body: &'a [u8],
}

/// The boxes in `bytes`, up to the first that is not whole.
pub(super) fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = Box<'_>> {
    std::iter::from_fn(move || {
        let (size, head) = size(bytes)?;
        let size = usize::try_from(size?).ok()?;
        let (own, rest) = bytes.split_at_checked(size)?;
        let kind = kind(own)?;
        bytes = rest;
        Some(Box {
            kind,
            body: own.get(head..)?,
        })
    })
}

/// The first box of a kind.
pub(super) fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut all = boxes(bytes);
    all.find(|own| own.kind == *kind).map(|own| own.body)
}

/// The box at the end of a way.
pub(super) fn descendant<'a>(bytes: &'a [u8], way: &[&[u8; 4]]) -> Option<&'a [u8]> {
    way.iter().try_fold(bytes, |body, kind| child(body, kind))
}

/// Size of the box that begins here, and of its head; no size: up to the end of the file. `None`: more has to be known.
pub(super) fn size(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    Some(match u32_at(bytes, 0)? {
        0 => (None, HEAD),
        1 => (Some(u64_at(bytes, HEAD)?.max(2 * HEAD as u64)), 2 * HEAD),
        size => (Some(u64::from(size).max(HEAD as u64)), HEAD),
    })
}

/// The type of the box that begins here.
pub(super) fn kind(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.get(4..HEAD)?.try_into().ok()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let number = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(number))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let number = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(number))
}

pub(super) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    u32_at(bytes, at).map(u32::cast_signed)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let number = bytes.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_be_bytes(number))
}

/// Version and flags of a full box (§4.2).
pub(super) fn version_and_flags(bytes: &[u8]) -> Option<(u8, u32)> {
    let both = u32_at(bytes, 0)?;
    Some(((both >> 24) as u8, both & 0x00ff_ffff))
}
