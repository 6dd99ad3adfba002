//! A TURN client (RFC 8656) without I/O: one allocation for UDP on one server, over any
//! transport to it.
//!
//! `rtc-turn` has a client, too; this one asks for relayed addresses of either family, puts a
//! stale nonce right wherever it is met, refreshes channels that are idle, reads without copying
//! and lets media be framed where it is encrypted.
//!
//! Each address of the peer gets a channel, which includes the permission for it (RFC 8656 §12);
//! until that is bound, or where a server refuses channels, Send indications do.

mod channel;
mod transaction;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use super::stun::{StunBuilder, StunMessage, attribute, kind, new_transaction};
use channel::Channels;
pub use channel::RelayFraming;
use transaction::{Purpose, Transaction};

/// Seconds that we ask for; servers shorten it.
const REQUESTED_LIFETIME: u32 = 600;
/// Permissions last 300 s whatever the server says (RFC 8656 §9).
const MAX_REFRESH_INTERVAL: Duration = Duration::from_secs(240);
/// However short-lived the server says an allocation is.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// REQUESTED-TRANSPORT and REQUESTED-ADDRESS-FAMILY.
const UDP: [u8; 4] = [17, 0, 0, 0];
const IPV6: [u8; 4] = [2, 0, 0, 0];
/// How often a request is signed anew; a server that wants more is broken.
const MAX_REPEATED: u8 = 4;
/// Error code: another server is to be asked.
const TRY_ALTERNATE: u16 = 300;
/// Error code: long-term credentials are wanted, or are wrong.
const UNAUTHENTICATED: u16 = 401;
/// How often servers may send us on to another one.
const MAX_REDIRECTIONS: usize = 4;

/// How a TURN server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TurnTransport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// A connection under TLS.
    Tls,
}

/// A TURN server and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// Its address.
    pub address: SocketAddr,
    /// How it is reached.
    pub transport: TurnTransport,
    /// What its operator knows it by; for TLS also the name in its certificate.
    pub host: String,
    /// Long-term credential (RFC 8489 §9.2), or one limited in time, which is the same here.
    pub username: String,
    /// Its secret.
    pub password: String,
}

impl std::fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TurnServer({:?} {})", self.transport, self.address)
    }
}

impl std::fmt::Display for TurnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let transport = match self.transport {
            TurnTransport::Udp => "UDP",
            TurnTransport::Tcp => "TCP",
            TurnTransport::Tls => "TLS",
        };
        write!(f, "{} ({}, {transport})", self.host, self.address)
    }
}

/// What happened to an allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TurnEvent {
    Allocated {
        relayed: SocketAddr,
        mapped: SocketAddr,
    },
    /// Another server is asked: [`TurnClient::server`] is that one from now on.
    Redirected,
    /// There is none, or no longer one.
    Failed(String),
}

/// A datagram from a peer of ours: whose, and where in the server's message it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relayed {
    pub(super) remote: SocketAddr,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Allocating,
    Allocated(SocketAddr),
    Ended,
}

/// What the server told us about its credential mechanism.
#[derive(Default)]
struct Authentication {
    realm: String,
    nonce: Vec<u8>,
    key: Option<[u8; 16]>,
}

/// The client of one allocation.
pub(super) struct TurnClient {
    server: TurnServer,
    /// Where the servers were that sent us on.
    left: Vec<SocketAddr>,
    state: State,
    authentication: Authentication,
    interval: Duration,
    refresh: Option<Instant>,
    transactions: Vec<Transaction>,
    channels: Channels,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<TurnEvent>,
}

