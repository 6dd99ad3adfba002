//! Statistics in Kurento's structures.

use std::{sync::mpsc, time::Duration};

use rivero_endpoint::stats::{add_codec, add_streams, codecs};
use rivero_plugin_api::MediaKind;
use rivero_sdp::NegotiatedMedia;
use serde_json::{Map, Value};

use super::Shared;

/// A shard that does not answer within this time is too busy to be asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// The statistics of all streams of an endpoint, by ids that stay the same.
pub(super) fn collect(endpoint: &Shared, kind: Option<MediaKind>) -> Map<String, Value> {
    let session = endpoint.session();
    let links = session.links();
    let negotiated = session.exchange.negotiated.as_ref();
    let media: Vec<NegotiatedMedia> = negotiated.map_or_else(Vec::new, |negotiated| {
        negotiated
            .media
            .iter()
            .map(|media| media.media.clone())
            .collect()
    });
    drop(session);
    let codecs = codecs(&media);
    let mut stats = Map::new();
    for token in links {
        let (sender, receiver) = mpsc::sync_channel(1);
        endpoint.shard.with(token, move |link, now| {
            // Nobody waits any more after the patience is over.
            let _ = sender.try_send(link.snapshot(now));
        });
        if let Ok(snapshot) = receiver.recv_timeout(PATIENCE) {
            add_streams(&mut stats, endpoint.context.id(), kind, &snapshot);
        }
    }
    for entry in stats.values_mut().filter_map(Value::as_object_mut) {
        add_codec(entry, &codecs);
    }
    stats
}
