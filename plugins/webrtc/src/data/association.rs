//! `rtc-sctp` over a DTLS association.
//!
//! One side opens the association: the DTLS client, or the server when the client waits, too,
//! which some stacks do. SCTP's addresses are those of the DTLS association, so placeholders.

// A fuzz target reads this file by its path, and what is below it in the same folder.
#[path = "incoming.rs"]
mod incoming;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rivero_sdp::SctpParameters;
use rtc_sctp::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event,
    Payload, PayloadProtocolIdentifier as Ppid, ReliabilityType, ServerConfig, StreamEvent,
    TimerConfig, TransportConfig,
};
use rtc_shared::TransportProtocol;

use super::advance::Acknowledged;
use super::channels::{Channel, ChannelState, Channels, Count, MAX_CHANNELS, name_of};
use super::dcep::Dcep;
use super::{ChannelOptions, ChannelSnapshot, DataError, Limit, MAX_MESSAGE_SIZE, SCTP_PORT};
use crate::peer::DtlsRole;

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SCTP_PORT);
const REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SCTP_PORT + 1);
const USUAL_PORTS: (u16, u16) = (SCTP_PORT, SCTP_PORT);
/// Streams in each direction.
const STREAMS: u16 = 1024;
/// How long a DTLS server waits for the client to open the association.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that may wait for the peer, all channels together.
const MAX_BUFFERED: usize = 16 * 1024 * 1024;
/// Bytes of messages that are not complete, what we tell the peer as our window.
const RECEIVE_WINDOW: u32 = 1024 * 1024;

/// Bytes of labels and protocols of channels that wait for the association.
const MAX_WANTED_BYTES: usize = 256 * 1024;

/// What happened to the channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DataEvent {
    /// Channels can be opened.
    Up,
    /// Nothing more will happen.
    Down,
    Opened(u16),
    Closed(u16),
    Message {
        /// See [`name_of`].
        name: u64,
        text: bool,
        data: Bytes,
    },
}

/// The channels of a transport.
pub(crate) struct DataTransport {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    transport: TransportConfig,
    role: DtlsRole,
    ports: (u16, u16),
    max_message_size: u64,
    /// When a server stops to wait.
    connect_at: Option<Instant>,
    up: bool,
    channels: Channels,
    /// Channels to be opened once that is possible.
    wanted: Vec<ChannelOptions>,
    acknowledged: Acknowledged,
    opened: u64,
    closed: u64,
    packets: VecDeque<Bytes>,
    events: VecDeque<DataEvent>,
}

impl DataTransport {
    pub(crate) fn new(role: DtlsRole, parameters: SctpParameters) -> Self {
        let limit = match parameters.remote_max_message_size {
            0 => u64::from(u32::MAX),
            limit => limit,
        };
        let transport = TransportConfig::default()
            .with_max_message_size(u32::try_from(limit).unwrap_or(u32::MAX))
            .with_max_receive_buffer_size(RECEIVE_WINDOW.max(2 * MAX_MESSAGE_SIZE))
            .with_max_num_inbound_streams(STREAMS)
            .with_max_num_outbound_streams(STREAMS)
            .with_timer_config(TimerConfig {
                // As long as the transport lives, so may the association.
                max_t1_init_retrans: usize::MAX,
                max_t1_cookie_retrans: usize::MAX,
                max_t3_rtx_retrans: usize::MAX,
                max_reconfig_retrans: usize::MAX,
                ..TimerConfig::default()
            });
        let server = ServerConfig::new(transport.clone());
        Self {
            endpoint: Endpoint::new(
                LOCAL,
                TransportProtocol::UDP,
                Arc::new(EndpointConfig::default()),
                (role == DtlsRole::Server).then(|| Arc::new(server)),
            ),
            association: None,
            transport,
            role,
            ports: (parameters.local_port, parameters.remote_port),
            max_message_size: limit,
            connect_at: None,
            up: false,
            channels: Channels::default(),
            wanted: Vec::new(),
            acknowledged: Acknowledged::default(),
            opened: 0,
            closed: 0,
            packets: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// DTLS is connected. Later calls do nothing.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.association.is_some() || self.connect_at.is_some() {
            return;
        }
        match self.role {
            DtlsRole::Client => self.connect(now),
            DtlsRole::Server => self.connect_at = Some(now + PATIENCE),
        }
    }

