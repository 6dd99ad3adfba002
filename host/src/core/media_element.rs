//! The operations of MediaElement.

use std::sync::Arc;
use std::time::Duration;

use rivero_idl::{ComplexType, Model, Type};
use rivero_media::{Connection, EncoderRates, ForcedCodec, ForcedFormat, MediaKind, Node};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::invoke::in_time;
use super::media_object::details;
use super::{Core, Execution, dot};
use crate::convert::{Converted, outgoing};
use crate::error::CallError;
use crate::registry::{Body, Object, Settings};

/// How long a change of links waits for modules to be told.
pub(super) const DELIVERY: Duration = Duration::from_secs(2);

/// What the types `VideoCodec` and `AudioCodec` call media that is not encoded.
const RAW: &str = "RAW";

/// The kinds that a call without kind means, in the order in which they are connected.
const ALL_KINDS: [MediaKind; 3] = [MediaKind::Audio, MediaKind::Video, MediaKind::Data];

impl Core {
    /// The operations of elements and hub ports; `None` for those of every object.
    pub(super) fn media_element(
        self: &Arc<Self>,
        object: &Arc<Object>,
        name: &str,
        given: &Converted,
    ) -> Option<Execution<Value>> {
        let node = object.node()?;
        let result = match name {
            "connect" => return Some(once_told(node, link(node, given, Node::connect))),
            "disconnect" => return Some(once_told(node, link(node, given, Node::disconnect))),
            "getSourceConnections" => Ok(connections(
                &node.source_connections(kind(given), given.text("description")),
            )),
            "getSinkConnections" => Ok(connections(
                &node.sink_connections(kind(given), given.text("description")),
            )),
            "isMediaFlowingIn" => audio_or_video(given, "MediaFlowingIn").map(|kind| {
                node.flowing_in(
                    kind,
                    given.text("sinkMediaDescription").unwrap_or("default"),
                )
                .into()
            }),
            "isMediaFlowingOut" => audio_or_video(given, "MediaFlowingOut").map(|kind| {
                node.flowing_out(
                    kind,
                    given.text("sourceMediaDescription").unwrap_or("default"),
                )
                .into()
            }),
            "isMediaTranscoding" => audio_or_video(given, "MediaTranscoding")
                .map(|kind| object.transcoding.lock().contains(&kind).into()),
            "getGstreamerDot" => Ok(Value::String(dot::graph(object, details(given)))),
            "dumpGstreamerDot" => self.dump_dot(object, details(given)),
            "getStats" => return Some(self.stats(object, kind(given))),
            "setAudioFormat" => {
                return Some(once_told(node, Ok(force(node, MediaKind::Audio, given))));
            }
            "setVideoFormat" => {
                return Some(once_told(node, Ok(force(node, MediaKind::Video, given))));
            }
            _ => {
                return encoder_bitrate(object, node, name, given)
                    .map(|value| Execution::Done(Ok(value)));
            }
        };
        Some(Execution::Done(result))
    }

    /// Statistics by id; null when there are none. Those of latency are the host's.
    fn stats(self: &Arc<Self>, object: &Arc<Object>, kind: Option<MediaKind>) -> Execution<Value> {
        let (core, object) = (self.clone(), object.clone());
        Execution::pending(in_time(
            self.options().call_timeout,
            "getStats".into(),
            async move {
                let mut entries = match object.instance().cloned() {
                    Some(instance) => {
                        let lane = core.lane(&instance);
                        lane.call(move || instance.stats(kind)).await??
                    }
                    None => Map::new(),
                };
                entries.extend(latency_stats(&object, kind));
                if entries.is_empty() {
                    return Ok(Value::Null);
                }
                tidy_stats(&core.types_of(&object), entries)
            },
        ))
    }
}

fn tidy_stats(types: &Model, entries: Map<String, Value>) -> Result<Value, CallError> {
    let Some(ComplexType::Register(stats)) = types.complex_type("kurento.Stats").map(Arc::as_ref)
    else {
        return Ok(Value::Object(entries));
    };
    let ty = Type::Map(Box::new(Type::Complex(stats.name.clone())));
    outgoing(types, &ty, Value::Object(entries)).map_err(|mismatch| {
        tracing::error!(%mismatch, "a module's statistics do not fit its descriptor");
        CallError::unexpected(format!(
            "The module's statistics do not fit its descriptor: {mismatch}"
        ))
    })
}

