//! What a control operation does to a graph while its lock is held.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, Weak},
};

use super::{
    connection::{Connection, NodeEvent, PadKey},
    fanout::FanOut,
    graph::{Delivery, Element, Graph},
    link::Link,
    plane::Plane,
    queries::sorted,
    sink::Sink,
};

/// The graph while its lock is held.
pub(super) struct Locked<'a> {
    pub(super) elements: MutexGuard<'a, HashMap<Arc<str>, Element>>,
    pub(super) plane: &'a Arc<Plane>,
    pub(super) graph: &'a Weak<Graph>,
    pub(super) queue: Vec<Delivery>,
    /// Sinks whose modules have to be told their formats.
    pub(super) announced: Vec<Arc<Sink>>,
}

impl Locked<'_> {
    pub(super) fn tell(&mut self, id: &Arc<str>, event: NodeEvent) {
        if let Some(element) = self.elements.get(id) {
            let observer = element.observer.clone();
            self.queue.push(Box::new(move || observer.notify(event)));
        }
    }

    pub(super) fn sink(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Sink>> {
        self.elements.get(id)?.sinks.get(key).cloned()
    }

    pub(super) fn connect(&mut self, connection: Connection) {
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
    pub(super) fn unlink(&mut self, connection: &Connection) {
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

    pub(super) fn leave(&mut self, id: &Arc<str>) -> Option<Element> {
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
            // As in Kurento, an object that is released raises no events about its own end.
            if connection.source != *id {
                self.tell(
                    &connection.source.clone(),
                    NodeEvent::Disconnected(connection),
                );
            }
        }
        let pads: Vec<_> = self.elements.get(id)?.conversions.keys().cloned().collect();
        for key in pads {
            self.discard_conversions(id, &key);
        }
        let element = self.elements.remove(id)?;
        for source in element.sources.values() {
            source.set_consumers(FanOut::default());
        }
        element.sinks.values().for_each(|sink| sink.set_feed(None));
        Some(element)
    }

    /// Brings the source that feeds a sink up to date.
    pub(super) fn refresh_feed_of(&mut self, id: &Arc<str>, key: &PadKey) {
        let link = self
            .elements
            .get(id)
            .and_then(|element| element.inputs.get(key));
        if let Some(connection) = link.map(|link| link.connection.clone()) {
            self.refresh(&connection.source, &connection.source_key());
        }
    }

    /// What failed on the way to a sink is worth another try.
    pub(super) fn forget_failures(&mut self, id: &Arc<str>, key: &PadKey) {
        let link = self
            .elements
            .get(id)
            .and_then(|element| element.inputs.get(key));
        let Some(connection) = link.map(|link| link.connection.clone()) else {
            return;
        };
        let source = self.elements.get_mut(&connection.source);
        let tree = source.and_then(|source| source.conversions.get_mut(&connection.source_key()));
        if let Some(tree) = tree {
            tree.forget_failures();
        }
    }

    /// The source pad of these links is gone.
    pub(super) fn silence_outputs(&mut self, id: &Arc<str>, key: &PadKey) {
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

    pub(super) fn announce(&mut self, sink: Arc<Sink>, format: u32) {
        if sink.announce(format) {
            self.announced.push(sink);
        }
    }
}
