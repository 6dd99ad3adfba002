//! A WebRTC peer without I/O: datagrams and [`Instant`]s go in, datagrams and events come out.
//!
//! A [`Peer`] is one BUNDLE transport (RFC 9143): ICE finds and guards a path, DTLS authenticates
//! the remote side and yields keys, SRTP protects the media. It owns no socket, thread or clock:
//!
//! * every datagram of the transport goes through [`Peer::handle_datagram`]; media is opened in
//!   the buffer it arrived in and handed back as [`Inbound`];
//! * [`Peer::handle_timeout`] is called at [`Peer::poll_timeout`] or later;
//! * after either, [`Peer::poll_transmit`] and [`Peer::poll_event`] are drained;
//! * media to send is protected into the caller's buffer and sent along [`Peer::path`].

pub mod certificate;
mod demux;
mod dtls;
mod event;
pub mod fingerprint;
mod gather;
mod ice;
mod interface;
mod relays;
mod stun;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rivero_rtp::{OutgoingHeader, RtpHeader};
use rivero_srtp::{SrtpReceiver, SrtpSender};

pub use certificate::{Certificate, KeyType};
pub use demux::DatagramKind;
pub use dtls::{DtlsError, DtlsRole};
pub use event::{ACTIVE_PORT, Carrier, DtlsState, IceState, Path, PeerEvent, Transmit};
pub use fingerprint::Fingerprint;
pub use gather::GatherConfig;
pub use ice::LocalCandidate;
pub use interface::{
    DropReason, IceCredentials, IceError, Inbound, PeerConfig, PeerError, RemoteParameters,
};
pub use turn::{RelayFraming, TurnServer, TurnTransport};

use dtls::{DtlsEvent, DtlsTransport};
use gather::Gathering;
use ice::{IceEvent, IceTransport};
use turn::TurnClient;

/// DTLS datagrams kept while no path works yet.
const MAX_HELD_TRANSMITS: usize = 16;

/// One WebRTC transport to one remote side.
pub struct Peer {
    config: PeerConfig,
    ice: IceTransport,
    gathering: Gathering,
    /// By the numbers of their servers.
    relays: Vec<TurnClient>,
    /// Numbers of servers to which new connections are wanted.
    redirected: Vec<u8>,
    dtls: Option<DtlsTransport>,
    receiver: Option<SrtpReceiver>,
    sender: Option<SrtpSender>,
    held: VecDeque<Bytes>,
    events: VecDeque<PeerEvent>,
    closed: bool,
    /// Something may be there to send. Media passes without ICE and DTLS having anything to say, and to ask
    /// them each time would bring their state into the caches for nothing.
    has_output: bool,
    /// When something is due, relays excepted.
    due: Option<Instant>,
    /// The time of the latest call.
    latest: Instant,
}

impl Peer {
    /// # Errors
    /// [`PeerError::Ice`] for unusable credentials.
    pub fn new(config: PeerConfig, now: Instant) -> Result<Self, PeerError> {
        let ice = IceTransport::new(now, &config.credentials, config.controlling)?;
        Ok(Self {
            config,
            ice,
            gathering: Gathering::default(),
            relays: Vec::new(),
            redirected: Vec::new(),
            dtls: None,
            receiver: None,
            sender: None,
            held: VecDeque::new(),
            events: VecDeque::new(),
            closed: false,
            has_output: false,
            due: None,
            latest: now,
        })
    }

