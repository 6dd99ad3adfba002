//! What can be asked of a graph: links, their ways, counters.

use std::sync::Arc;

use rivero_plugin_api::MediaKind;

use crate::{
    connection::{Connection, Input, Way, sorted},
    graph::Graph,
};

impl Graph {
    /// Average age at the sink pads of an element, ns since entering the server.
    pub(crate) fn latencies(&self, id: &Arc<str>) -> Vec<(MediaKind, Arc<str>, f64)> {
        let elements = self.elements();
        let sinks = elements
            .get(id)
            .into_iter()
            .flat_map(|element| &element.sinks);
        let measured = sinks.filter_map(|(key, sink)| {
            let average = sink.consumer().latency().average()?;
            Some((key.kind, key.description.clone(), average))
        });
        let mut latencies: Vec<_> = measured.collect();
        latencies.sort_by(|a, b| (a.0.number(), &a.1).cmp(&(b.0.number(), &b.1)));
        latencies
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

    /// All links that an element feeds, with the ways of their media.
    pub(crate) fn ways(&self, id: &Arc<str>) -> Vec<Way> {
        let elements = self.elements();
        let outputs = elements
            .get(id)
            .into_iter()
            .flat_map(|element| element.outputs.values().flatten());
        let formats = self.plane().formats();
        let ways = outputs.map(|link| Way {
            connection: link.connection.clone(),
            hops: link
                .route()
                .iter()
                .map(|hop| (hop.pad, formats.describe(hop.format)))
                .collect(),
        });
        let mut ways: Vec<Way> = ways.collect();
        ways.sort_by(|a, b| a.connection.rank().cmp(&b.connection.rank()));
        ways
    }

    /// What came to the sink pads of an element.
    pub(crate) fn sink_pads(&self, id: &Arc<str>) -> Vec<Input> {
        let elements = self.elements();
        let sinks = elements
            .get(id)
            .into_iter()
            .flat_map(|element| &element.sinks);
        let inputs = sinks.map(|(key, sink)| {
            let consumer = sink.consumer();
            Input {
                kind: key.kind,
                description: key.description.clone(),
                flowing: consumer.flow().is_flowing(),
                packets: consumer.flow().packets(),
                bytes: consumer.flow().bytes(),
                lost: consumer.lost(),
            }
        });
        inputs.collect()
    }

    pub(crate) fn packet_counts(&self, id: &Arc<str>) -> (u64, u64) {
        let elements = self.elements();
        elements.get(id).map_or((0, 0), |element| {
            (
                element
                    .sinks
                    .values()
                    .map(|sink| sink.consumer().flow().packets())
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
