//! The publisher's stream: which packet is due when, and its bytes.

use std::time::{Duration, Instant, SystemTime};

use rivero_bench_peer::{Peer, PeerError};
use rivero_rtp::{
    ExtensionBlock, OutgoingHeader, ntp,
    rtcp::{CompoundBuilder, SenderInfo},
};

use crate::{
    sdp::PAYLOAD_TYPE,
    traffic::{Place, Planned, Stamp, Traffic, write_payload},
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
    /// Time 0 of the plan.
    begin: Instant,
    /// The next packet.
    next: Planned,
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
            begin: now,
            next: traffic.packet(0),
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
        self.begin + self.next.due
    }

    /// The index of the next packet.
    pub(crate) fn next_index(&self) -> u64 {
        self.index
    }

    /// The number of the frame that the next packet belongs to.
    pub(crate) fn frame(&self) -> u32 {
        self.next.frame
    }

    /// Whether the next packet begins a frame.
    pub(crate) fn at_frame_start(&self) -> bool {
        self.next.position == 0
    }

    /// Appends the next packet, protected, to `out`; returns its length.
    pub(crate) fn write(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<usize, PeerError> {
        let planned = self.next;
        if planned.position == 0 && std::mem::take(&mut self.keyframe_wanted) {
            (self.keyframe, self.last_keyframe) = (true, now);
        }
        let stamp = Stamp {
            sent: Stamp::time(self.epoch, now),
            index: self.index,
        };
        let place = Place {
            picture: low_bits(planned.frame.into()),
            position: planned.position,
            keyframe: self.keyframe,
        };
        let codec = self.traffic.codec();
        write_payload(codec, &mut self.payload, place, stamp, planned.payload);
        let header = OutgoingHeader {
            marker: planned.last,
            payload_type: PAYLOAD_TYPE,
            sequence: low_bits(self.index),
            timestamp: self.rtp_timestamp(),
            ssrc: self.ssrc,
            extensions: &self.extensions,
            padding: 0,
        };
        let written = peer.protect_rtp(&header, &[&self.payload], out)?;
        let length = u32::try_from(self.payload.len()).unwrap_or(0);
        self.octets = self.octets.wrapping_add(length);
        self.index += 1;
        self.next = self.traffic.packet(self.index);
        if planned.last {
            self.keyframe = false;
            // After a long pause (a stalled machine) go on from here instead of catching up.
            let late = now.saturating_duration_since(self.due());
            if late > Duration::from_millis(200) {
                self.begin += late;
            }
        }
        Ok(written)
    }

    fn rtp_timestamp(&self) -> u32 {
        let rate = CLOCK_RATE / self.traffic.frame_rate();
        self.next.frame.wrapping_mul(rate)
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
