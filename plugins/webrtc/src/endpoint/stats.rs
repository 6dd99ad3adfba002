//! Statistics in Kurento's structures.

use std::{
    collections::HashMap,
    sync::mpsc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rivero_plugin_api::MediaKind;
use rivero_rtp_session::{SessionSnapshot, receiver::StreamSnapshot, session::SentSnapshot};
use rivero_sdp::Negotiated;
use serde_json::{Map, Value, json};
use uuid::Uuid;

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
    let codecs = session.negotiated.as_ref().map(codecs).unwrap_or_default();
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

/// Names such as `video/VP8` by payload type.
fn codecs(negotiated: &Negotiated) -> HashMap<u64, String> {
    let named = negotiated.media.iter().flat_map(|media| {
        let named = media.codecs.iter().map(|codec| {
            let name = format!("{}/{}", media.kind, codec.name);
            (u64::from(codec.payload_type), name)
        });
        named.collect::<Vec<_>>()
    });
    named.collect()
}

/// Adds what Kurento's structures have no place for: the codec and the transport of a stream.
fn complete(entry: &mut Value, codecs: &HashMap<u64, String>, transport: Option<&LegState>) {
    let Some(entry) = entry.as_object_mut() else {
        return;
    };
    if let Some(payload_type) = entry.get("payloadType").and_then(Value::as_u64) {
        let name = codecs.get(&payload_type).cloned().unwrap_or_default();
        entry.insert("codec".to_owned(), name.into());
    }
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
    let wanted = |of: &MediaKind| kind.is_none_or(|kind| kind == *of);
    if wanted(&MediaKind::Data) {
        add_channels(stats, endpoint, snapshot);
    }
    let session = &snapshot.session;
    for (_, stream) in session.received.iter().filter(|(of, _)| wanted(of)) {
        let id = id(endpoint, "received", stream.ssrc);
        stats.insert(id.clone(), received(&id, stream));
    }
    for (_, stream) in session
        .sent
        .iter()
        .filter(|(of, stream)| wanted(of) && stream.packets > 0)
    {
        let id = id(endpoint, "sent", stream.ssrc);
        stats.insert(id.clone(), sent(&id, stream, session));
    }
}

/// The same for a stream as long as it lasts.
fn id(endpoint: &str, direction: &str, ssrc: u32) -> String {
    let name = format!("{endpoint}/{direction}/{ssrc}");
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}

fn milliseconds() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn received(id: &str, stream: &StreamSnapshot) -> Value {
    let mut entry = common(id, "inboundrtp", "RTCInboundRTPStreamStats", stream.ssrc);
    let counters = &stream.counters;
    let own = json!({
        "firCount": counters.fir,
        "pliCount": counters.pli,
        "nackCount": counters.nack,
        "remb": counters.remb,
        "packetsLost": stream.lost,
        "fractionLost": f64::from(stream.fraction_lost),
        "packetsReceived": stream.packets,
        "bytesReceived": stream.bytes,
        "jitter": stream.jitter.as_secs_f64(),
        "rid": stream.rid,
        "payloadType": stream.payload_type,
        "bitrate": stream.bitrate,
        "frameRate": stream.frame_rate,
        "temporalLayers": stream.temporal_layers,
        "repairedPackets": counters.repaired,
    });
    extend(&mut entry, own)
}

fn sent(id: &str, stream: &SentSnapshot, session: &SessionSnapshot) -> Value {
    let mut entry = common(id, "outboundrtp", "RTCOutboundRTPStreamStats", stream.ssrc);
    let (feedback, remote) = (&stream.feedback, stream.remote.unwrap_or_default());
    let own = json!({
        "firCount": feedback.fir,
        "pliCount": feedback.pli,
        "nackCount": feedback.nack,
        "remb": feedback.remb,
        "packetsLost": remote.cumulative_lost,
        "fractionLost": f64::from(remote.fraction_lost),
        "packetsSent": stream.packets,
        "bytesSent": stream.bytes,
        "retransmittedPacketsSent": feedback.retransmitted,
        "packetsDiscardedOnSend": stream.discarded,
        "payloadType": stream.sending.payload_type,
        "encoding": stream.sending.encoding,
        "temporalLayer": stream.sending.temporal_layer,
        "targetBitrate": session.path_estimate.unwrap_or(0) as f64,
        "arrivingBitrate": session.arriving.unwrap_or(0),
        "roundTripTime": stream.round_trip.unwrap_or_default().as_secs_f64(),
    });
    extend(&mut entry, own)
}

/// What every stream's entry has. The links between entries stay empty, as in Kurento.
fn common(id: &str, kind: &str, class: &str, ssrc: u32) -> Value {
    json!({
        "__module__": "kurento",
        "__type__": class,
        "id": id,
        "type": kind,
        "timestampMillis": milliseconds(),
        "ssrc": ssrc.to_string(),
        "associateStatsId": "",
        "isRemote": false,
        "mediaTrackId": "",
        "transportId": "",
        "codecId": "",
        "sliCount": 0,
    })
}

fn extend(entry: &mut Value, own: Value) -> Value {
    if let (Value::Object(entry), Value::Object(own)) = (&mut *entry, own) {
        entry.extend(own);
    }
    entry.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_last_as_long_as_a_stream_and_differ_between_streams() {
        assert_eq!(id("endpoint", "sent", 7), id("endpoint", "sent", 7));
        assert_ne!(id("endpoint", "sent", 7), id("endpoint", "received", 7));
        assert_ne!(id("endpoint", "sent", 7), id("endpoint", "sent", 8));
    }
}