impl TurnClient {
    /// Begins to allocate.
    pub(super) fn new(now: Instant, server: TurnServer) -> Self {
        let mut client = Self {
            server,
            left: Vec::new(),
            state: State::Allocating,
            authentication: Authentication::default(),
            interval: MAX_REFRESH_INTERVAL,
            refresh: None,
            transactions: Vec::new(),
            channels: Channels::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        client.request(now, Purpose::Allocate, 0);
        client
    }

    pub(super) fn server(&self) -> &TurnServer {
        &self.server
    }

    /// The relayed address.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        match self.state {
            State::Allocated(relayed) => Some(relayed),
            _ => None,
        }
    }

    pub(super) fn is_allocating(&self) -> bool {
        self.state == State::Allocating
    }

    fn is_reliable(&self) -> bool {
        self.server.transport != TurnTransport::Udp
    }

    /// Takes a message of the server; gives the datagram of a peer that is in it.
    pub(super) fn handle_message(&mut self, now: Instant, bytes: &[u8]) -> Option<Relayed> {
        if let Some(relayed) = self.channels.read(bytes) {
            return Some(relayed);
        }
        let message = StunMessage::parse(bytes)?;
        if message.kind() == kind::DATA_INDICATION {
            return indicated(&message, bytes);
        }
        self.handle_response(now, &message);
        None
    }

    fn handle_response(&mut self, now: Instant, message: &StunMessage<'_>) {
        let is_ours = |t: &Transaction| t.answered_by(message.kind(), message.transaction());
        let Some(position) = self.transactions.iter().position(is_ours) else {
            return;
        };
        let failed = message.error();
        if failed.is_none() {
            // A success without our key's signature is somebody else's (RFC 8489 §9.2.5).
            let key = self.authentication.key;
            if key.is_some_and(|key| !message.has_integrity(&key)) {
                return;
            }
        }
        let transaction = self.transactions.remove(position);
        match failed {
            None => self.succeed(now, transaction.purpose, message),
            Some((code, reason)) => {
                if self.can_repeat(code, transaction.repeated, message) {
                    return self.request(now, transaction.purpose, transaction.repeated + 1);
                }
                if code == TRY_ALTERNATE && transaction.purpose == Purpose::Allocate {
                    return self.follow(now, message);
                }
                self.refused(now, transaction.purpose, code, &reason);
            }
        }
    }

    fn succeed(&mut self, now: Instant, purpose: Purpose, message: &StunMessage<'_>) {
        match purpose {
            Purpose::Allocate => {
                let relayed = message.address(attribute::XOR_RELAYED_ADDRESS);
                let mapped = message.address(attribute::XOR_MAPPED_ADDRESS);
                let Some(relayed) = relayed else {
                    return self.fail("its answer has no relayed address");
                };
                self.state = State::Allocated(relayed);
                self.schedule(now, message);
                let mapped = mapped.unwrap_or(relayed);
                self.events
                    .push_back(TurnEvent::Allocated { relayed, mapped });
            }
            Purpose::Refresh => self.schedule(now, message),
            Purpose::Bind(remote) => self.channels.bound(now, remote),
            Purpose::Release => {}
        }
    }

    fn schedule(&mut self, now: Instant, message: &StunMessage<'_>) {
        let seconds = message
            .number(attribute::LIFETIME)
            .unwrap_or(REQUESTED_LIFETIME);
        self.interval = Duration::from_secs(seconds.into()) / 2;
        self.interval = self
            .interval
            .clamp(MIN_REFRESH_INTERVAL, MAX_REFRESH_INTERVAL);
        self.refresh = Some(now + self.interval);
    }

    /// Whether the server only wants another signature, and can have it.
    fn can_repeat(&mut self, code: u16, repeated: u8, message: &StunMessage<'_>) -> bool {
        const STALE_NONCE: u16 = 438;
        let first = code == UNAUTHENTICATED && self.authentication.key.is_none();
        (first || code == STALE_NONCE) && repeated < MAX_REPEATED && self.learn(message)
    }

    /// Asks the server that this one names, by the same transport and with the same credentials
    /// (RFC 8489 §10, RFC 8656 §7.4).
    fn follow(&mut self, now: Instant, message: &StunMessage<'_>) {
        let Some(other) = message.plain_address(attribute::ALTERNATE_SERVER) else {
            return self.fail("it sends us on to another server without naming it");
        };
        self.left.push(self.server.address);
        if self.left.contains(&other) || self.left.len() > MAX_REDIRECTIONS {
            return self.fail("servers send us on to each other");
        }
        if other.is_ipv6() != self.server.address.is_ipv6() {
            return self.fail("it sends us on to a server of the other IP version");
        }
        self.server.address = other;
        if let Some(domain) = message.text(attribute::ALTERNATE_DOMAIN) {
            domain.clone_into(&mut self.server.host);
        }
        self.authentication = Authentication::default();
        self.transactions.clear();
        self.transmits.clear();
        self.events.push_back(TurnEvent::Redirected);
        self.request(now, Purpose::Allocate, 0);
    }

    fn refused(&mut self, now: Instant, purpose: Purpose, code: u16, reason: &str) {
        match purpose {
            Purpose::Allocate if code == UNAUTHENTICATED => {
                self.fail("it does not accept the user name and password");
            }
            Purpose::Allocate => self.fail(&format!("it refuses to relay: {code} {reason}")),
            Purpose::Refresh => self.fail(&format!("the allocation was lost: {code} {reason}")),
            Purpose::Bind(remote) => {
                tracing::debug!(server = %self.server, %remote, code, reason, "no TURN channel");
                self.channels.refused(now, remote);
            }
            Purpose::Release => {}
        }
    }

    /// Takes realm and nonce from an error response.
    fn learn(&mut self, message: &StunMessage<'_>) -> bool {
        let realm = message
            .text(attribute::REALM)
            .unwrap_or(&self.authentication.realm)
            .to_owned();
        let Some(nonce) = message.get(attribute::NONCE) else {
            return false;
        };
        let TurnServer {
            username, password, ..
        } = &self.server;
        let key = Md5::digest(format!("{username}:{realm}:{password}"));
        self.authentication = Authentication {
            realm,
            nonce: nonce.to_vec(),
            key: Some(key.into()),
        };
        true
    }

    /// The allocation is gone.
    pub(super) fn fail(&mut self, reason: &str) {
        if self.state == State::Ended {
            return;
        }
        self.end();
        let text = format!("TURN server {}: {reason}", self.server);
        self.events.push_back(TurnEvent::Failed(text));
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.refresh = None;
        self.transactions.clear();
        self.channels = Channels::default();
    }

    /// Sends a request and remembers what for.
    fn request(&mut self, now: Instant, purpose: Purpose, repeated: u8) {
        let id = new_transaction();
        let request = StunBuilder::new(purpose.kind(), id);
        let request = match purpose {
            Purpose::Allocate => {
                let request = request
                    .add(attribute::REQUESTED_TRANSPORT, &UDP)
                    .add(attribute::LIFETIME, &REQUESTED_LIFETIME.to_be_bytes());
                if self.server.address.is_ipv6() {
                    request.add(attribute::REQUESTED_ADDRESS_FAMILY, &IPV6)
                } else {
                    request
                }
            }
            Purpose::Refresh => request.add(attribute::LIFETIME, &REQUESTED_LIFETIME.to_be_bytes()),
            Purpose::Release => request.add(attribute::LIFETIME, &[0; 4]),
            Purpose::Bind(remote) => {
                let [n0, n1] = self.channels.number(remote).to_be_bytes();
                request
                    .add(attribute::CHANNEL_NUMBER, &[n0, n1, 0, 0])
                    .address(attribute::XOR_PEER_ADDRESS, remote)
            }
        };
        let bytes = self.authenticate(request).build();
        self.transmits.push_back(bytes.clone());
        if purpose != Purpose::Release {
            let mut transaction = Transaction::new(now, id, purpose, bytes, self.is_reliable());
            transaction.repeated = repeated;
            self.transactions.push(transaction);
        }
    }

    fn authenticate(&self, request: StunBuilder) -> StunBuilder {
        let Authentication { realm, nonce, key } = &self.authentication;
        let Some(key) = key else {
            return request;
        };
        request
            .add(attribute::USERNAME, self.server.username.as_bytes())
            .add(attribute::REALM, realm.as_bytes())
            .add(attribute::NONCE, nonce)
            .integrity(key)
    }

    /// How to send to `remote`; begins to bind a channel to it where there is none. `None` as
    /// long as the server would drop what we send.
    pub(super) fn framing(&mut self, now: Instant, remote: SocketAddr) -> Option<RelayFraming> {
        if self.relayed()?.is_ipv4() != remote.is_ipv4() {
            return None;
        }
        if self.channels.open(now, remote) {
            self.request(now, Purpose::Bind(remote), 0);
        }
        self.channels.framing(remote, self.is_reliable())
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.retransmit(now);
        if self.refresh.is_some_and(|due| due <= now) {
            self.refresh = Some(now + self.interval);
            self.request(now, Purpose::Refresh, 0);
        }
        while let Some(remote) = self.channels.due(now, self.interval) {
            self.request(now, Purpose::Bind(remote), 0);
        }
    }

    fn retransmit(&mut self, now: Instant) {
        let mut lost = Vec::new();
        let transmits = &mut self.transmits;
        self.transactions
            .retain_mut(|transaction| match transaction.look(now) {
                transaction::Look::Waits => true,
                transaction::Look::Repeats => {
                    transmits.push_back(transaction.bytes.clone());
                    true
                }
                transaction::Look::GivesUp => {
                    lost.push(transaction.purpose);
                    false
                }
            });
        for purpose in lost {
            match purpose {
                Purpose::Allocate => self.fail("it does not answer"),
                Purpose::Refresh => self.fail("it does not answer any more"),
                Purpose::Bind(remote) => self.channels.refused(now, remote),
                Purpose::Release => {}
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let transactions = self.transactions.iter().map(Transaction::due);
        let channels = self.channels.next(self.interval);
        transactions.chain(self.refresh).chain(channels).min()
    }

    /// The next message for the server.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<TurnEvent> {
        self.events.pop_front()
    }

    /// Gives the allocation back.
    pub(super) fn close(&mut self, now: Instant) {
        if self.relayed().is_some() {
            self.request(now, Purpose::Release, 0);
        }
        self.end();
    }
}

/// The peer's datagram in a Data indication.
fn indicated(message: &StunMessage<'_>, bytes: &[u8]) -> Option<Relayed> {
    let remote = message.address(attribute::XOR_PEER_ADDRESS)?;
    let data = message.get(attribute::DATA)?;
    let begin = (data.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)?;
    Some(Relayed {
        remote,
        range: begin..begin + data.len(),
    })
}
