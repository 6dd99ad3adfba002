//! What the publisher sends: RTP packets that look like VP8 to whoever reads their beginning.

use std::time::{Duration, Instant};

use crate::capture::Capture;

/// What is sent, and how often viewers tell of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) shape: Shape,
    /// Time between two transport-wide feedbacks of a viewer, zero for none.
    pub(crate) feedback_interval: Duration,
}

/// Sizes and times of the packets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Frames that are all alike.
    Even(Even),
    /// What a browser sent once, again and again.
    Captured(&'static Capture),
}

/// Frames that are all alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Even {
    /// Frames per second.
    pub(crate) frame_rate: u32,
    /// Packets of a frame.
    pub(crate) packets_per_frame: u32,
    /// Payload bytes of every packet of a frame but the last.
    pub(crate) payload: usize,
    /// Payload bytes of the last packet of a frame.
    pub(crate) last_payload: usize,
    /// Time over which the packets of a frame are spread.
    pub(crate) spread: Duration,
}

/// A packet of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// When it is sent, counted from the beginning of the stream.
    pub(crate) due: Duration,
    /// Bytes of payload.
    pub(crate) payload: usize,
    /// Number of its frame, from 0.
    pub(crate) frame: u32,
    /// Number of the packet in its frame.
    pub(crate) position: u32,
    /// Whether it ends its frame.
    pub(crate) last: bool,
}

impl Even {
    /// 640x480 at 1 Mbit/s: 125 packets of about 1,000 bytes per second.
    pub(crate) const VGA_1_MBPS: Self = Self {
        frame_rate: 25,
        packets_per_frame: 5,
        payload: 1000,
        last_payload: 960,
        spread: Duration::ZERO,
    };

    fn packet(&self, index: u64) -> Planned {
        let of_frame = u64::from(self.packets_per_frame);
        let frame = u32::try_from(index / of_frame).unwrap_or(u32::MAX);
        let position = u32::try_from(index % of_frame).unwrap_or(0);
        let last = position + 1 == self.packets_per_frame;
        let begin = Duration::from_secs(1) / self.frame_rate * frame;
        Planned {
            due: begin + self.spread * position / self.packets_per_frame,
            payload: if last {
                self.last_payload
            } else {
                self.payload
            },
            frame,
            position,
            last,
        }
    }
}

impl Traffic {
    /// The packet number `index`.
    pub(crate) fn packet(&self, index: u64) -> Planned {
        match &self.shape {
            Shape::Even(even) => even.packet(index),
            Shape::Captured(capture) => capture.packet(index),
        }
    }

    /// Frames per second, about.
    pub(crate) fn frame_rate(&self) -> u32 {
        match &self.shape {
            Shape::Even(even) => even.frame_rate,
            Shape::Captured(capture) => capture.frame_rate(),
        }
    }

    /// The codec whose payloads are made.
    pub(crate) fn codec(&self) -> Codec {
        match &self.shape {
            Shape::Even(_) => Codec::Vp8,
            Shape::Captured(capture) => capture.codec,
        }
    }

    /// Whether packets that are due at about the same time leave in one call: those of browsers
    /// leave one by one.
    pub(crate) fn sends_together(&self) -> bool {
        matches!(self.shape, Shape::Even(_))
    }
}

/// What the payloads look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// RFC 7741
    Vp8,
    /// RFC 6184
    H264,
}

/// Carried in every payload, to be read where it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When the packet was sent, in ns since the load began.
    pub(crate) sent: u64,
    /// Which one of the stream it is, from 0.
    pub(crate) index: u64,
}

/// Where the stamp lies in a payload: behind all that readers of VP8 and of H.264 look at.
const STAMP_AT: usize = 24;
/// Bytes of a stamp.
const STAMP_LEN: usize = 16;

impl Stamp {
    /// Nanoseconds from `epoch` to `now`.
    pub(crate) fn time(epoch: Instant, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(epoch);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The stamp of a payload, if it is long enough.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (sent, rest) = payload.get(STAMP_AT..)?.split_first_chunk::<8>()?;
        let index = rest.first_chunk::<8>()?;
        Some(Self {
            sent: u64::from_be_bytes(*sent),
            index: u64::from_be_bytes(*index),
        })
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sent.to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
    }
}

/// Which packet of which frame a payload belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Number of the frame, 15 bits are sent.
    pub(crate) picture: u16,
    /// Number of the packet in its frame.
    pub(crate) position: u32,
    /// Whether the frame is a keyframe.
    pub(crate) keyframe: bool,
}

/// Replaces `out` by a payload of `length` bytes: what the codec begins with, stamp, filling.
pub(crate) fn write_payload(
    codec: Codec,
    out: &mut Vec<u8>,
    place: Place,
    stamp: Stamp,
    length: usize,
) {
    let length = length.max(STAMP_AT + STAMP_LEN);
    out.clear();
    match codec {
        Codec::Vp8 => begin_vp8(out, place),
        Codec::H264 if place.keyframe && place.position == 0 => begin_h264_keyframe(out, length),
        Codec::H264 => begin_h264(out, place),
    }
    out.resize(STAMP_AT, 0);
    stamp.write(out);
    out.resize(length, 0x5a);
}

