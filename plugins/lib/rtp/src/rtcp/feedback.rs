//! The lists inside feedback messages (RFC 4585 §6, RFC 5104 §4.3).

use super::report::debug_and_compare_by_items;
use crate::cursor::Cursor;

/// A list of synchronisation sources.
#[derive(Clone)]
pub struct Ssrcs<'a> {
    left: usize,
    cursor: Cursor<'a>,
}

impl<'a> Ssrcs<'a> {
    pub(super) fn new(count: usize, cursor: Cursor<'a>) -> Self {
        Self {
            left: count,
            cursor,
        }
    }
}

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        self.cursor.u32()
    }
}

/// The sequence numbers of a generic NACK, in the order of the message.
#[derive(Clone)]
pub struct LostSequences<'a> {
    cursor: Cursor<'a>,
    base: u16,
    /// Bit *n* stands for `base` + *n* + 1.
    following: u16,
}

impl<'a> LostSequences<'a> {
    pub(super) fn new(cursor: Cursor<'a>) -> Self {
        Self {
            cursor,
            base: 0,
            following: 0,
        }
    }
}

impl Iterator for LostSequences<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.following == 0 {
            self.base = self.cursor.u16()?;
            self.following = self.cursor.u16()?;
            return Some(self.base);
        }
        let bit = self.following.trailing_zeros();
        self.following &= self.following - 1;
        let distance = u16::try_from(bit).unwrap_or(0) + 1;
        Some(self.base.wrapping_add(distance))
    }
}

/// The entries of a full intra request: stream and command number.
#[derive(Clone)]
pub struct FirEntries<'a> {
    cursor: Cursor<'a>,
}

impl<'a> FirEntries<'a> {
    pub(super) fn new(cursor: Cursor<'a>) -> Self {
        Self { cursor }
    }
}

impl Iterator for FirEntries<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let ssrc = self.cursor.u32()?;
        let command = self.cursor.u8()?;
        self.cursor.u24()?;
        Some((ssrc, command))
    }
}

debug_and_compare_by_items!(Ssrcs, LostSequences, FirEntries);