    fn connect(&mut self, now: Instant) {
        // Of two associations only one would be used.
        self.endpoint.set_server_config(None);
        self.connect_at = None;
        let config = ClientConfig::new(self.transport.clone());
        match self.endpoint.connect(now, config, REMOTE) {
            Ok(association) => self.association = Some(association),
            Err(error) => tracing::warn!(%error, "SCTP cannot connect"),
        }
        self.drain(now);
    }

    /// Runs what works on the peer's packets. Should `rtc-sctp` panic on one, its association is
    /// over, and nothing else.
    fn contained(&mut self, body: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| body(self))).is_err() {
            tracing::error!("SCTP failed on a packet of the peer: its data channels are closed");
            self.end();
        }
    }

    /// Takes an SCTP packet.
    pub(crate) fn handle(&mut self, now: Instant, packet: Bytes) {
        self.contained(|data| data.take(now, packet));
    }

    fn take(&mut self, now: Instant, packet: Bytes) {
        if !self.acknowledged.permits(&packet) {
            return tracing::debug!("the peer gives up packets that it cannot have sent");
        }
        let packet = match self.ports {
            USUAL_PORTS => packet,
            _ => with_ports(&packet, USUAL_PORTS),
        };
        match self.endpoint.handle(now, REMOTE, None, packet) {
            Some((handle, DatagramEvent::NewAssociation(association))) => {
                self.connect_at = None;
                self.endpoint.set_server_config(None);
                self.association = Some((handle, association));
            }
            Some((handle, DatagramEvent::AssociationEvent(event))) => {
                if let Some((known, association)) = &mut self.association
                    && *known == handle
                {
                    association.handle_event(event);
                }
            }
            _ => return,
        }
        self.drain(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let association = self.association.as_ref();
        let timeout = association.and_then(|(_, association)| association.poll_timeout());
        [timeout, self.connect_at].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.connect_at.is_some_and(|at| at <= now) {
            self.connect(now);
        }
        self.contained(|data| {
            if let Some((_, association)) = &mut data.association
                && association.poll_timeout().is_some_and(|due| due <= now)
            {
                association.handle_timeout(now);
                data.drain(now);
            }
        });
    }

    /// The next packet for the peer.
    pub(crate) fn poll_packet(&mut self, now: Instant) -> Option<Bytes> {
        if self.packets.is_empty() {
            self.contained(|data| data.gather(now));
        }
        self.packets.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<DataEvent> {
        self.events.pop_front()
    }

    /// Opens a channel, at once or when channels can be opened; it can be used once
    /// [`DataEvent::Opened`] came.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        options: ChannelOptions,
    ) -> Result<(), DataError> {
        if self.up {
            return self.open(now, options).map(|_| ());
        }
        let names = |options: &ChannelOptions| options.label.len() + options.protocol.len();
        let bytes: usize = self.wanted.iter().map(names).sum();
        if self.wanted.len() >= MAX_CHANNELS || bytes + names(&options) > MAX_WANTED_BYTES {
            return Err(DataError::TooMany);
        }
        self.wanted.push(options);
        Ok(())
    }

    /// Opens the channels that were asked for before there was an association.
    fn open_wanted(&mut self, now: Instant) {
        for options in std::mem::take(&mut self.wanted) {
            let label = options.label.clone();
            if let Err(error) = self.open(now, options) {
                tracing::warn!(label, %error, "a data channel was not created");
            }
        }
    }

    /// Opens a channel now.
    pub(crate) fn open(&mut self, now: Instant, options: ChannelOptions) -> Result<u16, DataError> {
        let first = match self.role {
            DtlsRole::Client => 0,
            DtlsRole::Server => 1,
        };
        let (Some((_, association)), true) = (&mut self.association, self.up) else {
            return Err(DataError::NotConnected);
        };
        let streams = association.negotiated_max_streams().unwrap_or(STREAMS);
        let id = self.channels.take(first, streams.min(STREAMS));
        let id = id.ok_or(DataError::TooMany)?;
        association
            .open_stream(id, Ppid::Binary)
            .map_err(|_| DataError::Refused)?;
        let open = Dcep::Open(options.clone());
        write(association, now, id, Ppid::Dcep, open.to_bytes().into())?;
        set_reliability(association, id, &options);
        self.add(id, options, ChannelState::Connecting);
        self.drain(now);
        Ok(id)
    }

    fn add(&mut self, id: u16, options: ChannelOptions, state: ChannelState) {
        let channel = Channel {
            name: name_of(&options),
            options,
            state,
            sent: Count::default(),
            received: Count::default(),
        };
        self.channels.0.insert(id, channel);
    }

    /// Closes a channel by a reset of its streams (RFC 8831 §6.7).
    pub(crate) fn close(&mut self, now: Instant, id: u16) -> Result<(), DataError> {
        let channel = self.channels.0.get_mut(&id);
        let channel = channel.ok_or(DataError::Unknown(id))?;
        if channel.state == ChannelState::Closing {
            return Ok(());
        }
        channel.state = ChannelState::Closing;
        self.reset(now, id);
        self.drain(now);
        Ok(())
    }

    fn reset(&mut self, now: Instant, id: u16) {
        if let Some((_, association)) = &mut self.association
            && let Ok(mut stream) = association.stream(id)
            && let Err(error) = stream.close(now)
        {
            tracing::debug!(id, %error, "a stream cannot be reset");
        }
    }

    /// Sends a message on the channel that it is for; see [`Channels::for_name`].
    pub(crate) fn send(
        &mut self,
        now: Instant,
        name: u64,
        text: bool,
        data: Bytes,
    ) -> Result<(), DataError> {
        let id = self.channels.for_name(name);
        let id = id.ok_or(DataError::NoSuchChannel)?;
        let size = data.len();
        if size as u64 > self.max_message_size {
            let limit = self.max_message_size;
            return Err(DataError::TooLarge { size, limit });
        }
        let Some((_, association)) = &mut self.association else {
            return Err(DataError::NotConnected);
        };
        let buffered: usize = { self.channels.0.keys() }
            .filter_map(|id| association.stream(*id).ok()?.buffered_amount().ok())
            .sum();
        if buffered + size > MAX_BUFFERED {
            return Err(DataError::Full);
        }
        let (ppid, data) = match (text, size) {
            // SCTP has no empty messages (RFC 8831 §6.6).
            (true, 0) => (Ppid::StringEmpty, Bytes::from_static(&[0])),
            (false, 0) => (Ppid::BinaryEmpty, Bytes::from_static(&[0])),
            (true, _) => (Ppid::String, data),
            (false, _) => (Ppid::Binary, data),
        };
        write(association, now, id, ppid, data)?;
        if let Some(channel) = self.channels.0.get_mut(&id) {
            channel.sent.add(size);
        }
        Ok(())
    }

    /// The transport is gone, and the channels with it.
    pub(crate) fn end(&mut self) {
        for (id, _) in std::mem::take(&mut self.channels.0) {
            self.closed += 1;
            self.events.push_back(DataEvent::Closed(id));
        }
        self.association = None;
        self.connect_at = None;
        self.packets.clear();
        if std::mem::take(&mut self.up) {
            self.events.push_back(DataEvent::Down);
        }
    }

    pub(crate) fn snapshots(&self) -> Vec<ChannelSnapshot> {
        self.channels.snapshots()
    }

    /// Channels that were ever opened and closed.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.opened, self.closed)
    }
}

