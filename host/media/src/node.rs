//! The pads and links of one media element.

use std::sync::{Arc, OnceLock};

use rivero_plugin_api::{
    MediaKind,
    abi::traits::{SinkGroup, SinkHandler, SourceHandler},
};

use crate::{
    connection::{Connection, Input, NodeObserver, PadKey, Way},
    consumer::Opening,
    convert::{bitrate::EncoderRates, route::ForcedFormat},
    element::{Carried, ClosedPads, Element, PadExists},
    flow::Unobserved,
    graph::Graph,
    owner::Owner,
    show::NotShown,
    sink::{Accepted, Sink},
    source::Source,
};

/// One element (or hub port) in the graph of its pipeline.
pub struct Node {
    id: Arc<str>,
    graph: Arc<Graph>,
    /// Whom pads belong to that are opened from now on.
    owner: OnceLock<Arc<dyn Owner>>,
    is_hidden: bool,
    closed: Arc<ClosedPads>,
}

impl Node {
    /// Enters an element into a graph.
    pub fn new(id: Arc<str>, graph: &Arc<Graph>, observer: Arc<dyn NodeObserver>) -> Arc<Self> {
        let closed = graph.add_element(id.clone(), observer);
        Arc::new(Self {
            id,
            graph: graph.clone(),
            owner: OnceLock::new(),
            is_hidden: false,
            closed,
        })
    }

    /// Enters a hub into a graph: nobody connects to it, and nobody hears of it, but the pads of its ports may
    /// [show](Self::show) its own.
    pub fn hidden(id: Arc<str>, graph: &Arc<Graph>) -> Arc<Self> {
        let closed = graph.add_element(id.clone(), Arc::new(Unobserved));
        Arc::new(Self {
            id,
            graph: graph.clone(),
            owner: OnceLock::new(),
            is_hidden: true,
            closed,
        })
    }

    /// Whether nobody connects to it.
    pub fn is_hidden(&self) -> bool {
        self.is_hidden
    }

    /// Names whom its pads belong to, before they are opened; only the first call counts. The pads of a
    /// node without an owner are called at once, on whichever thread that is.
    pub fn set_owner(&self, owner: Arc<dyn Owner>) {
        let _ = self.owner.set(owner);
    }

    /// The owner's calls return again: it is told what it missed.
    pub fn resume(&self) {
        self.graph.resume(&self.id);
    }

    /// The element's id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The graph it belongs to; elements of different graphs cannot be linked.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Requests a link to `sink` in place of what feeds that pad now. It carries
    /// media as soon as both pads exist and share a format.
    pub fn connect(
        &self,
        sink: &Self,
        kind: MediaKind,
        source_description: &str,
        sink_description: &str,
    ) {
        self.graph
            .connect(self.connection(sink, kind, source_description, sink_description));
    }

    /// Takes a link back. `Disconnected` is raised even where there was none.
    pub fn disconnect(
        &self,
        sink: &Self,
        kind: MediaKind,
        source_description: &str,
        sink_description: &str,
    ) {
        self.graph
            .disconnect(&self.connection(sink, kind, source_description, sink_description));
    }

    fn connection(
        &self,
        sink: &Self,
        kind: MediaKind,
        source_description: &str,
        sink_description: &str,
    ) -> Connection {
        Connection {
            source: self.id.clone(),
            sink: sink.id.clone(),
            kind,
            source_description: source_description.into(),
            sink_description: sink_description.into(),
        }
    }

    /// What feeds this element, links that still wait included.
    pub fn source_connections(
        &self,
        kind: Option<MediaKind>,
        description: Option<&str>,
    ) -> Vec<Connection> {
        self.graph.inputs(&self.id, kind, description)
    }

    /// What this element feeds, links that still wait included.
    pub fn sink_connections(
        &self,
        kind: Option<MediaKind>,
        description: Option<&str>,
    ) -> Vec<Connection> {
        self.graph.outputs(&self.id, kind, description)
    }

    /// Whether media arrives at a pad.
    pub fn flowing_in(&self, kind: MediaKind, description: &str) -> bool {
        let key = PadKey::new(kind, description);
        self.graph
            .sink(&self.id, &key)
            .is_some_and(|sink| sink.consumer().flow().is_flowing())
    }

