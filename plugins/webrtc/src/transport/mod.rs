//! One transport of an endpoint and the tracks it carries, on its shard's thread.

mod bandwidth;
#[cfg(test)]
mod fault;
mod feedback;
mod pacing;
mod reports;

use bandwidth::Rate;
#[cfg(test)]
pub(crate) use fault::Fault;
use pacing::VideoPacer;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use rivero_congestion::{CongestionController, ReceiverEstimate};
use rivero_plugin_api::{MediaKind, Packet, Upstream, host};
use rivero_rtp::{
    RtpHeader,
    arrivals::TransportArrivals,
    rtcp::{CompoundBuilder, ReportBlock},
};
use smallvec::SmallVec;

use crate::{
    data::{ChannelSnapshot, DataEvent, DataTrack},
    dscp::Mark,
    peer::{
        GatherConfig, IceCredentials, Inbound as Arrival, Path, Peer, PeerError, PeerEvent,
        Transmit, TurnServer,
    },
    shard::Outgoing,
    track::{FeedbackCounters, Inbound, Moment, Outbound, SenderClock, SentForm, StreamSnapshot},
};

/// Between regular reports (RFC 3550 §6.2 for a session of two, RFC 4585 §3.4).
const REPORT_INTERVAL: Duration = Duration::from_millis(500);
/// How exact the time of what is not urgent is.
const COARSE: Duration = Duration::from_millis(20);
/// Without anything from the peer for this long its media counts as gone.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(5);

/// Hears what happens to a transport. Called on the shard's thread: must not block.
pub(crate) trait TransportObserver: Send + Sync {
    /// Something of ICE, DTLS or data channels.
    fn peer_event(&self, event: PeerEvent);
    /// RTP or RTCP comes from the peer, or has ceased to.
    fn media_active(&self, active: bool);
    /// Something of the data channels, messages excepted.
    fn data_event(&self, event: DataEvent);
    /// The transport is lost: something in it panicked, or its shard failed. Nothing follows.
    fn failed(&self, text: &str);
}

/// A section of the session description: media of one kind.
pub(crate) struct Track {
    pub(crate) kind: MediaKind,
    pub(crate) inbound: Option<Inbound>,
    pub(crate) outbound: Option<Outbound>,
    /// The peer's streams, if it names them.
    pub(crate) announced: Vec<u32>,
}

impl Track {
    /// The place of a kind's track among those of a transport, which sinks and handlers name.
    pub(crate) const fn number(kind: MediaKind) -> u8 {
        match kind {
            MediaKind::Audio => 0,
            MediaKind::Video => 1,
            MediaKind::Data => 2,
        }
    }

    const fn empty(kind: MediaKind) -> Self {
        Self {
            kind,
            inbound: None,
            outbound: None,
            announced: Vec::new(),
        }
    }

    /// Goes on as a later negotiation has it.
    fn renegotiated(&mut self, settings: Self) {
        match (&mut self.inbound, settings.inbound) {
            (Some(inbound), Some(settings_in)) => {
                inbound.renegotiated(settings_in, &settings.announced);
            }
            (Some(inbound), None) => inbound.pause(),
            (inbound, settings_in) => *inbound = settings_in,
        }
        match (&mut self.outbound, settings.outbound) {
            (Some(outbound), Some(settings_out)) => outbound.renegotiated(settings_out),
            (Some(outbound), None) => outbound.pause(),
            (outbound, settings_out) => *outbound = settings_out,
        }
    }
}

