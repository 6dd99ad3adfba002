//! The DTLS side of a transport: `rtc-dtls`, supervised.
//!
//! The association is bound to the ICE transport and not to an address, so `rtc-dtls` sees one
//! fixed pair of placeholder addresses. Retransmission happens here ([`flight`], [`backoff`]), and
//! what arrives before authentication is budgeted.

mod backoff;
mod flight;

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

/// The exporter label of RFC 5764 §4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";
/// Stand-ins for the addresses of the ICE transport.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2);
/// Datagrams taken before the handshake is complete. A handshake needs about ten, and each of at
/// most seven retransmissions a few more; an endless one would fill the reassembly buffers.
const HANDSHAKE_BUDGET: u32 = 96;
/// Unencrypted datagrams taken after the handshake: repetitions of the peer's last flight.
const REPETITION_BUDGET: u32 = 32;
/// What `rtc-dtls` is told of retransmission; it acts when it is called.
const ENDPOINT_INTERVAL: Duration = Duration::from_millis(1);
/// Between two answers to a peer that repeats its flight.
const REPETITION_SPACING: Duration = Duration::from_millis(50);
/// Room for records in a datagram.
const MTU: usize = 1200;

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
    flight: FlightLog,
    last_sent: Option<Instant>,
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
            flight: FlightLog::default(),
            last_sent: None,
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
            self.fail(&error);
        }
        self.collect_flight(now);
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if matches!(self.state, DtlsState::Closed | DtlsState::Failed) || !self.admit(datagram) {
            return;
        }
        if self.state == DtlsState::New && self.client_config.is_none() {
            self.set_state(DtlsState::Connecting);
        }
        // A client that has sent its last flight waits for encrypted records only. Others say
        // that the server still misses that flight.
        let waits_for_last_flight = self.state == DtlsState::Connecting
            && self.role == DtlsRole::Client
            && self.flight.is_last();
        if waits_for_last_flight {
            let (rest, is_repetition) = flight::without_plain_handshake(datagram);
            if is_repetition {
                self.answer_repetition(now);
            }
            if !rest.is_empty() {
                self.read(now, rest);
            }
        } else {
            self.read(now, BytesMut::from(datagram));
        }
    }

    fn read(&mut self, now: Instant, datagram: BytesMut) {
        match self.endpoint.read(now, REMOTE, None, datagram) {
            Ok(events) => {
                for event in events {
                    self.handle_event(event);
                }
            }
            Err(error) => self.handle_error(&error),
        }
        self.collect_flight(now);
    }

    fn answer_repetition(&mut self, now: Instant) {
        let is_spaced = self
            .last_sent
            .is_none_or(|last| now.saturating_duration_since(last) >= REPETITION_SPACING);
        if is_spaced {
            self.repeat_flight(now);
        }
    }

    /// Spends the budget for datagrams that no key vouches for.
    fn admit(&mut self, datagram: &[u8]) -> bool {
        let unencrypted = matches!(datagram, [_, _, _, 0, 0, ..]);
        if self.state == DtlsState::Connected && !unencrypted {
            return true;
        }
        let left = self.budget.checked_sub(1);
        self.budget = left.unwrap_or(0);
        if left.is_none() && self.state == DtlsState::Connecting {
            self.set_state(DtlsState::Failed);
        }
        left.is_some()
    }

    fn handle_event(&mut self, event: EndpointEvent) {
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
                        self.set_state(DtlsState::Connected);
                        self.events.push_back(DtlsEvent::Keys(profile, keys));
                    }
                    None => self.set_state(DtlsState::Failed),
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
            RtcError::ErrAlertFatalOrClose => self.fail(error),
            _ if self.state == DtlsState::Connecting => self.fail(error),
            _ => {}
        }
    }

    fn fail(&mut self, error: &RtcError) {
        tracing::debug!(%error, "DTLS failed");
        self.set_state(DtlsState::Failed);
    }

    fn set_state(&mut self, state: DtlsState) {
        if self.state != state {
            self.state = state;
            self.events.push_back(DtlsEvent::State(state));
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
            tracing::debug!("DTLS handshake unanswered");
            self.set_state(DtlsState::Failed);
            self.backoff.stop();
        } else {
            self.repeat_flight(now);
        }
    }

    /// Sends the present flight again: freshly made where `rtc-dtls` can, as a copy otherwise.
    fn repeat_flight(&mut self, now: Instant) {
        if self.endpoint.poll_timeout(&REMOTE).is_some()
            && let Err(error) = self.endpoint.handle_timeout(REMOTE, now)
        {
            self.fail(&error);
            return;
        }
        let made = self.transmits.len();
        self.take_transmits();
        if self.transmits.len() == made {
            self.transmits.extend(self.flight.repeat());
        }
        self.last_sent = Some(now);
    }

    /// After the endpoint was given something: what it wants to send is a new flight.
    fn collect_flight(&mut self, now: Instant) {
        let before = self.transmits.len();
        self.take_transmits();
        if self.transmits.len() > before {
            self.last_sent = Some(now);
            if self.state == DtlsState::Connecting {
                self.backoff.flight_sent(now);
            }
        }
        if self.state != DtlsState::Connecting {
            self.backoff.stop();
        }
    }

    fn take_transmits(&mut self) {
        let is_flight = self.state == DtlsState::Connecting;
        let mut is_first = true;
        while let Some(transmit) = self.endpoint.poll_transmit() {
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
        self.backoff.stop();
        if self.state != DtlsState::Failed {
            self.set_state(DtlsState::Closed);
        }
    }
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
        .with_srtp_protection_profiles(profiles.iter().copied().map(to_dtls).collect())
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

fn to_dtls(profile: SrtpProfile) -> SrtpProtectionProfile {
    match profile {
        SrtpProfile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        SrtpProfile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        SrtpProfile::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
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
