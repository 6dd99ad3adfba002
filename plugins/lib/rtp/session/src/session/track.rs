//! The tracks of a session: media of one kind in both directions.

use rivero_plugin_api::MediaKind;
use rivero_rtp::RtpHeader;

use crate::{Receiver, Sender, digits::DigitFormats};

/// A section of the session description: media of one kind.
pub struct Track {
    /// Audio or video.
    pub kind: MediaKind,
    /// If the peer may send.
    pub receiver: Option<Receiver>,
    /// If the peer may be sent to.
    pub sender: Option<Sender>,
    /// The SSRCs that the peer's description names, if it does.
    pub named_ssrcs: Vec<u32>,
    /// Digits that come or are sent in place of its sound.
    pub digits: DigitFormats,
}

impl Track {
    /// The place of a kind's track among those of a session, by which sinks and handlers name it. Data
    /// has a number, too, so that its owner can tell it from these; no session has a track of it.
    #[must_use]
    pub const fn number(kind: MediaKind) -> u8 {
        kind.number()
    }

    /// A track without media.
    fn empty(kind: MediaKind) -> Self {
        Self {
            kind,
            receiver: None,
            sender: None,
            named_ssrcs: Vec::new(),
            digits: DigitFormats::default(),
        }
    }

    /// Goes on as a later negotiation has it.
    fn renegotiate(&mut self, later: Self) {
        match (&mut self.receiver, later.receiver) {
            (Some(receiver), Some(later_receiver)) => {
                receiver.renegotiate(later_receiver, &later.named_ssrcs);
            }
            (Some(receiver), None) => receiver.pause(),
            (receiver, later_receiver) => *receiver = later_receiver,
        }
        match (&mut self.sender, later.sender) {
            (Some(sender), Some(later_sender)) => sender.renegotiate(later_sender),
            (Some(sender), None) => sender.pause(),
            (sender, later_sender) => *sender = later_sender,
        }
    }
}

/// By [`Track::number`].
pub(super) struct Tracks([Track; 2]);

impl Default for Tracks {
    fn default() -> Self {
        Self([MediaKind::Audio, MediaKind::Video].map(Track::empty))
    }
}

impl Tracks {
    /// Those that there are go on; those that a negotiation does not mention pause.
    pub(super) fn renegotiate(&mut self, mut later: Vec<Track>) {
        for track in &mut self.0 {
            let position = later.iter().position(|new| new.kind == track.kind);
            let new = position.map(|position| later.swap_remove(position));
            track.renegotiate(new.unwrap_or(Track::empty(track.kind)));
        }
    }

    pub(super) fn remove(&mut self, kinds: &[MediaKind]) {
        for track in &mut self.0 {
            if kinds.contains(&track.kind) {
                *track = Track::empty(track.kind);
            }
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Track> {
        self.0.iter()
    }

    pub(super) fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        self.0.iter().filter_map(|track| track.receiver.as_ref())
    }

    pub(super) fn receivers_mut(&mut self) -> impl Iterator<Item = &mut Receiver> {
        self.0
            .iter_mut()
            .filter_map(|track| track.receiver.as_mut())
    }

    pub(super) fn senders(&self) -> impl Iterator<Item = &Sender> {
        self.0.iter().filter_map(|track| track.sender.as_ref())
    }

    pub(super) fn senders_mut(&mut self) -> impl Iterator<Item = &mut Sender> {
        self.0.iter_mut().filter_map(|track| track.sender.as_mut())
    }

    pub(super) fn video_senders_mut(&mut self) -> impl Iterator<Item = &mut Sender> {
        let videos = self
            .0
            .iter_mut()
            .filter(|track| track.kind == MediaKind::Video);
        videos.filter_map(|track| track.sender.as_mut())
    }

    /// The receiver of the track with this number.
    pub(super) fn receiver_mut(&mut self, track: u8) -> Option<&mut Receiver> {
        self.0.get_mut(usize::from(track))?.receiver.as_mut()
    }

    /// The sender of the track with this number.
    #[inline]
    pub(super) fn sender_mut(&mut self, track: u8) -> Option<&mut Sender> {
        self.0.get_mut(usize::from(track))?.sender.as_mut()
    }

    /// The sender of a stream that we send, with the number of its track.
    pub(super) fn sender_of(&mut self, ssrc: u32) -> Option<(u8, &mut Sender)> {
        let mut senders = (0u8..).zip(&mut self.0).filter_map(|(number, track)| {
            let sender = track.sender.as_mut()?;
            (sender.ssrc() == ssrc).then_some((number, sender))
        });
        senders.next()
    }

    /// The receiver that a packet is for. By its SSRC where that is known, else by the section that it
    /// names: payload types may mean one thing in one section and another in the next, as long as the
    /// streams are told apart otherwise (RFC 9143 §9.2).
    #[inline]
    pub(super) fn receiver_of(
        &mut self,
        header: &RtpHeader,
        packet: &[u8],
    ) -> Option<&mut Receiver> {
        let position = |is_it: &dyn Fn(&Receiver) -> bool| self.receivers().position(is_it);
        let known = position(&|receiver| receiver.knows(header.ssrc))
            .or_else(|| position(&|receiver| receiver.is_named_by(header, packet)));
        let mut receivers = self.receivers_mut();
        match known {
            Some(position) => receivers.nth(position),
            None => receivers.find(|receiver| receiver.accepts(header.payload_type)),
        }
    }
}
