//! What operations mean that are called by their names of generation 6.

use std::net::{Ipv4Addr, Ipv6Addr};

use rivero_idl::Class;
use serde_json::{Map, Value};

use super::table::{Form, Meaning, OPERATIONS, OperationAlias, Target};

/// What a name that `class` does not declare means as an old one.
pub(crate) fn old_operation(class: &Class, name: &str) -> Option<OldOperation> {
    let alias = OPERATIONS
        .iter()
        .find(|alias| alias.old == name && class.is_a(alias.class))?;
    class
        .operation(name)
        .is_none()
        .then_some(OldOperation(alias))
}

/// An operation known by its old name only.
#[derive(Clone, Copy)]
pub(crate) struct OldOperation(&'static OperationAlias);

/// A call under the name of today, and its parameters.
pub(crate) type Step = (&'static str, Option<Value>);

impl OldOperation {
    /// Its old name.
    pub(crate) fn name(self) -> &'static str {
        self.0.old
    }

    /// What is called in its place. Getters until one has a value; setters all.
    pub(crate) fn steps(self, params: Option<Value>) -> Vec<Step> {
        match &self.0.meaning {
            Meaning::Read(getters) => getters.iter().map(|getter| (*getter, None)).collect(),
            Meaning::Write { given, targets } => {
                let value = match params {
                    Some(Value::Object(mut members)) => members.remove(*given),
                    _ => None,
                };
                writes(targets, value)
            }
        }
    }
}

/// The setters that a value is for. Without a value the first one tells what is missing.
fn writes(targets: &[Target], value: Option<Value>) -> Vec<Step> {
    let step = |target: &Target| {
        let member = value.clone().map(|value| (target.param.to_owned(), value));
        (
            target.operation,
            Some(Value::Object(Map::from_iter(member))),
        )
    };
    let accepting: Vec<Step> = targets
        .iter()
        .filter(|target| value.as_ref().is_some_and(|value| target.form.fits(value)))
        .map(step)
        .collect();
    if accepting.is_empty() {
        return targets.first().map(step).into_iter().collect();
    }
    accepting
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        let text = value.as_str().unwrap_or_default();
        match self {
            Form::Any => true,
            Form::Ipv4 => text.is_empty() || text.parse::<Ipv4Addr>().is_ok(),
            Form::Ipv6 => text.is_empty() || text.parse::<Ipv6Addr>().is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_idl::Model;
    use serde_json::json;

    fn steps(class: &str, name: &str, params: Value) -> Vec<Step> {
        let model = Model::standard().unwrap();
        let class = model.class(class).unwrap();
        old_operation(class, name).unwrap().steps(Some(params))
    }

    #[test]
    fn parameters_are_renamed() {
        assert_eq!(
            steps("PassThrough", "setOutputBitrate", json!({"bitrate": 5})),
            [("setEncoderBitrate", Some(json!({"encoderBitrate": 5})))]
        );
        assert_eq!(
            steps(
                "PassThrough",
                "setMaxOuputBitrate",
                json!({"maxOuputBitrate": 5})
            ),
            [(
                "setMaxEncoderBitrate",
                Some(json!({"maxEncoderBitrate": 5}))
            )]
        );
        assert_eq!(
            steps("PassThrough", "setOutputBitrate", Value::Null),
            [("setEncoderBitrate", Some(json!({})))]
        );
    }

    #[test]
    fn addresses_go_where_their_form_says() {
        let set = |address: &str| {
            let params = json!({"externalAddress": address});
            steps("WebRtcEndpoint", "setExternalAddress", params)
        };
        let ipv4 = |address| ("setExternalIPv4", Some(json!({"externalIPv4": address})));
        let ipv6 = |address| ("setExternalIPv6", Some(json!({"externalIPv6": address})));
        assert_eq!(set("192.0.2.1"), [ipv4("192.0.2.1")]);
        assert_eq!(set("2001:db8::1"), [ipv6("2001:db8::1")]);
        assert_eq!(set("nonsense"), [ipv4("nonsense")]);
        assert_eq!(set(""), [ipv4(""), ipv6("")]);
    }

    #[test]
    fn only_classes_that_had_a_name_know_it() {
        let model = Model::standard().unwrap();
        let known = |class, name| old_operation(model.class(class).unwrap(), name).is_some();
        assert!(known("MediaPipeline", "getChilds"));
        assert!(!known("MediaPipeline", "setOutputBitrate"));
        assert!(!known("PassThrough", "getExternalAddress"));
        assert!(!known("PassThrough", "getChildren"));
    }
}
