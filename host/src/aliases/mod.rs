//! Names of the API of generation 6 (Kurento 6.x), for its clients.
//!
//! An alias answers what would be an error (40106, 40008) and adds fields to complex values;
//! clients of generation 7 use none of the names and see no difference. A name that a class
//! declares itself always means what the class says.

mod fields;
mod operations;
mod table;

pub use fields::add_old_fields;
pub(crate) use operations::{OldOperation, old_operation};

use rivero_idl::Class;
use serde_json::{Map, Value};

use table::EVENTS;

/// Whether `class` raises an event under the old name `event`.
#[must_use]
pub fn is_old_event(class: &Class, event: &str) -> bool {
    EVENTS.iter().any(|alias| {
        alias.old == event && class.is_a(alias.class) && class.event(alias.new).is_some()
    })
}

/// The old names of an event that `class` raises.
pub fn old_event_names(class: &Class, event: &str) -> impl Iterator<Item = &'static str> {
    EVENTS
        .iter()
        .filter(move |alias| alias.new == event && class.event(alias.old).is_none())
        .map(|alias| alias.old)
}

/// What an event carries under its old name: that as `type`, and `timestamp`, the seconds since
/// the epoch as text, beside `timestampMillis`.
#[must_use]
pub fn old_event_data(old: &str, data: &Map<String, Value>) -> Map<String, Value> {
    let mut data = data.clone();
    data.insert("type".to_owned(), Value::from(old));
    let millis = data.get("timestampMillis").and_then(Value::as_str);
    if let Some(millis) = millis.and_then(|text| text.parse::<u64>().ok()) {
        let seconds = (millis / 1000).to_string();
        data.insert("timestamp".to_owned(), Value::String(seconds));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_idl::Model;
    use serde_json::json;
    use table::{FIELDS, Meaning, OPERATIONS};

    #[test]
    fn every_alias_stands_for_something_that_exists_and_hides_nothing() {
        let model = Model::standard().unwrap();
        for alias in EVENTS {
            let class = model.class(alias.class).unwrap();
            assert!(class.event(alias.new).is_some(), "{}", alias.new);
            assert!(class.event(alias.old).is_none(), "{}", alias.old);
        }
        for alias in OPERATIONS {
            let class = model.class(alias.class).unwrap();
            assert!(class.operation(alias.old).is_none(), "{}", alias.old);
            match &alias.meaning {
                Meaning::Read(getters) => {
                    assert!(!getters.is_empty());
                    for getter in *getters {
                        assert!(class.operation(getter).is_some(), "{getter}");
                    }
                }
                Meaning::Write { targets, .. } => {
                    assert!(!targets.is_empty());
                    for target in *targets {
                        let setter = class.operation(target.operation).unwrap();
                        assert_eq!(setter.params()[0].name, target.param);
                    }
                }
            }
        }
        for (name, fields) in FIELDS {
            let ty = model.complex_type(name).unwrap();
            let rivero_idl::ComplexType::Register(register) = &**ty else {
                panic!("{name} has no fields");
            };
            for alias in *fields {
                assert!(register.field(alias.new).is_some(), "{}", alias.new);
                assert!(register.field(alias.old).is_none(), "{}", alias.old);
            }
        }
    }

    #[test]
    fn old_events_belong_to_their_classes() {
        let model = Model::standard().unwrap();
        let (webrtc, through) = (
            model.class("WebRtcEndpoint").unwrap(),
            model.class("PassThrough").unwrap(),
        );
        assert!(is_old_event(webrtc, "OnIceCandidate"));
        assert!(is_old_event(webrtc, "MediaFlowInStateChange"));
        assert!(is_old_event(through, "MediaFlowInStateChange"));
        assert!(!is_old_event(through, "OnIceCandidate"));
        assert!(!is_old_event(webrtc, "IceCandidateFound"));
        let names: Vec<_> = old_event_names(webrtc, "IceComponentStateChanged").collect();
        assert_eq!(
            names,
            ["IceComponentStateChange", "OnIceComponentStateChanged"]
        );
    }

    #[test]
    fn old_events_have_a_timestamp_in_seconds() {
        let data = json!({"timestampMillis": "1700000000999", "type": "IceGatheringDone"});
        let data = old_event_data("OnIceGatheringDone", data.as_object().unwrap());
        assert_eq!(
            Value::Object(data),
            json!({"timestamp": "1700000000", "timestampMillis": "1700000000999", "type": "OnIceGatheringDone"})
        );
    }
}
