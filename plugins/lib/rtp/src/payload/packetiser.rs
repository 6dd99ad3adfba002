//! What all packetisers share: headers, sequence numbers and markers.

use std::ops::Range;

use super::{Cut, Parameters, cutter};
use crate::OutgoingHeader;
use crate::extension::ExtensionBlock;
use crate::header::FIXED_HEADER_LEN;

/// Bytes of IP packets, which pass every path.
pub const DEFAULT_MTU: u16 = 1200;

/// Bytes around a payload: the headers of IP, UDP and RTP, extensions and encryption.
const OVERHEAD: usize = 60;

/// RTP packets out of frames, one outgoing stream.
pub struct Packetiser {
    cutter: Box<dyn Cut>,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    limit: usize,
}

/// The packets of one frame: one block of memory, so that sharing them costs one allocation.
#[derive(Debug, Default)]
pub struct Packets {
    bytes: Vec<u8>,
    starts: Vec<Start>,
}

#[derive(Debug, Clone, Copy)]
struct Start {
    at: usize,
    /// In units of the RTP clock after the beginning of the frame.
    offset: u32,
}

/// One packet of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutPacket {
    /// Where it lies in the block, header included.
    pub range: Range<usize>,
    /// Of its header, too.
    pub sequence: u16,
    /// Of its header, too.
    pub timestamp: u32,
    /// Of its header, too.
    pub marker: bool,
    /// The first packet of a keyframe.
    pub keyframe_start: bool,
}

impl Packets {
    /// Begins the next packet, whose first sample is `offset` units of the RTP clock after the
    /// frame's.
    pub(super) fn begin(&mut self, offset: u32) {
        self.starts.push(Start {
            at: self.bytes.len(),
            offset,
        });
        self.bytes.extend_from_slice(&[0; FIXED_HEADER_LEN]);
    }

    /// Room for headers and the payloads behind them.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends to the payload of the packet that was begun last.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

impl Packetiser {
    /// For the payload format with this encoding name in upper case; `None` if it is not known. The
    /// numbers of the stream begin at random ones of the caller.
    #[must_use]
    pub fn new(
        encoding: &str,
        parameters: Parameters,
        ssrc: u32,
        sequence: u16,
        payload_type: u8,
    ) -> Option<Self> {
        Some(Self {
            cutter: cutter(encoding, parameters)?,
            ssrc,
            payload_type,
            sequence,
            limit: usize::from(DEFAULT_MTU) - OVERHEAD,
        })
    }

    /// Packets for IP packets of so many bytes at most, [`DEFAULT_MTU`] otherwise. Below 260 there would
    /// be more headers than media, and beyond 1500 packets that hardly a path carries: such numbers
    /// count as those.
    #[must_use]
    pub fn with_mtu(mut self, mtu: u16) -> Self {
        self.limit = usize::from(mtu.clamp(260, 1500)) - OVERHEAD;
        self
    }

    /// The stream's SSRC.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Cuts a frame. The packets lie one after the other in the bytes.
    pub fn packetise(&mut self, frame: &[u8], timestamp: u32) -> (Vec<u8>, Vec<CutPacket>) {
        let mut packets = Packets::default();
        packets.bytes.reserve(frame.len() + frame.len() / 16 + 64);
        let begins = self.cutter.begins_talkspurt(timestamp, frame);
        let keyframe = self.cutter.cut(frame, self.limit, &mut packets);
        let Packets { mut bytes, starts } = packets;
        let mut cut = Vec::with_capacity(starts.len());
        for (index, start) in starts.iter().enumerate() {
            let next = starts.get(index + 1);
            let packet = CutPacket {
                range: start.at..next.map_or(bytes.len(), |next| next.at),
                sequence: self.sequence,
                timestamp: timestamp.wrapping_add(start.offset),
                marker: index == 0 && begins || next.is_none() && self.cutter.marks_last(),
                keyframe_start: keyframe && index == 0,
            };
            self.write_header(&packet, &mut bytes);
            self.sequence = self.sequence.wrapping_add(1);
            cut.push(packet);
        }
        (bytes, cut)
    }

    fn write_header(&self, packet: &CutPacket, bytes: &mut [u8]) {
        let mut header = Vec::with_capacity(FIXED_HEADER_LEN);
        OutgoingHeader {
            marker: packet.marker,
            payload_type: self.payload_type,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: self.ssrc,
            extensions: &ExtensionBlock::default(),
            padding: 0,
        }
        .write_to(&mut header);
        let place = bytes.get_mut(packet.range.start..packet.range.start + FIXED_HEADER_LEN);
        if let Some(place) = place {
            place.copy_from_slice(&header);
        }
    }
}

/// Cuts `bytes` into pieces of about the same length, none longer than `limit` (at least 1): a tiny
/// last packet would cost as much as a full one.
pub(super) fn even_pieces(bytes: &[u8], limit: usize) -> impl ExactSizeIterator<Item = &[u8]> {
    let count = bytes.len().div_ceil(limit.max(1)).max(1);
    let length = bytes.len().div_ceil(count).max(1);
    bytes.chunks(length)
}
