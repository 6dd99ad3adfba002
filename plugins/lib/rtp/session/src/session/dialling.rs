//! Digits in place of the sound of a session.

use std::time::{Duration, Instant};

use rivero_plugin_api::{MediaKind, Packet};
use rivero_rtp::RtpHeader;

use super::{Session, Track, selected};
use crate::{Protect, digits::Digit};

/// They go with sound.
pub(super) const DIGITS_TRACK: u8 = Track::number(MediaKind::Audio);

impl Session {
    /// Digits as a negotiation has them. What is heard of one goes on.
    pub(super) fn set_digits(&mut self, tracks: &[Track]) {
        let mut tracks = tracks.iter();
        let audio = tracks.find(|track| track.kind == MediaKind::Audio);
        let formats = audio.map(|track| track.digits.clone()).unwrap_or_default();
        if self.digits.is_some() || !formats.is_empty() {
            self.digits.get_or_insert_default().set_formats(formats);
        }
    }

    /// Takes a packet of the peer if it is one of a digit, and hands it to what consumes its sound.
    pub(super) fn on_digit(&mut self, now: Instant, header: &RtpHeader, packet: &[u8]) -> bool {
        let Some(digits) = &mut self.digits else {
            return false;
        };
        if !digits.on_rtp(now, header, packet) {
            return false;
        }
        let event = digits.passed_on(header, packet);
        let Some(receiver) = self.tracks.receiver_mut(DIGITS_TRACK) else {
            return true;
        };
        // It has a number of the path as all packets have.
        if let Some(arrivals) = self.arrivals.wanted()
            && let Some(sequence) = receiver.transport_sequence(header, packet)
        {
            arrivals.received(now, sequence);
        }
        if let Some(event) = event {
            receiver.push_event(event);
        }
        true
    }

    /// Sends digits in place of sound, each with this gap behind it; `false` when the peer takes none beside the sound that it
    /// gets, or too many wait. The session's timer is due then.
    pub fn send_digits(&mut self, now: Instant, digits: &[Digit], gap: Duration) -> bool {
        let rate = self.sound_rate();
        let line = self.digits.as_mut();
        line.is_some_and(|line| line.send(now, rate, digits, gap))
    }

    /// Dials the digits of a burst, which whoever the peer hears dials; gives what is left of the selection.
    pub fn relay_digits<P: Protect>(
        &mut self,
        now: Instant,
        packets: &[Packet],
        selection: u64,
        protect: &mut P,
    ) -> u64 {
        let rate = self.sound_rate();
        let Some(digits) = &mut self.digits else {
            return selection;
        };
        let mut media = selection;
        if selected(packets, selection).any(Packet::is_event) {
            for (bit, packet) in packets.iter().enumerate() {
                if selection >> bit & 1 == 1 && packet.is_event() {
                    media &= !(1 << bit);
                    digits.relay(now, rate, packet);
                }
            }
            self.dial(now, protect);
        }
        // While a digit sounds there is nothing else (RFC 4733 §2.5.1.2): the numbers close up behind it.
        let is_busy = self.digits.as_ref().is_some_and(|digits| digits.is_busy());
        if is_busy { 0 } else { media }
    }

    /// Writes the packets of digits that are due.
    pub(super) fn dial<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        let (at, rate) = (self.clock.at(now), self.sound_rate());
        let Some(digits) = &mut self.digits else {
            return;
        };
        digits.on_timeout(now);
        while let Some((format, packet)) = digits.poll_packet(now, rate) {
            let Some(sender) = self.tracks.sender_mut(DIGITS_TRACK) else {
                continue;
            };
            let congestion = self.bandwidth.congestion();
            self.outbox.queue(|buffer| {
                sender.write_as(format, at, protect, congestion, &packet, 0, buffer)
            });
        }
    }

    /// The clock rate of the sound that the peer is sent.
    fn sound_rate(&mut self) -> Option<u32> {
        let sender = self.tracks.sender_mut(DIGITS_TRACK)?;
        let rate = sender.sending().clock_rate;
        (rate > 0).then_some(rate)
    }
}
