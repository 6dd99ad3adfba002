//! Packets go from a source pad through links to several sinks, and through a conversion, with
//! nothing of a server around: only what the crate shows to whoever uses it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed call fails the test"
)]

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RSlice},
};
use rivero_media::{
    ConverterSettings, Converters, Figures, Graph, Node, NodeEvent, NodeObserver, Plane,
    RecentFormats, Sink, Source,
};
use rivero_plugin_api::{
    Bytes, Conversion, Converter, Error, Format, Layer, MediaKind, Packaging, Packet, Rtp,
    SinkSelection, Upstream,
    abi::{
        module,
        traits::{
            AbiSinkGroup, AbiSinkGroup_TO, AbiSinkHandler, AbiSinkHandler_TO, AbiSourceHandler,
            AbiSourceHandler_TO, Converter as AbiConverter, ConverterOutput, SinkGroup,
        },
        types::AbiUpstream,
    },
};

const VIDEO: MediaKind = MediaKind::Video;
const PAD: &str = "default";
const PATIENCE: Duration = Duration::from_secs(20);

/// What a sink is given, in order.
#[derive(Debug, PartialEq)]
enum Arrival {
    Format(u32),
    Packets(Vec<String>),
}

fn packets(texts: &[&str]) -> Arrival {
    Arrival::Packets(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn text(packet: &Packet) -> String {
    String::from_utf8(packet.bytes.to_vec()).unwrap()
}

struct Screen(Mutex<Sender<Arrival>>);

impl AbiSinkHandler for Screen {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        let texts = packets.iter().map(text).collect();
        self.0
            .lock()
            .unwrap()
            .send(Arrival::Packets(texts))
            .unwrap();
    }

    fn format(&self, format: u32) {
        let _ = self.0.lock().unwrap().send(Arrival::Format(format));
    }
}

struct Lens(Mutex<Sender<Upstream>>);

impl AbiSourceHandler for Lens {
    fn upstream(&self, message: AbiUpstream) {
        let message = message.message().unwrap();
        let _ = self.0.lock().unwrap().send(message);
    }

    fn consumers(&self, _: u32) {}
}

struct Observer(Mutex<Sender<NodeEvent>>);

impl NodeObserver for Observer {
    fn notify(&self, event: NodeEvent) {
        let _ = self.0.lock().unwrap().send(event);
    }
}

/// A pipeline, and numbers of formats as a module gets them.
struct Pipeline {
    plane: Arc<Plane>,
    graph: Arc<Graph>,
    formats: RecentFormats,
}

struct Camera {
    node: Arc<Node>,
    source: Arc<Source>,
    upstream: Receiver<Upstream>,
    format: u32,
}

struct Viewer {
    node: Arc<Node>,
    sink: Arc<Sink>,
    arrivals: Receiver<Arrival>,
    events: Receiver<NodeEvent>,
}

impl Pipeline {
    fn new() -> Self {
        let plane = Plane::start().unwrap();
        Self {
            graph: Graph::new(&plane),
            plane,
            formats: RecentFormats::default(),
        }
    }

    fn format(&self, encoding: &str) -> u32 {
        let format = Format::rtp(encoding, 90_000, 0);
        self.formats.number(self.plane.formats(), format)
    }

    fn node(&self, id: &str) -> (Arc<Node>, Receiver<NodeEvent>) {
        let (sender, events) = channel();
        let observer = Arc::new(Observer(Mutex::new(sender)));
        (Node::new(id.into(), &self.graph, observer), events)
    }

    /// An element that sends this encoding.
    fn camera(&self, encoding: &str) -> Camera {
        let (node, _) = self.node("camera");
        let (sender, upstream) = channel();
        let lens = RArc::new(Lens(Mutex::new(sender)));
        let handler = AbiSourceHandler_TO::from_ptr(lens, TD_Opaque);
        let source = node.add_source(VIDEO, PAD, handler).unwrap();
        let format = self.format(encoding);
        node.set_format(VIDEO, PAD, format);
        Camera {
            node,
            source,
            upstream,
            format,
        }
    }

    /// An element that accepts these encodings, the first one rather than the others.
    fn viewer(&self, id: &str, encodings: &[&str], group: Option<(SinkGroup, u64)>) -> Viewer {
        let (node, events) = self.node(id);
        let (sender, arrivals) = channel();
        let screen = RArc::new(Screen(Mutex::new(sender)));
        let handler = AbiSinkHandler_TO::from_ptr(screen, TD_Opaque);
        let (group, token) = group.map_or((None, 0), |(group, token)| (Some(group), token));
        let sink = node.add_sink(VIDEO, PAD, handler, group, token).unwrap();
        let formats: Vec<u32> = encodings.iter().map(|name| self.format(name)).collect();
        node.set_accepted(VIDEO, PAD, &formats);
        Viewer {
            node,
            sink,
            arrivals,
            events,
        }
    }

    /// Waits for what the plane has counted.
    fn wait_for(&self, wanted: impl Fn(&Figures) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.plane.figures()) {
            assert!(Instant::now() < deadline, "{:?}", self.plane.figures());
            std::thread::yield_now();
        }
    }
}

