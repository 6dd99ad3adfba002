//! One section of a description, or the two of a bundle: an RTP session with its sockets, its keys and the address of its peer.

mod clock;
mod driven;
mod idle;
mod packing;
mod protection;
mod receive;
mod remote;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{MediaKind, Result, Upstream};
use rivero_rtp_session::{
    Digit, Profile, SendBounds, Session, SessionEvent, SessionSnapshot, Track,
};
use rivero_sdp::SdesKeys;

pub(crate) use idle::Patience;
pub(crate) use packing::Packing;
pub(crate) use protection::check as check_keys;
pub(crate) use remote::Described;

use crate::{ports::PortPair, shard::LinkSocket};
use idle::Idle;
use packing::Packer;
use protection::{Inbound, Outbound};
use remote::Remote;

/// Hears what happens to a link, on the shard's thread.
pub(crate) trait LinkObserver: Send + Sync {
    /// Media comes, or has ceased to.
    fn media_active(&self, active: bool);

    /// The key for what is sent is nearly used up.
    fn key_soft_limit(&self);

    /// The peer has sent a digit.
    fn digit(&self, digit: Digit);

    /// Nothing is sent any more to an address from which nothing comes.
    fn target_is_silent(&self);

    /// The peer sends video, but none of the keyframes that it is asked for.
    fn keyframe_missing(&self);

    /// The link is lost.
    fn failed(&self, text: &str);
}

/// What a negotiation says about the sections of one link.
pub(crate) struct Terms {
    /// None where all of its sections are rejected now.
    pub(crate) tracks: Vec<Track>,
    pub(crate) described: Described,
    pub(crate) rtcp_mux: bool,
    pub(crate) keys: Option<SdesKeys>,
    pub(crate) profile: Profile,
    /// What the peer may send, by payload type.
    pub(crate) payload_types: Vec<u8>,
    /// The peer cannot ask for keyframes.
    pub(crate) needs_keyframes: bool,
    /// How sound is to be put together for the peer.
    pub(crate) packing: Option<Packing>,
}

/// A section, or those that share a port, with its peer.
pub(crate) struct Link {
    session: Session,
    outbound: Outbound,
    inbound: Inbound,
    remote: Remote,
    rtcp_mux: bool,
    payload_types: Vec<u8>,
    /// Until they are the shard's.
    sockets: Option<PortPair>,
    idle: Idle,
    packer: Packer,
    observer: Arc<dyn LinkObserver>,
    /// Events that the observer has not been told.
    events: Events,
}

#[derive(Default)]
struct Events {
    media: Vec<bool>,
    digits: Vec<Digit>,
    soft_limit: bool,
    silent_target: bool,
    keyframe_missing: bool,
}

/// A datagram to send.
pub(crate) struct Transmit {
    pub(crate) socket: LinkSocket,
    pub(crate) remote: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Link {
    pub(crate) fn new(
        sockets: PortPair,
        feedback_ssrc: u32,
        patience: Patience,
        observer: Arc<dyn LinkObserver>,
    ) -> Self {
        Self {
            session: Session::new(clock::pipeline_clock(), feedback_ssrc),
            outbound: Outbound::default(),
            inbound: Inbound::default(),
            remote: Remote::default(),
            rtcp_mux: false,
            payload_types: Vec::new(),
            sockets: Some(sockets),
            idle: Idle::new(patience),
            packer: Packer::default(),
            observer,
            events: Events::default(),
        }
    }

    /// Goes on as a negotiation has it.
    ///
    /// # Errors
    /// For keys that cannot be used; [`check_keys`] tells before.
    pub(crate) fn negotiate(&mut self, now: Instant, terms: Terms) -> Result<()> {
        // A section that is rejected keeps its keys: it may come back with the same ones.
        if !terms.tracks.is_empty() {
            self.outbound.set_keys(terms.keys.as_ref())?;
            self.inbound.set_keys(terms.keys.as_ref())?;
        }
        self.remote.describe(terms.described);
        self.rtcp_mux = terms.rtcp_mux;
        self.payload_types = terms.payload_types;
        self.packer.set_packing(terms.packing);
        self.session.set_profile(terms.profile);
        let sends = terms.tracks.iter().any(|track| track.sender.is_some());
        self.session.set_tracks(now, terms.tracks);
        self.idle.negotiated(now, sends, terms.needs_keyframes);
        self.follow_target(now);
        Ok(())
    }

    /// What is sent begins or stops with what is known of where the peer is.
    fn follow_target(&mut self, now: Instant) {
        let rtp = self.remote.rtp_target().is_some();
        let has_target =
            !self.idle.gave_up() && (rtp || self.remote.rtcp_target(self.rtcp_mux).is_some());
        if std::mem::replace(&mut self.outbound.has_target, has_target) != has_target {
            self.session.set_connected(now, has_target);
            self.idle.connected(now, has_target);
        }
        // What was sent before went to where nobody was.
        if self.remote.take_moved() && has_target {
            self.session.ask_video_source(Upstream::KeyframeRequest);
            self.idle.connected(now, true);
        }
    }

    /// The sockets, once.
    pub(crate) fn take_sockets(&mut self) -> Option<PortPair> {
        self.sockets.take()
    }

    /// A consumer of what this peer sends needs a keyframe.
    pub(crate) fn keyframe_requested(&mut self, now: Instant, kind: MediaKind) {
        let track = Track::number(kind);
        self.session
            .keyframe_requested(now, track, &mut self.outbound);
    }

    /// What the consumers of what this peer sends can take, bit/s.
    pub(crate) fn set_viewers_limit(&mut self, now: Instant, bits_per_second: u64) {
        self.session
            .set_viewers_limit(now, bits_per_second, &mut self.outbound);
    }

    /// Bounds of what is asked of the source on behalf of this peer.
    pub(crate) fn set_send_bounds(&mut self, bounds: SendBounds) {
        self.session.set_send_bounds(bounds);
    }

    /// A message to what feeds the video that this peer gets.
    pub(crate) fn ask_video_source(&mut self, message: Upstream) {
        self.session.ask_video_source(message);
    }

    /// Sends digits in place of sound, each with this gap behind it; `false` when the peer takes none, or too
    /// many wait.
    pub(crate) fn send_digits(&mut self, now: Instant, digits: &[Digit], gap: Duration) -> bool {
        self.session.send_digits(now, digits, gap)
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        while let Some(bytes) = self.session.poll_transmit() {
            let is_rtcp = receive::is_rtcp(&bytes);
            let (socket, remote) = match is_rtcp && !self.rtcp_mux {
                true => (LinkSocket::Rtcp, self.remote.rtcp_target(false)),
                false => (LinkSocket::Rtp, self.remote.rtp_target()),
            };
            // Without an address it is lost, as on hold.
            if let Some(remote) = remote {
                return Some(Transmit {
                    socket,
                    remote,
                    bytes,
                });
            }
        }
        None
    }

    /// Keeps what happened for the observer.
    fn note_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::MediaActive(active) => self.events.media.push(active),
                SessionEvent::KeyframeMissing => self.events.keyframe_missing = true,
                SessionEvent::Digit(digit) => self.events.digits.push(digit),
            }
        }
        self.events.soft_limit |= self.outbound.take_soft_limit();
    }

    pub(crate) fn snapshot(&self, now: Instant) -> SessionSnapshot {
        self.session.snapshot(now)
    }
}
