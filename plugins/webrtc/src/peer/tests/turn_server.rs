//! A TURN server without I/O, as strict and as short-lived as a test wants.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use crate::peer::stun::{StunBuilder, StunMessage, attribute, kind};
use crate::peer::*;

const REALM: &str = "example.org";

/// What is done to requests instead of serving them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Willing,
    /// Refuses to bind channels.
    NoChannels,
    /// Answers with messages that anybody could have made.
    Forged,
    Silent,
    /// Sends clients on to another server, and is that one from then on if `true`.
    Elsewhere(SocketAddr, bool),
}

/// A datagram for a peer.
type Outward = (SocketAddr, Vec<u8>);

/// One allocation at most.
pub(super) struct TestServer {
    pub(super) relayed: SocketAddr,
    client: SocketAddr,
    password: String,
    pub(super) lifetime: Duration,
    pub(super) mood: Mood,
    pub(super) nonce: u32,
    /// When the allocation ends.
    pub(super) allocated: Option<Instant>,
    channels: HashMap<u16, (SocketAddr, Instant)>,
    pub(super) requests: HashMap<u16, usize>,
}

impl TestServer {
    pub(super) fn new(server: &TurnServer, relayed: SocketAddr, client: SocketAddr) -> Self {
        Self {
            relayed,
            client,
            password: server.password.clone(),
            lifetime: Duration::from_secs(600),
            mood: Mood::Willing,
            nonce: 1,
            allocated: None,
            channels: HashMap::new(),
            requests: HashMap::new(),
        }
    }

    /// A message of the client; gives the answer, or a datagram for a peer.
    pub(super) fn take(
        &mut self,
        now: Instant,
        bytes: &[u8],
    ) -> (Option<Vec<u8>>, Option<Outward>) {
        if self.mood == Mood::Silent {
            return (None, None);
        }
        if bytes[0] >= 0x40 {
            let number = u16::from_be_bytes([bytes[0], bytes[1]]);
            let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            let (peer, until) = self.channels[&number];
            let valid = until > now && self.allocated.is_some_and(|end| end > now);
            return (None, valid.then(|| (peer, bytes[4..4 + length].to_vec())));
        }
        let message = StunMessage::parse(bytes).unwrap();
        *self.requests.entry(message.kind()).or_default() += 1;
        if message.kind() == kind::SEND_INDICATION {
            let peer = message.address(attribute::XOR_PEER_ADDRESS).unwrap();
            let data = message.get(attribute::DATA).unwrap().to_vec();
            return (None, Some((peer, data)));
        }
        (Some(self.answer(now, &message)), None)
    }

    fn key(&self) -> [u8; 16] {
        Md5::digest(format!("user:{REALM}:{}", self.password)).into()
    }

    fn answer(&mut self, now: Instant, message: &StunMessage<'_>) -> Vec<u8> {
        let of = |class: u16| StunBuilder::new(message.kind() + class, message.transaction());
        let nonce = self.nonce.to_string();
        let refuse = |code: u16| {
            let (class, number) = ((code / 100) as u8, (code % 100) as u8);
            of(kind::ERROR)
                .add(attribute::ERROR_CODE, &[0, 0, class, number])
                .add(attribute::REALM, REALM.as_bytes())
                .add(attribute::NONCE, nonce.as_bytes())
                .build()
        };
        let seconds = (self.lifetime.as_secs() as u32).to_be_bytes();
        let success = of(kind::SUCCESS)
            .add(attribute::LIFETIME, &seconds)
            .address(attribute::XOR_RELAYED_ADDRESS, self.relayed)
            .address(attribute::XOR_MAPPED_ADDRESS, self.client);
        if self.mood == Mood::Forged && message.has(attribute::NONCE) {
            return success.integrity(b"whatever").build();
        }
        if let Mood::Elsewhere(SocketAddr::V4(other), once) = self.mood {
            let [p0, p1] = other.port().to_be_bytes();
            let named = [&[0, 1, p0, p1][..], &other.ip().octets()].concat();
            if once {
                self.mood = Mood::Willing;
            }
            return of(kind::ERROR)
                .add(attribute::ERROR_CODE, &[0, 0, 3, 0])
                .add(attribute::ALTERNATE_SERVER, &named)
                .build();
        }
        if !message.has_integrity(&self.key()) {
            return refuse(401);
        }
        if message.text(attribute::NONCE) != Some(nonce.as_str()) {
            return refuse(438);
        }
        match message.kind() {
            kind::CHANNEL_BIND_REQUEST => {
                if self.mood == Mood::NoChannels {
                    return refuse(400);
                }
                let number = message.get(attribute::CHANNEL_NUMBER).unwrap();
                let number = u16::from_be_bytes([number[0], number[1]]);
                let peer = message.address(attribute::XOR_PEER_ADDRESS).unwrap();
                // Permissions are as short-lived here as the allocation.
                self.channels.insert(number, (peer, now + self.lifetime));
            }
            kind::REFRESH_REQUEST if message.number(attribute::LIFETIME) == Some(0) => {
                self.allocated = None;
            }
            _ => {
                let expired = self.allocated.is_some_and(|end| end <= now);
                if message.kind() == kind::REFRESH_REQUEST && expired {
                    return refuse(437);
                }
                self.allocated = Some(now + self.lifetime);
            }
        }
        success.integrity(&self.key()).build()
    }

    /// A datagram that a peer sends to the relayed address, as the client gets it.
    pub(super) fn relay(&self, now: Instant, from: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
        let bound = self
            .channels
            .iter()
            .find(|(_, (peer, until))| *peer == from && *until > now);
        let Some((number, _)) = bound else {
            let permitted = self
                .channels
                .values()
                .any(|(peer, until)| peer.ip() == from.ip() && *until > now);
            return permitted.then(|| {
                StunBuilder::new(kind::DATA_INDICATION, [9; 12])
                    .address(attribute::XOR_PEER_ADDRESS, from)
                    .add(attribute::DATA, data)
                    .build()
            });
        };
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
        bytes.extend_from_slice(data);
        Some(bytes)
    }
}
