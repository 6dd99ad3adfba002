//! The connection of an endpoint with one peer, on its shard's thread: ICE and DTLS by a [`Peer`], media
//! by an RTP [`Session`], data channels by SCTP. It joins the three and does nothing of its own: what
//! arrives goes to whom it is for, and what they have to send leaves along the peer's path.

mod clock;
mod data;
mod driven;
#[cfg(test)]
mod fault;
mod name;
mod protect;
mod receive;
mod servers;

use std::{collections::VecDeque, sync::Arc, time::Instant};

use rivero_net::Mark;
use rivero_plugin_api::{MediaKind, Upstream};
use rivero_rtp_session::{SendBounds, Session, SessionEvent, SessionSnapshot, Track};

use crate::{
    data::{ChannelSnapshot, DataEvent, DataTrack},
    peer::{IceCredentials, Path, Peer, PeerError, PeerEvent, Transmit, TurnServer},
};
#[cfg(test)]
pub(crate) use fault::Fault;
use name::LinkName;

/// Learns what happens to a link. Called on the shard's thread: must not block.
pub(crate) trait LinkObserver: Send + Sync {
    /// Something of ICE, DTLS or data channels.
    fn peer_event(&self, event: PeerEvent);
    /// RTP or RTCP comes from the peer, or has ceased to.
    fn media_active(&self, active: bool);
    /// The peer sends none of the keyframes that it is asked for.
    fn keyframe_missing(&self) {}
    /// Something of the data channels, messages excepted.
    fn data_event(&self, event: DataEvent);
    /// The link is lost: something in it panicked, or its shard failed. Nothing follows.
    fn failed(&self, text: &str);
}

/// A peer with its media and data channels.
pub(crate) struct Link {
    peer: Peer,
    session: Session,
    data: Option<DataTrack>,
    name: LinkName,
    mark: Mark,
    observer: Arc<dyn LinkObserver>,
    /// What the observer has not been told yet.
    events: VecDeque<PeerEvent>,
    /// TURN servers to which there is no connection yet.
    new_servers: Vec<(u8, TurnServer)>,
    /// Media can be protected and sent, data channels be opened.
    connected: bool,
    /// Where it panics.
    #[cfg(test)]
    pub(crate) fault: Option<Fault>,
}

/// Counters of a link for `getStats`.
#[derive(Debug, Default)]
pub(crate) struct LinkSnapshot {
    pub(crate) session: SessionSnapshot,
    pub(crate) channels: Vec<ChannelSnapshot>,
    /// Channels ever opened and closed; `None` without data channels.
    pub(crate) channel_totals: Option<(u64, u64)>,
}

impl Link {
    pub(crate) fn new(
        peer: Peer,
        observer: Arc<dyn LinkObserver>,
        tracks: Vec<Track>,
        feedback_ssrc: u32,
        mark: Mark,
    ) -> Self {
        let name = LinkName::new(peer.credentials().ufrag.clone());
        let mut session = Session::new(clock::pipeline_clock(), feedback_ssrc);
        session.set_tracks(Instant::now(), tracks);
        Self {
            peer,
            session,
            data: None,
            name,
            mark,
            observer,
            events: VecDeque::new(),
            new_servers: Vec::new(),
            connected: false,
            #[cfg(test)]
            fault: None,
        }
    }

    /// What the IP headers of all its packets carry.
    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// Our ICE user fragment, or the whole user name where several links share that.
    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Names this link by the user names of the peer's requests (RFC 8445 §7.2.2), because
    /// another one has the same fragment.
    pub(crate) fn name_with(&mut self, remote_fragment: &str) {
        let own = &self.peer.credentials().ufrag;
        self.name = LinkName::new(format!("{own}:{remote_fragment}"));
    }

    /// Begins an ICE restart with new credentials of ours.
    pub(crate) fn restart_ice(
        &mut self,
        now: Instant,
        credentials: IceCredentials,
    ) -> Result<(), PeerError> {
        let name = credentials.ufrag.clone();
        self.peer.restart_ice(now, credentials)?;
        self.name.change(name);
        Ok(())
    }

