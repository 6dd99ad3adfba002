//! What a peer reports to its owner.

use std::net::SocketAddr;

use bytes::Bytes;

use rivero_srtp::SrtpProfile;

/// State of the transport's ICE component, in the words of `IceComponentStateChanged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceState {
    /// Local candidates are being collected.
    Gathering,
    /// Connectivity checks run.
    Connecting,
    /// A pair of addresses works.
    Connected,
    /// A pair was nominated and is in use.
    Ready,
    /// Nothing was heard for a while; may come back.
    Disconnected,
    /// No pair works, or none has worked for long. Only an ICE restart helps.
    Failed,
}

/// State of the DTLS association, in the words of `DtlsConnectionStateChange`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsState {
    /// Nothing was sent yet.
    New,
    /// The handshake runs.
    Connecting,
    /// The handshake is complete and the peer's certificate is the signalled one.
    Connected,
    /// The handshake failed.
    Failed,
    /// Either side closed the association.
    Closed,
}

/// What carries the datagrams between two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// UDP, over a socket that transports share.
    Udp,
    /// UDP, over a socket of this transport alone.
    OwnUdp,
    /// A TCP connection, each datagram behind its length (RFC 4571). With the local port
    /// [`ACTIVE_PORT`] it is ours to open.
    Tcp,
    /// An allocation on the TURN server of this number; the local address is the relayed one.
    Relay(u8),
    /// None: a message to the TURN server of this number, by the connection to it. The local
    /// address means nothing.
    Server(u8),
}

/// The local port of connections that we open (RFC 6544 §4.5).
pub const ACTIVE_PORT: u16 = 9;

/// A local and a remote transport address between which datagrams flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// The address of one of our sockets, or one allocated for us.
    pub local: SocketAddr,
    /// The peer's address as our socket sees it.
    pub remote: SocketAddr,
    /// What is between them.
    pub carrier: Carrier,
}

impl Path {
    /// A path of plain datagrams.
    #[must_use]
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        let carrier = Carrier::Udp;
        Self {
            local,
            remote,
            carrier,
        }
    }
}

/// A datagram to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The socket to send from, and where to.
    pub path: Path,
    /// The datagram.
    pub bytes: Bytes,
}

impl Transmit {
    /// Sends `bytes` along `path`.
    #[must_use]
    pub fn new(path: Path, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { path, bytes }
    }
}

/// Something that happened to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// One of our candidates, as the value of a `candidate` attribute without the prefix
    /// `candidate:`.
    LocalCandidate(String),
    /// All our candidates are known.
    GatheringDone,
    /// Something about a STUN or TURN server that its operator should know.
    ServerTrouble(String),
    /// The ICE component changed its state.
    IceState(IceState),
    /// Media now flows on this pair of candidates, given as the values of `candidate` attributes
    /// (RFC 8839 §5.1) without the prefix `candidate:`.
    SelectedPair {
        /// Where it flows.
        path: Path,
        /// Our candidate.
        local: String,
        /// The peer's candidate.
        remote: String,
    },
    /// The DTLS association changed its state.
    DtlsState(DtlsState),
    /// Why the DTLS handshake has failed, in words; the state follows.
    DtlsTrouble(String),
    /// Media can be protected and opened from now on.
    Connected {
        /// The negotiated SRTP protection profile.
        profile: SrtpProfile,
    },
    /// Decrypted DTLS application data: one SCTP packet (RFC 8261).
    ApplicationData(Bytes),
    /// Nothing more will happen.
    Closed,
}
