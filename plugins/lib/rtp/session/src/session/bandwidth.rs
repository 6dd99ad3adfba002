//! What the path to the peer carries, and what follows for what it is sent.

use std::time::{Duration, Instant};

use rivero_congestion::{CongestionController, ReceiverEstimate};
use rivero_plugin_api::MediaKind;
use rivero_rtp::{arrivals::TransportArrivals, rtcp::TransportFeedback};

use super::Session;
use crate::{Sender, protect::Protect};

/// Of a better encoding's bitrate: what the path should carry before it is sent. Encoders exceed their
/// bitrate for a while, and a switch that has to be undone is seen twice.
const SAFETY: (u64, u64) = (6, 5);
/// Packets of one step of a probe, so that packets which are not to be had cannot keep it busy.
const MAX_PROBE_PACKETS: usize = 32;

/// Bytes of a packet besides its payload: IP, UDP, RTP with extensions, and encryption.
const OVERHEAD: u64 = 28 + 20 + 16;
/// Of the estimate: what retransmissions and probes are given at most before video, 1/5.
const REPEATED: u64 = 5;
/// Before a round trip is known: usual between continents.
const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(100);

/// What is known of the path to the peer.
#[derive(Default)]
pub(super) struct Bandwidth {
    /// What it carries, by a peer that tells when packets arrived…
    congestion: Option<Box<CongestionController>>,
    /// …or by one that tells its own estimate.
    receiver_estimate: ReceiverEstimate,
    remote_limit: Option<u64>,
    /// What sound takes of it…
    sound: Rate,
    /// …and video that is sent once more.
    repeated: Rate,
    /// Which packet the next probe repeats.
    probe_turn: u16,
}

impl Bandwidth {
    /// The peer tells when packets arrive.
    pub(super) fn begin(&mut self, now: Instant) {
        self.congestion
            .get_or_insert_with(|| Box::new(CongestionController::new(now)));
    }

    #[inline]
    pub(super) fn congestion(&mut self) -> Option<&mut CongestionController> {
        self.congestion.as_deref_mut()
    }

    /// Bit/s that the path to the peer carries; `None` while nothing has shown a limit. What the peer's
    /// feedback shows counts for more than what it estimates.
    pub(super) fn estimate(&self) -> Option<u64> {
        let measured = self.measured().map(|(estimate, _)| estimate);
        measured.or(self.remote_limit)
    }

    /// The same by feedback alone, and whether a queue on the path overflows.
    pub(super) fn measured(&self) -> Option<(u64, bool)> {
        let congestion = self.congestion.as_deref()?;
        Some((congestion.estimate()?, congestion.overflows()))
    }

    /// Bit/s, the pace of what is sent before anything is known.
    pub(super) fn start_pace(&self) -> Option<u64> {
        self.congestion.as_deref()?.start_pace()
    }

    /// Bit/s that arrive at the peer, as far as it reports arrivals.
    pub(super) fn arriving_bitrate(&self) -> Option<u64> {
        self.congestion.as_deref()?.arriving_bitrate()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.congestion.as_deref()?.poll_timeout()
    }

    /// Bit/s that are left for video; `u64::MAX` while nothing has shown a limit.
    fn left_for_video(&self) -> u64 {
        self.estimate().map_or(u64::MAX, |estimate| {
            let repeated = self.repeated.bits_per_second.min(estimate / REPEATED);
            estimate.saturating_sub(self.sound.bits_per_second + repeated)
        })
    }
}

/// What something besides new video takes of the path.
#[derive(Debug, Default)]
struct Rate {
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

/// When the peer's packets arrived, for one that wants to know.
#[derive(Default)]
pub(super) struct ArrivalReports {
    arrivals: Option<TransportArrivals>,
    /// The latest stream that they are about: feedback about a transport names one of its streams.
    pub(super) media_ssrc: u32,
}

impl ArrivalReports {
    /// The peer wants to know from now on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.arrivals
            .get_or_insert_with(|| TransportArrivals::new(now));
    }

    #[inline]
    pub(super) fn wanted(&mut self) -> Option<&mut TransportArrivals> {
        self.arrivals.as_mut()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.arrivals.as_ref()?.poll_timeout()
    }
}

