//! A pipeline as a graph: its elements, and links with what goes through them.

use std::sync::Arc;

use rivero_media::{Input, Way};
use serde_json::{Value, json};

use super::details::{Asked, Details};
use super::overview::name;
use crate::core::Core;
use crate::events::now_millis;
use crate::registry::{Body, Object};

/// Elements shown of a pipeline; further ones are only counted.
const MOST: usize = 400;
/// Elements whose modules are asked for what their peers lose.
const MOST_ASKED: usize = 64;

/// The graph of a pipeline as it is now. Counters are those since the pads were opened: rates come of
/// the difference between two of them.
pub(super) fn of(core: &Arc<Core>, details: &Details, pipeline: &Arc<Object>) -> Value {
    let mut elements = Vec::new();
    below(pipeline, &mut elements);
    let total = elements.len();
    elements.truncate(MOST);
    let mut links = Vec::new();
    let nodes: Vec<Value> = { elements.iter().enumerate() }
        .map(|(index, element)| {
            let way = |way: &Way| link(core, way);
            let ways = element.node().map(|node| node.ways()).unwrap_or_default();
            links.extend(ways.iter().map(way));
            let asked = index < MOST_ASKED && element.node().is_some();
            let stats = asked.then(|| details.of(core, element, Asked::Statistics));
            node(element, pipeline, stats)
        })
        .collect();
    json!({
        "id": &*pipeline.id,
        "name": name(pipeline),
        "time": u64::try_from(now_millis()).unwrap_or_default(),
        "total": total,
        "nodes": nodes,
        "links": links,
    })
}

fn below(object: &Arc<Object>, found: &mut Vec<Arc<Object>>) {
    for child in object.children() {
        found.push(child.clone());
        below(&child, found);
    }
}

fn node(element: &Arc<Object>, pipeline: &Arc<Object>, details: Option<Value>) -> Value {
    let parent = element.parent.as_ref();
    let parent = parent.filter(|parent| !Arc::ptr_eq(parent, pipeline));
    let kinds = element.transcoding.lock().clone();
    let converting: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let (incoming, outgoing) = { element.any_node() }.map_or((0, 0), |node| node.packet_counts());
    json!({
        "id": &*element.id,
        "class": element.class.name,
        "name": name(element),
        "parent": parent.map(|parent| &*parent.id),
        "hub": matches!(element.body, Body::Hub { .. }),
        "converting": converting,
        "packetsIn": incoming,
        "packetsOut": outgoing,
        "peer": details.as_ref().and_then(|details| details.get("statistics")).and_then(peer),
    })
}

fn link(core: &Arc<Core>, way: &Way) -> Value {
    let connection = &way.connection;
    let caller = core.itself();
    let sink = core.registry.view(&caller).object(&connection.sink).ok();
    let inputs = { sink.as_ref() }
        .and_then(|sink| sink.node())
        .map(|node| node.inputs())
        .unwrap_or_default();
    let is_meant = |input: &&Input| {
        input.kind == connection.kind && input.description == connection.sink_description
    };
    let input = inputs.iter().find(is_meant);
    // One source feeds a pad, so that what came there came through this link, or one before it.
    let count = |of: fn(&Input) -> u64| input.map_or(0, of);
    let hops: Vec<Value> = { way.hops.iter() }
        .map(|(pad, format)| json!({"pad": pad, "format": format}))
        .collect();
    json!({
        "source": &*connection.source,
        "sink": &*connection.sink,
        "kind": connection.kind.as_str(),
        "sourcePad": &*connection.source_description,
        "sinkPad": &*connection.sink_description,
        "hops": hops,
        "flowing": input.is_some_and(|input| input.flowing),
        "packets": count(|input| input.packets),
        "bytes": count(|input| input.bytes),
        "lost": count(|input| input.lost),
    })
}

/// What went between an element and its peer on the network, all streams together, where its
/// statistics say so; `None` where it has no peer.
fn peer(statistics: &Value) -> Option<Value> {
    let entries: Vec<&Value> = statistics.as_object()?.values().collect();
    let sum = |kind: &str, name: &str| -> Option<f64> {
        let of_kind = entries.iter().filter(|entry| entry.get(kind).is_some());
        let numbers = of_kind.filter_map(|entry| entry.get(name)?.as_f64());
        numbers.reduce(|sum, number| sum + number)
    };
    let (received, sent) = ("packetsReceived", "packetsSent");
    sum(received, received).or(sum(sent, sent))?;
    let times = entries
        .iter()
        .filter_map(|entry| entry.get("timestampMillis")?.as_u64());
    Some(json!({
        // Statistics are older than the graph, and of the time between two of them are the rates.
        "time": times.max(),
        "packetsReceived": sum(received, received),
        "bytesReceived": sum(received, "bytesReceived"),
        "lostReceived": sum(received, "packetsLost"),
        "packetsSent": sum(sent, sent),
        "bytesSent": sum(sent, "bytesSent"),
        "lostSent": sum(sent, "packetsLost"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_a_peer_are_summed_up() {
        let statistics = json!({
            "a": {"type": "inboundrtp", "packetsReceived": 10, "bytesReceived": 100, "packetsLost": 1},
            "b": {"type": "inboundrtp", "packetsReceived": 5, "bytesReceived": 50, "packetsLost": 2},
            "c": {"type": "outboundrtp", "timestampMillis": 5, "packetsSent": 7, "bytesSent": 70, "packetsLost": 4},
            "d": {"type": "endpoint", "inputLatency": []},
        });
        let sums = peer(&statistics).unwrap();
        assert_eq!(
            (&sums["packetsReceived"], &sums["time"]),
            (&json!(15.0), &json!(5))
        );
        assert_eq!(
            (&sums["lostReceived"], &sums["lostSent"]),
            (&json!(3.0), &json!(4.0))
        );
        assert_eq!(peer(&json!({"d": {"type": "element"}})), None);
        assert_eq!(peer(&Value::Null), None);
    }
}