impl Camera {
    fn connect(&self, viewer: &Viewer) {
        self.node.connect(&viewer.node, VIDEO, PAD, PAD);
    }

    /// Pushes packets of which one may be a keyframe; each holds its number.
    fn push(&self, numbers: Range<u16>, keyframe: Option<u16>) {
        let packet = |number: u16| Packet {
            bytes: Bytes::from(number.to_string().into_bytes()),
            format: self.format,
            origin: self.source.id(),
            kind: VIDEO,
            flags: match keyframe == Some(number) {
                true => Packet::KEYFRAME,
                false => 0,
            },
            layer: Layer::default(),
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp {
                sequence: number,
                ssrc: 7,
                ..Rtp::default()
            },
            ..Packet::default()
        };
        let packets: Vec<Packet> = numbers.map(packet).collect();
        self.source.push(&packets);
    }

    /// What was asked of it since the last call.
    fn asked(&self) -> Vec<Upstream> {
        self.upstream.try_iter().collect()
    }
}

impl Viewer {
    /// What arrived since the last call.
    fn arrived(&self) -> Vec<Arrival> {
        self.arrivals.try_iter().collect()
    }

    /// Waits for packets that a worker makes.
    fn next(&self) -> Arrival {
        self.arrivals.recv_timeout(PATIENCE).unwrap()
    }
}

#[test]
fn video_begins_at_a_keyframe_and_who_joins_later_is_shown_the_latest() {
    let pipeline = Pipeline::new();
    let camera = pipeline.camera("VP8");
    let first = pipeline.viewer("first", &["VP8"], None);
    camera.connect(&first);
    assert_eq!(first.arrived(), [Arrival::Format(camera.format)]);
    assert_eq!(camera.asked(), [Upstream::KeyframeRequest]);

    camera.push(0..3, None);
    assert_eq!(first.arrived(), []);
    camera.push(3..6, Some(4));
    assert_eq!(first.arrived(), [packets(&["4", "5"])]);

    camera.asked();
    let late = pipeline.viewer("late", &["VP8"], None);
    camera.connect(&late);
    assert_eq!(camera.asked(), [], "there is a keyframe for it already");
    camera.push(6..7, None);
    let expected = [
        Arrival::Format(camera.format),
        packets(&["4", "5"]),
        packets(&["6"]),
    ];
    assert_eq!(late.arrived(), expected);
    assert_eq!(first.arrived(), [packets(&["6"])]);
}

#[test]
fn a_sink_finds_recent_packets_of_what_feeds_it() {
    let pipeline = Pipeline::new();
    let camera = pipeline.camera("VP8");
    let viewer = pipeline.viewer("viewer", &["VP8"], None);
    assert!(viewer.sink.history(7, 1).is_none(), "nothing feeds it");
    camera.connect(&viewer);
    camera.push(0..10, Some(0));
    let found = viewer.sink.history(7, 4).map(|packet| text(&packet));
    assert_eq!(found.as_deref(), Some("4"));
    assert!(viewer.sink.history(7, 10).is_none() && viewer.sink.history(8, 4).is_none());
}