/// A peer with its tracks.
pub(crate) struct Transport {
    peer: Peer,
    mark: Mark,
    observer: Arc<dyn TransportObserver>,
    /// What STUN requests for this transport begin with in their user name.
    name: String,
    /// The former name, until the shard has taken note of the new one.
    renamed: Option<String>,
    /// By [`Track::number`].
    tracks: [Track; 2],
    data: Option<DataTrack>,
    /// What the observer has not been told yet.
    events: VecDeque<PeerEvent>,
    /// Sender of our feedback where we send no media of our own.
    feedback_ssrc: u32,
    clock: SenderClock,
    compound: CompoundBuilder,
    protected: Vec<u8>,
    queued: VecDeque<Transmit>,
    /// TURN servers to which there is no connection yet.
    new_servers: Vec<(u8, TurnServer)>,
    next_report: Option<Instant>,
    /// The next report goes out with the media that the peer is sent, if there is any by then: the
    /// peer's state is at hand then, and nobody has to wake up for it.
    report_rides: bool,
    heard: Option<Instant>,
    media_active: bool,
    /// Media can be protected and sent.
    connected: bool,
    timer: Option<Instant>,
    /// Bit/s that the viewers of what this peer sends can take.
    viewers_limit: Option<u64>,
    /// When packets arrived, for a peer that wants to know.
    arrivals: Option<TransportArrivals>,
    /// The latest stream that `arrivals` is about.
    reported_ssrc: u32,
    /// What the path carries, by a peer that tells when packets arrived…
    congestion: Option<Box<CongestionController>>,
    /// …or by one that tells its own estimate.
    receiver_estimate: ReceiverEstimate,
    remote_limit: Option<u64>,
    /// Once `congestion` knows a limit.
    pacer: Option<Box<VideoPacer>>,
    /// Bit/s of sound…
    sound: Rate,
    /// …and of video that is sent once more.
    repeated: Rate,
    probe_turn: u16,
    /// Where it panics.
    #[cfg(test)]
    pub(crate) fault: Option<Fault>,
}

/// Counters of a transport for `getStats`.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Bit/s that the path to the peer carries, once it has shown a limit.
    pub(crate) path_estimate: Option<u64>,
    /// Bit/s that arrive at the peer, as far as it reports arrivals.
    pub(crate) arriving: Option<u64>,
    pub(crate) received: Vec<(MediaKind, StreamSnapshot)>,
    pub(crate) sent: Vec<(MediaKind, SentSnapshot)>,
    pub(crate) channels: Vec<ChannelSnapshot>,
    /// Channels ever opened and closed; `None` without data channels.
    pub(crate) channel_totals: Option<(u64, u64)>,
}

/// Counters of a sent stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentSnapshot {
    pub(crate) ssrc: u32,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) round_trip: Option<Duration>,
    pub(crate) remote: Option<ReportBlock>,
    pub(crate) feedback: FeedbackCounters,
    /// Packets that waited too long for a weak path, or for a keyframe after such ones.
    pub(crate) discarded: u64,
    pub(crate) form: SentForm,
}

impl Transport {
    pub(crate) fn new(
        peer: Peer,
        observer: Arc<dyn TransportObserver>,
        tracks: Vec<Track>,
        feedback_ssrc: u32,
        mark: Mark,
    ) -> Self {
        let name = peer.credentials().ufrag.clone();
        let empty = [MediaKind::Audio, MediaKind::Video].map(Track::empty);
        let mut transport = Self {
            peer,
            mark,
            observer,
            name,
            renamed: None,
            tracks: empty,
            data: None,
            events: VecDeque::new(),
            feedback_ssrc,
            clock: SenderClock::default(),
            compound: CompoundBuilder::default(),
            protected: Vec::new(),
            queued: VecDeque::new(),
            new_servers: Vec::new(),
            next_report: None,
            report_rides: false,
            heard: None,
            media_active: false,
            connected: false,
            timer: None,
            viewers_limit: None,
            arrivals: None,
            reported_ssrc: 0,
            congestion: None,
            pacer: None,
            receiver_estimate: ReceiverEstimate::default(),
            remote_limit: None,
            sound: Rate::default(),
            repeated: Rate::default(),
            probe_turn: 0,
            #[cfg(test)]
            fault: None,
        };
        transport.set_tracks(tracks);
        transport
    }

    /// What the IP headers of all its packets carry.
    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// Our ICE user fragment, or the whole user name where several transports share that.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Names this transport by the user names of the peer's requests (RFC 8445 §7.2.2), because
    /// another one has the same fragment.
    pub(crate) fn name_with(&mut self, remote_fragment: &str) {
        self.name = format!("{}:{remote_fragment}", self.peer.credentials().ufrag);
    }

