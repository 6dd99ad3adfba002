//! Video to a peer whose path has shown a limit leaves at a pace, retransmissions included.

use std::time::Instant;

use rivero_congestion::{PacedPacket, Pacer};
use rivero_plugin_api::{MediaKind, Packet, Upstream};

use super::{Session, Track};
use crate::{
    clock::Now,
    protect::{Datagrams, Protect},
};

/// A packet that waits for its turn.
pub(super) struct Waiting {
    track: u8,
    packet: Packet,
    /// The number it was sent under, of one that is sent again.
    again: Option<u16>,
}

pub(super) type VideoPacer = Pacer<Waiting>;

impl Session {
    /// Paths without a known limit, and sound, get everything at once: sound is small, and what it
    /// waits is heard.
    #[inline]
    pub(super) fn is_paced(&mut self, now: Instant, track: u8) -> bool {
        if track != Track::number(MediaKind::Video) {
            return false;
        }
        if self.is_starting(now) && self.pacer.is_none() {
            self.follow_estimate(now);
        }
        self.pacer.is_some()
    }

    /// The path has shown a limit, or another one; or none, and what is sent has just begun.
    pub(super) fn follow_estimate(&mut self, now: Instant) {
        let pace = |estimate: u64, overflows: bool, this: &mut Self| {
            let pacer = this.pacer.get_or_insert_default();
            pacer.set_estimate(now, estimate, overflows);
        };
        match (self.bandwidth.measured(), self.start_pace()) {
            (Some((estimate, overflows)), _) => pace(estimate, overflows, self),
            (None, Some(at_start)) => pace(Pacer::<Waiting>::estimate_for(at_start), false, self),
            // What still waits goes at once.
            (None, None) if self.pacer.is_some() => pace(u64::MAX, false, self),
            (None, None) => {}
        }
    }

    /// Gives the pacer up where it has nothing to hold back any more.
    fn end_pacing(&mut self) {
        let is_limited = self.bandwidth.measured().is_some() || self.start_pace().is_some();
        if !is_limited && self.pacer.as_ref().is_some_and(|pacer| pacer.is_empty()) {
            self.pacer = None;
        }
    }

    /// Takes packets that the peer misses, with the numbers they had, and sends what may go now.
    pub(super) fn retransmit_paced<P: Protect>(
        &mut self,
        now: Instant,
        track: u8,
        missing: Vec<(u16, Packet)>,
        protect: &mut P,
    ) {
        if let Some(pacer) = &mut self.pacer {
            for (number, packet) in missing {
                let bytes = packet.bytes.len();
                let waiting = Waiting {
                    track,
                    packet,
                    again: Some(number),
                };
                pacer.push_retransmission(now, number, bytes, waiting);
            }
        }
        self.send_waiting(now, protect);
    }

    /// Takes the packets of a burst, and sends what may go now.
    pub(super) fn forward_paced<P: Protect, D: Datagrams>(
        &mut self,
        now: Instant,
        track: u8,
        packets: &[Packet],
        selection: u64,
        protect: &mut P,
        datagrams: &mut D,
    ) {
        let waited = self.pacer.as_ref().map(|pacer| pacer.waited(now));
        self.on_start_wait(now, waited.unwrap_or_default());
        let Some(mut pacer) = self.pacer.take() else {
            return;
        };
        for (bit, packet) in packets.iter().enumerate() {
            let passes = selection >> bit & 1 == 1;
            // What this peer is not to get waits as well: its number closes up in its turn.
            let paced = PacedPacket {
                bytes: if passes { packet.bytes.len() } else { 0 },
                timestamp: packet.rtp.timestamp,
                keyframe: passes && packet.is_keyframe(),
            };
            let waiting = Waiting {
                track,
                packet: packet.clone(),
                again: None,
            };
            pacer.push(now, paced, waiting);
        }
        self.send_turns(now, pacer, protect, datagrams);
    }

    /// Sends what waited for its turn.
    pub(super) fn send_waiting<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        let Some(pacer) = self.pacer.take() else {
            return;
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        self.send_turns(now, pacer, protect, &mut outbox);
        self.outbox = outbox;
    }

    /// Sends everything whose turn has come, and puts the pacer back.
    fn send_turns<P: Protect, D: Datagrams>(
        &mut self,
        now: Instant,
        mut pacer: Box<VideoPacer>,
        protect: &mut P,
        datagrams: &mut D,
    ) {
        let at = self.clock.at(now);
        while let Some((waiting, passes)) = pacer.pop(now) {
            if passes {
                datagrams.add(|buffer| self.write_waiting(at, &waiting, protect, buffer));
            } else if let Some(sender) = self.tracks.sender_mut(waiting.track) {
                sender.on_skipped(&waiting.packet);
            }
        }
        if pacer.take_keyframe_request(now) {
            self.ask_video_source(Upstream::KeyframeRequest);
        }
        self.pacer = Some(pacer);
        self.end_pacing();
    }

    fn write_waiting<P: Protect>(
        &mut self,
        now: Now,
        waiting: &Waiting,
        protect: &mut P,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let Some(sender) = self.tracks.sender_mut(waiting.track) else {
            return false;
        };
        let (congestion, packet) = (self.bandwidth.congestion(), &waiting.packet);
        match waiting.again {
            Some(number) => {
                sender.write_retransmission(now, protect, congestion, number, packet, buffer)
            }
            None => sender.write_packet(now, protect, congestion, packet, 0, buffer),
        }
    }
}
