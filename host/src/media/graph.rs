//! The elements of one pipeline and the links between them.
//!
//! All control operations of a pipeline take one short lock. What has to be
//! told to modules and listeners is queued while it is held and delivered
//! after it is let go, in order, by one thread at a time: a module may call
//! back into the graph from within.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rivero_plugin_api::{
    Error, MediaKind,
    abi::traits::{SinkGroup, SinkHandler, SourceHandler},
    supervise,
};

use super::{
    changes::Locked,
    connection::{Connection, NodeEvent, NodeObserver, PadKey},
    convert::{EncoderRates, ForcedFormat, SharedRates, Step, Tree},
    fanout::FanOut,
    flow::Direction,
    format::FormatUse,
    latency::Measuring,
    link::Link,
    plane::Plane,
    sink::{Accepted, Sink},
    source::Source,
};

/// A pad of this kind and description is open already, or the element is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the element has no place for another pad of this kind and description")]
pub struct PadExists;

/// The media side of a pipeline.
pub struct Graph {
    this: Weak<Graph>,
    plane: Arc<Plane>,
    measuring: Arc<Measuring>,
    elements: Mutex<HashMap<Arc<str>, Element>>,
    deliveries: Mutex<Deliveries>,
}

/// One element's pads and links.
pub(super) struct Element {
    pub(super) observer: Arc<dyn NodeObserver>,
    pub(super) sources: HashMap<PadKey, Arc<Source>>,
    pub(super) sinks: HashMap<PadKey, Arc<Sink>>,
    pub(super) inputs: HashMap<PadKey, Arc<Link>>,
    pub(super) outputs: HashMap<PadKey, Vec<Arc<Link>>>,
    /// What runs at its source pads.
    pub(super) conversions: HashMap<PadKey, Tree>,
    /// Bitrates of the encoders among them.
    pub(super) rates: Arc<SharedRates>,
    /// What its inputs are to get, by kind.
    pub(super) forced: HashMap<MediaKind, ForcedFormat>,
    /// What listeners were told last, by kind.
    pub(super) transcoding: HashMap<MediaKind, bool>,
}

/// Something to tell once the lock is let go.
pub(super) type Delivery = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Deliveries {
    queue: VecDeque<Delivery>,
    /// Whom to tell their formats before anything else; the last one first.
    announced: Vec<Arc<Sink>>,
    running: bool,
}

impl Deliveries {
    fn next(&mut self) -> Option<Delivery> {
        self.next_format().or_else(|| self.queue.pop_front())
    }

    /// What a format brings about comes before all others: it runs through everything that hands
    /// it on at once. So in a ring of such elements it meets itself and ends. Told by turns, two
    /// formats would follow each other round for ever.
    fn next_format(&mut self) -> Option<Delivery> {
        let sink = self.announced.pop()?;
        let Some(format) = sink.untold() else {
            // Dropping the last of it runs module code: not under the lock.
            return Some(Box::new(move || drop(sink)));
        };
        self.announced.push(sink.clone());
        Some(Box::new(move || sink.handler().format(format)))
    }
}

