//! J01: conversions in a graph of toys: each converter appends its number to what it gets.

mod failure;
mod lifecycle;
mod load;
mod overflow;
mod sharing;
mod shown;
mod sizes;
mod states;
mod upstream;

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RSlice},
};
use rivero_plugin_api::{
    Bytes, Conversion, Converter, Details, Error, Format, MediaKind, Packaging, Packet, Upstream,
    abi::{
        module,
        traits::{AbiSinkHandler, AbiSinkHandler_TO, Converter as AbiConverter, ConverterOutput},
        types::AbiUpstream,
    },
};

use crate::{
    ConversionFigures, ConverterSettings, Converters, Node, NodeEvent, Sink, Source,
    testbench::{Log, TestBench, VIDEO, source_handler},
};

/// Numbers of some of the toy conversions.
pub(super) const DEPACK_VP8: usize = 0;
pub(super) const DECODE_VP8: usize = 1;
pub(super) const ENCODE_H264: usize = 2;
/// Another encoder for H264.
pub(super) const HARDWARE: usize = 10;

fn conversions() -> Vec<Conversion> {
    const RTP: Packaging = Packaging::Rtp;
    const FRAME: Packaging = Packaging::Frame;
    const RAW: Packaging = Packaging::Raw;
    let list = [
        (("VP8", RTP), ("VP8", FRAME), 2),
        (("VP8", FRAME), ("I420", RAW), 40),
        (("I420", RAW), ("H264", FRAME), 100),
        (("H264", FRAME), ("H264", RTP), 2),
        (("I420", RAW), ("VP9", FRAME), 120),
        (("VP9", FRAME), ("VP9", RTP), 2),
        (("VP8", FRAME), ("VP8", RTP), 2),
        (("H264", RTP), ("H264", FRAME), 2),
        (("H264", FRAME), ("I420", RAW), 40),
        (("I420", RAW), ("VP8", FRAME), 100),
        // Dearer than all others together, unless a test makes it cheaper.
        (("I420", RAW), ("H264", FRAME), 1000),
    ];
    list.into_iter()
        .map(|(input, output, cost)| Conversion {
            input: (input.0.to_owned(), input.1),
            output: (output.0.to_owned(), output.1),
            cost,
        })
        .collect()
}

/// What a toy does instead of converting.
#[derive(Clone)]
pub(super) enum Mood {
    RefusesToStart,
    /// Makes packets anew, as converters do.
    Forgets,
    PanicsAtStart,
    Panics,
    Fails,
    /// Works when it is let.
    Waits(Arc<Gate>),
}

#[derive(Default)]
pub(super) struct Gate(Mutex<bool>, Condvar);

impl Gate {
    pub(super) fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self) {
        let open = self.0.lock().unwrap();
        drop(self.1.wait_while(open, |open| !*open).unwrap());
    }
}

/// One start of a converter.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) conversion: usize,
    pub(super) settings: ConverterSettings,
}

#[derive(Default)]
pub(super) struct Toys {
    conversions: Vec<Conversion>,
    packaging: Vec<String>,
    pub(super) moods: Mutex<HashMap<usize, Mood>>,
    pub(super) starts: Log<Start>,
    pub(super) stops: Log<usize>,
    /// What encoders heard from their consumers.
    pub(super) heard: Log<(usize, Upstream)>,
    pub(super) taken: AtomicU64,
}

struct Toy {
    conversion: usize,
    is_rtp: bool,
    mood: Option<Mood>,
    output: ConverterOutput,
    sequence: AtomicU16,
    toys: Arc<Toys>,
}

/// The toys as the media plane knows them.
pub(super) struct Shelf(pub(super) Arc<Toys>);

impl Converters for Shelf {
    fn conversions(&self) -> &[Conversion] {
        &self.0.conversions
    }

    fn packaging_parameters(&self) -> &[String] {
        &self.0.packaging
    }

