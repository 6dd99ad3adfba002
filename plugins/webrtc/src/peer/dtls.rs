//! The DTLS side of a transport: `rtc-dtls`, supervised.
//!
//! The association is bound to the ICE transport and not to an address, so `rtc-dtls` sees one
//! fixed pair of placeholder addresses. It computes the handshake and the records; what a lossy
//! network asks for is done here:
//!
//! * [`reassembly`] hands it the peer's messages whole and in order, within bounds;
//! * [`flight`] keeps what was sent, and [`backoff`] says when it is sent again;
//! * what arrives before authentication is budgeted.

mod backoff;
mod flight;
mod reassembly;
mod record;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rivero_srtp::{MasterKeys, SrtpProfile};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error as RtcError;

use super::certificate::Certificate;
use super::event::DtlsState;
use super::fingerprint::Fingerprint;
use backoff::Backoff;
use flight::FlightLog;
use reassembly::Reassembly;

/// The exporter label of RFC 5764 §4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";
/// Stand-ins for the addresses of the ICE transport.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2);
/// Datagrams with handshake records taken before the handshake is complete. Reassembly bounds the memory that they use;
/// this bounds the work that a peer causes which never finishes. A flight in datagrams of 256 bytes
/// has nine with an RSA certificate. The peer sends it eight times by its own timer, and up to
/// as often because we repeat ours: 150, and room for what the network doubles. Application data
/// of a peer that is connected before we are is not counted: it costs next to nothing, and there may
/// be much of it while the last flight gets lost.
const HANDSHAKE_BUDGET: u32 = 256;
/// Unencrypted handshake records taken after the handshake: repetitions of the peer's last flight, of nine
/// datagrams as above, while our answer to it gets lost. `rtc-dtls` answers seven times.
const REPETITION_BUDGET: u32 = 96;
/// What `rtc-dtls` is told of retransmission. It repeats a flight when it is called after this
/// time; [`Backoff`] decides when it is called, so the time must never be in the way.
const ENDPOINT_INTERVAL: Duration = Duration::from_millis(1);
/// Room for records in a datagram. With 28 bytes of UDP and IPv4, 48 with IPv6, it fits into the
/// 1280 bytes that every IPv6 path carries (RFC 8200 §5), tunnels included.
const MTU: usize = 1200;

/// What a man in the middle looks like, and an application that mixes descriptions up.
const NOT_THE_CERTIFICATE: &str = "the peer's certificate is not the one of its description";

/// Who speaks first in the DTLS handshake (RFC 5763 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsRole {
    /// `a=setup:active`.
    Client,
    /// `a=setup:passive`.
    Server,
}

/// Why DTLS could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DtlsError {
    /// Certificate, profiles and role do not make a configuration.
    #[error("DTLS cannot be configured: {0}")]
    Configuration(String),
    /// There is no association to send on.
    #[error("DTLS is not connected")]
    NotConnected,
    /// The association refused the data.
    #[error("DTLS cannot send: {0}")]
    Send(String),
}

/// What happened on the DTLS side.
pub(super) enum DtlsEvent {
    State(DtlsState),
    /// Why the state is about to be failed.
    Trouble(String),
    Keys(SrtpProfile, MasterKeys),
    Data(Bytes),
}

pub(super) struct DtlsTransport {
    endpoint: Endpoint,
    /// The client's configuration until it has connected.
    client_config: Option<Arc<HandshakeConfig>>,
    role: DtlsRole,
    remote_fingerprint: Fingerprint,
    state: DtlsState,
    /// The peer's flights.
    reassembly: Reassembly,
    /// Our latest flight.
    flight: FlightLog,
    backoff: Backoff,
    budget: u32,
    transmits: VecDeque<Bytes>,
    events: VecDeque<DtlsEvent>,
}

