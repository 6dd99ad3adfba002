//! Statistics in Kurento's structures.

use std::{collections::HashMap, sync::mpsc, time::Duration};

use rivero_endpoint::stats::{add_codec, add_streams, codecs, id, milliseconds};
use rivero_plugin_api::MediaKind;
use serde_json::{Map, Value, json};

use super::{
    Shared,
    observer::{LegState, stream_id},
};
use crate::{
    api::{DtlsConnectionState, IceComponentState},
    data::ChannelState,
    link::LinkSnapshot,
};

/// A shard that does not answer within this time is too busy to be asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// The statistics of all streams of an endpoint, by ids that stay the same.
pub(super) fn collect(endpoint: &Shared, kind: Option<MediaKind>) -> Map<String, Value> {
    let mut stats = Map::new();
    let session = endpoint.session();
    let legs = session.legs.clone();
    let negotiated = session.exchange.negotiated.as_ref();
    let codecs = negotiated.map(|negotiated| codecs(&negotiated.media));
    let codecs = codecs.unwrap_or_default();
    drop(session);
    for leg in legs {
        let (sender, receiver) = mpsc::sync_channel(1);
        endpoint.shard.with(leg.token, move |transport, now| {
            // Nobody waits any more after the patience is over.
            let _ = sender.try_send(transport.snapshot(now));
        });
        if let Ok(snapshot) = receiver.recv_timeout(PATIENCE) {
            let state = endpoint
                .legs()
                .iter()
                .find(|state| state.token == leg.token)
                .cloned();
            let mut streams = Map::new();
            add(&mut streams, endpoint.context.id(), kind, &snapshot);
            for entry in streams.values_mut() {
                complete(entry, &codecs, state.as_ref());
            }
            stats.append(&mut streams);
        }
    }
    stats
}

/// Adds what Kurento's structures have no place for: the codec and the transport of a stream.
fn complete(entry: &mut Value, codecs: &HashMap<u64, String>, transport: Option<&LegState>) {
    let Some(entry) = entry.as_object_mut() else {
        return;
    };
    add_codec(entry, codecs);
    if let Some(state) = transport {
        let (local, remote) = state.pair.clone().unwrap_or_default();
        let transport = json!({
            "streamId": stream_id(state.number),
            "iceState": state.ice.map(IceComponentState::as_str),
            "dtlsState": state.dtls.map(DtlsConnectionState::as_str),
            "localCandidate": local,
            "remoteCandidate": remote,
        });
        entry.insert("transport".to_owned(), transport);
    }
}

/// Data channels, and how many there were on the whole.
fn add_channels(stats: &mut Map<String, Value>, endpoint: &str, snapshot: &LinkSnapshot) {
    let Some((opened, closed)) = snapshot.channel_totals else {
        return;
    };
    let session = id(endpoint, "session", 0);
    let entry = json!({
        "__module__": "kurento",
        "__type__": "RTCPeerConnectionStats",
        "id": session.as_str(),
        "type": "session",
        "timestampMillis": milliseconds(),
        "dataChannelsOpened": opened,
        "dataChannelsClosed": closed,
    });
    stats.insert(session, entry);
    for channel in &snapshot.channels {
        let id = id(endpoint, "channel", u32::from(channel.id));
        let state = match channel.state {
            ChannelState::Connecting => "connecting",
            ChannelState::Open => "open",
            ChannelState::Closing => "closing",
        };
        let entry = json!({
            "__module__": "kurento",
            "__type__": "RTCDataChannelStats",
            "id": id.as_str(),
            "type": "datachannel",
            "timestampMillis": milliseconds(),
            "label": channel.label.as_str(),
            "protocol": channel.protocol.as_str(),
            "datachannelid": channel.id,
            "state": state,
            "messagesSent": channel.sent.messages,
            "bytesSent": channel.sent.bytes,
            "messagesReceived": channel.received.messages,
            "bytesReceived": channel.received.bytes,
        });
        stats.insert(id, entry);
    }
}

fn add(
    stats: &mut Map<String, Value>,
    endpoint: &str,
    kind: Option<MediaKind>,
    snapshot: &LinkSnapshot,
) {
    if kind.is_none_or(|kind| kind == MediaKind::Data) {
        add_channels(stats, endpoint, snapshot);
    }
    add_streams(stats, endpoint, kind, &snapshot.session);
}
