//! The elements of one pipeline and the links between them.
//!
//! All control operations of a pipeline take one short lock, the *graph's lock*. What modules and
//! listeners have to be told is queued while it is held and [delivered](crate::deliveries) after it
//! is let go.
//!
//! *Lock order:* the graph's lock first, then that of a link's record, of a pad's format or
//! encodings, or of the deliveries, one of them at a time. A producer takes none of the graph's
//! but reads the snapshot of consumers that a change has published.

use std::sync::{Arc, Weak};

use rivero_plugin_api::{Error, MediaKind, abi::traits::SourceHandler};

use crate::{
    changes::Locked,
    connection::{Connection, NodeEvent, NodeObserver, PadKey},
    consumer::Opening,
    convert::{
        bitrate::EncoderRates,
        route::{ForcedFormat, Step},
        stage::FailureObserver,
        tree::Tree,
    },
    deliveries::{Deliveries, Delivery},
    element::{ClosedPads, Element, PadExists},
    elements::{self, Elements},
    fanout::FanOut,
    flow::Direction,
    format::FormatUse,
    latency::Measuring,
    owner::Owner,
    plane::Plane,
    show::NotShown,
    sink::{Accepted, Sink},
    source::Source,
};

/// The media side of a pipeline.
pub struct Graph {
    /// Itself, as conversions know it.
    failures: Weak<dyn FailureObserver>,
    plane: Arc<Plane>,
    measuring: Arc<Measuring>,
    elements: Elements,
    deliveries: Deliveries,
}

impl Graph {
    /// The graph of a new pipeline.
    pub fn new(plane: &Arc<Plane>) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| {
            let failures: Weak<dyn FailureObserver> = this.clone();
            Self {
                failures,
                plane: plane.clone(),
                measuring: Arc::default(),
                elements: Elements::default(),
                deliveries: Deliveries::default(),
            }
        })
    }

    /// What all pipelines share.
    pub fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    pub(crate) fn elements(&self) -> elements::Locked<'_> {
        self.elements.lock()
    }

    /// Changes the graph, then delivers what came of it.
    fn change<T>(&self, body: impl FnOnce(&mut Locked<'_>) -> T) -> T {
        let mut locked = Locked {
            elements: self.elements(),
            plane: &self.plane,
            failures: &self.failures,
            measuring: &self.measuring,
            events: Vec::new(),
            formats: Vec::new(),
        };
        let result = body(&mut locked);
        let Locked {
            elements,
            events,
            formats,
            ..
        } = locked;
        // Queued before the graph's lock is let go, or what came of a later change could be told
        // first; run after it, since what is run may call back.
        self.deliveries.add(events, formats);
        drop(elements);
        self.deliveries.run();
        result
    }

    /// Runs `action` after all deliveries of what happened so far, on whichever thread makes those. A
    /// module that does not return is waited for a moment only.
    pub fn after_deliveries(&self, action: impl FnOnce() + Send + 'static) {
        let action = Delivery::Here(Box::new(action));
        self.change(|graph| graph.events.push(action));
    }

    /// Tells an element what it missed while a call of it hung.
    pub(crate) fn resume(&self, id: &Arc<str>) {
        self.change(|graph| graph.resume(id));
    }

    /// Returns where the media of its closed pads is counted.
    pub(crate) fn add_element(
        &self,
        id: Arc<str>,
        observer: Arc<dyn NodeObserver>,
    ) -> Arc<ClosedPads> {
        let element = Element::new(observer);
        let closed = element.closed.clone();
        self.elements().insert(id, element);
        closed
    }

    pub(crate) fn remove_element(&self, id: &Arc<str>) {
        let gone = self.change(|graph| graph.remove_element(id));
        // Handlers are let go outside of the lock: dropping them runs module code.
        drop(gone);
    }

    pub(crate) fn connect(&self, connection: Connection) {
        self.change(|graph| graph.connect(connection));
    }

    pub(crate) fn disconnect(&self, connection: &Connection) {
        self.change(|graph| {
            graph.unlink(connection);
            graph.raise(
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
        owner: Option<Arc<dyn Owner>>,
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
            let source = Source::new(graph.plane, key.kind, handler, owner, flow);
            let source = Arc::new(source.measuring(&self.measuring));
            element.sources.insert(key, source.clone());
            Ok(source)
        })
    }

    pub(crate) fn add_sink(
        &self,
        id: &Arc<str>,
        key: PadKey,
        opening: Opening,
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
            let sink = Sink::new(key.kind, opening, flow);
            sink.consumer().count_estimates(graph.plane.estimates());
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
            if source.is_some_and(|source| source.set_format(format, graph.plane))
                && !graph.is_showing(id, key)
            {
                graph.refresh(id, key);
            }
        });
    }

    pub(crate) fn set_accepted(&self, id: &Arc<str>, key: &PadKey, formats: Accepted) {
        self.change(|graph| {
            let surplus = formats.surplus();
            if surplus > 0 {
                let kind = key.kind;
                graph.raise(id, NodeEvent::TooManyFormats { kind, surplus });
            }
            let sink = graph.sink(id, key);
            if sink.is_some_and(|sink| sink.set_accepted(formats)) {
                graph.retry_input(id, key);
            } else {
                graph.refresh_input(id, key);
            }
        });
    }

    /// Has a source pad show another one of this graph, by its number; `None`: itself again.
    pub(crate) fn show(
        &self,
        id: &Arc<str>,
        key: &PadKey,
        pad: Option<u32>,
    ) -> Result<(), NotShown> {
        self.change(|graph| graph.show(id, key, pad))
    }

    pub(crate) fn remove_source(&self, id: &Arc<str>, key: &PadKey) {
        let gone = self.change(|graph| {
            graph.end_shows_of(id, key);
            let element = graph.elements.get_mut(id)?;
            let source = element.sources.remove(key);
            if let Some(source) = &source {
                element.closed.close_source(source);
                source.set_consumers(FanOut::default());
            }
            graph.deactivate_outputs(id, key);
            graph.discard_conversions(id, key);
            source
        });
        drop(gone);
    }

    pub(crate) fn remove_sink(&self, id: &Arc<str>, key: &PadKey) {
        let gone = self.change(|graph| {
            let element = graph.elements.get_mut(id)?;
            let sink = element.sinks.remove(key)?;
            element.closed.close_sink(&sink);
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
            graph.refresh_shows(id);
        });
    }

    /// Whether pads measure how old the media is that arrives.
    pub fn measure_latency(&self, on: bool) {
        self.measuring.set(on);
    }

    pub(crate) fn source(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Source>> {
        self.elements().get(id)?.sources.get(key).cloned()
    }

    pub(crate) fn sink(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Sink>> {
        self.elements().get(id)?.sinks.get(key).cloned()
    }
}

impl FailureObserver for Graph {
    fn conversion_failed(&self, element: &Arc<str>, key: &PadKey, path: &[Step], error: &Error) {
        self.change(|graph| graph.conversion_failed(element, key, path, error));
    }
}
