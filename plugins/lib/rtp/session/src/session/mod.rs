//! The tracks of one peer, and what they share.

mod activity;
mod bandwidth;
mod dialling;
mod feedback;
mod outbox;
mod pacing;
mod profile;
mod report_timer;
mod reports;
mod snapshot;
mod start;
mod totals;
mod track;

use std::time::{Duration, Instant};

use rivero_plugin_api::{MediaKind, Packet, Upstream};
use rivero_rtp::RtpHeader;
use smallvec::SmallVec;

use crate::{
    clock::PipelineClock,
    digits::{Digit, DigitLine},
    protect::{Datagrams, Protect},
    receiver::SenderClock,
    sender::SendBounds,
};
use activity::Activity;
use bandwidth::{ArrivalReports, Bandwidth};
use dialling::DIGITS_TRACK;
use outbox::Outbox;
use pacing::VideoPacer;
use reports::Reports;
use start::Start;
use totals::Told;
use track::Tracks;

pub use profile::Profile;
pub use snapshot::{SentSnapshot, SessionSnapshot};
pub use track::Track;

/// Something that happened in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEvent {
    /// RTP or RTCP comes from the peer, or has ceased to.
    MediaActive(bool),
    /// The peer sends video, but for some seconds none of the keyframes that it was asked for. Said once
    /// for each that does not come.
    KeyframeMissing,
    /// The peer has dialled a digit, which has ended.
    Digit(Digit),
}

/// An RTP session with one peer.
///
/// Whoever owns one calls [`on_rtp`](Self::on_rtp) and [`on_rtcp`](Self::on_rtcp) with what arrived,
/// [`deliver`](Self::deliver) once all that arrived together is in, [`forward`](Self::forward) with
/// bursts for the peer, and [`on_timeout`](Self::on_timeout) when
/// [`poll_timeout`](Self::poll_timeout) says so. After each of these
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) are to be drained.
pub struct Session {
    clock: PipelineClock,
    tracks: Tracks,
    /// The wall clock of the peer, as its sender reports tell it.
    sender_clock: SenderClock,
    reports: Reports,
    /// When packets arrived, for a peer that wants to know.
    arrivals: ArrivalReports,
    bandwidth: Bandwidth,
    /// Once `bandwidth` knows a limit.
    pacer: Option<Box<VideoPacer>>,
    /// Once digits were negotiated; few calls have them, and every viewer has a session.
    digits: Option<Box<DigitLine>>,
    start: Start,
    activity: Activity,
    /// To the peer and back, as its owner says.
    path_round_trip: Option<Duration>,
    outbox: Outbox,
    told: Told,
    /// Media can be protected and sent.
    connected: bool,
}

impl Session {
    /// A session without tracks. `feedback_ssrc` is the sender of our feedback where we send no media
    /// of our own.
    #[must_use]
    pub fn new(clock: PipelineClock, feedback_ssrc: u32) -> Self {
        Self {
            clock,
            tracks: Tracks::default(),
            sender_clock: SenderClock::default(),
            reports: Reports::new(feedback_ssrc),
            arrivals: ArrivalReports::default(),
            bandwidth: Bandwidth::default(),
            pacer: None,
            digits: None,
            start: Start::default(),
            activity: Activity::default(),
            path_round_trip: None,
            outbox: Outbox::default(),
            told: Told::default(),
            connected: false,
        }
    }

    /// The tracks of a negotiation. Those that were there before go on with their streams and
    /// numbers; those that are not mentioned pause.
    pub fn set_tracks(&mut self, now: Instant, tracks: Vec<Track>) {
        self.set_digits(&tracks);
        self.tracks.renegotiate(tracks);
        let wants_feedback = self
            .tracks
            .receivers()
            .any(|receiver| receiver.wants_transport_feedback());
        if wants_feedback {
            self.arrivals.begin(now);
        }
        let gets_feedback = self
            .tracks
            .senders()
            .any(|sender| sender.gets_transport_feedback());
        if gets_feedback {
            self.bandwidth.begin(now);
        }
        if self.connected {
            self.set_connected(now, true);
        }
    }

    /// Takes tracks away that go on elsewhere: the session holds their pads no more when it returns.
    pub fn remove_tracks(&mut self, kinds: &[MediaKind]) {
        self.tracks.remove(kinds);
    }

    /// Media can be protected and sent from now on, or cannot any more.
    pub fn set_connected(&mut self, now: Instant, connected: bool) {
        self.connected = connected;
        if connected {
            self.start_low();
            self.tracks.senders().for_each(crate::Sender::start);
            self.limit_sources();
            self.reports.timer.begin(now);
        } else {
            self.tracks.senders().for_each(crate::Sender::stop);
        }
    }

    /// No regular reports are made any more. What is queued is still to be sent.
    pub fn close(&mut self) {
        self.reports.timer.stop();
    }

