//! The pads of a filter: sound and data pass as they come, pictures come raw and go out raw.

use std::sync::{Arc, OnceLock, Weak};

use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Format, MediaKind, Packaging, Packet, Result, SinkHandler,
    SinkPad, SourceHandler, SourcePad, Upstream, host,
};

/// What a filter does to pictures.
pub trait Treatment: Send + Sync + 'static {
    /// What goes on instead of this picture (I420); `None` lets it pass without a copy. Called on
    /// the producer's thread: must not block.
    fn treat(&self, picture: &Packet) -> Option<Packet>;
}

/// All pads of a filter, open until dropped.
pub struct Lanes {
    _lanes: Vec<Arc<Lane>>,
}

impl Lanes {
    /// Opens the pads.
    ///
    /// # Errors
    /// The host's
    pub fn open(context: &ElementContext, treatment: &Arc<dyn Treatment>) -> Result<Self> {
        let lane = |kind: &MediaKind| {
            let treatment = (*kind == MediaKind::Video).then(|| treatment.clone());
            Lane::open(context, *kind, treatment)
        };
        let lanes: Result<_> = MediaKind::ALL.iter().map(lane).collect();
        Ok(Self { _lanes: lanes? })
    }
}

/// Raw pictures; size and colours are each packet's own.
fn raw_pictures() -> Format {
    Format {
        packaging: Packaging::Raw,
        ..Format::rtp("I420", 0, 0)
    }
}

/// The way through for one kind of media.
struct Lane {
    source: OnceLock<SourcePad>,
    sink: OnceLock<SinkPad>,
    treatment: Option<Arc<dyn Treatment>>,
}

/// The lane as its pads know it: they do not keep it alive.
struct End(Weak<Lane>);

impl Lane {
    fn open(
        context: &ElementContext,
        kind: MediaKind,
        treatment: Option<Arc<dyn Treatment>>,
    ) -> Result<Arc<Self>> {
        let lane = Arc::new(Self {
            source: OnceLock::new(),
            sink: OnceLock::new(),
            treatment,
        });
        let end = || End(Arc::downgrade(&lane));
        let source = context.source_pad(kind, DEFAULT_DESCRIPTION, end())?;
        let sink = context.sink_pad(kind, DEFAULT_DESCRIPTION, end())?;
        // The lane is new, so both places are empty.
        let _ = lane.source.set(source);
        let sink = lane.sink.get_or_init(|| sink);
        match (&lane.treatment, host()) {
            (Some(_), Some(host)) => sink.set_accepted(&[host.format_id(&raw_pictures())]),
            _ => sink.accept_any(),
        }
        Ok(lane)
    }
}

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        let Some(lane) = self.0.upgrade() else { return };
        let Some(source) = lane.source.get() else {
            return;
        };
        let Some(treatment) = &lane.treatment else {
            return source.push(packets);
        };
        let treat = |picture: &Packet| treatment.treat(picture).unwrap_or_else(|| picture.clone());
        let treated: Vec<Packet> = packets.iter().map(treat).collect();
        source.push(&treated);
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