impl DtlsTransport {
    pub(super) fn new(
        certificate: &Certificate,
        remote_fingerprint: Fingerprint,
        role: DtlsRole,
        profiles: &[SrtpProfile],
    ) -> Result<Self, DtlsError> {
        let config = configure(certificate, remote_fingerprint.clone(), role, profiles)?;
        let (client_config, server_config) = match role {
            DtlsRole::Client => (Some(config), None),
            DtlsRole::Server => (None, Some(config)),
        };
        Ok(Self {
            endpoint: Endpoint::new(LOCAL, TransportProtocol::UDP, server_config),
            client_config,
            role,
            remote_fingerprint,
            state: DtlsState::New,
            reassembly: Reassembly::new(role),
            flight: FlightLog::default(),
            backoff: Backoff::default(),
            budget: HANDSHAKE_BUDGET,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    /// There is a path to send on: a client begins. Later calls do nothing.
    pub(super) fn start(&mut self, now: Instant) {
        let Some(config) = self.client_config.take() else {
            return;
        };
        self.set_state(DtlsState::Connecting);
        if let Err(error) = self.endpoint.connect(now, REMOTE, config, None) {
            self.fail(&error.to_string());
        }
        self.collect_flight(now);
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if self.is_over() || self.client_config.is_some() || !self.admit(datagram) {
            // A client that has not begun has asked for nothing yet.
            return;
        }
        // A server begins with the first datagram.
        if self.state == DtlsState::New {
            self.set_state(DtlsState::Connecting);
        }
        let is_handshake = datagram.first() == Some(&record::HANDSHAKE);
        if self.state == DtlsState::Connected && is_encrypted(datagram) && !is_handshake {
            // Application data needs no order, and `rtc-dtls` detects its replays.
            self.read(now, BytesMut::from(datagram));
            return;
        }
        let arrival = self.reassembly.on_datagram(datagram);
        if !arrival.ordered.is_empty() {
            self.read(now, arrival.ordered);
        }
        if arrival.is_repetition && !self.is_over() {
            self.answer_repetition(now);
        }
    }

    /// Whether nothing more is taken or sent.
    fn is_over(&self) -> bool {
        matches!(self.state, DtlsState::Closed | DtlsState::Failed)
    }

    fn read(&mut self, now: Instant, datagram: BytesMut) {
        match self.endpoint.read(now, REMOTE, None, datagram) {
            Ok(events) => {
                for event in events {
                    self.handle_event(now, event);
                }
            }
            Err(error) => self.handle_error(&error),
        }
        self.collect_flight(now);
    }

    /// The peer repeats a flight that we have answered: our answer got lost, and is sent again
    /// (RFC 6347 §4.2.4, the WAITING and FINISHED states).
    fn answer_repetition(&mut self, now: Instant) {
        if !self.backoff.may_answer_repetition(now) {
            return;
        }
        match (self.state, self.role) {
            // The Finished that completed the handshake for a client proves that the server has had
            // the client's flight, so only a server owes anything when it is connected.
            (DtlsState::Connected, DtlsRole::Client) => {}
            (DtlsState::Connected, DtlsRole::Server) => {
                let repetition = self.reassembly.repetition();
                self.read(now, repetition);
                self.backoff.flight_repeated(now);
            }
            _ => self.repeat_flight(now),
        }
    }

    /// Spends the budget for handshakes that no key vouches for.
    fn admit(&mut self, datagram: &[u8]) -> bool {
        if self.state == DtlsState::Connected && is_encrypted(datagram) {
            return true;
        }
        if !record::records(datagram).any(|record| record.content_type == record::HANDSHAKE) {
            return true;
        }
        let left = self.budget.checked_sub(1);
        self.budget = left.unwrap_or(0);
        if left.is_none() && self.state == DtlsState::Connecting {
            self.fail("the peer sends more than a handshake has");
        }
        left.is_some()
    }

    fn handle_event(&mut self, now: Instant, event: EndpointEvent) {
        match event {
            EndpointEvent::HandshakeComplete => {
                let keys = self
                    .endpoint
                    .get_connection_state(REMOTE)
                    .filter(|state| {
                        let leaf = state.peer_certificates.first();
                        leaf.is_some_and(|leaf| self.remote_fingerprint.matches(leaf))
                    })
                    .and_then(export_keys);
                match keys {
                    Some((profile, keys)) => {
                        self.budget = REPETITION_BUDGET;
                        self.flight.begin();
                        // A server's last flight goes out with this: a second copy of what has
                        // just completed the handshake does not ask for it again.
                        self.reassembly.handshake_complete();
                        self.backoff.flight_repeated(now);
                        self.set_state(DtlsState::Connected);
                        self.events.push_back(DtlsEvent::Keys(profile, keys));
                    }
                    None => self.fail(NOT_THE_CERTIFICATE),
                }
            }
            EndpointEvent::ApplicationData(data) => {
                self.events.push_back(DtlsEvent::Data(data.freeze()));
            }
            EndpointEvent::PeerClosed => self.set_state(DtlsState::Closed),
            _ => {}
        }
    }

    /// A malformed datagram is ignored (RFC 6347 §4.1.2.7). An alert ends the association, and so
    /// does every other error of a handshake, such as a certificate that does not match.
    fn handle_error(&mut self, error: &RtcError) {
        match error {
            RtcError::ErrInvalidPacketLength => {}
            RtcError::ErrAlertFatalOrClose => self.fail("the peer refused it with an alert"),
            RtcError::ErrNoMatchingCertificateFingerprint
                if self.state == DtlsState::Connecting =>
            {
                self.fail(NOT_THE_CERTIFICATE);
            }
            _ if self.state == DtlsState::Connecting => self.fail(&error.to_string()),
            _ => {}
        }
    }

    /// The end of it; `reason` is for whoever runs the application.
    fn fail(&mut self, reason: &str) {
        if self.state != DtlsState::Failed {
            self.events.push_back(DtlsEvent::Trouble(reason.to_owned()));
            self.set_state(DtlsState::Failed);
        }
    }

    fn set_state(&mut self, state: DtlsState) {
        if self.state != state {
            self.state = state;
            self.events.push_back(DtlsEvent::State(state));
        }
        // Only flights of a handshake are repeated by a timer.
        if state != DtlsState::Connecting {
            self.backoff.stop();
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.backoff.due()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if !self.backoff.take_due(now) {
            return;
        }
        if self.backoff.is_exhausted() {
            self.fail("the peer does not answer");
        } else {
            self.repeat_flight(now);
        }
    }

    /// Sends the present flight again: made anew where `rtc-dtls` can, as a copy otherwise. Anew is
    /// better, since then Finished has a number that the peer does not take for a replay.
    fn repeat_flight(&mut self, now: Instant) {
        if self.endpoint.poll_timeout(&REMOTE).is_some()
            && self.backoff.take_remake()
            && let Err(error) = self.endpoint.handle_timeout(REMOTE, now)
        {
            self.fail(&error.to_string());
            return;
        }
        let made = self.transmits.len();
        self.take_transmits();
        if self.transmits.len() == made {
            self.transmits.extend(self.flight.repeat());
        }
        self.backoff.flight_repeated(now);
    }

    /// After the endpoint was given something: what it wants to send is a new flight.
    fn collect_flight(&mut self, now: Instant) {
        let before = self.transmits.len();
        self.take_transmits();
        if self.transmits.len() > before && self.state == DtlsState::Connecting {
            self.reassembly.flight_sent();
            self.backoff.flight_sent(now);
        }
    }

    fn take_transmits(&mut self) {
        let is_flight = self.state == DtlsState::Connecting;
        let mut is_first = true;
        while let Some(transmit) = self.endpoint.poll_transmit() {
            if is_flight && let Some(alert) = flight::fatal_alert(&transmit.message) {
                // `rtc-dtls` sends some alerts without returning an error, and would wait on. The
                // peer has gone when it gets this, so nothing would ever come, and repeating it
                // like a flight would only make the call look alive for 17 seconds.
                self.fail(&format!(
                    "the peer's part of it was refused, by alert {alert}"
                ));
            }
            if std::mem::take(&mut is_first) && is_flight {
                self.flight.begin();
            }
            self.transmits.push_back(if is_flight {
                self.flight.add(transmit.message)
            } else {
                self.flight.renumber(transmit.message)
            });
        }
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }

    pub(super) fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), DtlsError> {
        if self.state != DtlsState::Connected {
            return Err(DtlsError::NotConnected);
        }
        self.endpoint
            .write(now, REMOTE, data)
            .map_err(|error| DtlsError::Send(error.to_string()))?;
        self.collect_flight(now);
        Ok(())
    }

    /// Queues a `close_notify` if there is an association.
    pub(super) fn close(&mut self, now: Instant) {
        let _ = self.endpoint.close(now);
        self.take_transmits();
        self.client_config = None;
        if self.state != DtlsState::Failed {
            self.set_state(DtlsState::Closed);
        }
    }
}

/// Whether the first record of `datagram` belongs to a later epoch than the first.
fn is_encrypted(datagram: &[u8]) -> bool {
    !matches!(datagram, [_, _, _, 0, 0, ..])
}

fn configure(
    certificate: &Certificate,
    remote_fingerprint: Fingerprint,
    role: DtlsRole,
    profiles: &[SrtpProfile],
) -> Result<Arc<HandshakeConfig>, DtlsError> {
    let refused = |error: &dyn std::fmt::Display| DtlsError::Configuration(error.to_string());
    let provider = rtc_crypto::default_provider().map_err(|error| refused(&error))?;
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate.dtls().clone()])
        .with_srtp_protection_profiles(profiles.iter().copied().filter_map(to_dtls).collect())
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // Certificates are self-signed: the fingerprint from the signalling decides, below.
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(Arc::new(move |chain, _| match chain.first() {
            None => Err(RtcError::ErrNonCertificate),
            Some(leaf) if remote_fingerprint.matches(leaf) => Ok(()),
            Some(_) => Err(RtcError::ErrNoMatchingCertificateFingerprint),
        })))
        .with_flight_interval(ENDPOINT_INTERVAL)
        .with_mtu(MTU)
        .build(role == DtlsRole::Client, Some(REMOTE))
        .map_err(|error| refused(&error))?;
    Ok(Arc::new(config))
}

fn export_keys(state: &State) -> Option<(SrtpProfile, MasterKeys)> {
    let profile = from_dtls(state.srtp_protection_profile())?;
    let material = state
        .export_keying_material(EXPORTER_LABEL, &[], profile.keying_material_len())
        .ok()?;
    let keys =
        MasterKeys::from_keying_material(profile, material.as_ref(), state.is_client()).ok()?;
    Some((profile, keys))
}

/// `None` for what only descriptions have keys for, and for the short tag, which is offered to nobody.
fn to_dtls(profile: SrtpProfile) -> Option<SrtpProtectionProfile> {
    match profile {
        SrtpProfile::AeadAes128Gcm => Some(SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm),
        SrtpProfile::AeadAes256Gcm => Some(SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm),
        SrtpProfile::Aes128CmHmacSha1_80 => {
            Some(SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80)
        }
        _ => None,
    }
}

fn from_dtls(profile: SrtpProtectionProfile) -> Option<SrtpProfile> {
    match profile {
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(SrtpProfile::AeadAes128Gcm),
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Some(SrtpProfile::AeadAes256Gcm),
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => {
            Some(SrtpProfile::Aes128CmHmacSha1_80)
        }
        _ => None,
    }
}