    fn create(
        &self,
        conversion: usize,
        _: (u32, u32),
        settings: &ConverterSettings,
        sink: ConverterOutput,
    ) -> Result<AbiConverter, Error> {
        let toys = &self.0;
        let settings = *settings;
        toys.starts.add(Start {
            conversion,
            settings,
        });
        let mood = toys.moods.lock().unwrap().get(&conversion).cloned();
        match &mood {
            Some(Mood::RefusesToStart) => return Err(Error::unexpected("it is out of order")),
            Some(Mood::PanicsAtStart) => panic!("it falls over"),
            _ => {}
        }
        let failures = module::share(&sink);
        let toy = Toy {
            conversion,
            is_rtp: toys.conversions[conversion].output.1 == Packaging::Rtp,
            mood,
            output: sink,
            sequence: AtomicU16::new(100),
            toys: toys.clone(),
        };
        Ok(module::converter(Box::new(toy), failures))
    }
}

impl Converter for Toy {
    fn packets(&self, packets: &[Packet]) {
        match &self.mood {
            Some(Mood::Panics) => panic!("it trips"),
            Some(Mood::Fails) => {
                let error = Error::unexpected("it cannot go on");
                return self.output.failed(error.into());
            }
            Some(Mood::Waits(gate)) => gate.wait(),
            _ => {}
        }
        self.toys.taken.fetch_add(packets.len() as u64, Relaxed);
        let converted: Vec<Packet> = packets.iter().map(|packet| self.convert(packet)).collect();
        self.output.push(converted.as_slice().into());
    }

    fn upstream(&self, message: Upstream) {
        self.toys.heard.add((self.conversion, message));
    }

    fn stop(&self) {
        self.toys.stops.add(self.conversion);
    }
}

impl Toy {
    fn convert(&self, packet: &Packet) -> Packet {
        let mut bytes = packet.bytes.to_vec();
        bytes.extend(format!(">{}", self.conversion).bytes());
        let mut packet = Packet {
            bytes: Bytes::from(bytes),
            format: 0,
            ..packet.clone()
        };
        if matches!(self.mood, Some(Mood::Forgets)) {
            packet.details = Details::NONE;
        }
        if self.is_rtp {
            packet.rtp.ssrc = 77;
            packet.rtp.sequence = self.sequence.fetch_add(1, Relaxed);
        }
        packet
    }
}

/// A pipeline with toys.
pub(super) struct Studio {
    pub(super) bench: TestBench,
    pub(super) toys: Arc<Toys>,
    _shelf: Arc<dyn Converters>,
}

pub(super) struct Camera {
    pub(super) node: Arc<Node>,
    pub(super) events: Log<NodeEvent>,
    pub(super) upstream: Log<Option<Upstream>>,
    pub(super) source: Arc<Source>,
}

pub(super) struct Viewer {
    pub(super) node: Arc<Node>,
    pub(super) events: Log<NodeEvent>,
    pub(super) sink: Arc<Sink>,
    pub(super) arrived: Log<Packet>,
    pub(super) formats: Log<u32>,
}

struct Screen {
    arrived: Log<Packet>,
    formats: Log<u32>,
}

impl AbiSinkHandler for Screen {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        packets
            .iter()
            .for_each(|packet| self.arrived.add(packet.clone()));
    }
    fn format(&self, format: u32) {
        self.formats.add(format);
    }
}

impl Studio {
    pub(super) fn new() -> Self {
        Self::with(conversions())
    }

    /// One in which the second encoder for H264 costs this much.
    pub(super) fn with_hardware(cost: u32) -> Self {
        let mut list = conversions();
        list[HARDWARE].cost = cost;
        Self::with(list)
    }

    fn with(conversions: Vec<Conversion>) -> Self {
        let bench = TestBench::new();
        let toys = Arc::new(Toys {
            conversions,
            packaging: vec!["packetization-mode".to_owned()],
            ..Toys::default()
        });
        let shelf: Arc<dyn Converters> = Arc::new(Shelf(toys.clone()));
        bench.graph.plane().set_converters(&shelf);
        Self {
            bench,
            toys,
            _shelf: shelf,
        }
    }

