//! One publisher of VP8 and one viewer who takes H.264 only.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use rand::Rng;
use rivero_bench_peer::{
    Certificate, IceCredentials, Inbound, KeyType, LocalCandidate, Peer, PeerConfig, PeerEvent,
};
use rivero_rtp::{
    ExtensionBlock, OutgoingHeader,
    header::FIXED_HEADER_LEN,
    ntp,
    payload::{Packetiser, Parameters},
    rtcp::{self, CompoundBuilder, RtcpPacket, SenderInfo},
};
use serde_json::{Value, json};

use super::clip::FRAME_RATE;
use crate::{
    error::Error,
    rpc::{Incoming, Rpc},
    sdp,
    traffic::Codec,
};

/// The peers, also as tokens of their sockets.
const PUBLISHER: usize = 0;
const VIEWER: usize = 1;
const RPC: Token = Token(2);
const SSRC: u32 = 0x2345_6789;
const CLOCK_RATE: u32 = 90_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two keyframes on request, as in browsers.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Pictures that arrive before anything is measured.
const WARM: usize = 30;

/// See the module.
pub(super) struct Call {
    poll: Poll,
    events: Events,
    rpc: Rpc<Step>,
    pipeline: String,
    legs: [Leg; 2],
    pictures: Vec<Vec<u8>>,
    packetiser: Packetiser,
    epoch: Instant,
    /// When the next picture is due, while it plays.
    due: Option<Instant>,
    /// Which picture of the clip is next.
    next: usize,
    keyframe: Instant,
    reported: Instant,
    /// RTP timestamp of each picture, and when its last packet was sent.
    sent: Vec<(u32, Instant)>,
    /// RTP timestamp of each converted picture, and when its first packet arrived.
    arrived: Vec<(u32, Instant)>,
    /// Pictures of the window among those sent.
    window: std::ops::Range<usize>,
    scratch: Vec<u8>,
}

struct Leg {
    peer: Peer,
    socket: UdpSocket,
    local: SocketAddr,
    object: String,
    offer: String,
    candidate: String,
    connected: bool,
}

/// What a request was sent for.
#[derive(Clone, Copy)]
enum Step {
    Pipeline,
    Endpoint(usize),
    Answer(usize),
    Nothing,
}

impl Call {
    /// Connects both; `bitrate` is what the server's encoder is to make, bit/s.
    pub(super) fn open(
        server: SocketAddr,
        pictures: Vec<Vec<u8>>,
        bitrate: u32,
    ) -> Result<Self, Error> {
        let poll = Poll::new().map_err(Error::system("epoll"))?;
        let rpc = Rpc::connect(server)?;
        rpc.register(poll.registry(), RPC)?;
        let mut legs = [Leg::new(PUBLISHER)?, Leg::new(VIEWER)?];
        for (number, leg) in legs.iter_mut().enumerate() {
            poll.registry()
                .register(&mut leg.socket, Token(number), Interest::READABLE)
                .map_err(Error::system("watching a socket"))?;
        }
        let parameters = Parameters {
            clock_rate: CLOCK_RATE,
            channels: 0,
            non_interleaved: true,
            ..Parameters::default()
        };
        let packetiser = Packetiser::new("VP8", parameters, SSRC, 1, sdp::PAYLOAD_TYPE)
            .ok_or_else(|| Error::Other("no payload format for VP8".to_owned()))?;
        let now = Instant::now();
        let mut call = Self {
            poll,
            events: Events::with_capacity(16),
            rpc,
            pipeline: String::new(),
            legs,
            pictures,
            packetiser,
            epoch: now,
            due: None,
            next: 0,
            keyframe: now,
            reported: now,
            sent: Vec::new(),
            arrived: Vec::new(),
            window: 0..0,
            scratch: Vec::new(),
        };
        call.connect(bitrate)?;
        Ok(call)
    }

    fn connect(&mut self, bitrate: u32) -> Result<(), Error> {
        self.rpc
            .create("MediaPipeline", json!({}), Step::Pipeline)?;
        self.run_until("the pipeline exists", |it| !it.pipeline.is_empty())?;
        for number in [PUBLISHER, VIEWER] {
            let params = json!({"mediaPipeline": self.pipeline});
            let step = Step::Endpoint(number);
            self.rpc.create("WebRtcEndpoint", params, step)?;
        }
        self.run_until("the endpoints exist", |it| {
            it.legs.iter().all(|leg| !leg.object.is_empty())
        })?;
        let (publisher, viewer) = (
            self.legs[PUBLISHER].object.clone(),
            self.legs[VIEWER].object.clone(),
        );
        let params = json!({"encoderBitrate": bitrate});
        self.rpc
            .invoke(&publisher, "setEncoderBitrate", params, Step::Nothing)?;
        let params = json!({"sink": viewer});
        self.rpc
            .invoke(&publisher, "connect", params, Step::Nothing)?;
        for (number, leg) in self.legs.iter().enumerate() {
            let params = json!({"offer": leg.offer});
            let step = Step::Answer(number);
            self.rpc.invoke(&leg.object, "processOffer", params, step)?;
        }
        self.run_until("both are connected", |it| {
            it.legs.iter().all(|leg| leg.connected)
        })
    }