    /// Whether media leaves a pad.
    pub fn flowing_out(&self, kind: MediaKind, description: &str) -> bool {
        let key = PadKey::new(kind, description);
        self.graph
            .source(&self.id, &key)
            .is_some_and(|source| source.flow().is_flowing())
    }

    /// Forces the format of what comes in, `None` to take it as it comes.
    pub fn force(&self, kind: MediaKind, format: Option<ForcedFormat>) {
        self.graph.force(&self.id, kind, format);
    }

    /// Sets the bitrates of encoders at the outputs, running ones included.
    pub fn set_encoder_rates(&self, rates: EncoderRates) {
        self.graph.set_encoder_rates(&self.id, rates);
    }

    /// What this element feeds, and by which way.
    pub fn ways(&self) -> Vec<Way> {
        self.graph.ways(&self.id)
    }

    /// What came to each sink pad so far, in no order.
    pub fn inputs(&self) -> Vec<Input> {
        self.graph.sink_pads(&self.id)
    }

    /// Average age of the media at each sink pad, ns since it entered the server:
    /// of those pads where something was measured.
    pub fn latencies(&self) -> Vec<(MediaKind, Arc<str>, f64)> {
        self.graph.latencies(&self.id)
    }

    /// Packets that arrived at and left the pads of this element so far.
    pub fn packet_counts(&self) -> (u64, u64) {
        self.graph.packet_counts(&self.id)
    }

    /// Bytes of all media that this element gave and took so far, also after its end.
    pub fn carried(&self) -> Carried {
        let elements = self.graph.elements();
        let element = elements.get(&self.id);
        element.map_or_else(|| self.closed.carried(), Element::carried)
    }

    /// Takes the element out of the graph, with all its links and pads.
    pub fn release(&self) {
        self.graph.remove_element(&self.id);
    }

    /// Opens a source pad.
    ///
    /// # Errors
    /// When there is one of that kind and description.
    pub fn add_source(
        &self,
        kind: MediaKind,
        description: &str,
        handler: SourceHandler,
    ) -> Result<Arc<Source>, PadExists> {
        self.graph.add_source(
            &self.id,
            PadKey::new(kind, description),
            handler,
            self.owner.get().cloned(),
        )
    }

    /// Opens a sink pad.
    ///
    /// # Errors
    /// When there is one of that kind and description.
    pub fn add_sink(
        &self,
        kind: MediaKind,
        description: &str,
        handler: SinkHandler,
        group: Option<SinkGroup>,
        token: u64,
    ) -> Result<Arc<Sink>, PadExists> {
        let opening = Opening {
            handler,
            group,
            token,
            owner: self.owner.get().cloned(),
        };
        self.graph
            .add_sink(&self.id, PadKey::new(kind, description), opening)
    }

    /// A source pad has another format now, 0 = none; links are decided about anew.
    pub fn set_format(&self, kind: MediaKind, description: &str, format: u32) {
        let format = self.graph.plane().formats().hold_number(format);
        self.graph
            .set_format(&self.id, &PadKey::new(kind, description), format);
    }

    /// A sink pad accepts these formats now, best first.
    pub fn set_accepted(&self, kind: MediaKind, description: &str, formats: &[u32]) {
        let accepted = Accepted::new(self.graph.plane().formats(), formats);
        self.graph
            .set_accepted(&self.id, &PadKey::new(kind, description), accepted);
    }

    /// Has a source pad show another one of the same graph, by its [number](Source::id): its consumers
    /// get what that one sends. `None`: itself again.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn show(
        &self,
        kind: MediaKind,
        description: &str,
        pad: Option<u32>,
    ) -> Result<(), NotShown> {
        self.graph
            .show(&self.id, &PadKey::new(kind, description), pad)
    }

    /// Closes a source pad.
    pub fn remove_source(&self, kind: MediaKind, description: &str) {
        self.graph
            .remove_source(&self.id, &PadKey::new(kind, description));
    }

    /// Closes a sink pad.
    pub fn remove_sink(&self, kind: MediaKind, description: &str) {
        self.graph
            .remove_sink(&self.id, &PadKey::new(kind, description));
    }
}

/// Whoever made it may have failed before it was released.
impl Drop for Node {
    fn drop(&mut self) {
        self.release();
    }
}
