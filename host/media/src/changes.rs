//! What a control operation does to a graph while its lock is held.

use std::sync::{Arc, Weak};

use rivero_plugin_api::Upstream;

use crate::{
    connection::{Connection, NodeEvent, PadKey, sorted},
    convert::{stage::FailureObserver, tree::Tree},
    deliveries::Delivery,
    element::Element,
    elements,
    fanout::FanOut,
    latency::Measuring,
    link::Link,
    plane::Plane,
    sink::Sink,
};

/// The graph while its lock is held.
pub(crate) struct Locked<'a> {
    pub(crate) elements: elements::Locked<'a>,
    pub(crate) plane: &'a Arc<Plane>,
    /// Whom conversions tell that they failed.
    pub(crate) failures: &'a Weak<dyn FailureObserver>,
    pub(crate) measuring: &'a Arc<Measuring>,
    /// What is to be told once the lock is let go.
    pub(crate) events: Vec<Delivery>,
    /// Sinks whose modules have to be notified of their formats then.
    pub(crate) formats: Vec<Arc<Sink>>,
}

impl Locked<'_> {
    /// Has an element's observer told of an event.
    pub(crate) fn raise(&mut self, id: &Arc<str>, event: NodeEvent) {
        if let Some(element) = self.elements.get(id) {
            let observer = element.observer.clone();
            let notify = move || observer.notify(event);
            self.events.push(Delivery::Here(Box::new(notify)));
        }
    }

    pub(crate) fn sink(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Sink>> {
        self.elements.get(id)?.sinks.get(key).cloned()
    }

    pub(crate) fn connect(&mut self, connection: Connection) {
        let key = connection.sink_key();
        let former = self
            .elements
            .get(&connection.sink)
            .and_then(|element| element.inputs.get(&key));
        if let Some(former) = former.map(|link| link.connection.clone()) {
            self.unlink(&former);
            self.raise(&former.source.clone(), NodeEvent::Disconnected(former));
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
        self.raise(&connection.source, NodeEvent::Connected(connection.clone()));
        self.refresh_link(&joined);
    }

    /// Removes a link if there is exactly this one.
    pub(crate) fn unlink(&mut self, connection: &Connection) {
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
        self.end_feed(&connection.sink, &key);
    }

    pub(crate) fn remove_element(&mut self, id: &Arc<str>) -> Option<Element> {
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
                self.raise(
                    &connection.source.clone(),
                    NodeEvent::Disconnected(connection),
                );
            }
        }
        self.end_shows(id);
        let pads: Vec<_> = self.elements.get(id)?.conversions.keys().cloned().collect();
        for key in pads {
            self.discard_conversions(id, &key);
        }
        let element = self.elements.remove(id)?;
        element.close();
        for source in element.sources.values() {
            source.set_consumers(FanOut::default());
        }
        element.sinks.values().for_each(|sink| sink.set_feed(None));
        Some(element)
    }

    /// An owner whose calls hung is told what it missed.
    pub(crate) fn resume(&mut self, id: &Arc<str>) {
        let Some(element) = self.elements.get(id) else {
            return;
        };
        for source in element.sources.values() {
            let (told, owner) = (source.clone(), source.owner().cloned());
            let tell = move || told.notify_of_consumers();
            self.events.push(Delivery::to(owner.as_ref(), tell));
        }
        for sink in element.sinks.values() {
            if !sink.is_settled() {
                self.formats.push(sink.clone());
            }
            let sink = sink.clone();
            let ask = move || sink.upstream(Upstream::KeyframeRequest);
            self.events.push(Delivery::Here(Box::new(ask)));
        }
    }

    fn input(&self, id: &Arc<str>, key: &PadKey) -> Option<Arc<Link>> {
        self.elements.get(id)?.inputs.get(key).cloned()
    }

    /// Brings the link to a sink up to date.
    pub(crate) fn refresh_input(&mut self, id: &Arc<str>, key: &PadKey) {
        if let Some(link) = self.input(id, key) {
            self.refresh_link(&link);
        }
    }

    /// The same, when the sink wants something else than before: what failed on the way to it is
    /// worth another try, and then for all others, too.
    pub(crate) fn retry_input(&mut self, id: &Arc<str>, key: &PadKey) {
        let Some(link) = self.input(id, key) else {
            return;
        };
        let (source, source_key) = self.pad_of(&link);
        let element = self.elements.get_mut(&source);
        let tree = element.and_then(|element| element.conversions.get_mut(&source_key));
        if tree.is_some_and(Tree::forget_failures) {
            self.refresh(&source, &source_key);
        } else {
            self.refresh_link(&link);
        }
    }

    /// The source pad of these links is gone.
    pub(crate) fn deactivate_outputs(&mut self, id: &Arc<str>, key: &PadKey) {
        let links = self
            .elements
            .get(id)
            .and_then(|element| element.outputs.get(key))
            .cloned();
        for link in links.unwrap_or_default() {
            link.deactivate();
            link.set_feed(None);
            self.end_feed(&link.connection.sink, &link.connection.sink_key());
        }
    }

    /// Nothing feeds this sink any more.
    pub(crate) fn end_feed(&mut self, id: &Arc<str>, key: &PadKey) {
        if let Some(sink) = self.sink(id, key) {
            sink.set_feed(None);
            self.set_sink_format(sink, 0);
        }
    }

    /// Has a sink's module notified of the format that comes from now on, 0 = none.
    pub(crate) fn set_sink_format(&mut self, sink: Arc<Sink>, format: u32) {
        let known = self.plane.formats().get(format);
        if sink.set_format(format, known.map(|format| format.packaging)) {
            self.formats.push(sink);
        }
    }
}
