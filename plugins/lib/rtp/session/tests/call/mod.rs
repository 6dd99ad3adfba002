//! A call between two sessions: sources and pads that stand in for the server, and the path.

mod pads;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use pads::{Camera, Feeder, Pad};
use rivero_plugin_api::{MediaKind, Packet, Upstream};
use rivero_relay::{Conditions, Direction};
use rivero_rtp::{
    ExtensionMap, HeaderExtension, OutgoingHeader, RtpHeader, codec::VideoCodec,
    remb::RembEstimator,
};
use rivero_rtp_session::{
    Datagrams, DigitFormats, Paddings, PipelineClock, Protect, ReceivedFormat, Receiver,
    ReceiverConfig, Retransmissions, SendBounds, Sender, SenderConfig, SentFormat, Session,
    SessionEvent, SessionSnapshot, StreamDescription, Track,
};

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;

/// In each direction.
pub(crate) const DELAY: Duration = Duration::from_millis(25);
/// Bob joins later. Reports of both would else cross on their way, and none of them answer the latest one
/// of the other.
const BOB_JOINS: Duration = Duration::from_millis(250);
const TICK: Duration = Duration::from_millis(1);
const TRANSPORT_SEQUENCE_ID: u8 = 5;
const MID_ID: u8 = 6;
/// Of everything, where packets are told apart by the section that they name.
const ONLY_PAYLOAD_TYPE: u8 = 96;

/// No protection at all.
struct Plain;

impl Protect for Plain {
    type Error = Infallible;

    fn can_send(&self) -> bool {
        true
    }

    fn protect_rtp(
        &mut self,
        header: &OutgoingHeader<'_>,
        payload: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, Infallible> {
        let before = out.len();
        header.write_to(out);
        payload.iter().for_each(|part| out.extend_from_slice(part));
        header.write_padding(out);
        Ok(out.len() - before)
    }

    fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, Infallible> {
        out.extend_from_slice(plain);
        Ok(plain.len())
    }
}

/// The datagrams of a burst.
#[derive(Default)]
struct Burst(Vec<Vec<u8>>);

impl Datagrams for Burst {
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let mut datagram = Vec::new();
        if write(&mut datagram) {
            self.0.push(datagram);
        }
    }

    /// Whatever is padded has to come out as it went in.
    fn paddings(&self, lengths: &[usize]) -> Paddings {
        lengths.iter().map(|_| 3).collect()
    }
}

/// One end of the call.
struct Side {
    session: Session,
    cameras: [Camera; 2],
    pads: [Arc<Pad>; 2],
    events: Vec<SessionEvent>,
}

/// Two sessions, and what is between them.
pub(crate) struct Call {
    begin: Instant,
    now: Duration,
    sides: [Side; 2],
    /// From each side to the other.
    paths: [Direction; 2],
    /// Datagrams on their way, by arrival and number, and who gets them.
    flying: BTreeMap<(Duration, u64), (usize, Vec<u8>)>,
    sent: u64,
    /// SSRC, number and name of the section of each RTP packet that arrived.
    arrived: Vec<(u32, u16, Option<Vec<u8>>)>,
}

impl Call {
    /// A call with sound and with video of so many bit/s in both directions.
    pub(crate) fn new(video: u64) -> Self {
        Self::of_sections(video, false)
    }

    /// The same, in which sound and video have one payload type, and packets name their sections.
    pub(crate) fn naming_sections(video: u64) -> Self {
        Self::of_sections(video, true)
    }

    fn of_sections(video: u64, named: bool) -> Self {
        let begin = Instant::now();
        let paths = [3, 4].map(|seed| {
            let mut path = Direction::new(seed);
            path.set(Self::conditions());
            path
        });
        Self {
            begin,
            now: Duration::ZERO,
            sides: [ALICE, BOB].map(|side| Side::new(begin, side, video, named)),
            paths,
            flying: BTreeMap::new(),
            sent: 0,
            arrived: Vec::new(),
        }
    }

    /// A path that does nothing but take its time.
    pub(crate) fn conditions() -> Conditions {
        Conditions {
            delay: DELAY.as_secs_f64() * 1000.0,
            ..Conditions::default()
        }
    }

    /// Changes the path from a side to the other.
    pub(crate) fn set_path(&mut self, from: usize, conditions: Conditions) {
        self.paths[from].set(conditions);
    }

