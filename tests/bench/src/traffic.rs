//! What the publisher sends: RTP packets that look like VP8 to whoever reads their beginning.

use std::time::{Duration, Instant};

/// Shape of the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
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
    /// Time between two transport-wide feedbacks of a viewer, zero for none.
    pub(crate) feedback_interval: Duration,
}

impl Traffic {
    /// 640x480 at 1 Mbit/s: 125 packets of about 1,000 bytes per second.
    pub(crate) const VGA_1_MBPS: Self = Self {
        frame_rate: 25,
        packets_per_frame: 5,
        payload: 1000,
        last_payload: 960,
        spread: Duration::ZERO,
        feedback_interval: Duration::from_millis(100),
    };

    /// Time between two frames.
    pub(crate) fn frame_interval(&self) -> Duration {
        Duration::from_secs(1) / self.frame_rate
    }

    /// Payload bytes of the packet at `position` of a frame.
    pub(crate) fn payload_at(&self, position: u32) -> usize {
        if position + 1 == self.packets_per_frame {
            self.last_payload
        } else {
            self.payload
        }
    }

    /// Time from the first packet of a frame to the one at `position`.
    pub(crate) fn delay_of(&self, position: u32) -> Duration {
        self.spread * position / self.packets_per_frame
    }
}

/// Carried in every payload, to be read where it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When the packet was sent, in ns since the load began.
    pub(crate) sent: u64,
    /// Which one of the stream it is, from 0.
    pub(crate) index: u64,
}

/// Where the stamp lies in a payload: behind all that VP8 readers look at.
const STAMP_AT: usize = 16;

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

/// Replaces `out` by a payload of `length` bytes: payload descriptor (RFC 7741 §4.2) with a
/// picture id, frame header (RFC 6386 §9.1) in the first packet of a frame, stamp, filling.
pub(crate) fn write_payload(out: &mut Vec<u8>, place: Place, stamp: Stamp, length: usize) {
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
    out.clear();
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
    out.resize(STAMP_AT, 0);
    stamp.write(out);
    out.resize(length, 0x5a);
}

#[cfg(test)]
mod tests {
    use rivero_rtp::codec::VideoCodec;

    use super::*;

    fn payload(position: u32, keyframe: bool) -> Vec<u8> {
        let (mut out, picture) = (vec![1, 2, 3], 7);
        let place = Place {
            picture,
            position,
            keyframe,
        };
        write_payload(&mut out, place, Stamp { sent: 5, index: 9 }, 1000);
        out
    }

    #[test]
    fn a_stamp_comes_back() {
        for payload in [payload(0, true), payload(0, false), payload(3, false)] {
            assert_eq!(payload.len(), 1000);
            assert_eq!(Stamp::read(&payload), Some(Stamp { sent: 5, index: 9 }));
        }
        assert_eq!(Stamp::read(&[0; 31]), None);
    }

    #[test]
    fn keyframes_look_like_keyframes() {
        let starts = |payload: &[u8]| VideoCodec::Vp8.inspect(payload).keyframe_start;
        assert!(starts(&payload(0, true)));
        assert!(!starts(&payload(0, false)));
        assert!(!starts(&payload(1, true)));
    }

    #[test]
    fn the_stream_has_1_mbps() {
        let traffic = Traffic::VGA_1_MBPS;
        let frame: usize = (0..traffic.packets_per_frame)
            .map(|p| traffic.payload_at(p))
            .sum();
        let bits = frame * 8 * traffic.frame_rate as usize;
        assert!((950_000..=1_050_000).contains(&bits), "{bits}");
        assert_eq!(traffic.delay_of(4), Duration::ZERO);
    }
}