    /// Begins with the first picture of the clip.
    pub(super) fn play(&mut self) {
        self.due = Some(Instant::now());
        self.next = 0;
    }

    pub(super) fn pause(&mut self) {
        self.due = None;
    }

    /// Plays until the viewer has seen some pictures, and then pauses.
    pub(super) fn run_until_converted(&mut self) -> Result<(), Error> {
        self.play();
        self.run_until("the viewer sees pictures", |it| it.arrived.len() >= WARM)?;
        self.pause();
        Ok(())
    }

    pub(super) fn open_window(&mut self) {
        self.window = self.sent.len()..usize::MAX;
    }

    /// How many pictures were sent in the window.
    pub(super) fn close_window(&mut self) -> usize {
        self.window.end = self.sent.len();
        self.window.len()
    }

    /// Of each picture of the window that arrived, ms from its last packet to the first of the
    /// result.
    pub(super) fn take_latencies(&mut self) -> Vec<f64> {
        let (sent, arrived) = (
            std::mem::take(&mut self.sent),
            std::mem::take(&mut self.arrived),
        );
        let window = sent.get(self.window.clone()).unwrap_or_default();
        latencies(&sent, window, &arrived)
    }

    pub(super) fn run_for(&mut self, time: Duration) -> Result<(), Error> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(end)?;
        }
        Ok(())
    }

    fn run_until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) -> Result<(), Error> {
        let end = Instant::now() + PATIENCE;
        while !reached(self) {
            if Instant::now() >= end {
                return Err(Error::Timeout {
                    what: what.to_owned(),
                    seconds: PATIENCE.as_secs_f64(),
                });
            }
            self.turn(end)?;
        }
        Ok(())
    }

    /// Waits for the next thing to do, at most until `end`, and does it.
    fn turn(&mut self, end: Instant) -> Result<(), Error> {
        let timers = self.legs.iter().filter_map(|leg| leg.peer.poll_timeout());
        let next = timers.chain(self.due).fold(end, Instant::min);
        let patience = next.saturating_duration_since(Instant::now());
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Error::system("epoll")(error));
            }
            _ => {}
        }
        self.receive()?;
        let now = Instant::now();
        for leg in &mut self.legs {
            if leg.peer.poll_timeout().is_some_and(|due| due <= now) {
                leg.peer.handle_timeout(now);
            }
            leg.settle();
        }
        self.publish()?;
        self.negotiate()?;
        self.rpc.flush()
    }

    fn receive(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 2048];
        for number in [PUBLISHER, VIEWER] {
            let mut keyframe = false;
            let Some(leg) = self.legs.get_mut(number) else {
                continue;
            };
            loop {
                let (length, remote) = match leg.socket.recv_from(&mut buffer) {
                    Ok(received) => received,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                    Err(error) => return Err(Error::system("receiving")(error)),
                };
                let now = Instant::now();
                let datagram = buffer.get_mut(..length).unwrap_or_default();
                match leg.peer.handle_datagram(now, leg.local, remote, datagram) {
                    Inbound::Rtp { header, .. } if number == VIEWER => {
                        let known = self.arrived.last().map(|(timestamp, _)| *timestamp);
                        if known != Some(header.timestamp) {
                            self.arrived.push((header.timestamp, now));
                        }
                    }
                    Inbound::Rtcp { len } => {
                        let packets = datagram.get(..len).unwrap_or_default();
                        keyframe |= rtcp::packets(packets).any(|packet| {
                            matches!(
                                packet,
                                RtcpPacket::PictureLoss { .. }
                                    | RtcpPacket::FullIntraRequest { .. }
                            )
                        });
                    }
                    _ => {}
                }
            }
            leg.settle();
            if keyframe && self.keyframe.elapsed() > KEYFRAME_INTERVAL {
                // The clip has one keyframe: its first.
                self.next = 0;
            }
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Error> {
        while let Some(due) = self.due.filter(|due| *due <= Instant::now()) {
            let Some(path) = self.legs[PUBLISHER].peer.path() else {
                return Ok(());
            };
            let timestamp = self.timestamp(due);
            if self.sent.is_empty() || self.reported.elapsed() > REPORT_INTERVAL {
                self.report(timestamp, path.remote)?;
            }
            if self.next == 0 {
                self.keyframe = Instant::now();
            }
            let picture = self.pictures.get(self.next).map_or(&[][..], Vec::as_slice);
            let (bytes, packets) = self.packetiser.packetise(picture, timestamp);
            let mut last = Instant::now();
            for packet in packets {
                let header = OutgoingHeader {
                    marker: packet.marker,
                    payload_type: sdp::PAYLOAD_TYPE,
                    sequence: packet.sequence,
                    timestamp: packet.timestamp,
                    ssrc: SSRC,
                    extensions: &ExtensionBlock::default(),
                    padding: 0,
                };
                let content = packet.range.start + FIXED_HEADER_LEN..packet.range.end;
                let payload = bytes.get(content).unwrap_or_default();
                self.scratch.clear();
                let leg = &mut self.legs[PUBLISHER];
                leg.peer
                    .protect_rtp(&header, &[payload], &mut self.scratch)?;
                last = Instant::now();
                let _ = leg.socket.send_to(&self.scratch, path.remote);
            }
            self.sent.push((timestamp, last));
            self.next = (self.next + 1) % self.pictures.len().max(1);
            self.due = Some(due + Duration::from_secs(1) / FRAME_RATE);
        }
        Ok(())
    }

    fn timestamp(&self, time: Instant) -> u32 {
        let since = time.saturating_duration_since(self.epoch).as_micros();
        let ticks = since * u128::from(CLOCK_RATE) / 1_000_000;
        u32::try_from(ticks % (1 << 32)).unwrap_or(0)
    }

    fn report(&mut self, rtp_timestamp: u32, remote: SocketAddr) -> Result<(), Error> {
        self.reported = Instant::now();
        let info = SenderInfo {
            ntp: ntp::to_ntp(SystemTime::now()),
            rtp_timestamp,
            packet_count: 0,
            octet_count: 0,
        };
        let mut builder = CompoundBuilder::default();
        builder.sender_report(SSRC, &info, &[]).cname(SSRC, "bench");
        self.scratch.clear();
        let leg = &mut self.legs[PUBLISHER];
        leg.peer
            .protect_rtcp(builder.as_bytes(), &mut self.scratch)?;
        let _ = leg.socket.send_to(&self.scratch, remote);
        Ok(())
    }

    fn negotiate(&mut self) -> Result<(), Error> {
        while let Some(incoming) = self.rpc.receive()? {
            match incoming {
                Incoming::Reply { purpose, value } => {
                    let text = value.as_str().unwrap_or_default();
                    match purpose {
                        Step::Pipeline => text.clone_into(&mut self.pipeline),
                        Step::Endpoint(number) => self.created(number, text)?,
                        Step::Answer(number) => self.answered(number, text)?,
                        Step::Nothing => {}
                    }
                }
                Incoming::Event(event) => self.event(&event)?,
            }
        }
        Ok(())
    }

    fn created(&mut self, number: usize, object: &str) -> Result<(), Error> {
        if let Some(leg) = self.legs.get_mut(number) {
            object.clone_into(&mut leg.object);
        }
        let params = json!({"object": object, "type": "IceCandidateFound"});
        self.rpc.request("subscribe", params, Step::Nothing)
    }

    fn answered(&mut self, number: usize, answer: &str) -> Result<(), Error> {
        let Some(leg) = self.legs.get_mut(number) else {
            return Ok(());
        };
        leg.peer
            .set_remote(Instant::now(), sdp::remote_parameters(answer)?)?;
        leg.settle();
        let candidate = json!({
            "candidate": leg.candidate, "sdpMid": "0", "sdpMLineIndex": 0,
        });
        let none = json!({});
        self.rpc
            .invoke(&leg.object, "gatherCandidates", none, Step::Nothing)?;
        let params = json!({"candidate": candidate});
        self.rpc
            .invoke(&leg.object, "addIceCandidate", params, Step::Nothing)
    }

    /// The only events are candidates of the server.
    fn event(&mut self, event: &Value) -> Result<(), Error> {
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let line = text("/data/candidate/candidate");
        // The peers have addresses of IPv4 only.
        let address = line.split_whitespace().nth(4).unwrap_or(":");
        let leg = self
            .legs
            .iter_mut()
            .find(|leg| leg.object == text("/object"));
        if let Some(leg) = leg.filter(|_| !address.contains(':')) {
            leg.peer.add_remote_candidate(Instant::now(), line)?;
            leg.settle();
        }
        Ok(())
    }
}

