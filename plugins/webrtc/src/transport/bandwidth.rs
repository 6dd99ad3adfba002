//! What the path to the peer carries, and what follows for what it is sent.

use std::time::{Duration, Instant};

use rivero_congestion::CongestionController;
use rivero_plugin_api::MediaKind;
use rivero_rtp::{arrivals::TransportArrivals, rtcp::TransportFeedback};

use super::Transport;
use crate::{
    peer::Transmit,
    track::{Inbound, Outbound},
};

/// Of a better encoding's bitrate: what the path should carry before it is sent.
const SAFETY: (u64, u64) = (6, 5);
/// Packets of one step of a probe.
const MAX_PROBE_PACKETS: usize = 32;

/// Bytes of a packet besides its payload: IP, UDP, RTP with extensions, and encryption.
const OVERHEAD: u64 = 28 + 20 + 16;
/// Of the estimate: what retransmissions and probes are given at most before video.
const REPEATED: u64 = 5;

/// What something besides new video takes of the path.
#[derive(Debug, Default)]
pub(super) struct Rate {
    bytes: u64,
    since: Option<Instant>,
    bits_per_second: u64,
}

impl Rate {
    /// `bytes` were sent in all.
    fn measure(&mut self, now: Instant, bytes: u64) {
        if let Some(since) = self.since {
            let passed = now
                .saturating_duration_since(since)
                .max(Duration::from_millis(1));
            let bits = u128::from(bytes.saturating_sub(self.bytes)) * 8_000;
            let measured = u64::try_from(bits / passed.as_millis()).unwrap_or(0);
            self.bits_per_second = u64::midpoint(self.bits_per_second, measured);
        }
        (self.bytes, self.since) = (bytes, Some(now));
    }
}

impl Transport {
    /// Begins what the tracks have negotiated with the peer.
    pub(super) fn follow_tracks(&mut self) {
        let mut inbounds = self
            .tracks
            .iter()
            .filter_map(|track| track.inbound.as_ref());
        if self.arrivals.is_none() && inbounds.any(Inbound::reports_arrivals) {
            self.arrivals = Some(TransportArrivals::new(Instant::now()));
        }
        let mut outbounds = self
            .tracks
            .iter()
            .filter_map(|track| track.outbound.as_ref());
        if self.congestion.is_none() && outbounds.any(Outbound::gets_arrivals) {
            self.congestion = Some(Box::new(CongestionController::new(Instant::now())));
        }
    }

    /// Tells the peer which of its packets arrived, and when.
    pub(super) fn report_arrivals(&mut self, now: Instant) {
        let (sender, media) = (self.feedback_ssrc(), self.reported_ssrc);
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        self.compound.clear();
        arrivals.report(now, sender, media, &mut self.compound);
        self.send_compound();
    }

    /// The peer tells which packets arrived, and when.
    pub(super) fn arrived(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let round_trip = self.round_trip().unwrap_or(Duration::from_millis(100));
        let Some(congestion) = &mut self.congestion else {
            return;
        };
        congestion.on_feedback(now, feedback, round_trip);
        self.follow_estimate(now);
        self.limit_source();
        self.seek_better(now);
    }

    /// The peer tells its own estimate, bit/s. It is about the whole path.
    pub(super) fn estimated(&mut self, now: Instant, bits_per_second: u64) {
        let mut loss = 0;
        for outbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.outbound.as_mut())
        {
            outbound.feedback.remb = bits_per_second;
            let remote = outbound.statistics().remote();
            loss = loss.max(remote.map_or(0, |block| block.fraction_lost));
        }
        let limit = self.receiver_estimate.update(now, bits_per_second, loss);
        self.remote_limit = limit;
        self.limit_source();
    }

    /// What the regular reports look after.
    pub(super) fn measure_bandwidth(&mut self, now: Instant) {
        let sounds = self
            .tracks
            .iter()
            .filter(|track| track.kind == MediaKind::Audio);
        let sent = sounds.filter_map(|track| track.outbound.as_ref());
        let bytes = sent
            .map(|outbound| outbound.statistics())
            .map(|sent| sent.payload_bytes() + sent.packets() * OVERHEAD)
            .sum();
        self.sound.measure(now, bytes);
        let repeated = self.video_outbounds().map(|video| video.repeated_bytes());
        let repeated = repeated.sum();
        self.repeated.measure(now, repeated);
        for inbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut())
        {
            inbound.measure(now);
        }
        self.seek_better(now);
    }

    /// Bit/s that the path to the peer carries; `None` while nothing has shown a limit.
    pub(super) fn path_estimate(&self) -> Option<u64> {
        let measured = self
            .congestion
            .as_ref()
            .and_then(|congestion| congestion.estimate());
        measured.or(self.remote_limit)
    }

    /// Tells the sources of video what this peer can take.
    pub(super) fn limit_source(&mut self) {
        let estimate = self.path_estimate();
        let video = estimate.map_or(u64::MAX, |estimate| {
            let repeated = self.repeated.bits_per_second.min(estimate / REPEATED);
            estimate.saturating_sub(self.sound.bits_per_second + repeated)
        });
        for outbound in self.video_outbounds() {
            outbound.limit_source(video);
        }
    }

    /// Finds out whether the path carries a better encoding, if there is one.
    fn seek_better(&mut self, now: Instant) {
        // Where nothing has shown a limit, the best is being sent already.
        let congestion = self.congestion.as_ref();
        if congestion.is_none_or(|congestion| congestion.estimate().is_none()) {
            return;
        }
        let better = |outbound: &mut Outbound| {
            let next = outbound.sink().next_bitrate();
            next.filter(|next| *next <= outbound.upper_bound())
        };
        let Some(next) = self.video_outbounds().filter_map(better).max() else {
            return;
        };
        let (more, of) = SAFETY;
        let wish = next * more / of + self.sound.bits_per_second;
        let can_probe = self.video_outbounds().any(|video| video.can_probe());
        if let Some(congestion) = &mut self.congestion {
            congestion.seek(now, wish, can_probe);
        }
    }

    /// Goes on with a probe.
    pub(super) fn probe(&mut self, now: Instant) {
        let Some(congestion) = &mut self.congestion else {
            return;
        };
        let mut missing = congestion.probe_bytes(now);
        let Some(path) = self.peer.path() else { return };
        let mut videos = self
            .tracks
            .iter_mut()
            .filter(|track| track.kind == MediaKind::Video);
        let Some(outbound) = videos.find_map(|track| track.outbound.as_mut()) else {
            return;
        };
        for _ in 0..MAX_PROBE_PACKETS {
            if missing == 0 {
                return;
            }
            self.probe_turn = self.probe_turn.wrapping_add(1);
            self.protected.clear();
            let out = &mut self.protected;
            if outbound.write_probe(now, &mut self.peer, congestion, self.probe_turn, out) {
                missing = missing.saturating_sub(self.protected.len());
                self.queued.push_back(Transmit {
                    path,
                    bytes: self.protected.clone().into(),
                });
            }
        }
    }

    fn video_outbounds(&mut self) -> impl Iterator<Item = &mut Outbound> {
        let videos = self
            .tracks
            .iter_mut()
            .filter(|track| track.kind == MediaKind::Video);
        videos.filter_map(|track| track.outbound.as_mut())
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        let mut outbounds = self
            .tracks
            .iter()
            .filter_map(|track| track.outbound.as_ref());
        outbounds.find_map(|outbound| outbound.statistics().round_trip())
    }
}