    /// Since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now += TICK;
            if self.now == BOB_JOINS {
                let now = self.instant();
                self.sides[BOB].session.set_connected(now, true);
            }
            for side in [ALICE, BOB] {
                self.capture(side);
            }
            self.arrive();
            for side in [ALICE, BOB] {
                self.turn(side);
            }
        }
    }

    fn instant(&self) -> Instant {
        self.begin + self.now
    }

    fn capture(&mut self, from: usize) {
        let (now, at) = (self.instant(), self.now);
        let Side {
            session, cameras, ..
        } = &mut self.sides[from];
        let mut burst = Burst::default();
        for camera in cameras {
            let packets = camera.capture(at);
            if !packets.is_empty() {
                let track = Track::number(camera.kind);
                session.forward(now, track, &packets, u64::MAX, &mut Plain, &mut burst);
            }
        }
        burst
            .0
            .into_iter()
            .for_each(|datagram| self.send(from, datagram));
    }

    fn send(&mut self, from: usize, datagram: Vec<u8>) {
        let arrivals = self.paths[from].pass(self.now, datagram.len());
        for arrival in arrivals.into_iter().flatten() {
            self.sent += 1;
            let entry = (1 - from, datagram.clone());
            self.flying.insert((arrival, self.sent), entry);
        }
    }

    fn arrive(&mut self) {
        let now = self.instant();
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
            let (to, mut datagram) = entry.remove();
            let session = &mut self.sides[to].session;
            // RFC 5761 §4.
            if (192..224).contains(&datagram[1]) {
                session.on_rtcp(now, &datagram, &mut Plain);
            } else {
                let header = RtpHeader::parse(&datagram).unwrap();
                let mut elements = header.extensions(&datagram);
                let mid = elements.find(|(id, _)| *id == MID_ID);
                let mid = mid.map(|(_, name)| name.to_vec());
                self.arrived.push((header.ssrc, header.sequence, mid));
                session.on_rtp(now, &header, &mut datagram);
            }
        }
    }

    /// What a shard does after each turn: hands on, sends, tells, and does what is due.
    fn turn(&mut self, number: usize) {
        let now = self.instant();
        let side = &mut self.sides[number];
        side.session.deliver();
        side.pads.iter().for_each(|pad| pad.stamp(self.now));
        if side.session.poll_timeout().is_some_and(|due| due <= now) {
            side.session.on_timeout(now, &mut Plain);
        }
        while let Some(event) = side.session.poll_event() {
            side.events.push(event);
        }
        while let Some(datagram) = self.sides[number].session.poll_transmit() {
            self.send(number, datagram);
        }
    }

    /// A consumer of what a side receives needs a keyframe.
    pub(crate) fn keyframe_needed(&mut self, side: usize, track: u8) {
        let now = self.instant();
        let session = &mut self.sides[side].session;
        session.keyframe_requested(now, track, &mut Plain);
    }

    /// A side leaves, and says so.
    pub(crate) fn leave(&mut self, side: usize) {
        let now = self.instant();
        self.sides[side].session.say_goodbye(now, &mut Plain);
        while let Some(datagram) = self.sides[side].session.poll_transmit() {
            self.send(side, datagram);
        }
    }

    /// What a side films takes no more than this from now on, bit/s.
    pub(crate) fn set_best(&mut self, side: usize, bits_per_second: u64) {
        self.sides[side].cameras[place(MediaKind::Video)].set_best(bits_per_second);
    }

    /// A side has a better encoding of what it films.
    pub(crate) fn offer_better(&self, side: usize, bits_per_second: u64) {
        self.feeder(side, MediaKind::Video)
            .offer_better(bits_per_second);
    }

    /// What a side's pad got, and when.
    pub(crate) fn received(&self, side: usize, kind: MediaKind) -> Vec<(Duration, Packet)> {
        self.sides[side].pads[place(kind)].packets()
    }

    /// Number and name of the section of each RTP packet of a stream that arrived.
    pub(crate) fn names(&self, ssrc: u32) -> Vec<(u16, Option<Vec<u8>>)> {
        let of_stream = self.arrived.iter().filter(|(of, ..)| *of == ssrc);
        of_stream
            .map(|(_, number, mid)| (*number, mid.clone()))
            .collect()
    }

    fn feeder(&self, side: usize, kind: MediaKind) -> &Feeder {
        &self.sides[side].cameras[place(kind)].feeder
    }

    /// How many packets a side has captured.
    pub(crate) fn captured(&self, side: usize, kind: MediaKind) -> usize {
        self.feeder(side, kind).packets().len()
    }

    /// The payloads of all that a side has captured.
    pub(crate) fn sent_payloads(&self, side: usize, kind: MediaKind) -> Vec<Vec<u8>> {
        let packets = self.feeder(side, kind).packets();
        let payloads = packets.iter().map(|packet| packet.payload().to_vec());
        payloads.collect()
    }

    /// When the packet was captured whose payload this one has.
    pub(crate) fn sent_at(&self, side: usize, packet: &Packet) -> Duration {
        let sent = self.feeder(side, packet.kind).packets();
        let same = |sent: &&Packet| sent.payload() == packet.payload();
        let sent = sent.iter().find(same).unwrap();
        Duration::from_nanos(u64::try_from(sent.ingress_time).unwrap())
    }

    /// What a side's source was told.
    pub(crate) fn upstream(&self, side: usize, kind: MediaKind) -> Vec<Upstream> {
        self.feeder(side, kind).messages()
    }

    pub(crate) fn keyframe_requests(&self, side: usize) -> usize {
        let messages = self.upstream(side, MediaKind::Video);
        let requests = messages
            .iter()
            .filter(|message| **message == Upstream::KeyframeRequest);
        requests.count()
    }

    /// What a side's source was last told to send, bit/s.
    pub(crate) fn bitrate_limit(&self, side: usize) -> Option<u64> {
        let messages = self.upstream(side, MediaKind::Video);
        messages.iter().rev().find_map(|message| match message {
            Upstream::BandwidthEstimate { bits_per_second } => Some(*bits_per_second),
            _ => None,
        })
    }

    pub(crate) fn events(&self, side: usize) -> &[SessionEvent] {
        &self.sides[side].events
    }

    pub(crate) fn snapshot(&self, side: usize) -> SessionSnapshot {
        self.sides[side].session.snapshot(self.instant())
    }
}

