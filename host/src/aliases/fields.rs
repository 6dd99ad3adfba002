//! Fields that complex values had in generation 6.

use rivero_idl::Register;
use serde_json::{Map, Value};

use super::table::{Derivation, FIELDS};

/// Adds the old fields of a value of type `register`. A field that is there already stays.
pub fn add_old_fields(register: &Register, members: &mut Map<String, Value>) {
    for (_, aliases) in FIELDS.iter().filter(|(name, _)| register.is_a(name)) {
        for alias in *aliases {
            if members.contains_key(alias.old) {
                continue;
            }
            let value = members
                .get(alias.new)
                .and_then(|new| alias.derivation.of(new));
            if let Some(value) = value {
                members.insert(alias.old.to_owned(), value);
            }
        }
    }
}

impl Derivation {
    fn of(self, new: &Value) -> Option<Value> {
        match self {
            Derivation::Same => Some(new.clone()),
            Derivation::Seconds => Some(Value::from(new.as_i64()? / 1000)),
            Derivation::Latency(media_type) => Some(Value::from(mean(new.as_array()?, media_type))),
        }
    }
}

fn mean(latencies: &[Value], media_type: &str) -> f64 {
    let of_type = |latency: &&Value| {
        let ty = latency.get("type").and_then(Value::as_str);
        ty == Some(media_type)
    };
    let averages = latencies
        .iter()
        .filter(of_type)
        .filter_map(|latency| latency.get("avg").and_then(Value::as_f64));
    let (sum, count) = averages.fold((0.0, 0_u32), |(sum, count), average| {
        (sum + average, count + 1)
    });
    sum / f64::from(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_idl::{ComplexType, Model};
    use serde_json::json;

    fn with_old_fields(name: &str, value: Value) -> Value {
        let model = Model::standard().unwrap();
        let ComplexType::Register(register) = &**model.complex_type(name).unwrap() else {
            panic!("{name} has no fields");
        };
        let mut members = value.as_object().unwrap().clone();
        add_old_fields(register, &mut members);
        Value::Object(members)
    }

    #[test]
    fn pairs_have_both_spellings() {
        let pair = with_old_fields(
            "IceCandidatePair",
            json!({"streamId": "0", "componentId": 1}),
        );
        assert_eq!(
            pair,
            json!({"streamId": "0", "streamID": "0", "componentId": 1, "componentID": 1})
        );
    }

    #[test]
    fn statistics_of_every_kind_have_a_timestamp_in_seconds() {
        for name in ["Stats", "RTCInboundRTPStreamStats", "EndpointStats"] {
            let stats = with_old_fields(name, json!({"timestampMillis": 1_700_000_000_999_i64}));
            assert_eq!(stats["timestamp"], 1_700_000_000, "{name}");
        }
    }

    #[test]
    fn latencies_are_averaged_by_media_type() {
        let latency = |ty: &str, avg: f64| json!({"name": "x", "type": ty, "avg": avg});
        let latencies = [
            latency("VIDEO", 2.0),
            latency("AUDIO", 10.0),
            latency("VIDEO", 4.0),
        ];
        let stats = with_old_fields(
            "EndpointStats",
            json!({"inputLatency": latencies, "E2ELatency": []}),
        );
        assert_eq!(stats["inputVideoLatency"], 3.0);
        assert_eq!(stats["inputAudioLatency"], 10.0);
        assert_eq!(stats["videoE2ELatency"], 0.0);
    }

    #[test]
    fn other_values_stay_as_they_are() {
        let tag = json!({"key": "a", "value": "b"});
        assert_eq!(with_old_fields("Tag", tag.clone()), tag);
    }
}
