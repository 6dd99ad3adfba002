//! What a control operation does to a graph while its lock is held.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, Weak},
};

use super::{
    connection::{Connection, NodeEvent, PadKey},
    convert::Tree,
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
        let joined = link.clone();
        if let Some(source) = self.elements.get_mut(&connection.source) {
            source
                .outputs
                .entry(connection.source_key())
                .or_default()
                .push(link);
        }
        self.tell(&connection.source, NodeEvent::Connected(connection.clone()));
        self.refresh_link(&joined);
    }

    /// Removes a link if there is exactly this one.
    pub(super) fn unlink(&mut self, connection: &Connection) {
        let key = connection.sink_key();
        let Some(sink) = self.elements.get_mut(&connection.sink) else {
            return;
        };
        let is_meant = |link: &&Arc<Link>| link.connection == *connection;
        let Some(link) = sink.inputs.get(&key).filter(is_meant).cloned() else {
            return;
        };
        sink.inputs.remove(&key);
        let source = self.elements.get_mut(&connection.source);
        let links = source.and_then(|source| source.outputs.get_mut(&connection.source_key()));
        if let Some(links) = links {
            links.retain(|known| !Arc::ptr_eq(known, &link));
        }
        self.end_link(&link);
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

    fn input(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Link>> {
        self.elements.get(id)?.inputs.get(key).cloned()
    }

    /// Brings the link to a sink up to date.
    pub(super) fn refresh_input(&mut self, id: &Arc<str>, key: &PadKey) {
        if let Some(link) = self.input(id, key) {
            self.refresh_link(&link);
        }
    }

    /// The same, when the sink wants something else than before: what failed on the way to it is
    /// worth another try, and then for all others, too.
    pub(super) fn retry_input(&mut self, id: &Arc<str>, key: &PadKey) {
        let Some(link) = self.input(id, key) else {
            return;
        };
        let (source, source_key) = (&link.connection.source, link.connection.source_key());
        let element = self.elements.get_mut(source);
        let tree = element.and_then(|element| element.conversions.get_mut(&source_key));
        if tree.is_some_and(Tree::forget_failures) {
            self.refresh(source, &source_key);
        } else {
            self.refresh_link(&link);
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
            link.deactivate();
            link.set_feed(None);
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
