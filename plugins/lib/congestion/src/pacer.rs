//! Spreading bursts, so that neither a keyframe nor a request for many packets fills the queues of
//! a path whose limit is known. Retransmissions go first, and are bounded: what a full queue lost
//! would else come back as the next load that is too much for it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Of the estimate: how fast what waits is sent. At the estimate itself a frame of usual size would take
/// all the time until the next one, and everything after a keyframe would stay late for good: pictures
/// are not to wait for each other, and the queue must end before the next keyframe. On the other side,
/// what is sent faster than the path carries waits there instead. The estimate is 85 % of what arrived
/// (`rate.rs`), so that twice as much is 1.7 times the path: a frame that takes 20 ms to send makes a
/// queue of 14 ms, which has gone when the next one comes. [`Keyframe::patience`] reckons with two.
const FACTOR: f64 = 2.0;
/// What may be sent at once, as time at the pace.
const BURST: Duration = Duration::from_millis(10);
/// What waits longer is of no use to anybody any more…
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// …but behind a keyframe, where it may wait for as long as that took and a half: the queue gets
/// shorter again, and another keyframe would take as long.
const KEYFRAME_SLACK: f64 = 1.5;
/// What waits longer is left out when a keyframe comes: it would only delay that.
const STALE: Duration = Duration::from_millis(100);
/// Of the estimate: what retransmissions may take in the long run, and while it is a queue that
/// loses packets, which they would fill again.
const REPAIR_SHARE: f64 = 0.25;
const LESSER_REPAIR_SHARE: f64 = 0.06;
/// What they may save up, as time at the estimate.
const REPAIR_SAVINGS: Duration = Duration::from_millis(200);
/// A retransmission that waits longer is left out: the peer asks again if it still misses it.
const REPAIR_WAIT: Duration = Duration::from_millis(400);

/// What a wait is rounded up by: credit that a timer finds a little short would mean no wait at all.
const ROUNDING: Duration = Duration::from_micros(1);

/// What the pacer has to know of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacedPacket {
    /// 0: only a mark in the order of the others.
    pub bytes: usize,
    /// Packets of a frame share it.
    pub timestamp: u32,
    /// A decoder can begin with it; several packets of a frame may say so.
    pub keyframe: bool,
}

/// Holds packets of type `T` back, in their order.
#[derive(Debug)]
pub struct Pacer<T> {
    queue: VecDeque<(Instant, PacedPacket, T)>,
    repairs: VecDeque<Repair<T>>,
    /// Bits that may be sent now; below 0 they were sent ahead.
    credit: f64,
    /// The same of retransmissions.
    repair_credit: f64,
    repair_share: f64,
    at: Option<Instant>,
    /// Bit/s.
    pace: f64,
    /// The frame that was sent last, maybe in part.
    underway: Option<u32>,
    /// The keyframe that came last.
    newest: Option<u32>,
    /// The keyframe that was sent last, maybe in part.
    keyframe: Option<Keyframe>,
    /// Nothing is sent before a keyframe.
    cut: bool,
    /// When a keyframe was asked for last.
    asked: Option<Instant>,
    dropped: u64,
}

/// A keyframe that is being sent, or was.
#[derive(Debug)]
struct Keyframe {
    timestamp: u32,
    /// When it came.
    since: Instant,
    /// From then until its last packet so far was sent.
    took: Duration,
}

impl Keyframe {
    /// How long a packet that came at this time may wait.
    fn patience(&self, at: Instant) -> Duration {
        // At twice the estimate, what came while the keyframe was sent takes as long again.
        if at > self.since + self.took * 2 {
            return LONGEST_WAIT;
        }
        self.longest_wait()
    }

    fn longest_wait(&self) -> Duration {
        self.took.mul_f64(KEYFRAME_SLACK).max(LONGEST_WAIT)
    }
}

/// A retransmission that waits.
#[derive(Debug)]
struct Repair<T> {
    since: Instant,
    number: u16,
    bytes: usize,
    packet: T,
}

