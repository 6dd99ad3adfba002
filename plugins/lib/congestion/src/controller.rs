//! Puts the parts together: feedback in, the estimate and probes out.

use std::time::{Duration, Instant};

use rivero_rtp::rtcp::TransportFeedback;

use crate::{
    history::{Report, SentHistory},
    probe::{Found, Prober},
    queue::StandingQueue,
    rate::{Ceiling, RateControl, Usage},
    start::{Start, Train},
    throughput::Throughput,
    trend::Trend,
};

/// Without feedback for this long, what was known about the path is outdated.
const OUTAGE: Duration = Duration::from_secs(1);
/// Losses are looked at over at least this many packets…
const LOSS_PACKETS: u32 = 50;
/// …and this long.
const LOSS_WINDOW: Duration = Duration::from_millis(400);
/// Lost packets that need no more looking when they are a quarter of all and a queue is full.
const MANY_LOST: u32 = 8;

/// Of an estimate, per cent: whoever sends less does so for other reasons, and would not send more.
const USED: u64 = 80;

/// How long a wish lasts: it is repeated with each feedback and report.
const WISH_TIME: Duration = Duration::from_secs(2);

/// The congestion control of one transport.
pub struct CongestionController {
    history: SentHistory,
    trend: Trend,
    queue: StandingQueue,
    throughput: Throughput,
    rate: RateControl,
    prober: Prober,
    reports: Vec<Report>,
    last_feedback: Option<Instant>,
    losses: Losses,
    /// When something better was last wished for, and what that makes of growth.
    wished: Option<(Instant, Ceiling)>,
    /// The latest probe was for what the path carried before, bit/s.
    recovers: Option<u64>,
    /// While nothing has shown a limit and what is sent begins with little.
    start: Option<Start>,
}

#[derive(Default)]
struct Losses {
    since: Option<Instant>,
    packets: u32,
    lost: u32,
}

impl CongestionController {
    /// `origin`: any instant before the first packet; times of sending are kept relative to it.
    pub fn new(origin: Instant) -> Self {
        Self {
            history: SentHistory::new(origin),
            trend: Trend::default(),
            queue: StandingQueue::default(),
            throughput: Throughput::default(),
            rate: RateControl::default(),
            prober: Prober::default(),
            reports: Vec::new(),
            last_feedback: None,
            losses: Losses::default(),
            wished: None,
            recovers: None,
            start: None,
        }
    }

    /// What is sent begins with as much as a path of `bits_per_second` carries.
    pub fn begin_with(&mut self, bits_per_second: u64) {
        if self.rate.estimate().is_none() {
            self.start = Some(Start::new(bits_per_second));
        }
    }

    /// Nothing is assumed any more.
    pub fn end_start(&mut self) {
        self.start = None;
    }

    /// Bit/s, the pace at which to send what comes first, while that is assumed.
    pub fn start_pace(&self) -> Option<u64> {
        let start = self.start.as_ref()?;
        self.rate.estimate().is_none().then_some(start.pace)
    }

    /// What comes first waits too long for its turn.
    pub fn raise_start_pace(&mut self) {
        if let Some(start) = &mut self.start {
            start.raise_pace();
        }
    }

    /// Bit/s that the path is assumed to carry, while nothing has shown a limit and what is sent has
    /// [begun](Self::begin_with) with little.
    pub fn assumed(&self) -> Option<u64> {
        let start = self.start.as_ref()?;
        self.rate.estimate().is_none().then_some(start.assumed)
    }

    /// The transport-wide number of the next packet.
    #[inline]
    pub fn next_sequence_number(&mut self) -> u16 {
        self.history.next_number()
    }

    /// Notes that the packet with the latest number goes out, `length` bytes of UDP payload.
    #[inline]
    pub fn on_sent(&mut self, now: Instant, length: usize) {
        let cluster = self.prober.count(length);
        self.history.sent(now, length, cluster);
    }

    /// A packet is sent again under its number: its feedback would mean nothing.
    pub fn on_repeated(&mut self, number: u16) {
        self.history.forget(number);
    }

