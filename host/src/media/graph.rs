//! The elements of one pipeline and the links between them.
//!
//! All control operations of a pipeline take one short lock. What has to be
//! told to modules and listeners is queued while it is held and delivered
//! after it is let go, in order, by one thread at a time: a module may call
//! back into the graph from within.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rivero_plugin_api::{
    MediaKind,
    abi::{
        guard,
        traits::{ANY_FORMAT, SinkGroup, SinkHandler, SourceHandler},
    },
};

use super::{
    connection::{Connection, NodeEvent, NodeObserver, PadKey},
    fanout::FanOut,
    flow::Direction,
    link::Link,
    plane::Plane,
    sink::Sink,
    source::Source,
};

/// A pad of this kind and description is open already, or the element is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the element has no place for another pad of this kind and description")]
pub struct PadExists;

/// The media side of a pipeline.
pub struct Graph {
    plane: Arc<Plane>,
    elements: Mutex<HashMap<Arc<str>, Element>>,
    deliveries: Mutex<Deliveries>,
}

struct Element {
    observer: Arc<dyn NodeObserver>,
    sources: HashMap<PadKey, Arc<Source>>,
    sinks: HashMap<PadKey, Arc<Sink>>,
    inputs: HashMap<PadKey, Arc<Link>>,
    outputs: HashMap<PadKey, Vec<Arc<Link>>>,
}

type Delivery = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Deliveries {
    queue: VecDeque<Delivery>,
    running: bool,
}

/// The graph while its lock is held.
struct Locked<'a> {
    elements: MutexGuard<'a, HashMap<Arc<str>, Element>>,
    plane: &'a Arc<Plane>,
    queue: Vec<Delivery>,
}

impl Graph {
    /// The graph of a new pipeline.
    pub fn new(plane: &Arc<Plane>) -> Arc<Self> {
        Arc::new(Self {
            plane: plane.clone(),
            elements: Mutex::default(),
            deliveries: Mutex::default(),
        })
    }

