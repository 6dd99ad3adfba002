//! A peer of the load: the publisher or a viewer.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use rand::Rng;
use rivero_bench_peer::{
    Certificate, IceCredentials, Inbound, LocalCandidate, Peer, PeerConfig, PeerError, PeerEvent,
};
use rivero_rtp::{
    RtpHeader,
    arrivals::TransportArrivals,
    rtcp::{self, CompoundBuilder, ReportBlock, RtcpPacket},
};

use crate::{
    error::Error,
    reception::{Reception, Window},
    sdp,
    traffic::{Codec, Stamp},
};

/// The address of participant 0; each has one of its own, since the server tells peers apart by
/// address and most share a socket.
const FIRST_ADDRESS: u32 = 0x7f01_0001;
/// Bit/s that viewers say they can receive.
const ESTIMATED_BITRATE: u64 = 5_000_000;
/// The SSRC under which viewers report.
const REPORTER: u32 = 1;

/// The address of a participant.
pub(crate) fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(FIRST_ADDRESS.saturating_add(u32::try_from(number).unwrap_or(u32::MAX)))
}

/// The participant with this address.
pub(crate) fn number(address: Ipv4Addr) -> Option<usize> {
    let number = u32::from(address).checked_sub(FIRST_ADDRESS)?;
    usize::try_from(number).ok()
}

/// A peer and what belongs to it.
pub(crate) struct Participant {
    pub(crate) peer: Peer,
    /// The endpoint in the server.
    pub(crate) object: String,
    /// Which socket it uses.
    pub(crate) socket: usize,
    /// What it offers to the server.
    pub(crate) offer: String,
    /// The value of its `candidate` attribute.
    pub(crate) candidate: String,
    /// When the timer in the generator's list is due.
    pub(crate) timer: Option<Instant>,
    /// From processOffer to the end of the DTLS handshake.
    pub(crate) connected: Option<Duration>,
    /// When processOffer was sent.
    pub(crate) asked: Option<Instant>,
    /// From then to the answer.
    pub(crate) answered: Option<Duration>,
    /// From then to the first packet of media.
    pub(crate) first_media: Option<Duration>,
    pub(crate) reception: Reception,
    /// SSRC and sequence number of the last packet.
    last: Option<(u32, u16)>,
    /// When packets arrived, by their transport-wide numbers.
    arrivals: TransportArrivals,
}

/// What a datagram was, beyond the peer's own business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Nothing that asks for more.
    Media,
    /// The server wants a keyframe.
    KeyframeRequest,
    /// Transport business: the peer may have something to say.
    Transport,
}

impl Participant {
    /// The participant `number`, which receives on `port` of its own address.
    pub(crate) fn new(
        now: Instant,
        number: usize,
        (socket, port): (usize, u16),
        (direction, codec): (sdp::Direction, Codec),
        certificate: &Arc<Certificate>,
    ) -> Result<Self, Error> {
        let mut random = rand::rng();
        let credentials = IceCredentials {
            ufrag: format!("{:08x}", random.random::<u32>()),
            password: format!("{:032x}", random.random::<u128>()),
        };
        let offer = sdp::offer(direction, codec, &credentials, certificate);
        let config = PeerConfig::new(credentials, true, certificate.clone());
        let mut peer = Peer::new(config, now)?;
        let local = SocketAddr::new(address(number).into(), port);
        let candidate = peer.add_local_candidate(now, LocalCandidate::host(local))?;
        Ok(Self {
            peer,
            object: String::new(),
            socket,
            offer,
            candidate: format!("candidate:{candidate}"),
            timer: None,
            connected: None,
            asked: None,
            answered: None,
            first_media: None,
            reception: Reception::default(),
            last: None,
            arrivals: TransportArrivals::new(now),
        })
    }

    /// Takes a datagram that arrived at `now`; `time` is the same in ns since the load began.
    pub(crate) fn datagram(
        &mut self,
        (now, time): (Instant, u64),
        local: SocketAddr,
        remote: SocketAddr,
        data: &mut [u8],
        window: &mut Window,
    ) -> Arrival {
        match self.peer.handle_datagram(now, local, remote, data) {
            Inbound::Rtp { header, len } => {
                let packet = data.get(..len).unwrap_or_default();
                self.media(now, time, &header, packet, window);
                Arrival::Media
            }
            Inbound::Rtcp { len } => {
                let packet = data.get(..len).unwrap_or_default();
                match rtcp::packets(packet).any(|packet| asks_for_keyframe(&packet)) {
                    true => Arrival::KeyframeRequest,
                    false => Arrival::Media,
                }
            }
            Inbound::Handled | Inbound::Dropped(_) => Arrival::Transport,
        }
    }

    fn media(
        &mut self,
        now: Instant,
        time: u64,
        header: &RtpHeader,
        packet: &[u8],
        window: &mut Window,
    ) {
        let stamp = header.payload(packet).ok().and_then(Stamp::read);
        let Some(stamp) = stamp else { return };
        self.last = Some((header.ssrc, header.sequence));
        if let Some(number) = sdp::transport_sequence(header, packet) {
            self.arrivals.received(now, number);
        }
        self.reception.arrived(stamp, time, window);
        if self.first_media.is_none() {
            self.first_media = self.asked.map(|asked| now.saturating_duration_since(asked));
        }
    }

    /// Takes the peer's events; `true` when it has just become able to send media.
    pub(crate) fn drain_events(&mut self, now: Instant) -> bool {
        let mut connected = false;
        while let Some(event) = self.peer.poll_event() {
            connected |= matches!(event, PeerEvent::Connected { .. });
        }
        if connected {
            self.connected = self.asked.map(|asked| now.saturating_duration_since(asked));
        }
        connected
    }

    /// Replaces `out` by transport-wide feedback about what arrived since the last one, protected;
    /// `false` when nothing did.
    pub(crate) fn write_feedback(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let Some((ssrc, _)) = self.last else {
            return false;
        };
        let mut builder = CompoundBuilder::default();
        // Whatever it is due for, the load decides when.
        let due = self.arrivals.poll_timeout().unwrap_or(now);
        self.arrivals.report(due, REPORTER, ssrc, &mut builder);
        out.clear();
        !builder.is_empty() && self.peer.protect_rtcp(builder.as_bytes(), out).is_ok()
    }

    /// Replaces `out` by what a viewer reports every second, protected.
    pub(crate) fn write_report(&mut self, out: &mut Vec<u8>) -> Result<(), PeerError> {
        let Some((ssrc, sequence)) = self.last else {
            return Err(PeerError::NotConnected);
        };
        let block = ReportBlock {
            ssrc,
            highest_sequence: sequence.into(),
            ..ReportBlock::default()
        };
        let mut builder = CompoundBuilder::default();
        builder
            .receiver_report(REPORTER, &[block])
            .cname(REPORTER, "bench")
            .receiver_estimated_bitrate(REPORTER, ESTIMATED_BITRATE, &[ssrc]);
        out.clear();
        self.peer.protect_rtcp(builder.as_bytes(), out).map(|_| ())
    }
}

fn asks_for_keyframe(packet: &RtcpPacket<'_>) -> bool {
    matches!(
        packet,
        RtcpPacket::PictureLoss { .. } | RtcpPacket::FullIntraRequest { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_on_loopback_and_tell_the_participant() {
        for participant in [0, 1, 255, 256, 20_000] {
            assert!(address(participant).is_loopback());
            assert_eq!(number(address(participant)), Some(participant));
        }
        assert_eq!(number(Ipv4Addr::LOCALHOST), None);
    }
}