fn write(
    association: &mut Association,
    now: Instant,
    id: u16,
    ppid: Ppid,
    data: Bytes,
) -> Result<(), DataError> {
    let mut stream = association.stream(id).map_err(|_| DataError::Unknown(id))?;
    let written = stream.write_chunk_with_ppi(now, &data, ppid);
    written.map(|_| ()).map_err(|_| DataError::Refused)
}

fn set_reliability(association: &mut Association, id: u16, options: &ChannelOptions) {
    let (kind, value) = match options.limit {
        Limit::None => (ReliabilityType::Reliable, 0),
        Limit::Retransmits(count) => (ReliabilityType::Rexmit, count),
        Limit::LifetimeMs(ms) => (ReliabilityType::Timed, ms),
    };
    if let Ok(mut stream) = association.stream(id) {
        let set = stream.set_reliability_params(!options.ordered, kind, value);
        debug_assert!(set.is_ok(), "the stream exists");
    }
}

/// The packet with other ports. The association calls its own and the peer's always 5000.
fn with_ports(packet: &[u8], (source, destination): (u16, u16)) -> Bytes {
    let mut bytes = packet.to_vec();
    if let Some(header) = bytes.first_chunk_mut::<12>() {
        let [s0, s1, d0, d1, _, _, _, _, checksum @ ..] = header;
        [*s0, *s1] = source.to_be_bytes();
        [*d0, *d1] = destination.to_be_bytes();
        *checksum = [0; 4];
    }
    // DTLS vouches for what comes in, so the checksum has nothing left to find.
    let sum = crc32c::crc32c(&bytes).to_le_bytes();
    if let Some(checksum) = bytes.get_mut(8..12) {
        checksum.copy_from_slice(&sum);
    }
    bytes.into()
}
