//! A whole viewer behind a narrow link, in virtual time: sound, layers of video chosen by the
//! estimate, pacing, requests for lost packets and the retransmissions, probes.

use std::collections::{HashMap, VecDeque};

use rivero_rtp::nack::NackGenerator;

use super::*;
use crate::RetransmissionBudget;

/// Of a datagram, besides the RTP payload.
const HEADERS: usize = 12 + 16 + 16;
const PAYLOAD: usize = 1100;
const ONE_WAY: Duration = Duration::from_millis(10);
const FRAME: Duration = Duration::from_millis(40);
const SOUND: (Duration, usize) = (Duration::from_millis(20), 80);

/// What there is to choose from, bit/s of payload, ascending.
#[derive(Debug, Clone, Copy)]
enum Camera {
    /// Temporal layers of one encoding of this rate.
    Layers { rate: f64, most: f64 },
    /// Encodings that begin with a keyframe.
    Encodings([f64; 2]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sound,
    Video(u16),
    Again(u16),
    Probe,
}

/// What waits for its turn.
enum Item {
    New(u16, usize),
    Again(u16, usize),
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    sent: u32,
    overflowed: u32,
    /// Bits that came out of the link.
    bits: f64,
    again: u32,
    probes: u32,
}

struct Viewer {
    origin: Instant,
    now: Duration,
    congestion: CongestionController,
    pacer: Option<Pacer<Item>>,
    budget: RetransmissionBudget,
    link: Direction,
    radio: Direction,
    flying: BTreeMap<(Duration, u64), (u16, Kind, usize)>,
    sent: u64,
    arrivals: TransportArrivals,
    nack: NackGenerator,
    back: BTreeMap<(Duration, u64), Back>,
    packets: HashMap<u16, usize>,
    latest: VecDeque<usize>,
    next: u16,
    frames: u32,
    camera: Camera,
    choice: usize,
    video_limit: u64,
    followed: u64,
    counts: Counts,
    chance: u64,
    next_nack: Duration,
    /// Bytes of retransmissions in this half second, and bit/s of the one before.
    again: usize,
    again_rate: u64,
    next_measure: Duration,
}

enum Back {
    Feedback(Vec<u8>),
    Lost(Vec<u16>),
}

impl Viewer {
    fn new(camera: Camera) -> Self {
        let origin = Instant::now();
        let mut nack = NackGenerator::default();
        nack.set_round_trip(ONE_WAY * 2);
        Self {
            origin,
            now: Duration::ZERO,
            congestion: CongestionController::new(origin),
            pacer: None,
            budget: RetransmissionBudget::default(),
            link: Direction::new(3),
            radio: Direction::new(5),
            flying: BTreeMap::new(),
            sent: 0,
            arrivals: TransportArrivals::new(origin),
            nack,
            back: BTreeMap::new(),
            packets: HashMap::new(),
            latest: VecDeque::new(),
            next: 0,
            frames: 0,
            choice: camera.candidates().len() - 1,
            camera,
            video_limit: u64::MAX,
            followed: u64::MAX,
            counts: Counts::default(),
            chance: 1,
            next_nack: Duration::ZERO,
            again: 0,
            again_rate: 0,
            next_measure: Duration::ZERO,
        }
    }

    fn set(&mut self, rate: f64, queue: f64, loss: f64) {
        self.link.set(Conditions {
            rate,
            queue,
            ..Conditions::default()
        });
        self.radio.set(Conditions {
            loss,
            delay: ONE_WAY.as_secs_f64() * 1000.0,
            ..Conditions::default()
        });
    }

    fn at(&self) -> Instant {
        self.origin + self.now
    }

    fn datagram(&mut self, kind: Kind, length: usize) {
        let number = self.congestion.next_sequence_number();
        self.congestion.on_sent(self.at(), length);
        self.counts.sent += 1;
        match kind {
            Kind::Again(_) => {
                self.again += length;
                self.counts.again += 1;
            }
            Kind::Probe => {
                self.again += length;
                self.counts.probes += 1;
            }
            Kind::Video(_) | Kind::Sound => {}
        }
        let [Some(out), _] = self.link.pass(self.now, length) else {
            self.counts.overflowed += 1;
            return;
        };
        self.counts.bits += ((length + 28) * 8) as f64;
        if let [Some(arrival), _] = self.radio.pass(out, length) {
            self.sent += 1;
            self.flying
                .insert((arrival, self.sent), (number, kind, length));
        }
    }