impl Graph {
    /// The graph of a new pipeline.
    pub fn new(plane: &Arc<Plane>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            plane: plane.clone(),
            measuring: Arc::default(),
            elements: Mutex::default(),
            deliveries: Mutex::default(),
        })
    }

    /// What all pipelines share.
    pub fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    pub(super) fn elements(&self) -> MutexGuard<'_, HashMap<Arc<str>, Element>> {
        self.elements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the graph, then delivers what came of it.
    fn change<T>(&self, body: impl FnOnce(&mut Locked<'_>) -> T) -> T {
        let mut locked = Locked {
            elements: self.elements(),
            plane: &self.plane,
            graph: &self.this,
            queue: Vec::new(),
            announced: Vec::new(),
        };
        let result = body(&mut locked);
        // Queued under the graph's lock: the order of changes is kept.
        let mut deliveries = self.deliveries();
        deliveries.queue.extend(locked.queue.drain(..));
        deliveries
            .announced
            .extend(locked.announced.drain(..).rev());
        drop(deliveries);
        drop(locked);
        self.deliver();
        result
    }

    /// Runs `news` after everything that is being told of what happened so far, on whichever thread
    /// does that.
    pub fn tell_after(&self, news: impl FnOnce() + Send + 'static) {
        self.change(|graph| graph.queue.push(Box::new(news)));
    }

    fn deliver(&self) {
        if std::mem::replace(&mut self.deliveries().running, true) {
            return;
        }
        loop {
            let mut deliveries = self.deliveries();
            let Some(delivery) = deliveries.next() else {
                deliveries.running = false;
                return;
            };
            drop(deliveries);
            // One that panics must not keep the others from being delivered for ever.
            supervise::contained("a delivery of the media graph", delivery);
        }
    }

    pub(crate) fn enter(&self, id: Arc<str>, observer: Arc<dyn NodeObserver>) {
        let element = Element {
            observer,
            sources: HashMap::new(),
            sinks: HashMap::new(),
            inputs: HashMap::new(),
            outputs: HashMap::new(),
            conversions: HashMap::new(),
            rates: Arc::default(),
            forced: HashMap::new(),
            transcoding: HashMap::new(),
        };
        self.elements().insert(id, element);
    }

    pub(crate) fn leave(&self, id: &Arc<str>) {
        let gone = self.change(|graph| graph.leave(id));
        // Handlers are let go outside of the lock: dropping them runs module code.
        drop(gone);
    }

    pub(crate) fn connect(&self, connection: Connection) {
        self.change(|graph| graph.connect(connection));
    }

    pub(crate) fn disconnect(&self, connection: &Connection) {
        self.change(|graph| {
            graph.unlink(connection);
            graph.tell(
                &connection.source,
                NodeEvent::Disconnected(connection.clone()),
            );
        });
    }

    pub(crate) fn add_source(
        &self,
        id: &Arc<str>,
        key: PadKey,
        handler: SourceHandler,
    ) -> Result<Arc<Source>, PadExists> {
        self.change(|graph| {
            let element = graph.elements.get_mut(id).ok_or(PadExists)?;
            if element.sources.contains_key(&key) {
                return Err(PadExists);
            }
            let observer = element.observer.clone();
            let flow = graph
                .plane
                .flow()
                .open(key.clone(), Direction::Out, observer);
            let source = Source::new(graph.plane, key.kind, handler, flow);
            let source = Arc::new(source.measuring(&self.measuring));
            element.sources.insert(key, source.clone());
            Ok(source)
        })
    }

    pub(crate) fn add_sink(
        &self,
        id: &Arc<str>,
        key: PadKey,
        handler: SinkHandler,
        group: Option<SinkGroup>,
        token: u64,
    ) -> Result<Arc<Sink>, PadExists> {
        self.change(|graph| {
            let element = graph.elements.get_mut(id).ok_or(PadExists)?;
            if element.sinks.contains_key(&key) {
                return Err(PadExists);
            }
            let observer = element.observer.clone();
            let flow = graph
                .plane
                .flow()
                .open(key.clone(), Direction::In, observer);
            let sink = Arc::new(Sink::new(handler, group, token, flow));
            element.sinks.insert(key, sink.clone());
            Ok(sink)
        })
    }

    pub(crate) fn set_format(&self, id: &Arc<str>, key: &PadKey, format: Option<Arc<FormatUse>>) {
        self.change(|graph| {
            let source = graph
                .elements
                .get(id)
                .and_then(|element| element.sources.get(key));
            if source.is_some_and(|source| source.set_format(format, graph.plane)) {
                graph.refresh(id, key);
            }
        });
    }

    pub(crate) fn set_accepted(&self, id: &Arc<str>, key: &PadKey, formats: Accepted) {
        self.change(|graph| {
            let surplus = formats.surplus();
            if surplus > 0 {
                let kind = key.kind;
                graph.tell(id, NodeEvent::TooManyFormats { kind, surplus });
            }
            let sink = graph.sink(id, key);
            if sink.is_some_and(|sink| sink.set_accepted(formats)) {
                graph.retry_input(id, key);
            } else {
                graph.refresh_input(id, key);
            }
        });
    }

    pub(crate) fn remove_source(&self, id: &Arc<str>, key: &PadKey) {
        let gone = self.change(|graph| {
            let source = graph.elements.get_mut(id)?.sources.remove(key);
            if let Some(source) = &source {
                source.set_consumers(FanOut::default());
            }
            graph.silence_outputs(id, key);
            graph.discard_conversions(id, key);
            source
        });
        drop(gone);
    }

    pub(crate) fn remove_sink(&self, id: &Arc<str>, key: &PadKey) {
        let gone = self.change(|graph| {
            let sink = graph.elements.get_mut(id)?.sinks.remove(key)?;
            sink.set_feed(None);
            graph.refresh_input(id, key);
            Some(sink)
        });
        drop(gone);
    }

    /// Forces the format of an element's inputs of one kind, or ends that.
    pub(crate) fn force(&self, id: &Arc<str>, kind: MediaKind, format: Option<ForcedFormat>) {
        self.change(|graph| {
            let Some(element) = graph.elements.get_mut(id) else {
                return;
            };
            match format {
                Some(format) => element.forced.insert(kind, format),
                None => element.forced.remove(&kind),
            };
            let inputs = element.inputs.keys().filter(|key| key.kind == kind);
            for key in inputs.cloned().collect::<Vec<_>>() {
                graph.retry_input(id, &key);
            }
        });
    }

    /// Sets the bitrates of the encoders at an element's outputs.
    pub(crate) fn set_encoder_rates(&self, id: &Arc<str>, rates: EncoderRates) {
        self.change(|graph| {
            let Some(element) = graph.elements.get(id) else {
                return;
            };
            element.rates.set(rates);
            for stage in element.conversions.values().flat_map(Tree::stages) {
                stage.retarget();
            }
        });
    }

    /// Whether pads measure how old the media is that arrives.
    pub fn measure_latency(&self, on: bool) {
        self.measuring.set(on);
    }

    pub(super) fn measuring(&self) -> &Arc<Measuring> {
        &self.measuring
    }

    pub(super) fn conversion_failed(
        &self,
        id: &Arc<str>,
        key: &PadKey,
        path: &[Step],
        error: &Error,
    ) {
        self.change(|graph| graph.conversion_failed(id, key, path, error));
    }

    pub(crate) fn source(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Source>> {
        self.elements().get(id)?.sources.get(key).cloned()
    }

    pub(crate) fn sink(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Sink>> {
        self.elements().get(id)?.sinks.get(key).cloned()
    }
}