    pub(super) fn format(&self, name: &str) -> u32 {
        let formats = self.bench.graph.plane().formats();
        formats.id(Format::rtp(name, 90_000, 0))
    }

    pub(super) fn mood(&self, conversion: usize, mood: Mood) {
        self.toys.moods.lock().unwrap().insert(conversion, mood);
    }

    /// An element that sends VP8.
    pub(super) fn camera(&self) -> Camera {
        self.camera_named("camera")
    }

    pub(super) fn camera_named(&self, name: &str) -> Camera {
        let (node, events) = self.bench.node(name);
        let upstream = Log::default();
        let source = node
            .add_source(VIDEO, "default", source_handler(&upstream))
            .unwrap();
        node.set_format(VIDEO, "default", self.bench.vp8);
        Camera {
            node,
            events,
            upstream,
            source,
        }
    }

    /// An element that accepts these formats.
    pub(super) fn viewer(&self, name: &str, accepted: &[u32]) -> Viewer {
        let (node, events) = self.bench.node(name);
        let (arrived, formats) = (Log::default(), Log::default());
        let screen = Screen {
            arrived: arrived.clone(),
            formats: formats.clone(),
        };
        let handler = AbiSinkHandler_TO::from_ptr(RArc::new(screen), TD_Opaque);
        let sink = node.add_sink(VIDEO, "default", handler, None, 0).unwrap();
        node.set_accepted(VIDEO, "default", accepted);
        Viewer {
            node,
            events,
            sink,
            arrived,
            formats,
        }
    }

    pub(super) fn connected(&self, camera: &Camera, name: &str, format: u32) -> Viewer {
        let viewer = self.viewer(name, &[format]);
        camera
            .node
            .connect(&viewer.node, VIDEO, "default", "default");
        viewer
    }

    /// Packets of which the first is a keyframe; their content is their number.
    pub(super) fn packets(&self, numbers: Range<u16>) -> Vec<Packet> {
        let keyframe = Some(numbers.start);
        let mut packets = self.bench.packets(numbers, keyframe);
        for packet in &mut packets {
            packet.bytes = Bytes::from(packet.rtp.sequence.to_string().into_bytes());
        }
        packets
    }

    fn figures(&self) -> Vec<ConversionFigures> {
        self.bench.graph.plane().figures().conversions
    }

    /// Packets that conversions between these did not get.
    pub(super) fn dropped(&self, input: &str, output: &str) -> u64 {
        let figures = self.figures();
        let mut figures = figures.iter();
        let found = figures.find(|known| known.input == input && known.output == output);
        found.map_or(0, |figures| figures.packets_dropped)
    }

    /// Conversions that run.
    pub(super) fn running(&self) -> i64 {
        self.figures().iter().map(|figures| figures.running).sum()
    }

    pub(super) fn wait_until_running(&self, count: i64) {
        wait_until("the conversions run or end", || self.running() == count);
    }

    pub(super) fn starts_of(&self, conversion: usize) -> usize {
        let starts = self.toys.starts.all();
        starts
            .iter()
            .filter(|start| start.conversion == conversion)
            .count()
    }
}

impl Viewer {
    pub(super) fn texts(&self) -> Vec<String> {
        texts(&self.arrived.all())
    }

    /// Waits for a packet with this content.
    pub(super) fn sees(&self, text: &str) {
        wait_until(text, || self.texts().iter().any(|known| known == text));
    }

    pub(super) fn wait_for(&self, count: usize) -> Vec<String> {
        texts(&self.arrived.wait_for(|arrived| arrived.len() >= count))
    }
}

fn texts(packets: &[Packet]) -> Vec<String> {
    let text = |packet: &Packet| String::from_utf8(packet.bytes.to_vec()).unwrap();
    packets.iter().map(text).collect()
}

pub(super) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// What an encoder is told, in the words of the boundary.
pub(super) fn estimate(viewer: &Viewer, bits_per_second: u64) {
    let message = AbiUpstream::from(Upstream::BandwidthEstimate { bits_per_second });
    viewer.sink.upstream(message.message().unwrap());
}
