//! The streams of an RTP session in Kurento's structures for statistics.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use rivero_plugin_api::MediaKind;
use rivero_rtp_session::{SessionSnapshot, receiver::StreamSnapshot, session::SentSnapshot};
use rivero_sdp::NegotiatedMedia;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Adds an entry for each stream of a session, by ids that stay the same.
pub fn add_streams(
    stats: &mut Map<String, Value>,
    endpoint: &str,
    kind: Option<MediaKind>,
    session: &SessionSnapshot,
) {
    let wanted = |of: &MediaKind| kind.is_none_or(|kind| kind == *of);
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

/// Names such as `video/VP8` by payload type.
#[must_use]
pub fn codecs(media: &[NegotiatedMedia]) -> HashMap<u64, String> {
    let named = media.iter().flat_map(|media| {
        media.codecs.iter().map(|codec| {
            let name = format!("{}/{}", media.kind, codec.name);
            (u64::from(codec.payload_type), name)
        })
    });
    named.collect()
}

/// Adds the name of its codec to the entry of a stream, for which Kurento's structures have no place.
pub fn add_codec(entry: &mut Map<String, Value>, codecs: &HashMap<u64, String>) {
    if let Some(payload_type) = entry.get("payloadType").and_then(Value::as_u64) {
        let name = codecs.get(&payload_type).cloned().unwrap_or_default();
        entry.insert("codec".to_owned(), name.into());
    }
}

/// The id of an entry: the same for a stream as long as it lasts.
#[must_use]
pub fn id(endpoint: &str, what: &str, number: u32) -> String {
    let name = format!("{endpoint}/{what}/{number}");
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}

/// Since the epoch, as all entries have it.
#[must_use]
pub fn milliseconds() -> u64 {
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