impl<T> Default for Pacer<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            repairs: VecDeque::new(),
            credit: 0.0,
            repair_credit: 0.0,
            repair_share: REPAIR_SHARE,
            at: None,
            pace: 0.0,
            underway: None,
            newest: None,
            keyframe: None,
            cut: false,
            asked: None,
            dropped: 0,
        }
    }
}

impl<T> Pacer<T> {
    /// What the path carries now, bit/s, and whether a queue on it overflows.
    pub fn set_estimate(&mut self, now: Instant, bits_per_second: u64, overflows: bool) {
        self.accrue(now);
        self.repair_share = if overflows {
            LESSER_REPAIR_SHARE
        } else {
            REPAIR_SHARE
        };
        #[allow(clippy::cast_precision_loss)]
        let estimate = bits_per_second as f64;
        if std::mem::replace(&mut self.pace, estimate * FACTOR) == 0.0 {
            (self.credit, self.repair_credit) = (self.burst(), self.repair_savings());
        }
    }

    /// The estimate that leads to this pace, bit/s.
    #[must_use]
    pub fn estimate_for(pace: u64) -> u64 {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let estimate = (pace as f64 / FACTOR) as u64;
        estimate
    }

    /// How long the first packet has waited.
    #[must_use]
    pub fn waited(&self, now: Instant) -> Duration {
        let first = self.queue.front().map(|(at, ..)| *at);
        first.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.repairs.is_empty()
    }

    fn estimate(&self) -> f64 {
        self.pace / FACTOR
    }

    fn repair_savings(&self) -> f64 {
        self.estimate() * REPAIR_SAVINGS.as_secs_f64()
    }

    fn burst(&self) -> f64 {
        self.pace * BURST.as_secs_f64()
    }

    fn accrue(&mut self, now: Instant) {
        if let Some(at) = self.at.replace(now) {
            let passed = now.saturating_duration_since(at).as_secs_f64();
            self.credit = (self.credit + self.pace * passed).min(self.burst());
            let repairs = self.repair_credit + self.estimate() * self.repair_share * passed;
            self.repair_credit = repairs.min(self.repair_savings());
        }
    }

    /// Takes a packet. After something was dropped nothing is sent before a keyframe; what waits
    /// long before one is left out.
    pub fn push(&mut self, now: Instant, mut paced: PacedPacket, packet: T) {
        if paced.keyframe {
            let timestamp = Some(paced.timestamp);
            paced.keyframe = std::mem::replace(&mut self.newest, timestamp) != timestamp;
        }
        self.cut &= !paced.keyframe;
        let waits = |at: Instant| now.saturating_duration_since(at) > STALE;
        if paced.keyframe && self.queue.front().is_some_and(|(at, ..)| waits(*at)) {
            self.leave_out(self.queue.len());
        }
        if self.cut {
            self.dropped += u64::from(paced.bytes > 0);
            paced.bytes = 0;
        }
        self.queue.push_back((now, paced, packet));
    }

    /// Takes a packet that is to be sent again, which had this `number`.
    pub fn push_retransmission(&mut self, now: Instant, number: u16, bytes: usize, packet: T) {
        if !self.repairs.iter().any(|repair| repair.number == number) {
            self.repairs.push_back(Repair {
                since: now,
                number,
                bytes,
                packet,
            });
        }
    }

    /// The next packet whose turn has come, and whether it is sent or left out.
    pub fn pop(&mut self, now: Instant) -> Option<(T, bool)> {
        self.accrue(now);
        self.expire(now);
        if self.credit >= 0.0
            && self.repair_credit >= 0.0
            && let Some(repair) = self.repairs.pop_front()
        {
            self.on_unpaced_sent(repair.bytes);
            self.repair_credit -= bits(repair.bytes);
            return Some((repair.packet, true));
        }
        let (since, paced) = self.queue.front().map(|(at, paced, _)| (*at, *paced))?;
        if paced.bytes > 0 {
            if self.credit < 0.0 {
                return None;
            }
            self.on_unpaced_sent(paced.bytes);
            self.on_sent(now, since, paced);
        }
        let (_, paced, packet) = self.queue.pop_front()?;
        Some((packet, paced.bytes > 0))
    }

