//! Media made of nothing, and what comes of it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rivero_filter::{
    Colours, PictureFormat,
    base::{Picture, PictureView},
};
use rivero_media::{Graph, Node, Sink, Source};
use rivero_plugin_api::{
    Bytes, DEFAULT_DESCRIPTION, Format, MediaKind, Packaging, Packet, Upstream,
    abi::{
        abi_stable::{
            sabi_trait::TD_Opaque,
            std_types::{RArc, RSlice},
        },
        traits::{
            ANY_FORMAT, AbiSinkHandler, AbiSinkHandler_TO, AbiSourceHandler, AbiSourceHandler_TO,
        },
        types::AbiUpstream,
    },
    supervise::lock,
};

use super::{
    element::{Linked, Unobserved},
    host::TestHost,
};

/// Packets that are pushed in one call at most.
const BURST: usize = 64;
/// How long a module's thread is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn raw(encoding: &str, rate: u32, channels: u8) -> Format {
    Format {
        packaging: Packaging::Raw,
        ..Format::rtp(encoding, rate, channels)
    }
}

/// A way out for media, and what was asked of it.
struct Outlet {
    host: Arc<TestHost>,
    node: Arc<Node>,
    source: Arc<Source>,
    kind: MediaKind,
    asked: Arc<Mutex<Vec<Upstream>>>,
}

struct Asked(Arc<Mutex<Vec<Upstream>>>);

impl AbiSourceHandler for Asked {
    fn upstream(&self, message: AbiUpstream) {
        lock(&self.0).extend(message.message());
    }

    fn consumers(&self, _: u32) {}
}

impl Outlet {
    fn new(host: &Arc<TestHost>, graph: &Arc<Graph>, kind: MediaKind, format: Format) -> Self {
        let node = Node::new(unique("source").into(), graph, Arc::new(Unobserved));
        let asked = Arc::<Mutex<Vec<Upstream>>>::default();
        let handler = AbiSourceHandler_TO::from_ptr(RArc::new(Asked(asked.clone())), TD_Opaque);
        let source = node.add_source(kind, DEFAULT_DESCRIPTION, handler);
        node.set_format(kind, DEFAULT_DESCRIPTION, host.number(format));
        Self {
            host: host.clone(),
            source: source.expect("the node is new"),
            node,
            kind,
            asked,
        }
    }

    fn push(&self, format: Format, bytes: Bytes) {
        let now = self.host.time();
        self.source.push(&[Packet {
            bytes,
            format: self.host.number(format),
            origin: self.source.id(),
            kind: self.kind,
            flags: Packet::KEYFRAME,
            presentation_time: now,
            ingress_time: now,
            ..Packet::default()
        }]);
    }
}

fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("{name}-{}", NUMBER.fetch_add(1, Relaxed))
}

/// An element that sends raw pictures.
pub struct Camera {
    outlet: Outlet,
    format: PictureFormat,
}

impl Linked for Camera {
    fn node(&self) -> &Arc<Node> {
        &self.outlet.node
    }

    fn kinds(&self) -> &[MediaKind] {
        std::slice::from_ref(&self.outlet.kind)
    }
}

impl Camera {
    pub(super) fn new(
        host: &Arc<TestHost>,
        graph: &Arc<Graph>,
        (width, height): (usize, usize),
    ) -> Self {
        Self {
            outlet: Outlet::new(host, graph, MediaKind::Video, raw("I420", 0, 0)),
            format: PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            },
        }
    }

    /// Sends a picture of one colour: red, green and blue.
    pub fn show(&self, colour: [u8; 3]) {
        let count = self.format.luma_size();
        self.show_drawn(|picture| picture.set_rgb(&vec![colour; count]));
    }

    /// Sends a picture that is black but for what `draw` draws.
    pub fn show_drawn(&self, draw: impl FnOnce(&mut Picture<'_>)) {
        let format = self.format;
        let mut bytes = vec![128; format.size()];
        let (luma, _) = bytes.split_at_mut(format.luma_size());
        luma.fill(16);
        let picture = Picture::new(format, &mut bytes, self.outlet.host.time());
        draw(&mut picture.expect("the bytes are as many as it has"));
        let sized = raw("I420", 0, 0)
            .with("width", format.width.to_string())
            .with("height", format.height.to_string());
        self.outlet.push(sized, bytes.into());
    }

    /// What its consumers asked of it since the last call.
    pub fn asked(&self) -> Vec<Upstream> {
        std::mem::take(&mut lock(&self.outlet.asked))
    }
}

/// An element that sends raw sound.
pub struct Microphone {
    outlet: Outlet,
    format: Format,
}

impl Linked for Microphone {
    fn node(&self) -> &Arc<Node> {
        &self.outlet.node
    }

    fn kinds(&self) -> &[MediaKind] {
        std::slice::from_ref(&self.outlet.kind)
    }
}

impl Microphone {
    pub(super) fn new(
        host: &Arc<TestHost>,
        graph: &Arc<Graph>,
        (rate, channels): (u32, u8),
    ) -> Self {
        Self {
            outlet: Outlet::new(host, graph, MediaKind::Audio, raw("S16LE", 0, 0)),
            format: raw("S16LE", rate, channels),
        }
    }

    /// Sends these samples, those of all channels in turn.
    pub fn speak(&self, samples: &[i16]) {
        let bytes: Vec<u8> = samples
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        self.outlet.push(self.format.clone(), bytes.into());
    }
}