    /// Begins an ICE restart with new credentials of ours.
    pub(crate) fn restart_ice(
        &mut self,
        now: Instant,
        credentials: IceCredentials,
    ) -> Result<(), PeerError> {
        let name = credentials.ufrag.clone();
        self.peer.restart_ice(now, credentials)?;
        self.renamed = Some(std::mem::replace(&mut self.name, name));
        Ok(())
    }

    /// The former name, once after it has changed.
    pub(crate) fn take_renamed(&mut self) -> Option<String> {
        self.renamed.take()
    }

    pub(crate) fn observer(&self) -> &Arc<dyn TransportObserver> {
        &self.observer
    }

    pub(crate) fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }

    pub(crate) fn path(&self) -> Option<Path> {
        self.peer.path()
    }

    /// The tracks of a negotiation. Those that were there before go on with their streams and
    /// numbers; those that are not mentioned pause.
    pub(crate) fn set_tracks(&mut self, tracks: Vec<Track>) {
        let mut settings: Vec<Track> = tracks;
        for track in &mut self.tracks {
            let position = settings.iter().position(|new| new.kind == track.kind);
            let new = position.map(|position| settings.swap_remove(position));
            track.renegotiated(new.unwrap_or(Track::empty(track.kind)));
        }
        self.follow_tracks();
        if self.connected {
            self.set_connected(true);
        }
    }

    /// The data channels of a negotiation; those that there are go on.
    pub(crate) fn set_data(&mut self, now: Instant, data: Option<DataTrack>) {
        match (&mut self.data, data) {
            (Some(present), None) => present.transport.end(),
            (Some(_), Some(_)) => {}
            (None, data) => self.data = data,
        }
        if let Some(data) = self.data.as_mut().filter(|_| self.connected) {
            data.transport.start(now);
        }
    }

    /// The data channels, if there are any.
    pub(crate) fn data(&mut self) -> Option<&mut DataTrack> {
        self.data.as_mut()
    }

    /// Takes tracks away that go on elsewhere: their pads are closed when it returns.
    pub(crate) fn remove_tracks(&mut self, kinds: &[MediaKind]) {
        if kinds.contains(&MediaKind::Data) {
            if let Some(data) = &mut self.data {
                data.transport.end();
            }
            self.report();
            self.data = None;
        }
        for track in &mut self.tracks {
            if kinds.contains(&track.kind) {
                *track = Track::empty(track.kind);
            }
        }
    }

    /// Takes a datagram; `true` when it proved to be the peer's.
    pub(crate) fn datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        data: &mut [u8],
    ) -> bool {
        #[cfg(test)]
        self.trip(Fault::Datagram);
        let arrival = self.peer.handle_datagram(now, local, remote, data);
        self.take(now, arrival, data)
    }

    /// Takes a datagram that came in a TCP connection.
    pub(crate) fn carried(&mut self, now: Instant, path: Path, data: &mut [u8]) -> bool {
        let arrival = self.peer.handle_carried(now, path, data);
        self.take(now, arrival, data)
    }

    /// Takes a whole message of a TURN server.
    pub(crate) fn server_message(&mut self, now: Instant, number: u8, message: &mut [u8]) {
        let (arrival, begin) = self.peer.handle_server_message(now, number, message);
        self.take(now, arrival, message.get_mut(begin..).unwrap_or_default());
    }

    /// Where a TURN server is.
    pub(crate) fn server_address(&self, number: u8) -> Option<SocketAddr> {
        let mut servers = self.peer.servers();
        let (_, server) = servers.nth(usize::from(number))?;
        Some(server.address)
    }

    /// The connection to a TURN server failed.
    pub(crate) fn server_lost(&mut self, now: Instant, number: u8, reason: &str) {
        self.peer.server_lost(now, number, reason);
    }

    /// Begins to collect candidates.
    pub(crate) fn gather(&mut self, now: Instant, config: &GatherConfig) {
        self.peer.gather(now, config);
        let servers = self.peer.servers();
        self.new_servers = servers.map(|(n, server)| (n, server.clone())).collect();
    }

    /// TURN servers that were not connected to yet, or have become others.
    pub(crate) fn take_new_servers(&mut self) -> Vec<(u8, TurnServer)> {
        let mut new = std::mem::take(&mut self.new_servers);
        let redirected = self.peer.take_redirected();
        let servers = self.peer.servers();
        let servers = servers.filter(|(number, _)| redirected.contains(number));
        new.extend(servers.map(|(number, server)| (number, server.clone())));
        new
    }

    /// `true` when what arrived proved to be the peer's.
    #[inline]
    fn take(&mut self, now: Instant, arrival: Arrival, data: &mut [u8]) -> bool {
        match arrival {
            Arrival::Rtp { header, len } => {
                self.receive(now, &header, data.get_mut(..len).unwrap_or_default());
                self.heard = Some(now);
            }
            Arrival::Rtcp { len } => {
                self.feedback(now, data.get(..len).unwrap_or_default());
                self.hear(now);
            }
            Arrival::Handled => {}
            Arrival::Dropped(reason) => {
                tracing::trace!(?reason, "datagram dropped");
                return false;
            }
        }
        true
    }

    /// RTCP came: the peer's media is alive. RTP alone keeps it so.
    fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
        if !std::mem::replace(&mut self.media_active, true) {
            self.observer.media_active(true);
        }
    }

    fn receive(&mut self, now: Instant, header: &RtpHeader, packet: &mut [u8]) {
        let moment = moment(now);
        let mut inbounds = self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut());
        let known = inbounds.position(|inbound| inbound.knows(header.ssrc));
        let mut inbounds = self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut());
        let inbound = match known {
            Some(position) => inbounds.nth(position),
            None => inbounds.find(|inbound| inbound.accepts(header.payload_type)),
        };
        let Some(inbound) = inbound else { return };
        if let Some(arrivals) = &mut self.arrivals
            && let Some(sequence) = inbound.transport_sequence(header, packet)
        {
            arrivals.received(now, sequence);
            self.reported_ssrc = header.ssrc;
        }
        inbound.receive(moment, header, packet, &self.clock);
        if inbound.take_news() {
            inbound.announce(now);
        }
    }

    /// Pushes received media to its consumers.
    pub(crate) fn hand_on(&mut self) {
        #[cfg(test)]
        self.trip(Fault::HandOn);
        for inbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut())
        {
            inbound.hand_on();
        }
    }

    /// Sends the selected packets of a burst; `true` when there is more to send, see
    /// [`poll_transmit`](Self::poll_transmit).
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        track: u8,
        packets: &[Packet],
        selection: u64,
        mut outgoing: Outgoing<'_>,
    ) -> bool {
        #[cfg(test)]
        outgoing.add(|buffer| self.spoil(buffer));
        if track == Track::number(MediaKind::Data) {
            self.forward_messages(now, packets, selection);
            // Messages leave as SCTP decides.
            return true;
        }
        if self.is_paced(track) {
            self.next_report.get_or_insert(now + REPORT_INTERVAL);
            self.forward_paced(now, track, packets, selection, &mut outgoing);
            // What waits leaves when its turn comes.
            return true;
        }
        let track = self.tracks.get_mut(usize::from(track));
        let Some(outbound) = track.and_then(|track| track.outbound.as_mut()) else {
            return false;
        };
        let moment = moment(now);
        let (peer, congestion) = (&mut self.peer, &mut self.congestion);
        let mut lengths = SmallVec::<[usize; 16]>::new();
        if selected(packets, selection).all(|packet| outbound.may_pad(packet)) {
            lengths.extend(selected(packets, selection).map(|packet| outbound.length_of(packet)));
        }
        let mut paddings = outgoing.paddings(&lengths).into_iter();
        for (bit, packet) in packets.iter().enumerate() {
            if selection >> bit & 1 == 0 {
                outbound.skip(packet);
            } else {
                let congestion = congestion.as_deref_mut();
                let padding = paddings.next().unwrap_or(0);
                outgoing.add(|buffer| {
                    outbound.write(moment, peer, congestion, packet, padding, buffer)
                });
            }
        }
        drop(outgoing);
        self.report_rides = true;
        self.report_if_due(now)
    }

    /// Makes the regular report when it is time for it.
    fn report_if_due(&mut self, now: Instant) -> bool {
        let due = *self.next_report.get_or_insert(now + REPORT_INTERVAL);
        if due > now {
            return false;
        }
        self.report_media(now);
        self.next_report = Some(now + REPORT_INTERVAL);
        true
    }

    fn forward_messages(&mut self, now: Instant, packets: &[Packet], selection: u64) {
        let Some(data) = &mut self.data else { return };
        for (bit, packet) in packets.iter().enumerate() {
            if selection >> bit & 1 == 1 {
                data.forward(now, packet);
            }
        }
    }

    /// Bounds of what is asked of the source on behalf of this peer.
    pub(crate) fn set_send_bounds(&mut self, bounds: (u64, u64)) {
        for outbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.outbound.as_mut())
        {
            outbound.set_bounds(bounds);
        }
        self.limit_source();
    }

    /// A message to what feeds the video that this peer gets.
    pub(crate) fn ask_source(&mut self, message: Upstream) {
        let videos = self
            .tracks
            .iter()
            .filter(|track| track.kind == MediaKind::Video);
        videos
            .filter_map(|track| track.outbound.as_ref())
            .for_each(|outbound| outbound.sink().upstream(message));
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, now: Instant) {
        #[cfg(test)]
        self.trip(Fault::Timeout);
        if self.peer.poll_timeout().is_some_and(|due| due <= now) {
            self.peer.handle_timeout(now);
        }
        if let Some(data) = &mut self.data {
            data.transport.handle_timeout(now);
        }
        self.ask_for_lost(now);
        self.report_arrivals(now);
        self.probe(now);
        self.send_held(now);
        if self.next_report.is_some() && self.report_if_due(now) {
            self.report_rides = false;
        }
        let silent = self
            .heard
            .is_some_and(|heard| now.duration_since(heard) >= MEDIA_TIMEOUT);
        if silent && std::mem::take(&mut self.media_active) {
            self.observer.media_active(false);
        }
    }

    /// The next time that [`timeout`](Self::timeout) has something to do, if it
    /// is earlier than the one the worker waits for.
    pub(crate) fn earlier_timer(&mut self) -> Option<Instant> {
        let media = self
            .media_active
            .then_some(self.heard)
            .flatten()
            .map(|at| at + MEDIA_TIMEOUT);
        let inbounds = self
            .tracks
            .iter()
            .filter_map(|track| track.inbound.as_ref());
        let lost = inbounds.filter_map(Inbound::poll_timeout).min();
        let data = self.data.as_ref();
        let data = data.and_then(|data| data.transport.poll_timeout());
        let arrivals = self
            .arrivals
            .as_ref()
            .and_then(TransportArrivals::poll_timeout);
        let probe = self
            .congestion
            .as_ref()
            .and_then(|congestion| congestion.poll_timeout());
        let report = match self.report_rides {
            true => self.next_report.map(|due| due + REPORT_INTERVAL),
            false => self.next_report,
        };
        // Of a peer that is connected only its consent and refreshes are looked after.
        let peer = self.peer.poll_timeout();
        let due = [
            peer.map(|due| if self.connected { coarse(due) } else { due }),
            report.map(coarse),
            media.map(coarse),
            lost,
            data,
            arrivals,
            probe,
            self.pacer.as_ref().and_then(|pacer| pacer.poll_timeout()),
        ];
        let due = due.into_iter().flatten().min()?;
        if self.timer.is_some_and(|timer| timer <= due) {
            return None;
        }
        self.timer = Some(due);
        Some(due)
    }

    /// The worker's timer for `due` fired; `false` when an earlier one took its place.
    pub(crate) fn timer_fired(&mut self, due: Instant) -> bool {
        let current = self.timer == Some(due);
        if current {
            self.timer = None;
        }
        current
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        #[cfg(test)]
        self.trip(Fault::Transmit);
        loop {
            if let Some(transmit) = self.peer.poll_transmit() {
                return Some(transmit);
            }
            if let Some(transmit) = self.queued.pop_front() {
                // A relay that is not ready yet would drop it.
                match self.peer.carry(transmit) {
                    Some(transmit) => return Some(transmit),
                    None => continue,
                }
            }
            self.take_peer_events();
            // One at a time: the peer keeps only a few.
            let now = Instant::now();
            let packet = self.data.as_mut()?.transport.poll_packet(now)?;
            if let Err(error) = self.peer.send_application_data(now, &packet) {
                tracing::debug!(%error, "an SCTP packet is lost");
            }
        }
    }

    /// Acts on what happened to the peer, and keeps it for the observer.
    fn take_peer_events(&mut self) {
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

    /// Tells the observer what happened.
    pub(crate) fn report(&mut self) {
        #[cfg(test)]
        self.trip(Fault::Report);
        self.take_peer_events();
        while let Some(event) = self.events.pop_front() {
            self.observer.peer_event(event);
        }
        if let Some(data) = &mut self.data {
            let now = moment(Instant::now()).pipeline;
            while let Some(event) = data.poll_event(now) {
                self.observer.data_event(event);
            }
        }
    }

    fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
        match &mut self.data {
            Some(data) if connected => data.transport.start(Instant::now()),
            Some(data) => data.transport.end(),
            None => {}
        }
        let outbounds = self
            .tracks
            .iter()
            .filter_map(|track| track.outbound.as_ref());
        if connected {
            outbounds.for_each(Outbound::open);
            self.limit_source();
            self.next_report
                .get_or_insert(Instant::now() + REPORT_INTERVAL);
        } else {
            outbounds.for_each(Outbound::shut);
        }
    }

    /// Says good-bye.
    pub(crate) fn close(&mut self, now: Instant) {
        self.peer.close(now);
        self.next_report = None;
    }

    pub(crate) fn snapshot(&self, now: Instant) -> Snapshot {
        let congestion = self.congestion.as_ref();
        let mut snapshot = Snapshot {
            path_estimate: self.path_estimate(),
            arriving: congestion.and_then(|congestion| congestion.arriving_bitrate()),
            ..Snapshot::default()
        };
        for track in &self.tracks {
            if let Some(inbound) = &track.inbound {
                snapshot
                    .received
                    .extend(inbound.snapshot(now).map(|stream| (track.kind, stream)));
            }
            if let Some(outbound) = &track.outbound {
                let statistics = outbound.statistics();
                let sent = SentSnapshot {
                    ssrc: outbound.ssrc(),
                    packets: statistics.packets(),
                    bytes: statistics.payload_bytes(),
                    round_trip: statistics.round_trip(),
                    remote: statistics.remote().copied(),
                    feedback: outbound.feedback,
                    form: outbound.sent_form(),
                    discarded: match (track.kind, &self.pacer) {
                        (MediaKind::Video, Some(pacer)) => pacer.dropped(),
                        _ => 0,
                    },
                };
                snapshot.sent.push((track.kind, sent));
            }
        }
        if let Some(data) = &self.data {
            snapshot.channels = data.transport.snapshots();
            snapshot.channel_totals = Some(data.transport.totals());
        }
        snapshot
    }
}

