//! STUN and TURN servers of a link, and the candidates that they bring.

use std::{net::SocketAddr, time::Instant};

use super::Link;
use crate::peer::{GatherConfig, TurnServer};

impl Link {
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
}