/// How old media is when it arrives at an element, while its pipeline measures that.
fn latency_stats(object: &Object, kind: Option<MediaKind>) -> Option<(String, Value)> {
    let node = object.node()?;
    let measures = |ancestor: &Arc<Object>| {
        matches!(ancestor.body, Body::Pipeline { .. }) && ancestor.settings.lock().latency_stats
    };
    let mut ancestors = std::iter::successors(object.parent.as_ref(), |o| o.parent.as_ref());
    if !ancestors.any(measures) {
        return None;
    }
    let latency = |(kind, description, average): (MediaKind, Arc<str>, f64)| {
        let name = format!("sink_{}_{description}", kind.as_str().to_lowercase());
        json!({"__type__": "MediaLatencyStat", "name": name, "type": kind.as_str(), "avg": average})
    };
    let latencies = node.latencies().into_iter();
    let wanted = latencies.filter(|(own, ..)| kind.is_none_or(|kind| kind == *own));
    let input: Vec<Value> = wanted.map(latency).collect();
    if input.is_empty() {
        return None;
    }
    let is_endpoint = object.class.is_a("kurento.Endpoint");
    let mut entry = json!({
        "__type__": if is_endpoint { "EndpointStats" } else { "ElementStats" },
        "id": &*object.id,
        "type": if is_endpoint { "endpoint" } else { "element" },
        "timestampMillis": u64::try_from(crate::events::now_millis()).unwrap_or(0),
        "inputLatency": &input,
    });
    if let (true, Some(members)) = (is_endpoint, entry.as_object_mut()) {
        // What arrives at an endpoint leaves the server there.
        members.insert("E2ELatency".to_owned(), input.into());
    }
    Some((object.id.to_string(), entry))
}

/// The result of a change of links once modules have been told what came of it, so that who waits for the
/// answer finds formats agreed upon. One that does not return is waited for a moment only.
fn once_told(node: &Node, result: Result<Value, CallError>) -> Execution<Value> {
    let (telling, mut told) = oneshot::channel();
    node.graph().after_deliveries(move || {
        // Nobody listening any more is fine.
        let _ = telling.send(());
    });
    if told.try_recv() != Err(TryRecvError::Empty) {
        return Execution::Done(result);
    }
    Execution::pending(async move {
        let _ = tokio::time::timeout(DELIVERY, told).await;
        result
    })
}

/// Connects or disconnects the kinds asked for.
fn link(
    node: &Arc<Node>,
    given: &Converted,
    change: impl Fn(&Node, &Node, MediaKind, &str, &str),
) -> Result<Value, CallError> {
    let sink = given.object("sink").and_then(|sink| sink.node());
    let sink = sink.ok_or_else(|| CallError::connect("The sink is not an element"))?;
    let source_description = given.text("sourceMediaDescription").unwrap_or("default");
    let sink_description = given.text("sinkMediaDescription").unwrap_or("default");
    for kind in ALL_KINDS {
        if self::kind(given).is_none_or(|wanted| wanted == kind) {
            change(node, sink, kind, source_description, sink_description);
        }
    }
    Ok(Value::Null)
}

fn kind(given: &Converted) -> Option<MediaKind> {
    given.text("mediaType").and_then(|text| text.parse().ok())
}

fn audio_or_video(given: &Converted, what: &str) -> Result<MediaKind, CallError> {
    match kind(given) {
        Some(kind @ (MediaKind::Audio | MediaKind::Video)) => Ok(kind),
        _ => Err(CallError::illegal_param(format!(
            "Media type DATA is not supported for {what}"
        ))),
    }
}

fn connections(connections: &[Connection]) -> Value {
    connections
        .iter()
        .map(|connection| {
            json!({
                "__module__": "kurento",
                "__type__": "ElementConnectionData",
                "source": &*connection.source,
                "sink": &*connection.sink,
                "type": connection.kind.as_str(),
                "sourceDescription": &*connection.source_description,
                "sinkDescription": &*connection.sink_description,
            })
        })
        .collect()
}