    fn video(&mut self, sequence: u16, length: usize) {
        self.packets.insert(sequence, length);
        self.latest.push_back(length);
        if self.latest.len() > 16 {
            self.latest.pop_front();
        }
        self.budget.earn(length);
        self.datagram(Kind::Video(sequence), length);
    }

    /// From 0.7 to 1.3.
    fn variation(&mut self) -> f64 {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        0.7 + 0.6 * f64::from((self.chance >> 32) as u32) / f64::from(u32::MAX)
    }

    fn frame(&mut self) {
        self.frames += 1;
        let (bits, keyframe) = self.camera.frame(self.frames, &mut self.choice);
        let bits = bits * self.variation();
        let mut bytes = (bits / 8.0) as usize;
        let now = self.at();
        let mut first = keyframe;
        while bytes > 0 {
            let payload = bytes.min(PAYLOAD);
            bytes -= payload;
            self.next = self.next.wrapping_add(1);
            let (sequence, length) = (self.next, payload + HEADERS);
            match &mut self.pacer {
                Some(pacer) => {
                    let paced = PacedPacket {
                        bytes: payload + HEADERS,
                        timestamp: self.frames,
                        keyframe: std::mem::take(&mut first),
                    };
                    pacer.push(now, paced, Item::New(sequence, length));
                }
                None => self.video(sequence, length),
            }
        }
    }

    fn release(&mut self) {
        let now = self.at();
        while let Some((item, passes)) = self.pacer.as_mut().and_then(|pacer| pacer.pop(now)) {
            match item {
                Item::New(sequence, length) if passes => self.video(sequence, length),
                Item::Again(sequence, length) => {
                    self.datagram(Kind::Again(sequence), length + 2);
                }
                Item::New(..) => {}
            }
        }
    }

    fn run(&mut self, duration: Duration) -> Counts {
        self.counts = Counts::default();
        let end = self.now + duration;
        while self.now < end {
            self.now += TICK;
            if self.now.as_millis().is_multiple_of(FRAME.as_millis()) {
                self.frame();
            }
            if self.now.as_millis().is_multiple_of(SOUND.0.as_millis()) {
                self.datagram(Kind::Sound, SOUND.1 + HEADERS);
            }
            self.release();
            self.probe();
            self.arrive();
            self.on_reports();
        }
        self.counts
    }

    fn probe(&mut self) {
        let mut missing = self.congestion.probe_bytes(self.at());
        while missing > 0 {
            let Some(length) = self.latest.pop_front() else {
                return;
            };
            self.latest.push_back(length);
            self.datagram(Kind::Probe, length + 2);
            missing = missing.saturating_sub(length);
        }
    }

    fn arrive(&mut self) {
        let now = self.at();
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
            let (number, kind, _) = entry.remove();
            self.arrivals.received(now, number);
            if let Kind::Video(sequence) | Kind::Again(sequence) = kind {
                self.nack.received(now, sequence);
            }
        }
        if self.next_nack <= self.now {
            self.next_nack = self.now + Duration::from_millis(20);
            let mut lost = Vec::new();
            self.nack.poll(now, &mut lost);
            if !lost.is_empty() {
                self.sent += 1;
                self.back
                    .insert((self.now + ONE_WAY, self.sent), Back::Lost(lost));
            }
        }
        let mut compound = CompoundBuilder::default();
        self.arrivals.report(now, 1, 2, &mut compound);
        if !compound.is_empty() {
            self.sent += 1;
            let report = Back::Feedback(compound.as_bytes().to_vec());
            self.back.insert((self.now + ONE_WAY, self.sent), report);
        }
    }

