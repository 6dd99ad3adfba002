//! A transport on a shard, and a controlling ICE agent made by hand at its other end.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use rivero_net::Mark;
use rtc_ice::attributes::{
    control::AttrControlling, priority::PriorityAttr, use_candidate::UseCandidateAttr,
};
use rtc_stun::{
    attributes::ATTR_USERNAME,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId},
    textattrs::Username,
    xoraddr::XorMappedAddress,
};

use crate::{
    data::DataEvent,
    link::{Fault, Link, LinkObserver},
    peer::{
        Certificate, DtlsRole, Fingerprint, GatherConfig, IceCredentials, KeyType, Peer,
        PeerConfig, PeerEvent, RemoteParameters,
    },
    shard::{Command, Shard, Token},
};

/// For what is expected.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

fn credentials(name: &str) -> IceCredentials {
    IceCredentials {
        ufrag: format!("{name}1"),
        password: format!("{name}-password-of-sufficient-length"),
    }
}

/// Hears of the transport's loss.
struct Observer(Sender<String>);

impl LinkObserver for Observer {
    fn peer_event(&self, _: PeerEvent) {}

    fn media_active(&self, _: bool) {}

    fn data_event(&self, _: DataEvent) {}

    fn failed(&self, text: &str) {
        let _ = self.0.send(text.to_owned());
    }
}

/// The agent, and what it knows of the transport that it is connected to.
pub(super) struct Browser {
    pub(super) token: Token,
    name: String,
    socket: UdpSocket,
    server: SocketAddr,
    /// Why the transport was lost.
    pub(super) lost: Receiver<String>,
}

impl Browser {
    /// Opens a transport on the shard and has its path nominated.
    pub(super) fn connect(shard: &Shard, name: &str) -> Self {
        let server = shard.address(Ipv4Addr::LOCALHOST.into()).unwrap();
        let token = shard.reserve().unwrap();
        let (observer, lost) = mpsc::channel();
        let now = Instant::now();
        let certificate = Arc::new(Certificate::generate(KeyType::Ecdsa).unwrap());
        let config = PeerConfig::new(credentials(name), false, certificate);
        let mut peer = Peer::new(config, now).unwrap();
        let remote = RemoteParameters {
            credentials: credentials("browser"),
            fingerprint: Fingerprint::sha256(b""),
            dtls_role: DtlsRole::Client,
        };
        peer.set_remote(now, remote).unwrap();
        let observer = Arc::new(Observer(observer));
        let mut transport = Link::new(peer, observer, Vec::new(), 1, Mark::default());
        let config = GatherConfig {
            hosts: vec![server],
            ..GatherConfig::default()
        };
        transport.gather(now, &config);
        shard.send(Command::Open(token, Box::new(transport)));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let browser = Self {
            token,
            name: name.to_owned(),
            socket,
            server,
            lost,
        };
        browser.nominate(shard);
        browser
    }

    /// Until the transport has a path: it needs a check of its own to be answered.
    fn nominate(&self, shard: &Shard) {
        let deadline = Instant::now() + PATIENCE;
        let has_path = || {
            let (sender, receiver) = mpsc::channel();
            shard.with(self.token, move |transport, _| {
                sender.send(transport.path().is_some()).unwrap();
            });
            receiver.recv().unwrap()
        };
        while !has_path() {
            assert!(Instant::now() < deadline, "the path is nominated");
            self.send_check();
            let datagram = self.receive().unwrap();
            if let Some(answer) = self.answer_to(&datagram) {
                self.socket.send_to(&answer, self.server).unwrap();
            }
        }
    }

    /// Sends a check, which the transport answers.
    pub(super) fn send_check(&self) {
        let own = credentials(&self.name);
        let username = format!("{}:{}", own.ufrag, credentials("browser").ufrag);
        let attributes: Vec<Box<dyn Setter>> = vec![
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(Username::new(ATTR_USERNAME, username)),
            Box::new(AttrControlling(1)),
            Box::new(PriorityAttr(100)),
            Box::<UseCandidateAttr>::default(),
        ];
        let check = build(attributes, own.password);
        self.socket.send_to(&check, self.server).unwrap();
    }

    /// Takes datagrams until so many checks have been answered; fewer if nothing comes any more.
    pub(super) fn answers(&self, wanted: usize) -> usize {
        let mut count = 0;
        while count < wanted {
            let Some(datagram) = self.receive() else {
                return count;
            };
            // A success of the method Binding (RFC 8489 §5).
            count += usize::from(datagram.starts_with(&[1, 1]));
        }
        count
    }

    /// What has come by now.
    pub(super) fn datagrams(&self) -> Vec<Vec<u8>> {
        self.socket.set_nonblocking(true).unwrap();
        let datagrams = std::iter::from_fn(|| self.receive()).collect();
        self.socket.set_nonblocking(false).unwrap();
        datagrams
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    fn answer_to(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut request = Message {
            raw: datagram.to_vec(),
            ..Message::default()
        };
        request.decode().ok()?;
        if request.typ != BINDING_REQUEST {
            return None;
        }
        let mapped = XorMappedAddress {
            ip: self.server.ip(),
            port: self.server.port(),
        };
        let attributes: Vec<Box<dyn Setter>> = vec![
            Box::new(request),
            Box::new(BINDING_SUCCESS),
            Box::new(mapped),
        ];
        Some(build(attributes, credentials("browser").password))
    }

    /// Has the transport panic there from now on.
    pub(super) fn sabotage(&self, shard: &Shard, fault: Fault) {
        shard.with(self.token, move |transport, _| {
            transport.fault = Some(fault)
        });
    }
}

/// A message with these attributes, protected by the password.
fn build(setters: Vec<Box<dyn Setter>>, password: String) -> Vec<u8> {
    let provider = rtc_crypto::default_provider().unwrap();
    let crypto = provider.crypto();
    let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password, crypto);
    let protection: [Box<dyn Setter>; 2] = [Box::new(integrity), Box::new(FINGERPRINT)];
    let mut message = Message::new();
    message.build(&setters).unwrap();
    for setter in &protection {
        setter.add_to(&mut message).unwrap();
    }
    message.raw
}