    /// Takes feedback of the peer.
    pub fn on_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>, rtt: Duration) {
        let silent = |last: Instant| now.saturating_duration_since(last) > OUTAGE;
        let after_outage = self.last_feedback.replace(now).is_some_and(silent);
        self.reports.clear();
        if !self.history.reported(feedback, &mut self.reports) {
            self.throughput.cut();
        }
        if after_outage {
            // Losses of a path that was away say nothing about what it carries.
            self.trend = Trend::default();
            self.queue = StandingQueue::default();
            self.throughput = Throughput::default();
            self.losses = Losses::default();
            self.rate.resume(now);
            return;
        }
        for report in &self.reports {
            // One that comes late was counted when it was missing, and is not lost after all.
            self.losses.packets += u32::from(!report.again);
            self.losses.lost = self.losses.lost.saturating_sub(u32::from(report.again));
            let Some(arrival) = report.arrival else {
                self.losses.lost += 1;
                self.queue.lost();
                continue;
            };
            self.throughput.arrived(arrival, report.length);
            self.trend.arrived(report.sent, arrival, report.length);
            self.queue.arrived(report.sent, arrival);
            if report.cluster != 0 {
                self.prober.arrived(report, arrival);
            }
        }
        if let Some(arriving) = self.throughput.bits_per_second() {
            self.rate.on_arriving(now, arriving);
        }
        let arriving = self.throughput.at_present();
        let standing = self.queue.is_standing();
        let wished = self
            .wished
            .filter(|(at, _)| now.saturating_duration_since(*at) < WISH_TIME);
        let ceiling = wished.map_or(Ceiling::Arriving, |(_, ceiling)| ceiling);
        self.rate.set_ceiling(ceiling);
        if let (Some(start), Some(train)) = (&mut self.start, Train::of(&self.reports))
            && let Some(limit) = start.on_train(train)
        {
            // The first keyframe was more than the path carries at once. That shows sooner than in a trend.
            self.rate.begin(now, limit);
        }
        self.rate
            .update(now, self.trend.usage(), standing, arriving, rtt);
        self.look_at_losses(now, arriving);
        let known = self.rate.estimate().or(self.assumed());
        if let Some(found) = self.prober.result(now, known.unwrap_or(u64::MAX))
            && self.is_calm()
        {
            self.on_found(now, found);
        }
    }

    fn on_found(&mut self, now: Instant, found: Found) {
        let starts = self.rate.estimate().is_none();
        match self.start.as_mut().filter(|_| starts) {
            Some(start) => {
                if let Some(limit) = start.on_found(found) {
                    self.rate.begin(now, limit);
                }
            }
            // What others have taken since is theirs: half a success is none then.
            None if self.recovers.is_some() && !found.is_all => {}
            None => {
                let most = self.recovers.unwrap_or(u64::MAX);
                self.rate.found(now, found.rate.min(most));
            }
        }
    }

    /// Whether nothing says that too much is being sent.
    fn is_calm(&self) -> bool {
        self.trend.usage() != Usage::Over && !self.queue.is_standing()
    }

    fn look_at_losses(&mut self, now: Instant, arriving: Option<u64>) {
        let since = *self.losses.since.get_or_insert(now);
        let Losses { packets, lost, .. } = self.losses;
        let waited = now.saturating_duration_since(since) >= LOSS_WINDOW;
        let overflows = self.queue.overflows();
        // A path that has become narrow loses most of what comes.
        let many = overflows && lost >= MANY_LOST && lost * 4 >= packets;
        if many || packets >= LOSS_PACKETS && waited {
            let share = f64::from(lost) / f64::from(packets);
            self.rate.lost(now, share, overflows, arriving);
            self.losses = Losses::default();
        }
    }

    /// Bit/s that the path carries; `None` while nothing has shown a limit.
    pub fn estimate(&self) -> Option<u64> {
        self.rate.estimate()
    }

    /// Whether packets get lost in a full queue of the path.
    pub fn overflows(&self) -> bool {
        self.queue.overflows()
    }

    /// Bit/s that arrive at the peer, as far as it reports.
    pub fn arriving_bitrate(&self) -> Option<u64> {
        self.throughput.bits_per_second()
    }

    /// The same as [`seek`](Self::seek) where nothing better is known, but the path carried more not long
    /// ago than it is given now, and what it is given is used.
    pub fn recover(&mut self, now: Instant, can_probe: bool) {
        let estimate = self.rate.estimate();
        let arriving = self.throughput.bits_per_second();
        let is_used = estimate
            .zip(arriving)
            .is_some_and(|(estimate, arriving)| arriving >= estimate / 100 * USED);
        let former = self.rate.formerly_carried(now);
        if let Some(former) = former.filter(|_| can_probe && is_used) {
            self.recovers = Some(former);
            self.probe(now, former);
        }
    }

    fn probe(&mut self, now: Instant, bits_per_second: u64) {
        if let Some(estimate) = self.rate.estimate()
            && bits_per_second > estimate
            && self.is_calm()
        {
            self.prober.begin(now, estimate, bits_per_second);
        }
    }

    /// There is something better to send, of this many bit/s in all: finds out, at times, whether
    /// the path carries it. Where probes cannot be sent it is tried in the end.
    pub fn seek(&mut self, now: Instant, bits_per_second: u64, can_probe: bool) {
        self.recovers = None;
        if self.rate.estimate().is_none() {
            self.seek_at_start(now, bits_per_second, can_probe);
            return;
        }
        let ceiling = if can_probe {
            Ceiling::Probed
        } else {
            Ceiling::Wished(bits_per_second)
        };
        self.wished = Some((now, ceiling));
        if can_probe {
            self.probe(now, bits_per_second);
        }
    }

    fn seek_at_start(&mut self, now: Instant, bits_per_second: u64, can_probe: bool) {
        let is_calm = self.is_calm();
        let Some(start) = self.start.as_mut().filter(|_| is_calm) else {
            return;
        };
        if !can_probe {
            start.step(now, bits_per_second);
        } else if bits_per_second > start.assumed {
            self.prober.begin(now, start.assumed, bits_per_second);
        }
    }

    /// When a probe goes on.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.prober.poll_timeout()
    }

    /// Bytes of additional packets that the probe needs now.
    pub fn probe_bytes(&mut self, now: Instant) -> usize {
        self.prober.poll(now)
    }
}
