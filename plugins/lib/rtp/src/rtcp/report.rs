//! Reports and source descriptions (RFC 3550 §6.4, §6.5).

use crate::cursor::Cursor;

const REPORT_BLOCK_LEN: usize = 24;
/// SDES item type of a canonical name.
pub(super) const SDES_CNAME: u8 = 1;

/// The sender information of an SR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock in 32.32 fixed point seconds since 1900.
    pub ntp: u64,
    /// The same moment on the stream's clock.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packet_count: u32,
    /// Payload bytes sent.
    pub octet_count: u32,
}

impl SenderInfo {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            ntp: cursor.u64()?,
            rtp_timestamp: cursor.u32()?,
            packet_count: cursor.u32()?,
            octet_count: cursor.u32()?,
        })
    }
}

/// What one receiver says about one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Share of packets lost since the previous report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all, −2^23…2^23−1; negative when duplicates outweigh losses.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the count of wraps in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter in units of the stream's clock.
    pub jitter: u32,
    /// The middle 32 bits of the last SR's wall clock; 0 before the first.
    pub last_sender_report: u32,
    /// Time since that SR arrived, in 1/65536 s.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    fn parse(mut cursor: Cursor<'_>) -> Option<Self> {
        let ssrc = cursor.u32()?;
        let fraction_lost = cursor.u8()?;
        let lost = cursor.u24()?;
        Some(Self {
            ssrc,
            fraction_lost,
            // Sign extension from 24 bits.
            cumulative_lost: (lost << 8).cast_signed() >> 8,
            highest_sequence: cursor.u32()?,
            jitter: cursor.u32()?,
            last_sender_report: cursor.u32()?,
            delay_since_last_sender_report: cursor.u32()?,
        })
    }
}

/// The report blocks of an SR or RR.
#[derive(Clone)]
pub struct ReportBlocks<'a> {
    left: u8,
    cursor: Cursor<'a>,
}

impl<'a> ReportBlocks<'a> {
    pub(super) fn new(count: u8, cursor: Cursor<'a>) -> Self {
        Self {
            left: count,
            cursor,
        }
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        self.left = self.left.checked_sub(1)?;
        let block = self.cursor.take(REPORT_BLOCK_LEN)?;
        ReportBlock::parse(Cursor::new(block))
    }
}

/// The chunks of an SDES packet, each a source and its canonical name, if it has one.
#[derive(Clone)]
pub struct SdesChunks<'a> {
    left: u8,
    cursor: Cursor<'a>,
}

impl<'a> SdesChunks<'a> {
    pub(super) fn new(count: u8, cursor: Cursor<'a>) -> Self {
        Self {
            left: count,
            cursor,
        }
    }
}

impl<'a> Iterator for SdesChunks<'a> {
    type Item = (u32, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let start = self.cursor.rest().len();
        let ssrc = self.cursor.u32()?;
        let mut cname = None;
        loop {
            match self.cursor.u8()? {
                0 => break,
                item => {
                    let len = usize::from(self.cursor.u8()?);
                    let text = self.cursor.take(len)?;
                    if item == SDES_CNAME {
                        cname = Some(text);
                    }
                }
            }
        }
        // A chunk ends at a multiple of four bytes.
        let used = start - self.cursor.rest().len();
        self.cursor.take(used.next_multiple_of(4) - used)?;
        Some((ssrc, cname))
    }
}

macro_rules! debug_and_compare_by_items {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_list().entries(self.clone()).finish()
            }
        }

        impl PartialEq for $name<'_> {
            fn eq(&self, other: &Self) -> bool {
                self.clone().eq(other.clone())
            }
        }

        impl Eq for $name<'_> {}
    )*};
}
pub(super) use debug_and_compare_by_items;

debug_and_compare_by_items!(ReportBlocks, SdesChunks);