    /// Adds a candidate of ours without any gathering; returns the value of its `candidate` attribute
    /// (RFC 8839 §5.1), without the prefix `candidate:`.
    ///
    /// # Errors
    /// [`PeerError::Ice`].
    #[allow(
        dead_code,
        reason = "for the load generator, whose addresses are known"
    )]
    pub fn add_local_candidate(
        &mut self,
        now: Instant,
        candidate: LocalCandidate,
    ) -> Result<String, PeerError> {
        let line = self.ice.add_local_candidate(now, &candidate)?;
        self.drain(now);
        Ok(line)
    }

    /// Adds a candidate of the remote side from the value of a `candidate` attribute. May be
    /// called before or after [`Self::set_remote`]. Repetitions are ignored.
    ///
    /// # Errors
    /// [`PeerError::Ice`]; with [`IceError::Unresolved`] the caller may resolve the name and try
    /// again, the others are final for this candidate and harmless for the peer.
    pub fn add_remote_candidate(&mut self, now: Instant, line: &str) -> Result<(), PeerError> {
        self.ice.add_remote_candidate(now, line)?;
        self.drain(now);
        Ok(())
    }

    /// Gives this transport a UDP socket of its own at `port`, beside the shared one of that IP
    /// version: see [`Carrier::OwnUdp`].
    pub fn add_own_socket(&mut self, now: Instant, v6: bool, port: u16) {
        if let Err(error) = self.ice.add_own_socket(now, v6, port) {
            tracing::debug!(%error, port, "a socket of its own is of no use");
        }
        self.drain(now);
    }

    /// Whether datagrams from `remote` to a shared socket are this transport's.
    #[must_use]
    pub fn holds(&self, remote: SocketAddr) -> bool {
        !self.closed && self.ice.holds(remote)
    }

    /// Sets what the remote side signalled, and starts connecting.
    ///
    /// A later call belongs to an ICE restart and changes the credentials only; the DTLS
    /// association stays (RFC 8842 §4.4).
    ///
    /// # Errors
    /// [`PeerError::Ice`], [`PeerError::Dtls`].
    pub fn set_remote(&mut self, now: Instant, remote: RemoteParameters) -> Result<(), PeerError> {
        if self.dtls.is_none() {
            self.dtls = Some(DtlsTransport::new(
                &self.config.certificate,
                remote.fingerprint,
                remote.dtls_role,
                &self.config.srtp_profiles,
            )?);
        }
        self.ice.set_remote(now, &remote.credentials)?;
        self.drain(now);
        Ok(())
    }

    /// Begins an ICE restart with new credentials of ours; [`Self::set_remote`] goes on with it.
    /// Local candidates are kept. Media keeps flowing meanwhile.
    ///
    /// # Errors
    /// [`PeerError::Ice`].
    pub fn restart_ice(
        &mut self,
        now: Instant,
        credentials: IceCredentials,
    ) -> Result<(), PeerError> {
        self.ice.restart(now, &credentials)?;
        self.config.credentials = credentials;
        self.drain(now);
        Ok(())
    }

    /// Our credentials, whose `ufrag` names this peer in the STUN requests of the remote side.
    #[must_use]
    pub fn credentials(&self) -> &IceCredentials {
        &self.config.credentials
    }

    /// Takes a datagram that `remote` sent to our UDP socket at `local`.
    ///
    /// `local` must be the address of a local candidate's socket, not the unspecified address.
    /// Media is opened in place; after [`Inbound::Dropped`] the content is unspecified.
    #[inline]
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        datagram: &mut [u8],
    ) -> Inbound {
        self.handle_carried(now, Path::udp(local, remote), datagram)
    }

    /// Takes a datagram that came along `path`; see [`Self::handle_datagram`].
    pub fn handle_carried(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Inbound {
        match DatagramKind::of(datagram) {
            Some(DatagramKind::Rtp) => self.open_rtp(path, datagram),
            Some(DatagramKind::Rtcp) => self.open_rtcp(path, datagram),
            Some(DatagramKind::Stun) => {
                let handled =
                    if let Some(candidate) = self.gathering.handle_stun(now, path, datagram) {
                        self.announce(now, candidate);
                        true
                    } else {
                        self.ice.handle_stun(now, path, datagram)
                    };
                self.drain(now);
                if handled {
                    Inbound::Handled
                } else {
                    Inbound::Dropped(DropReason::Stun)
                }
            }
            Some(DatagramKind::Dtls) => self.handle_dtls(now, path, datagram),
            None => Inbound::Dropped(DropReason::Unknown),
        }
    }

    #[inline]
    fn open_rtp(&mut self, path: Path, datagram: &mut [u8]) -> Inbound {
        if !self.ice.accepts(path) {
            return Inbound::Dropped(DropReason::Path);
        }
        let Some(receiver) = &mut self.receiver else {
            return Inbound::Dropped(DropReason::NoKeys);
        };
        let Ok(header) = RtpHeader::parse(datagram) else {
            return Inbound::Dropped(DropReason::Header);
        };
        match receiver.unprotect_rtp(&header, datagram) {
            Ok(len) => Inbound::Rtp { header, len },
            Err(error) => Inbound::Dropped(DropReason::Srtp(error)),
        }
    }

    fn open_rtcp(&mut self, path: Path, datagram: &mut [u8]) -> Inbound {
        if !self.ice.accepts(path) {
            return Inbound::Dropped(DropReason::Path);
        }
        let Some(receiver) = &mut self.receiver else {
            return Inbound::Dropped(DropReason::NoKeys);
        };
        match receiver.unprotect_rtcp(datagram) {
            Ok(len) => Inbound::Rtcp { len },
            Err(error) => Inbound::Dropped(DropReason::Srtp(error)),
        }
    }

    fn handle_dtls(&mut self, now: Instant, path: Path, datagram: &[u8]) -> Inbound {
        if !self.ice.accepts(path) {
            return Inbound::Dropped(DropReason::Path);
        }
        let Some(dtls) = &mut self.dtls else {
            return Inbound::Dropped(DropReason::NoKeys);
        };
        dtls.handle_datagram(now, datagram);
        self.drain(now);
        Inbound::Handled
    }

    /// When [`Self::handle_timeout`] has to be called, at the latest.
    #[must_use]
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let relays = self.relays.iter().filter_map(TurnClient::poll_timeout);
        self.due.into_iter().chain(relays).min()
    }

    /// When ICE, DTLS or gathering has something to do. What arrives between two calls that may change that
    /// can only postpone it.
    fn next_due(&self) -> Option<Instant> {
        let dtls = self.dtls.as_ref().and_then(DtlsTransport::poll_timeout);
        let due = [self.ice.poll_timeout(), dtls, self.gathering.poll_timeout()];
        due.into_iter().flatten().min()
    }

    /// Does what is due at `now`. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.ice.handle_timeout(now);
        if let Some(dtls) = &mut self.dtls {
            dtls.handle_timeout(now);
        }
        self.gathering.handle_timeout(now);
        self.relays
            .iter_mut()
            .for_each(|relay| relay.handle_timeout(now));
        self.drain(now);
    }

    /// The next datagram to send. Drain it after every other call.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if !self.has_output {
            return None;
        }
        let transmit = self.next_transmit();
        // A relay may have something to say whenever media goes through it.
        self.has_output = transmit.is_some() || !self.relays.is_empty();
        transmit
    }

    fn next_transmit(&mut self) -> Option<Transmit> {
        loop {
            if let Some(transmit) = self.poll_server_transmit() {
                return Some(transmit);
            }
            let transmit = match self.ice.poll_transmit() {
                Some(transmit) => transmit,
                None => Transmit::new(self.ice.path()?, self.held.pop_front()?),
            };
            if let Some(transmit) = self.carry(transmit) {
                return Some(transmit);
            }
        }
    }

    /// The next event. Drain it after every other call.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// To the peer and back on the path in use, by the checks for consent (RFC 7675).
    pub fn round_trip(&self) -> Option<Duration> {
        self.ice.round_trip()
    }

    /// Where media is to be sent: the nominated path, before nomination one that works.
    #[inline]
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.ice.path()
    }

    /// Appends a protected RTP packet to `out`, to be sent along [`Self::path`]; see
    /// [`SrtpSender::protect_rtp`] for the rules on sequence numbers.
    ///
    /// # Errors
    /// [`PeerError::NotConnected`], [`PeerError::Srtp`].
    #[inline]
    pub fn protect_rtp(
        &mut self,
        header: &OutgoingHeader<'_>,
        payload: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, PeerError> {
        let sender = self.sender.as_mut().ok_or(PeerError::NotConnected)?;
        Ok(sender.protect_rtp(header, payload, out)?)
    }

    /// Appends the compound RTCP packet `plain` to `out`, protected, to be sent along
    /// [`Self::path`].
    ///
    /// # Errors
    /// [`PeerError::NotConnected`], [`PeerError::Srtp`].
    pub fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, PeerError> {
        let sender = self.sender.as_mut().ok_or(PeerError::NotConnected)?;
        Ok(sender.protect_rtcp(plain, out)?)
    }

    /// Sends DTLS application data: one SCTP packet (RFC 8261).
    ///
    /// # Errors
    /// [`PeerError::NotConnected`], [`PeerError::Dtls`].
    pub fn send_application_data(&mut self, now: Instant, data: &[u8]) -> Result<(), PeerError> {
        let dtls = self.dtls.as_mut().ok_or(PeerError::NotConnected)?;
        dtls.send(now, data)?;
        self.drain(now);
        Ok(())
    }

    /// Says good-bye to the remote side (DTLS `close_notify`) and stops all timers. The last
    /// datagrams and events are still to be drained.
    pub fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.latest = now;
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now);
        }
        self.drain(now);
        if !self.closed {
            self.finish();
        }
    }

    /// Moves what ICE and DTLS produced to where the owner and the other layer find it. Every call that may have
    /// made them do something ends with it.
    fn drain(&mut self, now: Instant) {
        self.latest = now;
        self.has_output = true;
        self.drain_gathering(now);
        self.drain_ice();
        self.drain_dtls(now);
        self.due = self.next_due();
    }

    fn drain_ice(&mut self) {
        while let Some(event) = self.ice.poll_event() {
            self.events.push_back(match event {
                IceEvent::State(state) => PeerEvent::IceState(state),
                IceEvent::Selected {
                    path,
                    local,
                    remote,
                } => PeerEvent::SelectedPair {
                    path,
                    local,
                    remote,
                },
            });
        }
    }

    fn drain_dtls(&mut self, now: Instant) {
        let Some(dtls) = &mut self.dtls else {
            return;
        };
        if self.ice.path().is_some() {
            dtls.start(now);
        }
        while let Some(bytes) = dtls.poll_transmit() {
            if self.held.len() < MAX_HELD_TRANSMITS {
                self.held.push_back(bytes);
            }
        }
        while let Some(event) = self.dtls.as_mut().and_then(DtlsTransport::poll_event) {
            self.handle_dtls_event(event);
        }
    }

    fn handle_dtls_event(&mut self, event: DtlsEvent) {
        match event {
            DtlsEvent::State(state) => {
                self.events.push_back(PeerEvent::DtlsState(state));
                if state == DtlsState::Closed && !self.closed {
                    self.finish();
                }
            }
            DtlsEvent::Trouble(reason) => self.events.push_back(PeerEvent::DtlsTrouble(reason)),
            DtlsEvent::Keys(profile, keys) => {
                let receiver = SrtpReceiver::new(profile, &keys.remote);
                let sender = SrtpSender::new(profile, &keys.local);
                if let (Ok(receiver), Ok(sender)) = (receiver, sender) {
                    self.receiver = Some(receiver);
                    self.sender = Some(sender);
                    self.events.push_back(PeerEvent::Connected { profile });
                }
            }
            DtlsEvent::Data(data) => self.events.push_back(PeerEvent::ApplicationData(data)),
        }
    }

    /// The end, from either side. The path is kept for the datagrams still held.
    fn finish(&mut self) {
        self.closed = true;
        self.receiver = None;
        self.sender = None;
        self.ice.close();
        self.gathering.stop();
        let now = self.latest;
        self.relays.iter_mut().for_each(|relay| relay.close(now));
        self.events.push_back(PeerEvent::Closed);
    }
}