impl Leg {
    fn new(number: usize) -> Result<Self, Error> {
        let certificate = Certificate::generate(KeyType::Ecdsa)
            .map_err(|error| Error::Other(error.to_string()))?;
        let certificate = Arc::new(certificate);
        let mut random = rand::rng();
        let credentials = IceCredentials {
            ufrag: format!("{:08x}", random.random::<u32>()),
            password: format!("{:032x}", random.random::<u128>()),
        };
        let offer = match number {
            PUBLISHER => {
                let direction = sdp::Direction::Send(SSRC);
                sdp::offer(direction, Codec::Vp8, &credentials, &certificate)
            }
            _ => offer_of_h264(&credentials, &certificate),
        };
        let host = Ipv4Addr::new(127, 1, 0, if number == PUBLISHER { 1 } else { 2 });
        let socket = UdpSocket::bind((host, 0).into()).map_err(Error::system("a socket"))?;
        let local = socket.local_addr().map_err(Error::system("a socket"))?;
        let now = Instant::now();
        let config = PeerConfig::new(credentials, true, certificate);
        let mut peer = Peer::new(config, now)?;
        let candidate = peer.add_local_candidate(now, LocalCandidate::host(local))?;
        Ok(Self {
            peer,
            socket,
            local,
            object: String::new(),
            offer,
            candidate: format!("candidate:{candidate}"),
            connected: false,
        })
    }