/// Parameter sets and the first slice in one packet (STAP-A, RFC 6184 §5.7.1): a picture without them
/// is no keyframe to the server, as nobody could decode it.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a packet has less than 64 KiB"
)]
fn begin_h264_keyframe(out: &mut Vec<u8>, length: usize) {
    const AGGREGATE: u8 = 0x60 | 24;
    /// 640x480, Constrained Baseline, level 3.1.
    const SEQUENCE: [u8; 9] = [0x67, 0x42, 0xe0, 0x1f, 0xda, 0x02, 0x80, 0xf6, 0x40];
    const PICTURE: [u8; 4] = [0x68, 0xce, 0x38, 0x80];
    const IDR_SLICE: u8 = 0x65;
    out.push(AGGREGATE);
    for set in [&SEQUENCE[..], &PICTURE] {
        out.extend((set.len() as u16).to_be_bytes());
        out.extend_from_slice(set);
    }
    let slice = length - out.len() - 2;
    out.extend((slice as u16).to_be_bytes());
    out.extend_from_slice(&[IDR_SLICE, 0x80]);
}

/// A fragment of a slice (RFC 6184 §5.8).
fn begin_h264(out: &mut Vec<u8>, place: Place) {
    const FRAGMENT: u8 = 0x60 | 28;
    const START: u8 = 0x80;
    const IDR: u8 = 5;
    const SLICE: u8 = 1;
    let start = if place.position == 0 { START } else { 0 };
    let kind = if place.keyframe { IDR } else { SLICE };
    // The slice header begins with first_mb_in_slice, 0 as Exp-Golomb code.
    out.extend_from_slice(&[FRAGMENT, start | kind, 0x80]);
}

/// Payload descriptor (RFC 7741 §4.2) with a picture id, and the frame header (RFC 6386 §9.1) in
/// the first packet of a frame.
fn begin_vp8(out: &mut Vec<u8>, place: Place) {
    const EXTENDED: u8 = 0x80;
    const PARTITION_START: u8 = 0x10;
    const HAS_PICTURE_ID: u8 = 0x80;
    const SHOW_FRAME: u32 = 1 << 4;
    /// Of the first partition; nobody decodes it.
    const PARTITION_BYTES: u32 = 1000;
    const SYNC_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

    let start = if place.position == 0 {
        PARTITION_START
    } else {
        0
    };
    let [id_high, id_low] = (0x8000 | place.picture).to_be_bytes();
    out.extend_from_slice(&[EXTENDED | start, HAS_PICTURE_ID, id_high, id_low]);
    if place.position == 0 {
        let tag = u32::from(!place.keyframe) | SHOW_FRAME | PARTITION_BYTES << 5;
        out.extend(tag.to_le_bytes().into_iter().take(3));
        if place.keyframe {
            out.extend_from_slice(&SYNC_CODE);
            out.extend_from_slice(&640u16.to_le_bytes());
            out.extend_from_slice(&480u16.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_rtp::codec::VideoCodec;

    use super::*;

    fn payload(codec: Codec, position: u32, keyframe: bool) -> Vec<u8> {
        let (mut out, picture) = (vec![1, 2, 3], 7);
        let place = Place {
            picture,
            position,
            keyframe,
        };
        write_payload(codec, &mut out, place, Stamp { sent: 5, index: 9 }, 1000);
        out
    }

    #[test]
    fn a_stamp_comes_back() {
        for codec in [Codec::Vp8, Codec::H264] {
            for (position, keyframe) in [(0, true), (0, false), (3, false)] {
                let payload = payload(codec, position, keyframe);
                assert_eq!(payload.len(), 1000);
                assert_eq!(Stamp::read(&payload), Some(Stamp { sent: 5, index: 9 }));
            }
        }
        assert_eq!(Stamp::read(&[0; 31]), None);
    }

    #[test]
    fn keyframes_look_like_keyframes() {
        for (codec, reader) in [
            (Codec::Vp8, VideoCodec::Vp8),
            (Codec::H264, VideoCodec::H264),
        ] {
            let starts = |position, keyframe| {
                reader
                    .inspect(&payload(codec, position, keyframe))
                    .keyframe_start
            };
            assert!(starts(0, true));
            assert!(!starts(0, false));
            assert!(!starts(1, true));
        }
    }

    #[test]
    fn the_stream_has_1_mbps() {
        let second = (0..125).map(|index| Even::VGA_1_MBPS.packet(index));
        let bits: usize = second.map(|packet| packet.payload * 8).sum();
        assert!((950_000..=1_050_000).contains(&bits), "{bits}");
        let fourth = Even::VGA_1_MBPS.packet(9);
        assert_eq!(fourth.due, Duration::from_millis(40));
        assert_eq!((fourth.frame, fourth.position, fourth.last), (1, 4, true));
    }
}
