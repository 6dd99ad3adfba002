//! A peer's candidates from servers: gathering, and the TURN servers it sends through.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use super::event::{Carrier, Path, PeerEvent, Transmit};
use super::gather::GatherConfig;
use super::ice::LocalCandidate;
use super::turn::{RelayFraming, TurnClient, TurnEvent, TurnServer, TurnTransport};
use super::{DropReason, Inbound, Peer};

/// TURN servers of one transport.
const MAX_RELAYS: usize = 8;

impl Peer {
    /// Begins to collect candidates, which are reported as [`PeerEvent::LocalCandidate`], the end
    /// as [`PeerEvent::GatheringDone`].
    ///
    /// Messages to TURN server `n` go along paths with [`Carrier::Server`]`(n)`; what it sends
    /// back is for [`Self::handle_server_message`].
    pub fn gather(&mut self, now: Instant, config: &GatherConfig) {
        for candidate in config.own_candidates() {
            self.announce(now, candidate);
        }
        self.gathering.start(now, config);
        let servers = config.turn_servers.iter().take(MAX_RELAYS);
        self.relays = servers
            .map(|server| TurnClient::new(now, server.clone()))
            .collect();
        self.drain(now);
    }

    /// The TURN servers to which connections are wanted, by their numbers.
    pub fn servers(&self) -> impl Iterator<Item = (u8, &TurnServer)> {
        (0..).zip(self.relays.iter().map(TurnClient::server))
    }

    /// The numbers of the TURN servers that have become others since the last call.
    pub fn take_redirected(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.redirected)
    }

    /// Adds a candidate and reports it.
    pub(super) fn announce(&mut self, now: Instant, candidate: LocalCandidate) {
        match self.ice.add_local_candidate(now, &candidate) {
            Ok(line) => self.events.push_back(PeerEvent::LocalCandidate(line)),
            Err(error) => tracing::debug!(?candidate, %error, "no candidate"),
        }
    }

    /// Takes a whole message of TURN server `number`. Media in it is opened in place; besides
    /// what it was this gives the offset in `message` at which it begins.
    pub fn handle_server_message(
        &mut self,
        now: Instant,
        number: u8,
        message: &mut [u8],
    ) -> (Inbound, usize) {
        let Some(client) = self.relays.get_mut(usize::from(number)) else {
            return (Inbound::Dropped(DropReason::Unknown), 0);
        };
        let relayed = client.handle_message(now, message);
        let (Some(relayed), Some(local)) = (relayed, client.relayed()) else {
            self.drain(now);
            return (Inbound::Handled, 0);
        };
        let path = Path {
            local,
            remote: relayed.remote,
            carrier: Carrier::Relay(number),
        };
        let begin = relayed.range.start;
        match message.get_mut(relayed.range) {
            Some(datagram) => (self.handle_carried(now, path, datagram), begin),
            None => (Inbound::Dropped(DropReason::Unknown), 0),
        }
    }

    /// The connection to TURN server `number` is gone or could not be made.
    pub fn server_lost(&mut self, now: Instant, number: u8, reason: &str) {
        if let Some(client) = self.relays.get_mut(usize::from(number)) {
            client.fail(reason);
        }
        self.drain(now);
    }

    /// How media has to be framed for the relay that is in use, and its server; `None` if there
    /// is no relay in use, or not yet a way through it.
    pub fn relay_in_use(&mut self, now: Instant) -> Option<(u8, SocketAddr, RelayFraming)> {
        let path = self.ice.path()?;
        let Carrier::Relay(number) = path.carrier else {
            return None;
        };
        let client = self.relays.get_mut(usize::from(number))?;
        let framing = client.framing(now, path.remote)?;
        Some((number, client.server().address, framing))
    }

    /// Wraps a datagram for the relay that its path leads through, if it does; `None` while the
    /// relay would drop it.
    pub fn carry(&mut self, transmit: Transmit) -> Option<Transmit> {
        let Carrier::Relay(number) = transmit.path.carrier else {
            return Some(transmit);
        };
        let client = self.relays.get_mut(usize::from(number))?;
        let framing = client.framing(self.latest, transmit.path.remote)?;
        let mut bytes = Vec::with_capacity(transmit.bytes.len() + 40);
        framing.wrap(&mut bytes, |out| {
            out.extend_from_slice(&transmit.bytes);
            true
        });
        let path = server_path(number, client.server().address);
        Some(Transmit::new(path, bytes))
    }

    pub(super) fn poll_server_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.gathering.poll_transmit() {
            return Some(transmit);
        }
        (0..).zip(&mut self.relays).find_map(|(number, relay)| {
            let bytes = relay.poll_transmit()?;
            let path = server_path(number, relay.server().address);
            Some(Transmit::new(path, bytes))
        })
    }

    /// Moves what STUN and TURN servers said to where it belongs.
    pub(super) fn drain_gathering(&mut self, now: Instant) {
        for number in 0..self.relays.len() {
            while let Some(event) = self.relays.get_mut(number).and_then(TurnClient::poll_event) {
                self.handle_turn_event(now, number, event);
            }
        }
        while let Some(server) = self.gathering.take_silent() {
            let text = format!("STUN server {server} does not answer");
            self.events.push_back(PeerEvent::ServerTrouble(text));
        }
        let waits = self.relays.iter().any(TurnClient::is_allocating);
        if self.gathering.finish(waits) {
            self.events.push_back(PeerEvent::GatheringDone);
        }
    }

    fn handle_turn_event(&mut self, now: Instant, number: usize, event: TurnEvent) {
        let transport = self
            .relays
            .get(number)
            .map(|relay| relay.server().transport);
        match event {
            TurnEvent::Allocated { relayed, mapped } => {
                let preference = match transport {
                    Some(TurnTransport::Udp) => 2,
                    Some(TurnTransport::Tcp) => 1,
                    _ => 0,
                };
                let candidate = LocalCandidate::Relayed {
                    server: u8::try_from(number).unwrap_or(u8::MAX),
                    address: relayed,
                    mapped,
                    preference,
                };
                self.announce(now, candidate);
            }
            TurnEvent::Redirected => self.redirected.extend(u8::try_from(number)),
            TurnEvent::Failed(reason) => self.events.push_back(PeerEvent::ServerTrouble(reason)),
        }
    }
}

fn server_path(number: u8, server: SocketAddr) -> Path {
    Path {
        local: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        remote: server,
        carrier: Carrier::Server(number),
    }
}