    /// What all pipelines share.
    pub fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    fn elements(&self) -> MutexGuard<'_, HashMap<Arc<str>, Element>> {
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
            queue: Vec::new(),
        };
        let result = body(&mut locked);
        // Queued under the graph's lock: the order of changes is kept.
        self.deliveries().queue.extend(locked.queue.drain(..));
        drop(locked);
        self.deliver();
        result
    }

    fn deliver(&self) {
        if std::mem::replace(&mut self.deliveries().running, true) {
            return;
        }
        loop {
            let mut deliveries = self.deliveries();
            let Some(delivery) = deliveries.queue.pop_front() else {
                deliveries.running = false;
                return;
            };
            drop(deliveries);
            // One that panics must not keep the others from being delivered for ever.
            if let Err(message) = guard::contain(delivery) {
                tracing::error!("a delivery of the media graph panicked: {message}");
            }
        }
    }

    pub(crate) fn enter(&self, id: Arc<str>, observer: Arc<dyn NodeObserver>) {
        let element = Element {
            observer,
            sources: HashMap::new(),
            sinks: HashMap::new(),
            inputs: HashMap::new(),
            outputs: HashMap::new(),
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
            let source = Arc::new(Source::new(graph.plane, key.kind, handler, flow));
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

    pub(crate) fn set_format(&self, id: &Arc<str>, key: &PadKey, format: u32) {
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

    pub(crate) fn set_accepted(&self, id: &Arc<str>, key: &PadKey, formats: &[u32]) {
        self.change(|graph| {
            if let Some(sink) = graph.sink(id, key) {
                sink.set_accepted(formats);
            }
            graph.refresh_feed_of(id, key);
        });
    }

    pub(crate) fn remove_source(&self, id: &Arc<str>, key: &PadKey) {
        let gone = self.change(|graph| {
            let source = graph.elements.get_mut(id)?.sources.remove(key);
            if let Some(source) = &source {
                source.set_consumers(FanOut::default());
            }
            graph.silence_outputs(id, key);
            source
        });
        drop(gone);
    }

    pub(crate) fn remove_sink(&self, id: &Arc<str>, key: &PadKey) {
        let gone = self.change(|graph| {
            let sink = graph.elements.get_mut(id)?.sinks.remove(key)?;
            sink.set_feed(None);
            graph.refresh_feed_of(id, key);
            Some(sink)
        });
        drop(gone);
    }

    pub(crate) fn inputs(
        &self,
        id: &Arc<str>,
        kind: Option<MediaKind>,
        description: Option<&str>,
    ) -> Vec<Connection> {
        let elements = self.elements();
        let inputs = elements
            .get(id)
            .into_iter()
            .flat_map(|element| &element.inputs);
        let fitting = inputs.filter(|(key, _)| key.fits(kind, description));
        sorted(fitting.map(|(_, link)| link.connection.clone()).collect())
    }

    pub(crate) fn outputs(
        &self,
        id: &Arc<str>,
        kind: Option<MediaKind>,
        description: Option<&str>,
    ) -> Vec<Connection> {
        let elements = self.elements();
        let outputs = elements
            .get(id)
            .into_iter()
            .flat_map(|element| &element.outputs);
        let fitting = outputs.filter(|(key, _)| key.fits(kind, description));
        sorted(
            fitting
                .flat_map(|(_, links)| links)
                .map(|link| link.connection.clone())
                .collect(),
        )
    }

    pub(crate) fn source(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Source>> {
        self.elements().get(id)?.sources.get(key).cloned()
    }

    pub(crate) fn sink(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Sink>> {
        self.elements().get(id)?.sinks.get(key).cloned()
    }

    pub(crate) fn packet_counts(&self, id: &Arc<str>) -> (u64, u64) {
        let elements = self.elements();
        elements.get(id).map_or((0, 0), |element| {
            (
                element
                    .sinks
                    .values()
                    .map(|sink| sink.flow().packets())
                    .sum(),
                element
                    .sources
                    .values()
                    .map(|source| source.flow().packets())
                    .sum(),
            )
        })
    }
}

fn sorted(mut connections: Vec<Connection>) -> Vec<Connection> {
    connections.sort_by(|a, b| {
        (a.kind as u8, &a.source, &a.sink).cmp(&(b.kind as u8, &b.source, &b.sink))
    });
    connections
}

impl Locked<'_> {
    fn tell(&mut self, id: &Arc<str>, event: NodeEvent) {
        if let Some(element) = self.elements.get(id) {
            let observer = element.observer.clone();
            self.queue.push(Box::new(move || observer.notify(event)));
        }
    }

    fn sink(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Sink>> {
        self.elements.get(id)?.sinks.get(key).cloned()
    }

    fn connect(&mut self, connection: Connection) {
        let key = connection.sink_key();
        let former = self
            .elements
            .get(&connection.sink)
            .and_then(|element| element.inputs.get(&key));
        if let Some(former) = former.map(|link| link.connection.clone()) {
            self.unlink(&former);
            self.tell(&former.source.clone(), NodeEvent::Disconnected(former));
        }
        if !self.elements.contains_key(&connection.source) {
            return;
        }
        let Some(sink) = self.elements.get_mut(&connection.sink) else {
            return;
        };
        let link = Arc::new(Link::new(connection.clone()));
        sink.inputs.insert(key, link.clone());
        let source_key = connection.source_key();
        if let Some(source) = self.elements.get_mut(&connection.source) {
            source
                .outputs
                .entry(source_key.clone())
                .or_default()
                .push(link);
        }
        self.tell(&connection.source, NodeEvent::Connected(connection.clone()));
        self.refresh(&connection.source, &source_key);
    }

    /// Removes a link if there is exactly this one.
    fn unlink(&mut self, connection: &Connection) {
        let key = connection.sink_key();
        let Some(sink) = self.elements.get_mut(&connection.sink) else {
            return;
        };
        if sink
            .inputs
            .get(&key)
            .is_none_or(|link| link.connection != *connection)
        {
            return;
        }
        sink.inputs.remove(&key);
        let source_key = connection.source_key();
        let source = self.elements.get_mut(&connection.source);
        if let Some(links) = source.and_then(|source| source.outputs.get_mut(&source_key)) {
            links.retain(|link| link.connection != *connection);
        }
        self.refresh(&connection.source, &source_key);
        self.silence(&connection.sink, &key);
    }

    fn leave(&mut self, id: &Arc<str>) -> Option<Element> {
        let element = self.elements.get(id)?;
        let inputs = element.inputs.values().map(|link| link.connection.clone());
        let outputs = element
            .outputs
            .values()
            .flatten()
            .map(|link| link.connection.clone());
        let mut connections = sorted(inputs.chain(outputs).collect());
        // A link of the element to itself is both.
        connections.dedup();
        for connection in connections {
            self.unlink(&connection);
            self.tell(
                &connection.source.clone(),
                NodeEvent::Disconnected(connection),
            );
        }
        let element = self.elements.remove(id)?;
        for source in element.sources.values() {
            source.set_consumers(FanOut::default());
        }
        element.sinks.values().for_each(|sink| sink.set_feed(None));
        Some(element)
    }

    /// Brings the source that feeds a sink up to date.
    fn refresh_feed_of(&mut self, id: &Arc<str>, key: &PadKey) {
        let link = self
            .elements
            .get(id)
            .and_then(|element| element.inputs.get(key));
        if let Some(connection) = link.map(|link| link.connection.clone()) {
            self.refresh(&connection.source, &connection.source_key());
        }
    }

    /// The source pad of these links is gone.
    fn silence_outputs(&mut self, id: &Arc<str>, key: &PadKey) {
        let links = self
            .elements
            .get(id)
            .and_then(|element| element.outputs.get(key))
            .cloned();
        for link in links.unwrap_or_default() {
            link.set_active(false);
            self.silence(&link.connection.sink, &link.connection.sink_key());
        }
    }

    /// Nothing feeds this sink any more.
    fn silence(&mut self, id: &Arc<str>, key: &PadKey) {
        if let Some(sink) = self.sink(id, key) {
            sink.set_feed(None);
            self.announce(sink, 0);
        }
    }

    fn announce(&mut self, sink: Arc<Sink>, format: u32) {
        if sink.announce(format) {
            self.queue
                .push(Box::new(move || sink.handler().format(format)));
        }
    }

    /// Decides anew which links of a source pad carry media.
    fn refresh(&mut self, id: &Arc<str>, key: &PadKey) {
        let Some(element) = self.elements.get(id) else {
            return;
        };
        let Some(source) = element.sources.get(key).cloned() else {
            return;
        };
        let links = element.outputs.get(key).cloned().unwrap_or_default();
        let mut consumers = FanOut::default();
        let mut fresh = false;
        for link in links {
            let sink = self.sink(&link.connection.sink, &link.connection.sink_key());
            let Some(sink) = sink else {
                link.set_active(false);
                continue;
            };
            if self.agree(&source, &link, &sink) {
                fresh |= link.set_active(true);
                sink.set_feed(Some((source.clone(), link.clone())));
                self.announce(sink.clone(), source.format());
                consumers.add(link, sink);
            } else {
                link.set_active(false);
                sink.set_feed(None);
                self.announce(sink, 0);
            }
        }
        self.install(source, consumers, fresh && key.kind == MediaKind::Video);
    }

    fn install(&mut self, source: Arc<Source>, consumers: FanOut, needs_keyframe: bool) {
        let count = consumers.len();
        let former = source.set_consumers(consumers);
        self.queue.push(Box::new(move || {
            if former != count {
                source
                    .handler()
                    .consumers(u32::try_from(count).unwrap_or(u32::MAX));
            }
            source.estimates_changed();
            if needs_keyframe {
                source.request_keyframe();
            }
        }));
    }

    /// Whether both ends of a link have the same format in mind.
    fn agree(&mut self, source: &Source, link: &Link, sink: &Sink) -> bool {
        let (format, accepted) = (source.format(), sink.accepted());
        if format == 0 || accepted.is_empty() {
            return false;
        }
        if accepted.contains(&format) || accepted.contains(&ANY_FORMAT) {
            return true;
        }
        self.tell_unconvertible(link, format, &accepted);
        false
    }

    fn tell_unconvertible(&mut self, link: &Link, format: u32, accepted: &[u32]) {
        let formats = self.plane.formats();
        let accepted: Vec<String> = accepted.iter().map(|id| formats.describe(*id)).collect();
        let reason = format!(
            "{} sends {}, {} accepts {}, and no installed module converts between them",
            link.connection.source,
            formats.describe(format),
            link.connection.sink,
            accepted.join(" or "),
        );
        let kind = link.connection.kind;
        self.tell(
            &link.connection.sink.clone(),
            NodeEvent::Unconvertible { kind, reason },
        );
    }
}
