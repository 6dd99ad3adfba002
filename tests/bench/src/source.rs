//! The publisher's stream: which packet is due when, and its bytes.

use std::time::{Duration, Instant, SystemTime};

use rivero_bench_peer::{Peer, PeerError};
use rivero_rtp::{
    ExtensionBlock, OutgoingHeader, ntp,
    rtcp::{CompoundBuilder, SenderInfo},
};

use crate::{
    sdp::PAYLOAD_TYPE,
    traffic::{Place, Stamp, Traffic, write_payload},
};

/// VP8's RTP clock.
const CLOCK_RATE: u32 = 90_000;

/// Between two keyframes on request: browsers ignore what asks for more.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);

/// A stream that is being sent.
pub(crate) struct Source {
    traffic: Traffic,
    ssrc: u32,
    epoch: Instant,
    /// When the present frame is due.
    frame_due: Instant,
    frame: u32,
    position: u32,
    keyframe: bool,
    keyframe_wanted: bool,
    last_keyframe: Instant,
    index: u64,
    octets: u32,
    payload: Vec<u8>,
    extensions: ExtensionBlock,
}

impl Source {
    /// A stream whose first frame, a keyframe, is due at `now`; stamps count from `epoch`.
    pub(crate) fn new(traffic: Traffic, ssrc: u32, epoch: Instant, now: Instant) -> Self {
        Self {
            traffic,
            ssrc,
            epoch,
            frame_due: now,
            frame: 0,
            position: 0,
            keyframe: true,
            keyframe_wanted: false,
            last_keyframe: now,
            index: 0,
            octets: 0,
            payload: Vec::new(),
            extensions: ExtensionBlock::default(),
        }
    }

    /// Makes the next frame a keyframe, unless the last keyframe is too recent.
    pub(crate) fn request_keyframe(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.last_keyframe);
        self.keyframe_wanted |= since >= KEYFRAME_INTERVAL;
    }

    /// When the next packet is due.
    pub(crate) fn due(&self) -> Instant {
        self.frame_due + self.traffic.delay_of(self.position)
    }

    /// The index of the next packet.
    pub(crate) fn next_index(&self) -> u64 {
        self.index
    }

    /// The number of the frame that the next packet belongs to.
    pub(crate) fn frame(&self) -> u32 {
        self.frame
    }

    /// Whether the next packet begins a frame.
    pub(crate) fn at_frame_start(&self) -> bool {
        self.position == 0
    }

    /// Appends the next packet, protected, to `out`; returns its length.
    pub(crate) fn write(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<usize, PeerError> {
        if self.position == 0 && std::mem::take(&mut self.keyframe_wanted) {
            (self.keyframe, self.last_keyframe) = (true, now);
        }
        let last = self.position + 1 == self.traffic.packets_per_frame;
        let stamp = Stamp {
            sent: Stamp::time(self.epoch, now),
            index: self.index,
        };
        let place = Place {
            picture: low_bits(self.frame.into()),
            position: self.position,
            keyframe: self.keyframe,
        };
        let length = self.traffic.payload_at(self.position);
        write_payload(&mut self.payload, place, stamp, length);
        let header = OutgoingHeader {
            marker: last,
            payload_type: PAYLOAD_TYPE,
            sequence: low_bits(self.index),
            timestamp: self.rtp_timestamp(),
            ssrc: self.ssrc,
            extensions: &self.extensions,
        };
        let written = peer.protect_rtp(&header, &[&self.payload], out)?;
        self.octets = self.octets.wrapping_add(u32::try_from(length).unwrap_or(0));
        self.index += 1;
        self.position += 1;
        if last {
            self.next_frame(now);
        }
        Ok(written)
    }

    fn next_frame(&mut self, now: Instant) {
        (self.position, self.keyframe) = (0, false);
        self.frame = self.frame.wrapping_add(1);
        self.frame_due += self.traffic.frame_interval();
        // After a long pause (a stalled machine) go on from here instead of catching up.
        if now.saturating_duration_since(self.frame_due) > Duration::from_millis(200) {
            self.frame_due = now;
        }
    }

    fn rtp_timestamp(&self) -> u32 {
        self.frame
            .wrapping_mul(CLOCK_RATE / self.traffic.frame_rate)
    }

    /// The stream's sender report.
    pub(crate) fn report(&self) -> CompoundBuilder {
        let info = SenderInfo {
            ntp: ntp::to_ntp(SystemTime::now()),
            rtp_timestamp: self.rtp_timestamp(),
            packet_count: u32::try_from(self.index).unwrap_or(u32::MAX),
            octet_count: self.octets,
        };
        let mut builder = CompoundBuilder::default();
        builder
            .sender_report(self.ssrc, &info, &[])
            .cname(self.ssrc, "bench");
        builder
    }
}

/// Numbers on the wire wrap.
#[allow(clippy::cast_possible_truncation)]
fn low_bits(value: u64) -> u16 {
    value as u16
}
