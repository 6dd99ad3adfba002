//! Example module: counts the packets of video that come in. See docs/modules.md.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use rivero_sdk::{
    DEFAULT_DESCRIPTION, Element, ElementContext, MediaKind, Packet, Result, SinkHandler, SinkPad,
};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [api::counter::<Counter>()] }

struct Counter {
    packets: Arc<AtomicI64>,
    /// Open as long as it is kept.
    _video: SinkPad,
}

struct Video(Arc<AtomicI64>);

impl SinkHandler for Video {
    fn packets(&self, packets: &[Packet]) {
        self.0
            .fetch_add(i64::try_from(packets.len()).unwrap_or(0), Relaxed);
    }
}

impl Element for Counter {}

impl api::Counter for Counter {
    fn create(context: ElementContext, _: api::CounterParams) -> Result<Self> {
        let packets = Arc::new(AtomicI64::new(0));
        let handler = Video(packets.clone());
        let video = context.sink_pad(MediaKind::Video, DEFAULT_DESCRIPTION, handler)?;
        video.accept_any();
        Ok(Self {
            packets,
            _video: video,
        })
    }

    fn packets(&self) -> Result<i64> {
        Ok(self.packets.load(Relaxed))
    }
}
