//! What a peer is made of, is told, and says of a datagram.

use std::sync::Arc;

use rivero_rtp::RtpHeader;
use rivero_srtp::{SrtpError, SrtpProfile};

use super::{Certificate, DtlsError, DtlsRole, Fingerprint};

/// Remote candidates per transport, discovered ones included.
pub(super) const MAX_REMOTE_CANDIDATES: usize = 64;

/// Username fragment and password of one side (RFC 8445 §5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `a=ice-ufrag`, 4–256 characters.
    pub ufrag: String,
    /// `a=ice-pwd`, 22–256 characters.
    pub password: String,
}

impl std::fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IceCredentials({})", self.ufrag)
    }
}

/// Why ICE did not take something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceError {
    /// Credentials that the agent refuses, usually for their length.
    #[error("unusable ICE credentials: {0}")]
    Credentials(String),
    /// A candidate line that is not one.
    #[error("malformed ICE candidate: {0}")]
    Candidate(String),
    /// The candidate's address is a name that has to be resolved first.
    #[error("ICE candidate with the unresolved name {0}")]
    Unresolved(String),
    /// The candidate's transport is neither UDP nor TCP.
    #[error("ICE candidate for {0} instead of UDP or TCP")]
    Transport(String),
    /// The peer has too many addresses.
    #[error("more than {MAX_REMOTE_CANDIDATES} remote ICE candidates")]
    TooManyCandidates,
}
/// What a peer is made of.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// Our side's credentials, as signalled.
    pub credentials: IceCredentials,
    /// Whether we nominate: true for the side that made the first offer. RFC 8445 §6.1.1.
    pub controlling: bool,
    /// Our certificate, whose fingerprint was signalled.
    pub certificate: Arc<Certificate>,
    /// Acceptable SRTP protection profiles, best first.
    pub srtp_profiles: Vec<SrtpProfile>,
}

impl PeerConfig {
    /// A configuration with the profiles that suit a forwarder: AES-128-GCM before the
    /// counter-mode profile that every peer has.
    #[must_use]
    pub fn new(
        credentials: IceCredentials,
        controlling: bool,
        certificate: Arc<Certificate>,
    ) -> Self {
        Self {
            credentials,
            controlling,
            certificate,
            srtp_profiles: vec![
                SrtpProfile::AeadAes128Gcm,
                SrtpProfile::AeadAes256Gcm,
                SrtpProfile::Aes128CmHmacSha1_80,
            ],
        }
    }
}

/// What the remote side signalled.
#[derive(Debug, Clone)]
pub struct RemoteParameters {
    /// `a=ice-ufrag` and `a=ice-pwd`.
    pub credentials: IceCredentials,
    /// `a=fingerprint`.
    pub fingerprint: Fingerprint,
    /// **Our** role, which follows from both sides' `a=setup`.
    pub dtls_role: DtlsRole,
}

/// Why a peer refused a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// ICE did.
    #[error(transparent)]
    Ice(#[from] IceError),
    /// DTLS did.
    #[error(transparent)]
    Dtls(#[from] DtlsError),
    /// SRTP did.
    #[error(transparent)]
    Srtp(#[from] SrtpError),
    /// There are no keys yet.
    #[error("the peer is not connected")]
    NotConnected,
}

/// What a datagram turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inbound {
    /// An RTP packet: the first `len` bytes of the datagram's buffer are now the plain packet.
    Rtp {
        /// The packet's header.
        header: RtpHeader,
        /// Bytes of the plain packet.
        len: usize,
    },
    /// A compound RTCP packet: the first `len` bytes of the buffer are now the plain packet.
    Rtcp {
        /// Bytes of the plain packet.
        len: usize,
    },
    /// Transport business that is dealt with.
    Handled,
    /// Nothing that may be looked at further.
    Dropped(DropReason),
}

/// Why a datagram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// None of the protocols of a WebRTC transport.
    Unknown,
    /// STUN that is malformed, not authentic, or answers nothing.
    Stun,
    /// From an address that did not prove to be the peer's.
    Path,
    /// Media before there are keys.
    NoKeys,
    /// Not an RTP packet.
    Header,
    /// Not acceptable to SRTP.
    Srtp(SrtpError),
}