#[test]
fn each_sink_is_notified_of_the_format_that_it_gets() {
    let pipeline = Pipeline::new();
    let camera = pipeline.camera("VP8");
    let both = pipeline.viewer("both", &["H264", "VP8"], None);
    let one = pipeline.viewer("one", &["VP8"], None);
    camera.connect(&both);
    camera.connect(&one);
    for viewer in [&both, &one] {
        assert_eq!(viewer.arrived(), [Arrival::Format(camera.format)]);
    }
    let h264 = pipeline.format("H264");
    camera.node.set_format(VIDEO, PAD, h264);
    assert_eq!(both.arrived(), [Arrival::Format(h264)]);
    assert_eq!(one.arrived(), [Arrival::Format(0)], "nothing any more");
    let events: Vec<NodeEvent> = one.events.try_iter().collect();
    let reasons = events.iter().filter_map(|event| match event {
        NodeEvent::Unconvertible { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    let reasons: Vec<&str> = reasons.collect();
    assert!(
        matches!(&reasons[..], [reason] if reason.contains("camera sends H264, one accepts VP8")),
        "{events:?}"
    );
}

/// Sinks on one thread of a module.
struct Shard(Mutex<Sender<Vec<SinkSelection>>>);

impl AbiSinkGroup for Shard {
    fn id(&self) -> u64 {
        1
    }

    fn push_batch(&self, _: RSlice<'_, Packet>, sinks: RSlice<'_, SinkSelection>) {
        self.0.lock().unwrap().send(sinks.to_vec()).unwrap();
    }
}

#[test]
fn a_group_of_sinks_gets_each_burst_once() {
    let pipeline = Pipeline::new();
    let camera = pipeline.camera("VP8");
    let (sender, bursts) = channel();
    let shard = RArc::new(Shard(Mutex::new(sender)));
    let shard: SinkGroup = AbiSinkGroup_TO::from_ptr(shard, TD_Opaque);
    let viewers: Vec<Viewer> = [(1, "a"), (2, "b")]
        .into_iter()
        .map(|(token, id)| {
            let group = AbiSinkGroup_TO::from_sabi(shard.obj.shallow_clone());
            let viewer = pipeline.viewer(id, &["VP8"], Some((group, token)));
            camera.connect(&viewer);
            viewer
        })
        .collect();
    camera.push(0..4, Some(1));
    let passes = |token| SinkSelection {
        token,
        packets: 0b1110,
    };
    let bursts: Vec<_> = bursts.try_iter().collect();
    assert_eq!(bursts, [[passes(1), passes(2)]]);
    drop(viewers);
}

/// The one conversion that is installed, from VP8 to H264: it marks what it gets.
struct Studio {
    conversions: Vec<Conversion>,
    starts: Mutex<Vec<ConverterSettings>>,
}

struct Marker(ConverterOutput);

impl Studio {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            conversions: vec![Conversion {
                input: ("VP8".to_owned(), Packaging::Rtp),
                output: ("H264".to_owned(), Packaging::Rtp),
                cost: 1,
            }],
            starts: Mutex::default(),
        })
    }
}

impl Converters for Studio {
    fn conversions(&self) -> &[Conversion] {
        &self.conversions
    }

    fn packaging_parameters(&self) -> &[String] {
        &[]
    }

    fn create(
        &self,
        _: usize,
        _: (u32, u32),
        settings: &ConverterSettings,
        output: ConverterOutput,
    ) -> Result<AbiConverter, Error> {
        self.starts.lock().unwrap().push(*settings);
        let failures = module::share(&output);
        Ok(module::converter(Box::new(Marker(output)), failures))
    }
}

impl Converter for Marker {
    fn packets(&self, packets: &[Packet]) {
        let marked = packets.iter().map(|packet| Packet {
            bytes: Bytes::from(format!("{} as H264", text(packet)).into_bytes()),
            ..packet.clone()
        });
        let marked: Vec<Packet> = marked.collect();
        self.0.push(marked.as_slice().into());
    }

    fn upstream(&self, _: Upstream) {}

    fn stop(&self) {}
}

#[test]
fn consumers_of_one_format_share_a_conversion_that_ends_with_them() {
    let pipeline = Pipeline::new();
    let studio = Studio::new();
    let converters: Arc<dyn Converters> = studio.clone();
    pipeline.plane.set_converters(&converters);
    let camera = pipeline.camera("VP8");
    let direct = pipeline.viewer("direct", &["VP8"], None);
    let converted = ["one", "other"].map(|id| pipeline.viewer(id, &["H264"], None));
    camera.connect(&direct);
    converted.iter().for_each(|viewer| camera.connect(viewer));
    let h264 = pipeline.format("H264");
    for viewer in &converted {
        assert_eq!(viewer.arrived(), [Arrival::Format(h264)]);
    }

    camera.push(0..2, Some(1));
    let expected = [Arrival::Format(camera.format), packets(&["1"])];
    assert_eq!(direct.arrived(), expected);
    for viewer in &converted {
        assert_eq!(viewer.next(), packets(&["1 as H264"]));
    }
    let starts = studio.starts.lock().unwrap().clone();
    let bitrates: Vec<Option<u64>> = starts.iter().map(|settings| settings.bitrate).collect();
    assert_eq!(bitrates, [Some(300_000)], "one, with the usual bitrate");

    pipeline.wait_for(|figures| figures.conversions.iter().any(|known| known.running == 1));
    converted.iter().for_each(|viewer| viewer.node.release());
    pipeline.wait_for(|figures| figures.conversions.iter().all(|known| known.running == 0));
    camera.push(2..3, None);
    assert_eq!(direct.arrived(), [packets(&["2"])]);
    for viewer in &converted {
        let packets = |arrival: &Arrival| matches!(arrival, Arrival::Packets(_));
        assert!(!viewer.arrived().iter().any(packets));
    }
}