    fn on_reports(&mut self) {
        let now = self.at();
        while let Some(entry) = self.back.first_entry().filter(|e| e.key().0 <= self.now) {
            match entry.remove() {
                Back::Feedback(bytes) => {
                    for packet in packets(&bytes) {
                        if let RtcpPacket::TransportFeedback(feedback) = packet {
                            self.congestion.on_feedback(now, &feedback, ONE_WAY * 2);
                        }
                    }
                    self.follow();
                }
                Back::Lost(lost) => {
                    for sequence in lost {
                        let Some(length) = self.packets.get(&sequence).copied() else {
                            continue;
                        };
                        if self.budget.spend(now, sequence, length, ONE_WAY * 2) {
                            match &mut self.pacer {
                                Some(pacer) => {
                                    let item = Item::Again(sequence, length);
                                    pacer.push_retransmission(now, sequence, length, item);
                                }
                                None => self.datagram(Kind::Again(sequence), length + 2),
                            }
                        }
                    }
                }
            }
        }
    }

    fn follow(&mut self) {
        let (now, sound) = (self.at(), 60_000);
        if self.now >= self.next_measure {
            self.next_measure = self.now + SECOND / 2;
            let measured = self.again as u64 * 16;
            self.again_rate = (self.again_rate + measured) / 2;
            self.again = 0;
        }
        let Some(estimate) = self.congestion.estimate() else {
            return;
        };
        self.pacer
            .get_or_insert_default()
            .set_estimate(now, estimate, self.congestion.overflows());
        self.video_limit = estimate.saturating_sub(sound + self.again_rate.min(estimate / 5));
        if self.followed.abs_diff(self.video_limit) > self.followed.min(self.video_limit) / 30 {
            self.followed = self.video_limit;
            self.choice = self.camera.choose(self.followed as f64, self.choice);
            // The camera of a single encoding is asked for what its least layer makes of it.
            if let Camera::Layers { rate, most } = &mut self.camera {
                *rate = most.min(self.followed as f64 / 0.4);
            }
        }
        let candidates = self.camera.candidates();
        if let Some(next) = candidates.get(self.choice + 1) {
            let wish = (*next * 1.2) as u64 + sound;
            self.congestion.seek(now, wish, true);
        }
    }
}

impl Camera {
    fn candidates(self) -> Vec<f64> {
        match self {
            Self::Layers { rate, .. } => vec![rate * 0.4, rate * 0.6, rate],
            Self::Encodings(rates) => rates.to_vec(),
        }
    }

    /// As the host does.
    fn choose(self, estimate: f64, present: usize) -> usize {
        let candidates = self.candidates();
        let held = Some(candidates[present]).filter(|held| held * 0.8 <= estimate);
        candidates
            .iter()
            .rposition(|rate| match held {
                Some(held) if *rate > held => rate * 1.15 <= estimate,
                Some(held) => *rate == held,
                None => *rate <= estimate,
            })
            .unwrap_or(0)
    }

    /// Bits of the frame that is sent, and whether it is a keyframe.
    fn frame(self, number: u32, choice: &mut usize) -> (f64, bool) {
        let rate = self.candidates();
        match self {
            Self::Layers { rate: whole, .. } => {
                let (layer, share) = match number % 4 {
                    0 => (0, 0.4 * 4.0),
                    2 => (1, 0.2 * 4.0),
                    _ => (2, 0.2 * 4.0),
                };
                let passes = layer <= *choice;
                (if passes { whole / 25.0 * share } else { 0.0 }, false)
            }
            Self::Encodings(_) => {
                let keyframe = number.is_multiple_of(250);
                let size = if keyframe { 4.0 } else { 1.0 };
                (rate[*choice] / 25.0 * size, keyframe)
            }
        }
    }
}

const fn layered(rate: f64) -> Camera {
    Camera::Layers { rate, most: rate }
}

/// What became of a viewer whose path became narrow, in half a minute that began ten seconds later.
struct Steady {
    overflowed: f64,
    used: f64,
}

