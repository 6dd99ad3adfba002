//! What arrives for a link.

use std::{net::SocketAddr, time::Instant};

use rivero_rtp::RtpHeader;

use super::{Link, remote::Sign};
use crate::shard::LinkSocket;

/// Payload types are 0–127, and RTCP's types lie where those of packets with a marker would be that nobody
/// uses (RFC 5761 §4). The header of either stays readable under SRTP.
#[inline]
pub(super) fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

impl Link {
    /// Takes a datagram; `true` when it is the peer's.
    pub(super) fn on_datagram(
        &mut self,
        now: Instant,
        socket: LinkSocket,
        from: SocketAddr,
        data: &mut [u8],
    ) -> bool {
        let taken = match is_rtcp(data) {
            true => self.on_rtcp(now, socket, from, data),
            false => self.on_rtp(now, socket, from, data),
        };
        if taken {
            self.idle.heard(now);
            self.follow_target(now);
        }
        taken
    }

    #[inline]
    fn on_rtp(
        &mut self,
        now: Instant,
        socket: LinkSocket,
        from: SocketAddr,
        data: &mut [u8],
    ) -> bool {
        let Ok(header) = RtpHeader::parse(data) else {
            return false;
        };
        // Addresses are learnt from what was negotiated only.
        if socket != LinkSocket::Rtp || !self.payload_types.contains(&header.payload_type) {
            return false;
        }
        let Some(len) = self.inbound.open_rtp(&header, data) else {
            return false;
        };
        let sign = Sign {
            ssrc: header.ssrc,
            sequence: header.sequence,
            authentic: self.inbound.is_authentic(),
        };
        if !self.remote.on_rtp(now, from, sign) {
            return false;
        }
        let packet = data.get_mut(..len).unwrap_or_default();
        self.session.on_rtp(now, &header, packet);
        self.note_events();
        true
    }

    fn on_rtcp(
        &mut self,
        now: Instant,
        socket: LinkSocket,
        from: SocketAddr,
        data: &mut [u8],
    ) -> bool {
        let Some(len) = self.inbound.open_rtcp(data) else {
            return false;
        };
        // Without multiplexing reports come to the port of RTP all the same: they count, and say nothing
        // about addresses.
        let own_port = socket == LinkSocket::Rtcp;
        let authentic = self.inbound.is_authentic();
        if !self.remote.on_rtcp(from, authentic, own_port) {
            return false;
        }
        let compound = data.get(..len).unwrap_or_default();
        self.session.on_rtcp(now, compound, &mut self.outbound);
        self.note_events();
        true
    }
}
