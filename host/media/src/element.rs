//! One element of a graph: its pads and links, as the control side keeps them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rivero_plugin_api::MediaKind;

use crate::{
    connection::{NodeObserver, PadKey},
    convert::{bitrate::SharedRates, route::ForcedFormat, tree::Tree},
    link::Link,
    sink::Sink,
    source::Source,
};

/// A pad of this kind and description is open already, or the element is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the element has no place for another pad of this kind and description")]
pub struct PadExists;

/// A pad, by the id of its element and its key there.
pub(crate) type Pad = (Arc<str>, PadKey);

/// One element's pads and links.
pub(crate) struct Element {
    pub(crate) observer: Arc<dyn NodeObserver>,
    pub(crate) sources: HashMap<PadKey, Arc<Source>>,
    pub(crate) sinks: HashMap<PadKey, Arc<Sink>>,
    pub(crate) inputs: HashMap<PadKey, Arc<Link>>,
    pub(crate) outputs: HashMap<PadKey, Vec<Arc<Link>>>,
    /// What runs at its source pads.
    pub(crate) conversions: HashMap<PadKey, Tree>,
    /// Bitrates of the encoders among them.
    pub(crate) rates: Arc<SharedRates>,
    /// What its inputs are to get, by kind.
    pub(crate) forced: HashMap<MediaKind, ForcedFormat>,
    /// Source pads of other elements that its own show.
    pub(crate) shows: HashMap<PadKey, Pad>,
    /// Pads of other elements that show its source pads.
    pub(crate) shown_by: HashMap<PadKey, Vec<Pad>>,
    /// What listeners were told last, by kind.
    pub(crate) transcoding: HashMap<MediaKind, bool>,
    /// What its pads have carried that are closed.
    pub(crate) closed: Arc<ClosedPads>,
}

/// Bytes of the media of an element since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// What its source pads gave out.
    pub given: u64,
    /// What its sink pads were given.
    pub taken: u64,
}

/// What pads of an element have carried that are closed, also when the element is gone. Written under the
/// graph's lock, so that relaxed additions do.
#[derive(Debug, Default)]
pub(crate) struct ClosedPads {
    given: AtomicU64,
    taken: AtomicU64,
}

impl ClosedPads {
    pub(crate) fn close_source(&self, source: &Source) {
        self.given.fetch_add(source.flow().bytes(), Relaxed);
    }

    pub(crate) fn close_sink(&self, sink: &Sink) {
        self.taken
            .fetch_add(sink.consumer().flow().bytes(), Relaxed);
    }

    pub(crate) fn carried(&self) -> Carried {
        Carried {
            given: self.given.load(Relaxed),
            taken: self.taken.load(Relaxed),
        }
    }
}

impl Element {
    pub(crate) fn new(observer: Arc<dyn NodeObserver>) -> Self {
        Self {
            observer,
            sources: HashMap::new(),
            sinks: HashMap::new(),
            inputs: HashMap::new(),
            outputs: HashMap::new(),
            conversions: HashMap::new(),
            rates: Arc::default(),
            forced: HashMap::new(),
            shows: HashMap::new(),
            shown_by: HashMap::new(),
            transcoding: HashMap::new(),
            closed: Arc::default(),
        }
    }

    /// Of all its pads, open and closed.
    pub(crate) fn carried(&self) -> Carried {
        let mut carried = self.closed.carried();
        carried.given += self
            .sources
            .values()
            .map(|source| source.flow().bytes())
            .sum::<u64>();
        let taken = self
            .sinks
            .values()
            .map(|sink| sink.consumer().flow().bytes());
        carried.taken += taken.sum::<u64>();
        carried
    }

    /// All its pads are about to go.
    pub(crate) fn close(&self) {
        { self.sources.values() }.for_each(|source| self.closed.close_source(source));
        { self.sinks.values() }.for_each(|sink| self.closed.close_sink(sink));
    }
}
