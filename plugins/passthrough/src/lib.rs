//! PassThrough: gives out exactly what it gets.
//!
//! One lane for each kind of media: a sink pad that takes any format, and a
//! source pad that has the format of what comes in. Messages of the consumers
//! travel through as well, so that a keyframe request reaches the camera.
//! Of several encodings only the one that the host chose for the element comes
//! in, so what goes out is the only one that there is.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock, Weak},
};

use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, Element, ElementContext, MediaKind, Packet, Result, SinkHandler, SinkPad,
    SourceHandler, SourcePad, Upstream,
};

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::pass_through::<PassThrough>()] }

struct PassThrough {
    /// Keeps the pads open.
    _lanes: Vec<Arc<Lane>>,
}

impl Element for PassThrough {}

impl api::PassThrough for PassThrough {
    fn create(context: ElementContext, _: api::PassThroughParams) -> Result<Self> {
        let lanes: Result<_> = MediaKind::ALL
            .iter()
            .map(|kind| Lane::open(&context, *kind))
            .collect();
        Ok(Self { _lanes: lanes? })
    }
}

/// The way through for one kind of media.
#[derive(Default)]
struct Lane {
    source: OnceLock<SourcePad>,
    sink: OnceLock<SinkPad>,
}

/// The lane as its pads know it: they do not keep it alive.
struct End(Weak<Lane>);

impl Lane {
    fn open(context: &ElementContext, kind: MediaKind) -> Result<Arc<Self>> {
        let lane = Arc::new(Self::default());
        let end = || End(Arc::downgrade(&lane));
        let source = context.source_pad(kind, DEFAULT_DESCRIPTION, end())?;
        let sink = context.sink_pad(kind, DEFAULT_DESCRIPTION, end())?;
        // The lane is new, so both places are empty.
        let _ = lane.source.set(source);
        let sink = lane.sink.get_or_init(|| sink);
        sink.accept_any();
        Ok(lane)
    }
}

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        let Some(lane) = self.0.upgrade() else { return };
        if let Some(source) = lane.source.get() {
            if packets.iter().any(|packet| packet.layer.encoding != 0) {
                push_single(source, packets);
            } else {
                source.push(packets);
            }
        }
    }

    fn format(&self, format: Option<u32>) {
        let Some(lane) = self.0.upgrade() else { return };
        if let Some(source) = lane.source.get() {
            source.set_format(format);
        }
    }
}

impl SourceHandler for End {
    fn upstream(&self, message: Upstream) {
        let Some(lane) = self.0.upgrade() else { return };
        if let Some(sink) = lane.sink.get() {
            sink.upstream(message);
        }
    }
}

thread_local! {
    /// Reused, so that a burst allocates nothing.
    static SINGLE: RefCell<Vec<Packet>> = const { RefCell::new(Vec::new()) };
}

/// Pushes packets as those of the only encoding that the pad has.
fn push_single(source: &SourcePad, packets: &[Packet]) {
    let mut single = SINGLE.take();
    single.extend(packets.iter().map(|packet| {
        let mut packet = packet.clone();
        packet.layer.encoding = 0;
        packet
    }));
    source.push(&single);
    single.clear();
    SINGLE.set(single);
}