fn steady(camera: Camera, rate: f64, queue: f64, loss: f64) -> Steady {
    let mut viewer = Viewer::new(camera);
    viewer.set(0.0, 500.0, loss);
    viewer.run(10 * SECOND);
    viewer.set(rate, queue, loss);
    viewer.run(10 * SECOND);
    let counts = viewer.run(30 * SECOND);
    let steady = Steady {
        overflowed: f64::from(counts.overflowed) / f64::from(counts.sent),
        used: counts.bits / 30.0 / rate / 1000.0,
    };
    println!(
        "{camera:?} {rate} kbit/s, {queue} ms, {loss} %: {:.1} % overflow, {:.0} % used, {} sent, \
         {} again, {} probes, choice {}, {:?}",
        100.0 * steady.overflowed,
        100.0 * steady.used,
        counts.sent,
        counts.again,
        counts.probes,
        viewer.choice,
        viewer.congestion.estimate(),
    );
    steady
}

const CAMERAS: [Camera; 3] = [
    layered(600_000.0),
    layered(1_500_000.0),
    Camera::Encodings([100_000.0, 900_000.0]),
];
const RATES: [f64; 6] = [300.0, 420.0, 550.0, 700.0, 1000.0, 2000.0];
const LOSSES: [f64; 3] = [0.0, 1.0, 5.0];

/// Mean and worst share of packets that overflow queues of this length, ms.
fn overflowing(queue: f64) -> (f64, f64) {
    let cases = CAMERAS.iter().flat_map(|camera| {
        let losses = |rate| LOSSES.map(|loss| steady(*camera, rate, queue, loss).overflowed);
        RATES.into_iter().flat_map(losses)
    });
    let shares: Vec<f64> = cases.collect();
    let worst = shares.iter().copied().fold(0.0, f64::max);
    (shares.iter().sum::<f64>() / shares.len() as f64, worst)
}

#[test]
fn a_queue_seldom_overflows_in_the_long_run() {
    for queue in [300.0, 500.0] {
        let (mean, worst) = overflowing(queue);
        assert!(mean < 0.01 && worst < 0.04, "{queue} ms: {mean}, {worst}");
    }
}

/// It holds a single picture of a weak path.
#[test]
fn a_short_queue_overflows_now_and_then() {
    for (queue, bounds) in [(150.0, (0.025, 0.09)), (50.0, (0.05, 0.13))] {
        let (mean, worst) = overflowing(queue);
        assert!(
            mean < bounds.0 && worst < bounds.1,
            "{queue} ms: {mean}, {worst}"
        );
    }
}

#[test]
fn a_camera_that_follows_uses_most_of_the_path() {
    for (rate, queue) in [
        (300.0, 300.0),
        (420.0, 300.0),
        (550.0, 150.0),
        (700.0, 500.0),
    ] {
        let used = steady(layered(1_500_000.0), rate, queue, 0.0).used;
        assert!(used > 0.7, "{rate} kbit/s, {queue} ms: {used}");
    }
}

/// Seconds until the viewer has this choice.
fn until(viewer: &mut Viewer, choice: usize) -> f64 {
    let begin = viewer.now;
    while viewer.choice != choice && viewer.now < begin + 20 * SECOND {
        viewer.run(SECOND / 100);
    }
    (viewer.now - begin).as_secs_f64()
}

#[test]
fn the_lesser_encoding_comes_soon_and_goes_soon_after_the_path_has_widened() {
    let (mut falls, mut rises) = (Vec::new(), Vec::new());
    for phase in 0..10 {
        let mut viewer = Viewer::new(Camera::Encodings([150_000.0, 900_000.0]));
        viewer.set(0.0, 300.0, 0.0);
        viewer.run(10 * SECOND);
        viewer.set(300.0, 300.0, 0.0);
        falls.push(until(&mut viewer, 0));
        viewer.run(5 * SECOND + SECOND * phase / 5);
        viewer.set(0.0, 300.0, 0.0);
        rises.push(until(&mut viewer, 1));
    }
    assert!(falls.iter().all(|seconds| *seconds < 0.8), "{falls:?}");
    assert!(rises.iter().all(|seconds| *seconds < 3.5), "{rises:?}");
}