    /// The former name, once after it has changed.
    pub(crate) fn take_former_name(&mut self) -> Option<String> {
        self.name.take_former()
    }

    pub(crate) fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }

    #[inline]
    pub(crate) fn path(&self) -> Option<Path> {
        self.peer.path()
    }

    /// The tracks of a negotiation. Those that were there before go on with their streams and
    /// numbers; those that are not mentioned pause.
    pub(crate) fn set_tracks(&mut self, now: Instant, tracks: Vec<Track>) {
        self.session.set_tracks(now, tracks);
    }

    /// Takes tracks away that go on elsewhere: their pads are closed when it returns.
    pub(crate) fn remove_tracks(&mut self, kinds: &[MediaKind]) {
        if kinds.contains(&MediaKind::Data) {
            self.remove_data();
        }
        self.session.remove_tracks(kinds);
    }

    /// A consumer of what this peer sends on a track needs a keyframe.
    pub(crate) fn keyframe_requested(&mut self, now: Instant, track: u8) {
        self.session.keyframe_requested(now, track, &mut self.peer);
    }

    /// What the consumers of what this peer sends can take, bit/s; `u64::MAX`
    /// when nothing limits them.
    pub(crate) fn set_viewers_limit(&mut self, now: Instant, bits_per_second: u64) {
        self.session
            .set_viewers_limit(now, bits_per_second, &mut self.peer);
    }

    /// Bounds of what is asked of the source on behalf of this peer.
    pub(crate) fn set_send_bounds(&mut self, bounds: SendBounds) {
        self.session.set_send_bounds(bounds);
    }

    /// A message to what feeds the video that this peer gets.
    pub(crate) fn ask_video_source(&mut self, message: Upstream) {
        self.session.ask_video_source(message);
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        #[cfg(test)]
        self.trip(Fault::Transmit);
        loop {
            if let Some(transmit) = self.peer.poll_transmit() {
                return Some(transmit);
            }
            if let Some(datagram) = self.session.poll_transmit() {
                // Without a path there is no consent to send (RFC 7675 §5.1): it is lost.
                let transmit = self.peer.path().map(|path| Transmit::new(path, datagram));
                // A relay that is not ready yet would drop it, and so does the peer.
                match transmit.and_then(|transmit| self.peer.carry(transmit)) {
                    Some(transmit) => return Some(transmit),
                    None => continue,
                }
            }
            self.handle_peer_events();
            self.data.as_ref()?;
            // One at a time: the peer keeps only a few.
            self.send_data(Instant::now())?;
        }
    }

    /// Acts on what happened to the peer, and keeps it for the observer.
    fn handle_peer_events(&mut self) {
        while let Some(event) = self.peer.poll_event() {
            match event {
                PeerEvent::ApplicationData(packet) => {
                    if let Some(data) = &mut self.data {
                        data.transport.handle(Instant::now(), packet);
                    }
                    continue;
                }
                PeerEvent::Connected { .. } => self.set_connected(true),
                PeerEvent::Closed => self.set_connected(false),
                _ => {}
            }
            self.events.push_back(event);
        }
    }

    fn report_session_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::MediaActive(active) => self.observer.media_active(active),
                SessionEvent::KeyframeMissing => self.observer.keyframe_missing(),
                // Whoever hears the peer gets it by the media graph; no event of a client tells of it.
                SessionEvent::Digit(_) => {}
            }
        }
    }

    fn set_connected(&mut self, connected: bool) {
        let now = Instant::now();
        self.connected = connected;
        self.set_data_connected(now);
        self.session.set_connected(now, connected);
    }

    pub(crate) fn snapshot(&self, now: Instant) -> LinkSnapshot {
        let data = self.data.as_ref().map(|data| &data.transport);
        LinkSnapshot {
            session: self.session.snapshot(now),
            channels: data.map(|data| data.snapshots()).unwrap_or_default(),
            channel_totals: data.map(|data| data.totals()),
        }
    }
}
