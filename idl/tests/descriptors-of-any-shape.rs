//! Descriptors come from files that anybody can put into a modules directory: whatever they hold,
//! reading, checking and resolving them ends with a result, and plain JSON is read as what it is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed call fails the test"
)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rivero_idl::{
    Descriptor, Error, Model, VersionRange, check, parse_version, standard_descriptors,
};

/// Descriptors with names and types out of a small set, so that they often refer to each other,
/// duplicate each other and run in circles.
fn descriptor_text() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "A",
        "B",
        "Filter",
        "MediaType",
        "a_b",
        "x.y",
        "",
        "type",
    ]);
    let ty = prop::sample::select(vec![
        "int",
        "A",
        "B[]",
        "MediaType<>",
        "float",
        "[]",
        "MediaPipeline",
    ]);
    let default = prop::sample::select(vec!["1", "\"AUDIO\"", "[]", "{}", "{\"x\": {}}", "null"]);
    let value = (name.clone(), ty, default, any::<bool>()).prop_map(|(name, ty, default, optional)| {
        format!(
            r#"{{"name": "{name}", "type": "{ty}", "optional": {optional}, "defaultValue": {default}}}"#
        )
    });
    let values = prop::collection::vec(value, 0..3).prop_map(|values| values.join(","));
    let definition = (name.clone(), name, values).prop_map(|(name, parent, values)| {
        format!(
            r#"{{"name": "{name}", "extends": "{parent}", "typeFormat": "REGISTER", "events": ["A"],
                "properties": [{values}], "methods": [{{"name": "getX", "params": [{values}]}}]}}"#
        )
    });
    let definitions = || {
        let list = prop::collection::vec(definition.clone(), 0..4);
        list.prop_map(|definitions| definitions.join(","))
    };
    (definitions(), definitions(), definitions()).prop_map(|(classes, types, events)| {
        format!(
            r#"{{"name": "m", "version": "1.0.0", "kurentoVersion": "^7.0.0", "remoteClasses": [{classes}],
                "complexTypes": [{types}], "events": [{events}]}}"#
        )
    })
}

/// The same cases in every run.
fn fixed() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(0x6b6d64),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(fixed())]

    #[test]
    fn any_text_is_a_descriptor_or_an_error(text in "\\PC*|([/*\"\\\\\n{}\\[\\]:, a]|//|/\\*|\\*/)*") {
        let failure = match Descriptor::parse("any", &text) {
            Ok(_) => return Ok(()),
            Err(failure) => failure,
        };
        let Error::Syntax { file, line, column, message } = failure else {
            return Err(TestCaseError::fail(failure.to_string()));
        };
        prop_assert_eq!(file, "any");
        prop_assert!(!message.is_empty());
        // An editor finds the place: at the end of the text at the latest.
        let lines: Vec<&str> = text.split('\n').collect();
        prop_assert!((1..=lines.len()).contains(&line), "line {} of {}", line, lines.len());
        prop_assert!((1..=lines[line - 1].len() + 1).contains(&column), "column {} of {:?}", column, lines[line - 1]);
    }

    #[test]
    fn any_descriptor_is_checked_and_resolved_or_refused(text in descriptor_text()) {
        let descriptor = Descriptor::parse("any", &text).unwrap();
        let mut all = standard_descriptors().unwrap();
        all.push(descriptor);
        let has_errors = check(&all)
            .iter()
            .any(|problem| problem.severity == rivero_idl::Severity::Error);
        prop_assert_eq!(Model::new(all).is_err(), has_errors);
    }

    #[test]
    fn texts_survive_writing_and_reading(doc in any::<String>()) {
        let mut descriptor = Descriptor::default();
        descriptor.name = Some(doc);
        let text = serde_json::to_string(&descriptor).unwrap();
        let read = Descriptor::parse("written", &text).unwrap();
        prop_assert_eq!(read.name, descriptor.name);
    }

    #[test]
    fn any_text_is_a_version_range_or_an_error(text in "[0-9.^~<>=&| a-]*|\\PC*") {
        let Ok(range) = text.parse::<VersionRange>() else {
            return Ok(());
        };
        let either: VersionRange = format!("{text} | {text}").parse().unwrap();
        for version in ["0.0.0", "0.9.1", "1.0.0", "1.2.3-dev", "7.3.0", "99.0.0"] {
            let version = parse_version(version).unwrap();
            prop_assert_eq!(range.contains(&version), either.contains(&version), "{} in {}", version, text);
        }
    }
}