    /// A packet that came at `since` is sent.
    fn on_sent(&mut self, now: Instant, since: Instant, paced: PacedPacket) {
        let timestamp = paced.timestamp;
        self.underway = Some(timestamp);
        if paced.keyframe {
            let took = Duration::ZERO;
            self.keyframe = Some(Keyframe {
                timestamp,
                since,
                took,
            });
        }
        if let Some(keyframe) = &mut self.keyframe
            && keyframe.timestamp == timestamp
        {
            keyframe.took = now.saturating_duration_since(keyframe.since);
        }
    }

    fn is_of_keyframe(&self, timestamp: u32) -> bool {
        let keyframe = self.keyframe.as_ref();
        keyframe.is_some_and(|keyframe| keyframe.timestamp == timestamp)
    }

    /// Something else was sent, which did not wait.
    pub fn on_unpaced_sent(&mut self, bytes: usize) {
        self.credit -= bits(bytes);
    }

    /// Where the first packet has waited too long everything is left out, but for the rest of the
    /// frame that is being sent and what begins with a later keyframe. The rest of a keyframe is
    /// never too late: another one, which would be waited for instead, is no sooner there.
    fn expire(&mut self, now: Instant) {
        let useless =
            |repair: &Repair<T>| now.saturating_duration_since(repair.since) > REPAIR_WAIT;
        while self.repairs.front().is_some_and(useless) {
            self.repairs.pop_front();
        }
        let keyframe = self.keyframe.as_ref();
        let late = |at: Instant| {
            let waited = now.saturating_duration_since(at);
            // The usual limit is the least.
            waited > LONGEST_WAIT && keyframe.is_none_or(|keyframe| waited > keyframe.patience(at))
        };
        let Some((at, first, _)) = self.queue.front() else {
            return;
        };
        if first.bytes == 0 || !late(*at) || self.is_of_keyframe(first.timestamp) {
            return;
        }
        let mut entries = self.queue.iter();
        let fresh = entries.position(|(at, paced, _)| paced.keyframe && !late(*at));
        self.cut = fresh.is_none();
        let end = fresh.unwrap_or(self.queue.len());
        self.leave_out(end);
    }

    /// The first packets, but for the rest of the frame that is being sent.
    fn leave_out(&mut self, count: usize) {
        for (_, paced, _) in self.queue.iter_mut().take(count) {
            if paced.bytes > 0 && self.underway != Some(paced.timestamp) {
                (paced.bytes, paced.keyframe) = (0, false);
                self.dropped += 1;
            }
        }
    }

    /// How long what was sent lately may have waited.
    pub fn longest_wait(&self) -> Duration {
        let keyframe = self.keyframe.as_ref();
        keyframe.map_or(LONGEST_WAIT, Keyframe::longest_wait)
    }

    /// Packets that were left out.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether a keyframe is to be asked for now.
    pub fn take_keyframe_request(&mut self, now: Instant) -> bool {
        let recent = |asked: Instant| now.saturating_duration_since(asked) < LONGEST_WAIT;
        let wants = self.cut && !self.asked.is_some_and(recent);
        if wants {
            self.asked = Some(now);
        }
        wants
    }

    /// When the next packet's turn comes; never before it is given then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let at = self.at?;
        let until = |credit: f64, rate: f64| {
            if credit >= 0.0 {
                return Duration::ZERO;
            }
            let wait = Duration::try_from_secs_f64(-credit / rate.max(1.0));
            wait.map_or(LONGEST_WAIT, |wait| (wait + ROUNDING).min(LONGEST_WAIT))
        };
        let turn = until(self.credit, self.pace);
        let media = self.queue.front().map(|(_, paced, _)| match paced.bytes {
            0 => Duration::ZERO,
            _ => turn,
        });
        let repairs = self
            .repairs
            .front()
            .map(|_| until(self.repair_credit, self.estimate() * self.repair_share).max(turn));
        let wait = media.into_iter().chain(repairs).min()?;
        Some(at + wait)
    }
}

fn bits(bytes: usize) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let bytes = bytes as f64;
    bytes * 8.0
}

#[cfg(test)]
mod tests;
