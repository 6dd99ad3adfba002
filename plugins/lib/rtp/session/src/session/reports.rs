//! What we tell the peer in RTCP: reports, requests, estimates.

use std::{sync::Arc, time::Instant};

use rivero_rtp::rtcp::{CompoundBuilder, ReportBlock};

use super::{Session, outbox::Outbox, profile::Profile, report_timer::ReportTimer, track::Tracks};
use crate::{Sender, protect::Protect};

/// What reports need besides the tracks.
pub(super) struct Reports {
    pub(super) timer: ReportTimer,
    /// Sender of our feedback where we send no media of our own.
    feedback_ssrc: u32,
    /// Bit/s that the viewers of what this peer sends can take.
    viewers_limit: Option<u64>,
    /// Memory for compound packets.
    compound: CompoundBuilder,
    /// Each packet begins with a report and has this name.
    full: Option<Arc<str>>,
}

impl Reports {
    pub(super) fn new(feedback_ssrc: u32) -> Self {
        Self {
            timer: ReportTimer::new(&Profile::default(), feedback_ssrc),
            feedback_ssrc,
            viewers_limit: None,
            compound: CompoundBuilder::default(),
            full: None,
        }
    }

    pub(super) fn set_profile(&mut self, profile: &Profile) {
        self.timer.set_profile(profile, self.feedback_ssrc);
        self.full.clone_from(&profile.full);
    }

    /// An empty compound packet, and the SSRC that our feedback comes from: one that we send media under,
    /// so that the peer need not keep another source for it.
    pub(super) fn begin(&mut self, tracks: &Tracks) -> (&mut CompoundBuilder, u32) {
        let sender = tracks
            .senders()
            .next()
            .map_or(self.feedback_ssrc, Sender::ssrc);
        self.compound.clear();
        (&mut self.compound, sender)
    }

    /// Queues the compound packet, unless it is empty.
    pub(super) fn send<P: Protect>(&self, protect: &mut P, outbox: &mut Outbox) {
        if self.compound.is_empty() || !protect.can_send() {
            return;
        }
        let plain = self.compound.as_bytes();
        match &self.full {
            Some(cname) if !begins_with_report(plain) => {
                let mut whole = CompoundBuilder::default();
                let sender = sender_of(plain).unwrap_or(self.feedback_ssrc);
                whole.receiver_report(sender, &[]).cname(sender, cname);
                let whole = [whole.as_bytes(), plain].concat();
                outbox.queue(|out| protect.protect_rtcp(&whole, out).is_ok());
            }
            _ => {
                outbox.queue(|out| protect.protect_rtcp(plain, out).is_ok());
            }
        }
    }
}

/// Whether a compound packet begins with an SR or an RR.
fn begins_with_report(compound: &[u8]) -> bool {
    /// Packet types of SR and RR (RFC 3550 §12.1).
    const REPORTS: std::ops::RangeInclusive<u8> = 200..=201;
    compound.get(1).is_some_and(|kind| REPORTS.contains(kind))
}

/// Who sends a packet of RTCP, by its first one.
fn sender_of(compound: &[u8]) -> Option<u32> {
    let bytes = compound.get(4..8)?.first_chunk().copied()?;
    Some(u32::from_be_bytes(bytes))
}

impl Session {
    /// Reports as a profile has it from now on.
    pub fn set_profile(&mut self, profile: Profile) {
        self.reports.set_profile(&profile);
        self.activity.set_profile(profile);
    }

    /// A consumer of what this peer sends on the track of this [number](super::Track::number) needs a
    /// keyframe.
    pub fn keyframe_requested<P: Protect>(&mut self, now: Instant, track: u8, protect: &mut P) {
        let (compound, sender) = self.reports.begin(&self.tracks);
        if let Some(receiver) = self.tracks.receiver_mut(track) {
            receiver.keyframe_requested(now, sender, compound);
        }
        self.reports.send(protect, &mut self.outbox);
    }

    /// What the consumers of what this peer sends can take, bit/s; `u64::MAX` when nothing limits them.
    pub fn set_viewers_limit<P: Protect>(
        &mut self,
        now: Instant,
        bits_per_second: u64,
        protect: &mut P,
    ) {
        let former = self.reports.viewers_limit.replace(bits_per_second);
        if former.is_none_or(|former| bits_per_second < former) && bits_per_second != u64::MAX {
            // Less must be said at once; more can wait for the next report.
            let (_, sender) = self.reports.begin(&self.tracks);
            self.add_estimate(now, sender);
            self.reports.send(protect, &mut self.outbox);
        }
    }

    /// Asks for lost packets and keyframes that are due.
    pub(super) fn request_lost<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        let (compound, sender) = self.reports.begin(&self.tracks);
        for receiver in self.tracks.receivers_mut() {
            receiver.request_lost(now, sender, compound);
        }
        self.reports.send(protect, &mut self.outbox);
    }

    /// Makes the regular reports when it is time for them.
    #[inline]
    pub(super) fn report_if_due<P: Protect>(&mut self, now: Instant, protect: &mut P) -> bool {
        let is_due = self.reports.timer.is_due(now);
        if is_due {
            self.report(now, protect);
        }
        is_due
    }

    /// The regular reports: ours about what we send and what we receive. Report blocks go with the first
    /// sender report (RFC 3550 §6.4.1), or in a receiver report if there is none.
    fn report<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        let at = self.clock.at(now);
        self.count_losses(now);
        self.measure_bandwidth(now);
        let mut blocks: Vec<ReportBlock> = Vec::new();
        for receiver in self.tracks.receivers_mut() {
            receiver.report(now, &mut blocks);
        }
        let name = self.reports.full.clone();
        let (compound, feedback_ssrc) = self.reports.begin(&self.tracks);
        let mut unreported = blocks.as_slice();
        for sender in self.tracks.senders_mut() {
            if sender.report(at, unreported, compound) {
                unreported = &[];
            }
        }
        if !unreported.is_empty() || name.is_some() && compound.is_empty() {
            compound.receiver_report(feedback_ssrc, unreported);
            let cname = self.tracks.senders().next().map(Sender::cname);
            if let Some(cname) = cname.or(name.as_deref()) {
                compound.cname(feedback_ssrc, cname);
            }
        }
        self.add_estimate(now, feedback_ssrc);
        self.reports.send(protect, &mut self.outbox);
    }

    /// Says that what the peer was sent has ended (RFC 3550 §6.6): it need not wait for more of it. A peer
    /// that gets whole compounds knows us by our reports, also where we have sent nothing.
    pub fn say_goodbye<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        let at = self.clock.at(now);
        self.count_losses(now);
        let is_known = self.reports.full.is_some();
        let (compound, feedback_ssrc) = self.reports.begin(&self.tracks);
        let mut ended: Vec<u32> = Vec::new();
        for sender in self.tracks.senders_mut() {
            if sender.report(at, &[], compound) {
                ended.push(sender.ssrc());
            }
        }
        if ended.is_empty() && is_known {
            ended.push(feedback_ssrc);
        }
        if !ended.is_empty() {
            compound.goodbye(&ended);
            self.reports.send(protect, &mut self.outbox);
        }
    }

    /// Adds what the peer may send: our own estimate, lowered to what the viewers can take.
    fn add_estimate(&mut self, now: Instant, sender: u32) {
        let reports = &mut self.reports;
        for receiver in self.tracks.receivers_mut() {
            receiver.add_estimate(now, sender, reports.viewers_limit, &mut reports.compound);
        }
    }
}
