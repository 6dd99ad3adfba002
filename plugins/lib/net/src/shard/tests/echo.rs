//! A session that answers what it gets with the same, and its peer.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};

use rivero_rtp_session::Datagrams;

use crate::{
    Framing, LengthPrefix, Mark, MediaSocket, Token, Unframed,
    shard::{
        Arrival, Burst, Command, Network, Routing, Sessions, Shard, ShardSession, Urgency, Wire,
    },
};

/// For what is expected.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What may wait ends with it.
pub(super) const FEEDBACK: &[u8] = b"feedback";

/// The session.
pub(super) struct Echo {
    /// By which socket, to whom, and what.
    answers: VecDeque<(Way, Vec<u8>)>,
    /// When it wants to be called.
    pub(super) timer: Option<Instant>,
    /// With one it has a socket of its own, by which it forwards.
    pub(super) viewer: Option<SocketAddr>,
    port: Sender<u16>,
    fired: Sender<Instant>,
    lost: Sender<String>,
}

#[derive(Clone, Copy)]
enum Way {
    Shared(Arrival),
    Own(Arrival),
    Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Own {
    Media,
    Connection,
}

impl Echo {
    fn on_datagram(&mut self, way: Way, data: &[u8]) {
        assert!(!data.ends_with(b"panic"), "on purpose");
        self.answers.push_back((way, data.to_vec()));
    }
}

impl ShardSession for Echo {
    type SocketId = Own;

    const PLACE: &'static str = "an echo";
    const END_PLACE: &'static str = "the end of an echo";

    fn on_own_datagram(
        &mut self,
        _: Instant,
        socket: Own,
        arrival: Option<Arrival>,
        data: &mut [u8],
    ) -> bool {
        assert_eq!(socket == Own::Media, arrival.is_some());
        self.on_datagram(arrival.map_or(Way::Connection, Way::Own), data);
        true
    }

    fn on_own_socket_lost(&mut self, _: Instant, _: Own, _: &str) -> bool {
        false
    }

    fn deliver(&mut self) {}

    fn forward(&mut self, _: Instant, burst: Burst<'_>, network: Network<'_, Own>) -> bool {
        assert_eq!(burst.track, 7);
        let Some(viewer) = self.viewer else {
            return false;
        };
        let outgoing = network.outgoing_by(Own::Media, None, viewer, Unframed);
        let mut outgoing = outgoing.unwrap();
        for (bit, packet) in burst.packets.iter().enumerate() {
            outgoing.add(|buffer| {
                buffer.extend_from_slice(&packet.bytes);
                burst.selection >> bit & 1 == 1
            });
        }
        false
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.timer.take_if(|timer| *timer <= now).is_some() {
            self.fired.send(now).unwrap();
        }
    }

    fn report(&mut self) {}

    fn close(&mut self, _: Instant) {}

    fn failure_observer(&self) -> Box<dyn FnOnce(&str)> {
        let lost = self.lost.clone();
        Box::new(move |text| lost.send(text.to_owned()).unwrap())
    }
}

/// The first byte of a datagram is the place of its session.
#[derive(Default)]
pub(super) struct EchoRouting {
    sessions: Vec<Token>,
}

impl EchoRouting {
    fn named_by(&self, data: &[u8]) -> Option<Token> {
        let place = u32::from(*data.first()?);
        let mut sessions = self.sessions.iter();
        sessions.find(|token| token.place == place).copied()
    }
}

impl Routing for EchoRouting {
    type Session = Echo;

    fn opened(&mut self, token: Token, _: &mut Echo) {
        self.sessions.push(token);
    }

    fn changed(&mut self, _: Token, _: &mut Echo) {}

    fn closed(&mut self, token: Token, _: &mut Echo) {
        self.sessions.retain(|known| *known != token);
    }

    fn urgency(data: &[u8]) -> Urgency {
        match data.ends_with(FEEDBACK) {
            true => Urgency::Low,
            false => Urgency::High,
        }
    }

    fn on_datagram(
        &mut self,
        sessions: &mut Sessions<Echo>,
        _: Instant,
        arrival: Arrival,
        data: &mut [u8],
    ) -> Option<Token> {
        let token = self.named_by(data)?;
        sessions.with(token, |echo| echo.on_datagram(Way::Shared(arrival), data));
        Some(token)
    }

    fn claim(&self, _: Arrival, first: &[u8]) -> Option<(Token, Own)> {
        Some((self.named_by(first)?, Own::Connection))
    }

    fn transmit(&mut self, sessions: &mut Sessions<Echo>, network: &mut Network<'_, Own>) {
        let token = network.token();
        sessions.with(token, |echo| {
            if echo.viewer.is_some() && !network.has(Own::Media) {
                let socket = MediaSocket::bind(false, network.ports()).unwrap();
                echo.port.send(socket.port()).unwrap();
                network.open(Own::Media, Wire::Datagrams(socket)).unwrap();
            }
            for (way, data) in echo.answers.drain(..) {
                let (socket, arrival) = match way {
                    Way::Shared(arrival) => (network.shared(false), arrival),
                    Way::Own(arrival) => (network.own(Own::Media), arrival),
                    Way::Connection => {
                        let mut frame = Vec::new();
                        LengthPrefix.wrap(&mut frame, |out| {
                            out.extend_from_slice(&data);
                            true
                        });
                        network.stream(Own::Connection).unwrap().send(&frame);
                        continue;
                    }
                };
                let (local, remote) = (arrival.local.ip(), arrival.remote);
                socket
                    .unwrap()
                    .send(local, remote, &data, None, Mark::default());
            }
        });
    }
}

/// The peer, which knows what becomes of the session.
pub(super) struct Client {
    pub(super) token: Token,
    socket: UdpSocket,
    server: Option<SocketAddr>,
    /// The port of its own socket.
    pub(super) port: Receiver<u16>,
    /// When its timer fired.
    pub(super) fired: Receiver<Instant>,
    /// Why it was lost.
    pub(super) lost: Receiver<String>,
}

impl Client {
    pub(super) fn open(shard: &Shard<Echo>) -> Self {
        let token = shard.reserve().unwrap();
        let (port_sender, port) = mpsc::channel();
        let (fired_sender, fired) = mpsc::channel();
        let (lost_sender, lost) = mpsc::channel();
        let echo = Echo {
            answers: VecDeque::new(),
            timer: None,
            viewer: None,
            port: port_sender,
            fired: fired_sender,
            lost: lost_sender,
        };
        shard.send(Command::Open(token, Box::new(echo)));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            token,
            socket,
            server: shard.address(Ipv4Addr::LOCALHOST.into()),
            port,
            fired,
            lost,
        }
    }

    /// Sends to the session by the shared socket.
    pub(super) fn send(&self, text: &[u8]) {
        let mut datagram = vec![u8::try_from(self.token.place).unwrap()];
        datagram.extend_from_slice(text);
        let server = self.server.unwrap();
        self.socket.send_to(&datagram, server).unwrap();
    }

    /// What the session answers.
    pub(super) fn ask(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.send(text);
        self.receive()
    }

    /// What the session says next.
    pub(super) fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(buffer.get(1..length)?.to_vec())
    }

    /// What has come by now.
    pub(super) fn receive_now(&self) -> Option<Vec<u8>> {
        self.socket.set_nonblocking(true).unwrap();
        let received = self.receive();
        self.socket.set_nonblocking(false).unwrap();
        received
    }
}