/// Forces the format of an element's inputs, from `AudioCaps` or `VideoCaps`.
fn force(node: &Node, kind: MediaKind, given: &Converted) -> Value {
    let caps = given.params.get("caps").cloned().unwrap_or_default();
    let positive = |pointer: &str| {
        let number = caps.pointer(pointer).and_then(Value::as_u64);
        number.filter(|number| *number > 0)
    };
    let small = |pointer: &str| positive(pointer).and_then(|number| u32::try_from(number).ok());
    let codec = match caps.get("codec").and_then(Value::as_str) {
        Some(RAW) | None => ForcedCodec::Raw,
        Some(name) => ForcedCodec::Encoding(name.to_owned()),
    };
    let frame_rate = small("/framerate/numerator").zip(small("/framerate/denominator"));
    let format = ForcedFormat {
        codec,
        frame_rate,
        bitrate: positive("/bitrate"),
    };
    node.force(kind, Some(format));
    Value::Null
}

/// Bit/s as the media plane takes them.
pub(super) fn encoder_rates(settings: &Settings) -> EncoderRates {
    let rate = |value: i32| u64::try_from(value).unwrap_or(0);
    let limit = Some(settings.max_encoder_bitrate).filter(|most| *most < i32::MAX);
    EncoderRates {
        encoder: settings.encoder_bitrate.map_or(0, rate),
        minimum: rate(settings.min_encoder_bitrate),
        maximum: limit.map_or(0, rate),
    }
}

/// The properties that steer encoders, in bit/s.
fn encoder_bitrate(object: &Object, node: &Node, name: &str, given: &Converted) -> Option<Value> {
    let mut settings = object.settings.lock();
    let property = name.get(3..)?;
    if name.starts_with("get") {
        return Some(Value::from(match property {
            "EncoderBitrate" => settings.shown_encoder_bitrate(),
            "MinEncoderBitrate" => settings.min_encoder_bitrate,
            "MaxEncoderBitrate" => settings.max_encoder_bitrate,
            _ => return None,
        }));
    }
    let (parameter, set): (_, fn(&mut Settings, i32)) = match property {
        "EncoderBitrate" => ("encoderBitrate", Settings::set_encoder_bitrate),
        "MinEncoderBitrate" => ("minEncoderBitrate", Settings::set_min_encoder_bitrate),
        "MaxEncoderBitrate" => ("maxEncoderBitrate", Settings::set_max_encoder_bitrate),
        _ => return None,
    };
    let value = given.params.get(parameter).and_then(Value::as_i64);
    if let Some(value) = value.and_then(|value| i32::try_from(value).ok()) {
        set(&mut settings, value);
    }
    let rates = encoder_rates(&settings);
    drop(settings);
    node.set_encoder_rates(rates);
    Some(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_bitrate_counts_once_it_is_set() {
        let mut settings = Settings::default();
        assert_eq!(settings.shown_encoder_bitrate(), 300_000);
        assert_eq!(encoder_rates(&settings), EncoderRates::default());
        settings.set_encoder_bitrate(-1);
        assert_eq!(encoder_rates(&settings), EncoderRates::default());
        settings.set_encoder_bitrate(300_000);
        assert_eq!(encoder_rates(&settings).encoder, 300_000);
    }

    #[test]
    fn bounds_are_kept_in_order_and_negative_ones_ignored() {
        let mut settings = Settings::default();
        assert_eq!(settings.max_encoder_bitrate, 2_147_483_647);
        settings.set_max_encoder_bitrate(-1);
        settings.set_min_encoder_bitrate(-1);
        assert_eq!(encoder_rates(&settings), EncoderRates::default());
        settings.set_max_encoder_bitrate(900_000);
        settings.set_min_encoder_bitrate(99_999_999);
        assert_eq!(settings.min_encoder_bitrate, 900_000);
        settings.set_max_encoder_bitrate(100_000);
        assert_eq!(settings.max_encoder_bitrate, 900_000);
        let bounds = encoder_rates(&settings);
        assert_eq!((bounds.minimum, bounds.maximum), (900_000, 900_000));
        settings.set_max_encoder_bitrate(0);
        assert_eq!(encoder_rates(&settings).maximum, 0);
        settings.set_min_encoder_bitrate(5_000_000);
        assert_eq!(settings.min_encoder_bitrate, 5_000_000);
    }
}