    /// Takes a plain RTP packet of the peer, whose header is `header`. Its bytes may be changed.
    #[inline]
    pub fn on_rtp(&mut self, now: Instant, header: &RtpHeader, packet: &mut [u8]) {
        self.activity.on_rtp(now);
        if self.digits.is_some() && self.on_digit(now, header, packet) {
            return;
        }
        let Some(receiver) = self.tracks.receiver_of(header, packet) else {
            return;
        };
        if let Some(arrivals) = self.arrivals.wanted()
            && let Some(sequence) = receiver.transport_sequence(header, packet)
        {
            arrivals.received(now, sequence);
            self.arrivals.media_ssrc = header.ssrc;
        }
        receiver.on_rtp(self.clock.at(now), header, packet, &self.sender_clock);
        if receiver.take_encodings_changed() {
            receiver.publish_encodings(now);
        }
    }

    /// Pushes received media to its pads.
    #[inline]
    pub fn deliver(&mut self) {
        self.tracks
            .receivers_mut()
            .for_each(crate::Receiver::deliver);
    }

    /// Sends the selected packets of a burst on the track of this [number](Track::number): packet *n* if
    /// bit *n* of `selection` is set. `true` when there is more to send, see
    /// [`poll_transmit`](Self::poll_transmit).
    #[inline]
    pub fn forward<P: Protect, D: Datagrams>(
        &mut self,
        now: Instant,
        track: u8,
        packets: &[Packet],
        selection: u64,
        protect: &mut P,
        datagrams: &mut D,
    ) -> bool {
        if self.is_paced(now, track) {
            self.reports.timer.begin(now);
            self.forward_paced(now, track, packets, selection, protect, datagrams);
            // What waits leaves when its turn comes.
            return true;
        }
        let selection = match &self.digits {
            Some(_) if track == DIGITS_TRACK => self.relay_digits(now, packets, selection, protect),
            _ => selection,
        };
        let Some(sender) = self.tracks.sender_mut(track) else {
            return false;
        };
        let at = self.clock.at(now);
        let mut lengths = SmallVec::<[usize; 16]>::new();
        if selected(packets, selection).all(|packet| sender.may_pad(packet)) {
            let selected = selected(packets, selection);
            lengths.extend(selected.map(|packet| sender.comparable_length(packet)));
        }
        let mut paddings = datagrams.paddings(&lengths).into_iter();
        for (bit, packet) in packets.iter().enumerate() {
            if selection >> bit & 1 == 0 {
                sender.on_skipped(packet);
            } else {
                let congestion = self.bandwidth.congestion();
                let padding = paddings.next().unwrap_or(0);
                datagrams.add(|buffer| {
                    sender.write_packet(at, protect, congestion, packet, padding, buffer)
                });
            }
        }
        self.reports.timer.rides_with_media();
        // What is dialled waits there.
        self.report_if_due(now, protect) || !self.outbox.is_empty()
    }

    /// Bounds of what is asked of the sources on behalf of this peer.
    pub fn set_send_bounds(&mut self, bounds: SendBounds) {
        self.tracks
            .senders_mut()
            .for_each(|sender| sender.set_bounds(bounds));
        self.limit_sources();
    }

    /// A message to what feeds the video that this peer gets.
    pub fn ask_video_source(&mut self, message: Upstream) {
        self.tracks
            .video_senders_mut()
            .for_each(|sender| sender.upstream(message));
    }

    /// Does what is due. Early calls are harmless.
    pub fn on_timeout<P: Protect>(&mut self, now: Instant, protect: &mut P) {
        self.request_lost(now, protect);
        self.report_arrivals(now, protect);
        self.probe(now, protect);
        self.send_waiting(now, protect);
        if self.reports.timer.is_running() && self.report_if_due(now, protect) {
            // No media came in time for it to ride with.
            self.reports.timer.rides_alone();
        }
        self.activity.on_timeout(now);
        self.dial(now, protect);
    }

    /// When [`on_timeout`](Self::on_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let requests = self
            .tracks
            .receivers()
            .filter_map(crate::Receiver::poll_timeout);
        let report = self.reports.timer.poll_timeout();
        let silence = self.activity.poll_timeout();
        [
            report.map(|due| self.clock.coarse(due)),
            silence.map(|due| self.clock.coarse(due)),
            requests.min(),
            self.arrivals.poll_timeout(),
            self.bandwidth.poll_timeout(),
            self.pacer.as_ref().and_then(|pacer| pacer.poll_timeout()),
            self.digits
                .as_ref()
                .and_then(|digits| digits.poll_timeout()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next protected datagram to the peer.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop()
    }

    /// What happened.
    #[inline]
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        let change = self.activity.poll_change().map(SessionEvent::MediaActive);
        let digits = self.digits.as_mut().filter(|_| change.is_none());
        let digit = digits.and_then(|digits| digits.poll_heard());
        change.or(digit.map(SessionEvent::Digit)).or_else(|| {
            let mut receivers = self.tracks.receivers_mut();
            let is_missing = receivers.any(crate::Receiver::take_keyframe_missing);
            is_missing.then_some(SessionEvent::KeyframeMissing)
        })
    }
}

/// The packets of a burst that a peer gets.
fn selected(packets: &[Packet], selection: u64) -> impl Iterator<Item = &Packet> {
    let packets = packets.iter().enumerate();
    packets.filter_map(move |(bit, packet)| (selection >> bit & 1 == 1).then_some(packet))
}