impl Session {
    /// Tells the peer which of its packets arrived, and when.
    pub(super) fn report_arrivals<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        let Some(arrivals) = &mut self.arrivals.arrivals else {
            return;
        };
        let (compound, sender) = self.reports.begin(&self.tracks);
        arrivals.report(now, sender, self.arrivals.media_ssrc, compound);
        self.reports.send(protect, &mut self.outbox);
    }

    /// The peer tells which packets arrived, and when.
    pub(super) fn on_transport_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let round_trip = self.round_trip().unwrap_or(ASSUMED_ROUND_TRIP);
        let Some(congestion) = self.bandwidth.congestion() else {
            return;
        };
        congestion.on_feedback(now, feedback, round_trip);
        // In this order: what a lower estimate brings about is paced by it already; and an estimate is
        // told before what was assumed ends.
        self.follow_estimate(now);
        self.limit_sources();
        self.seek_better(now);
        self.on_start_feedback(now);
    }

    /// The peer tells its own estimate, bit/s. It is about the whole path.
    pub(super) fn on_receiver_estimate(&mut self, now: Instant, bits_per_second: u64) {
        let senders = self.tracks.senders_mut();
        let losses = senders.map(|sender| sender.on_receiver_estimate(bits_per_second));
        let loss = losses.max().unwrap_or(0);
        let bandwidth = &mut self.bandwidth;
        bandwidth.remote_limit = bandwidth
            .receiver_estimate
            .update(now, bits_per_second, loss);
        self.limit_sources();
    }

    /// What the regular reports look after.
    pub(super) fn measure_bandwidth(&mut self, now: Instant) {
        let sounds = self
            .tracks
            .iter()
            .filter(|track| track.kind == MediaKind::Audio);
        let sent = sounds.filter_map(|track| track.sender.as_ref());
        let bytes = sent
            .map(Sender::statistics)
            .map(|sent| sent.payload_bytes() + sent.packets() * OVERHEAD)
            .sum();
        self.bandwidth.sound.measure(now, bytes);
        let videos = self.tracks.video_senders_mut();
        let repeated = videos.map(|video| video.repeated_bytes()).sum();
        self.bandwidth.repeated.measure(now, repeated);
        for receiver in self.tracks.receivers_mut() {
            receiver.measure(now);
        }
        self.seek_better(now);
        self.end_start_if_late(now);
    }

    /// Tells the sources of video what this peer can take.
    pub(super) fn limit_sources(&mut self) {
        let video = self.bandwidth.left_for_video();
        for sender in self.tracks.video_senders_mut() {
            sender.limit_source(video);
        }
    }

    /// Finds out whether the path carries a better encoding, if there is one.
    fn seek_better(&mut self, now: Instant) {
        let congestion = self.bandwidth.congestion();
        let is_limited = |congestion: &mut CongestionController| {
            congestion.estimate().or(congestion.assumed()).is_some()
        };
        if !congestion.is_some_and(is_limited) {
            // The best is being sent already.
            return;
        }
        let better = |sender: &mut Sender| sender.next_bitrate();
        let next = self.tracks.video_senders_mut().filter_map(better).max();
        let can_probe = self
            .tracks
            .video_senders_mut()
            .any(|video| video.can_probe());
        let sound = self.bandwidth.sound.bits_per_second;
        let Some(congestion) = self.bandwidth.congestion() else {
            return;
        };
        let (more, of) = SAFETY;
        match next {
            Some(next) => congestion.seek(now, next * more / of + sound, can_probe),
            // An encoder that follows the estimate would be better with what it had, too.
            None => congestion.recover(now, can_probe),
        }
    }

    /// Goes on with a probe.
    pub(super) fn probe<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        let at = self.clock.at(now);
        let bandwidth = &mut self.bandwidth;
        let Some(congestion) = bandwidth.congestion.as_deref_mut() else {
            return;
        };
        let mut missing = congestion.probe_bytes(now);
        let sender = self.tracks.video_senders_mut().next();
        let Some(sender) = sender.filter(|_| protect.can_send()) else {
            return;
        };
        for _ in 0..MAX_PROBE_PACKETS {
            if missing == 0 {
                return;
            }
            bandwidth.probe_turn = bandwidth.probe_turn.wrapping_add(1);
            let turn = bandwidth.probe_turn;
            let sent = self
                .outbox
                .queue(|out| sender.write_probe(at, protect, congestion, turn, out));
            missing = missing.saturating_sub(sent.unwrap_or(0));
        }
    }

    /// To the peer and back, once it has answered a report, or by what else asks on its path.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let mut senders = self.tracks.senders();
        let reported = senders.find_map(|sender| sender.statistics().round_trip());
        reported.or(self.path_round_trip)
    }
}