/// The packets of a burst that a sink gets.
fn selected(packets: &[Packet], selection: u64) -> impl Iterator<Item = &Packet> {
    let packets = packets.iter().enumerate();
    packets.filter_map(move |(bit, packet)| (selection >> bit & 1 == 1).then_some(packet))
}

/// The next multiple of [`COARSE`] of a clock that all transports share: what is not urgent is done
/// for many of them at once.
fn coarse(due: Instant) -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let origin = *ORIGIN.get_or_init(Instant::now);
    let passed = due.saturating_duration_since(origin).as_millis();
    let steps = passed / COARSE.as_millis() + 1;
    origin + COARSE * u32::try_from(steps).unwrap_or(u32::MAX)
}

/// `now` on both clocks.
fn moment(now: Instant) -> Moment {
    // The pipeline clock and `Instant` are one clock with two origins.
    static ORIGIN: OnceLock<(Instant, i64)> = OnceLock::new();
    let (instant, pipeline) = *ORIGIN.get_or_init(|| {
        (
            Instant::now(),
            host().map_or(0, rivero_plugin_api::Host::now),
        )
    });
    let passed = i64::try_from(now.saturating_duration_since(instant).as_nanos()).unwrap_or(0);
    Moment {
        now,
        pipeline: pipeline + passed,
    }
}
