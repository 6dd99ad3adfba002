//! For tests: producers and consumers made of memory.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RSlice},
};
use rivero_plugin_api::{
    Bytes, Format, Layer, MediaKind, Packet, Rtp, SinkSelection, Upstream,
    abi::{
        traits::{
            AbiSinkGroup, AbiSinkGroup_TO, AbiSinkHandler, AbiSinkHandler_TO, AbiSourceHandler,
            AbiSourceHandler_TO, SinkGroup, SinkHandler, SourceHandler,
        },
        types::AbiUpstream,
    },
};

use super::{Graph, Node, NodeEvent, NodeObserver, Plane};

#[derive(Clone)]
pub(super) struct Log<T>(pub(super) Arc<Mutex<Vec<T>>>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Log<T> {
    pub(super) fn add(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(super) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn wait_for(&self, wanted: impl Fn(&[T]) -> bool) -> Vec<T> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let all = self.all();
            if wanted(&all) || Instant::now() > deadline {
                return all;
            }
            std::thread::yield_now();
        }
    }
}

impl NodeObserver for Log<NodeEvent> {
    fn notify(&self, event: NodeEvent) {
        self.add(event);
    }
}

impl AbiSourceHandler for Log<Option<Upstream>> {
    fn upstream(&self, message: AbiUpstream) {
        self.add(message.message());
    }
    fn consumers(&self, _: u32) {}
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arrival {
    Format(u32),
    Packets(Vec<u16>),
    Batch(Vec<SinkSelection>),
}

impl AbiSinkHandler for Log<Arrival> {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        self.add(Arrival::Packets(
            packets.iter().map(|packet| packet.rtp.sequence).collect(),
        ));
    }
    fn format(&self, format: u32) {
        self.add(Arrival::Format(format));
    }
}

struct Group(Log<Arrival>);

impl AbiSinkGroup for Group {
    fn id(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }
    fn push_batch(&self, _: RSlice<'_, Packet>, sinks: RSlice<'_, SinkSelection>) {
        self.0.add(Arrival::Batch(sinks.to_vec()));
    }
}

pub(super) fn source_handler(log: &Log<Option<Upstream>>) -> SourceHandler {
    AbiSourceHandler_TO::from_ptr(RArc::new(log.clone()), TD_Opaque)
}

pub(super) fn sink_handler(log: &Log<Arrival>) -> SinkHandler {
    AbiSinkHandler_TO::from_ptr(RArc::new(log.clone()), TD_Opaque)
}

pub(super) fn group(log: &Log<Arrival>) -> SinkGroup {
    AbiSinkGroup_TO::from_ptr(RArc::new(Group(log.clone())), TD_Opaque)
}

pub(super) struct TestBench {
    pub(super) graph: Arc<Graph>,
    pub(super) vp8: u32,
    pub(super) h264: u32,
}

pub(super) const VIDEO: MediaKind = MediaKind::Video;

impl TestBench {
    pub(super) fn new() -> Self {
        let plane = Plane::start().unwrap();
        let vp8 = plane.formats().id(Format::rtp("VP8", 90_000, 0));
        let h264 = plane.formats().id(Format::rtp("H264", 90_000, 0));
        Self {
            graph: Graph::new(&plane),
            vp8,
            h264,
        }
    }

    pub(super) fn node(&self, id: &str) -> (Arc<Node>, Log<NodeEvent>) {
        let log = Log::default();
        (
            Node::new(id.into(), &self.graph, Arc::new(log.clone())),
            log,
        )
    }

    pub(super) fn packets(
        &self,
        sequences: std::ops::Range<u16>,
        keyframe: Option<u16>,
    ) -> Vec<Packet> {
        let packet = |sequence| Packet {
            bytes: Bytes::default(),
            format: self.vp8,
            origin: 0,
            kind: VIDEO,
            flags: if keyframe == Some(sequence) {
                Packet::KEYFRAME
            } else {
                0
            },
            layer: Layer::default(),
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp {
                sequence,
                ssrc: 7,
                ..Rtp::default()
            },
            ..Packet::default()
        };
        sequences.map(packet).collect()
    }
}
