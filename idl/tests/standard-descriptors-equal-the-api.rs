//! The descriptors of core, elements and filters say exactly what the Kurento 7.3 API does: names,
//! types, order, flags and defaults. Only the texts are our own, and every definition and member
//! has one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed look-up fails the test"
)]

use rivero_idl::{Descriptor, PropertyDefinition, standard_descriptors};
use serde_json::{Map, Value};

/// What Rivero adds to the published classes, for clients that ask for it: methods and events by class.
const ADDED: [(&str, &str, &str); 14] = [
    ("RtpEndpoint", "methods", "sendTelephoneEvent"),
    ("RtpEndpoint", "events", "TelephoneEvent"),
    ("Composite", "methods", "setLayout"),
    ("Composite", "methods", "setPort"),
    ("Composite", "methods", "setPortLayout"),
    ("Composite", "methods", "setOutput"),
    ("Composite", "methods", "getPortStats"),
    ("Composite", "events", "ActiveSpeakerChanged"),
    ("Composite", "events", "LayoutChanged"),
    ("Composite", "events", "PortStalled"),
    ("Composite", "events", "PortResumed"),
    ("RecorderEndpoint", "events", "Uploading"),
    ("RecorderEndpoint", "events", "Uploaded"),
    ("RecorderEndpoint", "events", "UploadFailed"),
];

/// Types that belong to what is added.
const ADDED_TYPES: [&str; 6] = [
    "CompositeLayoutName",
    "CompositeFit",
    "CompositeTile",
    "CompositeLayout",
    "CompositePort",
    "CompositePortStats",
];

/// A definition, or the names of definitions, without what is added.
fn without_additions(name: &str, mut definition: Value) -> Value {
    for (_, member, added) in ADDED.iter().filter(|(class, ..)| *class == name) {
        let members = definition[member].as_array_mut().unwrap();
        let before = members.len();
        members.retain(|member| member["name"] != *added && member != added);
        assert_eq!(members.len() + 1, before, "{added} is there");
        if members.is_empty() {
            definition.as_object_mut().unwrap().remove(*member);
        }
    }
    definition
}

fn facts() -> Vec<Value> {
    let facts: Value =
        serde_json::from_str(include_str!("../interfaces/published-7.3.json")).unwrap();
    facts["modules"].as_array().unwrap().clone()
}

fn without_texts(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| name != "doc");
            Value::Object(
                kept.map(|(name, value)| (name, without_texts(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.into_iter().map(without_texts).collect(),
        other => other,
    }
}

/// Definitions may stand in any order and file; what is inside them may not.
fn by_name(definitions: &Value) -> Map<String, Value> {
    let definitions = definitions.as_array().unwrap().iter();
    definitions
        .map(|definition| {
            (
                definition["name"].as_str().unwrap().to_owned(),
                definition.clone(),
            )
        })
        .collect()
}

#[test]
fn every_signature_is_the_published_one() {
    let descriptors = standard_descriptors().unwrap();
    assert_eq!(descriptors.len(), facts().len());
    for (descriptor, facts) in descriptors.iter().zip(facts()) {
        assert_eq!(descriptor.name(), facts["name"]);
        assert_eq!(descriptor.namespace(), facts["namespace"]);
        assert_eq!(
            descriptor.kurento_version.as_deref(),
            facts["kurentoVersion"].as_str()
        );
        let own = without_texts(serde_json::to_value(descriptor).unwrap());
        for kind in ["remoteClasses", "complexTypes", "events"] {
            let (mut own, facts) = (by_name(&own[kind]), by_name(&facts[kind]));
            if kind == "events" {
                own.retain(|name, _| !ADDED.iter().any(|(.., added)| added == name));
            }
            if kind == "complexTypes" {
                own.retain(|name, _| !ADDED_TYPES.contains(&name.as_str()));
            }
            let names =
                |definitions: &Map<String, Value>| definitions.keys().cloned().collect::<Vec<_>>();
            assert_eq!(
                names(&own),
                names(&facts),
                "{kind} of {}",
                descriptor.name()
            );
            for (name, definition) in &own {
                let published = without_additions(name, definition.clone());
                assert_eq!(published, facts[name], "{kind} {name}");
            }
        }
    }
}

#[test]
fn the_version_is_that_of_the_protocol() {
    for descriptor in standard_descriptors().unwrap() {
        assert_eq!(descriptor.version.as_deref(), Some("7.3.0"));
    }
}

#[test]
fn everything_has_a_text() {
    for descriptor in standard_descriptors().unwrap() {
        let untold = untold(&descriptor);
        assert!(untold.is_empty(), "no doc: {untold:?}");
    }
}

fn untold(descriptor: &Descriptor) -> Vec<String> {
    let mut texts: Vec<(String, &str)> = Vec::new();
    for class in &descriptor.remote_classes {
        texts.push((class.name.clone(), &class.doc));
        if let Some(constructor) = &class.constructor {
            texts.push((format!("{}()", class.name), &constructor.doc));
            texts.extend(members(&class.name, &constructor.params));
        }
        texts.extend(members(&class.name, &class.properties));
        for method in &class.methods {
            let name = format!("{}.{}", class.name, method.name);
            texts.extend(members(&name, &method.params));
            texts.extend(
                method
                    .returns
                    .iter()
                    .map(|returns| (format!("{name} return"), returns.doc.as_str())),
            );
            texts.push((name, &method.doc));
        }
    }
    for complex in &descriptor.complex_types {
        texts.push((complex.name.clone(), &complex.doc));
        texts.extend(members(&complex.name, &complex.properties));
    }
    for event in &descriptor.events {
        texts.push((event.name.clone(), &event.doc));
        texts.extend(members(&event.name, &event.properties));
    }
    texts
        .into_iter()
        .filter(|(_, text)| text.is_empty())
        .map(|(name, _)| name)
        .collect()
}

fn members<'a>(owner: &str, values: &'a [PropertyDefinition]) -> Vec<(String, &'a str)> {
    values
        .iter()
        .map(|value| (format!("{owner} {}", value.name), value.doc.as_str()))
        .collect()
}
