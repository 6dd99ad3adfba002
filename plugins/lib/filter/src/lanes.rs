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

    /// Whether it does anything at all: otherwise media of its kind passes as it comes, too, and nothing is decoded.
    fn is_needed(&self) -> bool {
        true
    }

    /// Whether it tells what it sees, by events say, so that media comes also while nobody consumes what goes on. Otherwise
    /// nothing is decoded then.
    fn is_watching(&self) -> bool {
        false
    }

    /// The format of media of another kind that it gives out itself, by an [`Outlet`], instead of what comes.
    fn gives(&self, kind: MediaKind) -> Option<Format> {
        let _ = kind;
        None
    }

    /// Media of another kind passes. As [`Treatment::drawn`].
    fn passes(&self, kind: MediaKind, media: &[Packet]) {
        let _ = (kind, media);
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
    lanes: Vec<Arc<Lane>>,
}

/// The way out of what a filter gives out itself. Whoever uses it gives out one thing after the other.
#[derive(Debug)]
pub struct Outlet(Weak<Lane>);

impl Outlet {
    /// Gives out media.
    pub fn push(&self, media: &[Packet]) {
        let lane = self.0.upgrade();
        if let Some(source) = lane.as_ref().and_then(|lane| lane.source.get()) {
            source.push(media);
        }
    }
}

impl Lanes {
    /// Opens the pads.
    ///
    /// # Errors
    /// The host's
    pub fn open(context: &ElementContext, treatment: &Arc<dyn Treatment>) -> Result<Self> {
        let lane = |kind: &MediaKind| Lane::open(context, *kind, treatment.clone());
        let lanes: Result<_> = MediaKind::ALL.iter().map(lane).collect();
        Ok(Self { lanes: lanes? })
    }

    /// The way out of media of a kind that the filter gives out itself.
    pub fn outlet(&self, kind: MediaKind) -> Option<Outlet> {
        let lane = self.lanes.iter().find(|lane| lane.kind == kind)?;
        Some(Outlet(Arc::downgrade(lane)))
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
    kind: MediaKind,
    source: OnceLock<SourcePad>,
    sink: OnceLock<SinkPad>,
    treatment: Arc<dyn Treatment>,
    /// What comes is not what goes out.
    is_given: bool,
}

/// The lane as its pads know it: they do not keep it alive.
struct End(Weak<Lane>);

impl Lane {
    fn open(
        context: &ElementContext,
        kind: MediaKind,
        treatment: Arc<dyn Treatment>,
    ) -> Result<Arc<Self>> {
        // What is treated goes out raw whatever comes, and each packet says which format it has: so consumers are there
        // before anything comes, which comes for them.
        let given = match kind == treatment.kind() && treatment.is_needed() {
            true => Some(raw(kind)),
            false => treatment.gives(kind),
        };
        let lane = Arc::new(Self {
            kind,
            source: OnceLock::new(),
            sink: OnceLock::new(),
            treatment,
            is_given: given.is_some(),
        });
        let end = || End(Arc::downgrade(&lane));
        let source = context.source_pad(kind, DEFAULT_DESCRIPTION, end())?;
        let sink = context.sink_pad(kind, DEFAULT_DESCRIPTION, end())?;
        if let Some(format) = given {
            source.set_format(host().map(|host| host.format_id(&format)));
        }
        // The lane is new, so both places are empty.
        let _ = lane.source.set(source);
        let sink = lane.sink.get_or_init(|| sink);
        match lane.is_treated() {
            true => lane.on_consumers(0),
            // What comes beside what is given out goes nowhere.
            false if lane.is_given => {}
            false => sink.accept_any(),
        }
        Ok(lane)
    }

    fn is_treated(&self) -> bool {
        self.kind == self.treatment.kind() && self.treatment.is_needed()
    }

    /// Asks for raw media, or for none while nobody would see what becomes of it: then the host converts nothing, and the
    /// first that comes afterwards is current.
    fn on_consumers(&self, count: u32) {
        let (true, Some(sink), Some(host)) = (self.is_treated(), self.sink.get(), host()) else {
            return;
        };
        match count > 0 || self.treatment.is_watching() {
            true => sink.set_accepted(&[host.format_id(&raw(self.kind))]),
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
        if !lane.is_treated() {
            lane.treatment.passes(lane.kind, packets);
            return push_single(source, packets);
        }
        let mut treated = Vec::with_capacity(packets.len());
        for packet in packets {
            lane.treatment.treat(packet.clone(), &mut treated);
        }
        source.push(&treated);
    }

    fn format(&self, format: Option<u32>) {
        let Some(lane) = self.0.upgrade() else { return };
        if let Some(source) = lane.source.get().filter(|_| !lane.is_given) {
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