fn place(kind: MediaKind) -> usize {
    usize::from(Track::number(kind))
}

fn payload_type(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Audio => 111,
        _ => 96,
    }
}

pub(crate) fn ssrc(side: usize, kind: MediaKind) -> u32 {
    1000 * (1 + u32::try_from(side).unwrap()) + u32::from(Track::number(kind))
}

pub(crate) fn rtx_ssrc(side: usize) -> u32 {
    ssrc(side, MediaKind::Video) + 100
}

fn extensions(kind: MediaKind) -> ExtensionMap {
    let mut map = ExtensionMap::default();
    if kind == MediaKind::Video {
        map.insert(TRANSPORT_SEQUENCE_ID, HeaderExtension::TransportSequence);
    }
    map.insert(MID_ID, HeaderExtension::Mid);
    map
}

/// The name of a kind's section.
fn mid(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "sound",
        _ => "video",
    }
}

impl Side {
    fn new(begin: Instant, side: usize, video: u64, named: bool) -> Self {
        let kinds = [MediaKind::Audio, MediaKind::Video];
        let cameras = kinds.map(|kind| Camera::new(kind, video));
        let pads = kinds.map(|_| Arc::new(Pad::default()));
        let mut session = Session::new(PipelineClock::new(begin, 0), 7);
        let tracks = kinds.map(|kind| {
            let feeder = cameras[place(kind)].feeder.clone();
            let pad = pads[place(kind)].clone();
            let (mut receives, mut sends) = (receiver(1 - side, kind), sender(side, kind));
            if named {
                receives.formats[0].payload_type = ONLY_PAYLOAD_TYPE;
                sends.formats[0].payload_type = ONLY_PAYLOAD_TYPE;
            }
            let mid = named.then(|| mid(kind));
            Track {
                kind,
                receiver: Some(Receiver::new(pad, receives).with_mid(mid)),
                sender: Some(Sender::new(feeder, sends).with_mid(mid)),
                named_ssrcs: vec![ssrc(1 - side, kind)],
                digits: DigitFormats::default(),
            }
        });
        session.set_tracks(begin, tracks.into());
        if side == ALICE {
            session.set_connected(begin, true);
        }
        Self {
            session,
            cameras,
            pads,
            events: Vec::new(),
        }
    }
}

fn receiver(from: usize, kind: MediaKind) -> ReceiverConfig {
    let is_video = kind == MediaKind::Video;
    ReceiverConfig {
        kind,
        formats: vec![ReceivedFormat {
            payload_type: payload_type(kind),
            format: pads::format(kind),
            clock_rate: pads::clock_rate(kind),
            codec: is_video.then_some(VideoCodec::Vp8),
            nack: is_video,
            pli: is_video,
            fir: is_video,
            remb: false,
            rtx_payload_type: is_video.then_some(97),
            transport_cc: is_video,
        }],
        extensions: extensions(kind),
        streams: StreamDescription {
            repairs: vec![(rtx_ssrc(from), ssrc(from, MediaKind::Video))],
            ..StreamDescription::default()
        },
        estimator: RembEstimator::default(),
    }
}

fn sender(side: usize, kind: MediaKind) -> SenderConfig {
    let is_video = kind == MediaKind::Video;
    SenderConfig {
        ssrc: ssrc(side, kind),
        cname: "call".into(),
        formats: vec![SentFormat {
            format: pads::format(kind),
            payload_type: payload_type(kind),
            clock_rate: pads::clock_rate(kind),
            codec: is_video.then_some(VideoCodec::Vp8),
            rtx_payload_type: is_video.then_some(97),
            transport_cc: is_video,
        }],
        events: None,
        extensions: extensions(kind),
        sequence: 30_000,
        timestamp: 4_000_000_000,
        epoch: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        retransmissions: is_video.then_some(Retransmissions {
            ssrc: rtx_ssrc(side),
            sequence: 20_000,
        }),
        bounds: SendBounds::default(),
        described_limit: None,
    }
}