/// An element that sends media of one format.
pub struct Sender {
    outlet: Outlet,
    format: Format,
}

impl Linked for Sender {
    fn node(&self) -> &Arc<Node> {
        &self.outlet.node
    }

    fn kinds(&self) -> &[MediaKind] {
        std::slice::from_ref(&self.outlet.kind)
    }
}

impl Sender {
    pub(super) fn new(
        host: &Arc<TestHost>,
        graph: &Arc<Graph>,
        (kind, format): (MediaKind, Format),
    ) -> Self {
        Self {
            outlet: Outlet::new(host, graph, kind, format.clone()),
            format,
        }
    }

    /// Sends a packet with these bytes, from which a decoder can begin.
    pub fn send(&self, bytes: &[u8]) {
        self.outlet
            .push(self.format.clone(), Bytes::copy_from(bytes));
    }

    /// Sends packets as they are; where one has no format, that of the sender.
    pub fn push(&self, packets: Vec<Packet>) {
        let format = self.outlet.host.number(self.format.clone());
        let (origin, kind) = (self.outlet.source.id(), self.outlet.kind);
        let ready = |packet: Packet| Packet {
            format: if packet.format == 0 {
                format
            } else {
                packet.format
            },
            origin,
            kind,
            ..packet
        };
        let packets: Vec<Packet> = packets.into_iter().map(ready).collect();
        for burst in packets.chunks(BURST) {
            self.outlet.source.push(burst);
        }
    }

    /// What its consumers asked of it since the last call.
    pub fn asked(&self) -> Vec<Upstream> {
        std::mem::take(&mut lock(&self.outlet.asked))
    }
}

/// An element that takes everything, and keeps it.
pub struct Screen {
    host: Arc<TestHost>,
    node: Arc<Node>,
    sinks: Vec<Arc<Sink>>,
    packets: Arc<Mutex<Vec<Packet>>>,
}

impl Linked for Screen {
    fn node(&self) -> &Arc<Node> {
        &self.node
    }
}

struct Eye(Arc<Mutex<Vec<Packet>>>);

impl AbiSinkHandler for Eye {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        lock(&self.0).extend_from_slice(packets.as_slice());
    }

    fn format(&self, _: u32) {}
}

/// A picture that came to a screen.
pub struct Seen {
    /// As it came.
    pub packet: Packet,
    format: PictureFormat,
}

impl Seen {
    /// It as something to look at.
    pub fn view(&self) -> PictureView<'_> {
        PictureView::new(self.format, &self.packet).expect("it was looked at already")
    }

    /// The mean of its colours: red, green and blue.
    pub fn colour(&self) -> [u8; 3] {
        let pixels = self.view().rgb();
        let count = u64::try_from(pixels.len().max(1)).unwrap_or(1);
        let mut sums = [0_u64; 3];
        for pixel in pixels {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(value);
            }
        }
        sums.map(|sum| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX))
    }
}

impl Screen {
    pub(super) fn new(host: &Arc<TestHost>, graph: &Arc<Graph>) -> Self {
        let node = Node::new(unique("screen").into(), graph, Arc::new(Unobserved));
        let packets = Arc::<Mutex<Vec<Packet>>>::default();
        let mut sinks = Vec::new();
        for kind in MediaKind::ALL {
            let eye = RArc::new(Eye(packets.clone()));
            let handler = AbiSinkHandler_TO::from_ptr(eye, TD_Opaque);
            let opened = node.add_sink(kind, DEFAULT_DESCRIPTION, handler, None, 0);
            sinks.push(opened.expect("the node is new"));
            node.set_accepted(kind, DEFAULT_DESCRIPTION, &[ANY_FORMAT]);
        }
        Self {
            host: host.clone(),
            node,
            sinks,
            packets,
        }
    }

    /// Tells whatever feeds it something, as a consumer does.
    pub fn ask(&self, message: Upstream) {
        for sink in &self.sinks {
            sink.upstream(message);
        }
    }

    /// What came since the last call.
    pub fn packets(&self) -> Vec<Packet> {
        std::mem::take(&mut lock(&self.packets))
    }

    /// The packets that came since the last call; waits for so many where a thread of the module sends them.
    ///
    /// # Panics
    /// When they have not come within a minute.
    pub fn wait_for(&self, count: usize) -> Vec<Packet> {
        let deadline = Instant::now() + PATIENCE;
        while lock(&self.packets).len() < count {
            assert!(Instant::now() < deadline, "{count} packets do not come");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.packets()
    }

    /// The pictures that came since the last call; whatever else came is forgotten.
    pub fn pictures(&self) -> Vec<Seen> {
        let packets = self.packets().into_iter();
        let seen = packets.filter_map(|packet| {
            let format = PictureFormat::of(&self.host.format(packet.format)?)?;
            PictureView::new(format, &packet)?;
            Some(Seen { packet, format })
        });
        seen.collect()
    }

    /// The samples that came since the last call, one list for each piece; whatever else came is forgotten.
    pub fn sounds(&self) -> Vec<Vec<i16>> {
        let packets = self.packets().into_iter();
        let sounds = packets.filter(|packet| packet.kind == MediaKind::Audio);
        let samples = sounds.map(|packet| {
            let (samples, _) = packet.bytes.as_chunks();
            samples
                .iter()
                .map(|sample| i16::from_le_bytes(*sample))
                .collect()
        });
        samples.collect()
    }
}
