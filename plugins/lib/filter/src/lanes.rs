//! The pads of a filter: sound and data pass as they come, pictures come raw and go out raw.

use std::sync::{Arc, OnceLock, Weak};

use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Format, MediaKind, Packaging, Packet, Result, SinkHandler,
    SinkPad, SourceHandler, SourcePad, Upstream, host,
};

/// What a filter does to media of one kind.
pub trait Treatment: Send + Sync + 'static {
    /// The kind of media; others pass as they come.
    fn kind(&self) -> MediaKind {
        MediaKind::Video
    }

    /// Whether it tells what it sees, by events say, so that media comes also while nobody consumes what goes on. Otherwise
    /// nothing is decoded then.
    fn is_watching(&self) -> bool {
        false
    }

    /// The picture (I420) that goes on instead of this one; `None` for the same. Called on the producer's thread: must
    /// not block.
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let _ = picture;
        None
    }

    /// Adds to `out` what goes on instead of this raw media (I420 or S16LE), where that is not one picture for each; its
    /// format may be another one. As [`Treatment::drawn`].
    fn treat(&self, media: Packet, out: &mut Vec<Packet>) {
        let drawn = self.drawn(&media);
        out.push(drawn.unwrap_or(media));
    }
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
            let treatment = (*kind == treatment.kind()).then(|| treatment.clone());
            Lane::open(context, *kind, treatment)
        };
        let lanes: Result<_> = MediaKind::ALL.iter().map(lane).collect();
        Ok(Self { _lanes: lanes? })
    }
}

/// Raw media; size and colours, or rate and channels, are each packet's own.
fn raw(kind: MediaKind) -> Format {
    let encoding = match kind {
        MediaKind::Audio => "S16LE",
        _ => "I420",
    };
    Format {
        packaging: Packaging::Raw,
        ..Format::rtp(encoding, 0, 0)
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
        match &lane.treatment {
            Some(_) => lane.on_consumers(0),
            None => sink.accept_any(),
        }
        Ok(lane)
    }

    /// Asks for raw media, or for none while nobody would see what becomes of it: then the host converts nothing, and the
    /// first that comes afterwards is current.
    fn on_consumers(&self, count: u32) {
        let (Some(treatment), Some(sink), Some(host)) = (&self.treatment, self.sink.get(), host())
        else {
            return;
        };
        match count > 0 || treatment.is_watching() {
            true => sink.set_accepted(&[host.format_id(&raw(treatment.kind()))]),
            false => sink.set_accepted(&[]),
        }
    }
}

/// Pushes packets as those of the only encoding that a pad has: of several encodings of a source only one comes in, with
/// its number there.
pub fn push_single(source: &SourcePad, packets: &[Packet]) {
    if packets.iter().all(|packet| packet.layer.encoding == 0) {
        return source.push(packets);
    }
    let single = packets.iter().map(|packet| {
        let mut packet = packet.clone();
        packet.layer.encoding = 0;
        packet
    });
    source.push(&single.collect::<Vec<_>>());
}

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        let Some(lane) = self.0.upgrade() else { return };
        let Some(source) = lane.source.get() else {
            return;
        };
        let Some(treatment) = &lane.treatment else {
            return push_single(source, packets);
        };
        let mut treated = Vec::with_capacity(packets.len());
        for packet in packets {
            treatment.treat(packet.clone(), &mut treated);
        }
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

    fn consumers(&self, count: u32) {
        if let Some(lane) = self.0.upgrade() {
            lane.on_consumers(count);
        }
    }
}
