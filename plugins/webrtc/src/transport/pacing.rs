//! Video to a peer whose path has shown a limit leaves at a pace, retransmissions included.

use std::time::Instant;

use rivero_congestion::{PacedPacket, Pacer};
use rivero_plugin_api::{MediaKind, Packet, Upstream};

use super::{Moment, Track, Transport, moment};
use crate::{peer::Transmit, shard::Outgoing};

/// A packet that waits.
pub(super) struct Held {
    track: u8,
    packet: Packet,
    /// The number it was sent under, of one that is sent again.
    again: Option<u16>,
}

pub(super) type VideoPacer = Pacer<Held>;

impl Transport {
    /// Paths without a known limit, and sound, get everything at once.
    pub(super) fn is_paced(&self, track: u8) -> bool {
        self.pacer.is_some() && track == Track::number(MediaKind::Video)
    }

    /// The path has shown a limit, or another one.
    pub(super) fn follow_estimate(&mut self, now: Instant) {
        let Some(congestion) = &self.congestion else {
            return;
        };
        if let Some(estimate) = congestion.estimate() {
            let pacer = self.pacer.get_or_insert_default();
            pacer.set_estimate(now, estimate, congestion.overflows());
        }
    }

    /// Takes packets that the peer misses, with the numbers they had, and sends what may go now.
    pub(super) fn send_again_paced(
        &mut self,
        now: Instant,
        track: u8,
        missing: Vec<(u16, Packet)>,
    ) {
        if let Some(pacer) = &mut self.pacer {
            for (number, packet) in missing {
                let held = Held {
                    track,
                    packet,
                    again: Some(number),
                };
                pacer.push_retransmission(now, number, held.packet.bytes.len(), held);
            }
        }
        self.send_held(now);
    }

    /// Takes the packets of a burst, and sends what may go now.
    pub(super) fn forward_paced(
        &mut self,
        now: Instant,
        track: u8,
        packets: &[Packet],
        selection: u64,
        outgoing: &mut Outgoing<'_>,
    ) {
        let Some(mut pacer) = self.pacer.take() else {
            return;
        };
        for (bit, packet) in packets.iter().enumerate() {
            let passes = selection >> bit & 1 == 1;
            let paced = PacedPacket {
                bytes: if passes { packet.bytes.len() } else { 0 },
                timestamp: packet.rtp.timestamp,
                keyframe: passes && packet.is_keyframe(),
            };
            let packet = packet.clone();
            let held = Held {
                track,
                packet,
                again: None,
            };
            pacer.push(now, paced, held);
        }
        let moment = moment(now);
        while let Some((held, passes)) = pacer.pop(now) {
            if passes {
                outgoing.add(|buffer| self.write_held(moment, &held, buffer));
            } else {
                self.leave_out(&held);
            }
        }
        self.rest(now, pacer);
    }

    /// Sends what waited for its turn.
    pub(super) fn send_held(&mut self, now: Instant) {
        let Some(mut pacer) = self.pacer.take() else {
            return;
        };
        let (moment, path) = (moment(now), self.peer.path());
        while let Some((held, passes)) = pacer.pop(now) {
            if !passes {
                self.leave_out(&held);
                continue;
            }
            let mut buffer = std::mem::take(&mut self.protected);
            buffer.clear();
            if self.write_held(moment, &held, &mut buffer)
                && let Some(path) = path
            {
                self.queued.push_back(Transmit::new(path, buffer.clone()));
            }
            self.protected = buffer;
        }
        self.rest(now, pacer);
    }

    fn rest(&mut self, now: Instant, mut pacer: Box<VideoPacer>) {
        if pacer.take_keyframe_request(now) {
            self.ask_source(Upstream::KeyframeRequest);
        }
        self.pacer = Some(pacer);
    }

    fn write_held(&mut self, moment: Moment, held: &Held, buffer: &mut Vec<u8>) -> bool {
        let track = self.tracks.get_mut(usize::from(held.track));
        let Some(outbound) = track.and_then(|track| track.outbound.as_mut()) else {
            return false;
        };
        let (peer, congestion) = (&mut self.peer, self.congestion.as_deref_mut());
        match held.again {
            Some(number) => {
                outbound.write_again(moment.now, peer, congestion, number, &held.packet, buffer)
            }
            None => outbound.write(moment, peer, congestion, &held.packet, 0, buffer),
        }
    }

    fn leave_out(&mut self, held: &Held) {
        let track = self.tracks.get_mut(usize::from(held.track));
        if let Some(outbound) = track.and_then(|track| track.outbound.as_mut()) {
            outbound.skip(&held.packet);
        }
    }
}