    /// Sends what the peer has to say.
    fn settle(&mut self) {
        while let Some(transmit) = self.peer.poll_transmit() {
            let _ = self.socket.send_to(&transmit.bytes, transmit.path.remote);
        }
        while let Some(event) = self.peer.poll_event() {
            self.connected |= matches!(event, PeerEvent::Connected { .. });
        }
    }
}

/// An offer to receive H.264 only, without feedback on what the path carries.
fn offer_of_h264(credentials: &IceCredentials, certificate: &Certificate) -> String {
    let offer = sdp::offer(
        sdp::Direction::Receive,
        Codec::H264,
        credentials,
        certificate,
    );
    let limits = ["goog-remb", "transport-cc", "transport-wide-cc"];
    offer
        .lines()
        .filter(|line| !limits.iter().any(|limit| line.contains(limit)))
        .map(|line| line.to_owned() + "\r\n")
        .collect()
}

/// Which picture a converted one is of follows from the distance of the timestamps, which is the
/// same for all; the shortest that explains every arrival is taken.
fn latencies(
    sent: &[(u32, Instant)],
    window: &[(u32, Instant)],
    arrived: &[(u32, Instant)],
) -> Vec<f64> {
    let latest = |time: Instant| sent.iter().rev().find(|(_, when)| *when <= time);
    let distances = arrived.iter().filter_map(|(timestamp, time)| {
        let (original, _) = latest(*time)?;
        Some(original.wrapping_sub(*timestamp))
    });
    // Those that came within an interval agree up to trembling; late ones are further.
    let Some(first) = distances.clone().next() else {
        return Vec::new();
    };
    let signed = |distance: u32| distance.wrapping_sub(first).cast_signed();
    let offset = distances.map(signed).min().unwrap_or(0);
    let offset = first.wrapping_add_signed(offset);
    let near = |a: u32, b: u32| {
        a.wrapping_sub(b).cast_signed().unsigned_abs() < CLOCK_RATE / FRAME_RATE / 2
    };
    let of = |(original, when): &(u32, Instant)| {
        let converted = arrived
            .iter()
            .find(|(timestamp, _)| near(timestamp.wrapping_add(offset), *original))?;
        Some(converted.1.saturating_duration_since(*when).as_secs_f64() * 1e3)
    };
    window.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_those_of_the_same_picture() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let pictures: Vec<_> = (0u32..5)
            .map(|n| (1000 + n * 3000, at(100 + u64::from(n) * 33)))
            .collect();
        // The third takes longer than the next one needs to follow, and its time trembles.
        let arrived: Vec<_> = [(0, 3, 0), (1, 4, 5), (2, 40, 60), (3, 8, 0)]
            .map(|(n, late, off): (u32, u64, u32)| {
                (n * 3000 + 77 + off, at(100 + u64::from(n) * 33 + late))
            })
            .to_vec();
        let times = latencies(&pictures, &pictures[1..], &arrived);
        let rounded: Vec<_> = times.iter().map(|time| time.round()).collect();
        assert_eq!(rounded, [4.0, 40.0, 8.0]);
    }
}
