use super::*;
use crate::standard_descriptors;

const HEAD: &str = r#""name": "m", "version": "1.0.0", "kurentoVersion": "^7.0.0""#;

/// What is wrong with a module that has these members besides name and versions.
fn problems(members: &str) -> Vec<String> {
    problems_of(&[&format!("{{{HEAD}, {members}}}")])
}

fn problems_of(texts: &[&str]) -> Vec<String> {
    let mut descriptors = standard_descriptors().unwrap();
    let own = texts
        .iter()
        .map(|text| Descriptor::parse("m.kmd.json", text).unwrap());
    descriptors.extend(own);
    let own = check(&descriptors)
        .into_iter()
        .filter(|problem| &*problem.location.file == "m.kmd.json");
    own.map(|problem| problem.to_string()).collect()
}

fn class(members: &str) -> String {
    format!(r#""remoteClasses": [{{"name": "A", {members}}}]"#)
}

#[track_caller]
fn assert_one(problems: Vec<String>, expected: &str) {
    assert_eq!(problems, [format!("m.kmd.json: {expected}")]);
}

#[test]
fn the_standard_descriptors_have_no_problems() {
    assert_eq!(check(&standard_descriptors().unwrap()), []);
}

#[test]
fn a_good_module_has_no_problems() {
    let text = class(
        r#""extends": "Filter", "constructor": {"params": [
            {"name": "mediaPipeline", "type": "MediaPipeline"},
            {"name": "points", "type": "Point[]", "optional": true, "defaultValue": [{"x": 0.5}]}]},
            "events": ["Seen"]"#,
    );
    let types = r#""complexTypes": [{"name": "Point", "typeFormat": "REGISTER", "properties": [
        {"name": "x", "type": "float"}, {"name": "label", "type": "String", "optional": true}]}]"#;
    let events = r#""events": [{"name": "Seen", "extends": "Media", "properties": [{"name": "at", "type": "Point"}]}]"#;
    assert_eq!(
        problems(&format!("{text}, {types}, {events}")),
        Vec::<String>::new()
    );
}

#[test]
fn unknown_types_are_found_wherever_they_stand() {
    let method = r#""methods": [{"name": "f", "params": [{"name": "x", "type": "Nope[]"}], "return": {"type": "Nil"}}]"#;
    assert_eq!(
        problems(&class(method)),
        [
            "m.kmd.json: remoteClasses[0].methods[0].params[0].type: type 'Nope' is not known",
            "m.kmd.json: remoteClasses[0].methods[0].return.type: type 'Nil' is not known",
        ]
    );
    assert_one(
        problems(r#""events": [{"name": "E", "properties": [{"name": "x", "type": "int ["}]}]"#),
        "events[0].properties[0].type: 'int [' is not a type: expected String, boolean, int, int64, float, double, a \
         class or a complex type, with [] for lists and <> for maps",
    );
}

#[test]
fn what_is_extended_must_exist_and_not_lead_back() {
    assert_one(
        problems(&class(r#""extends": "B""#)),
        "remoteClasses[0].extends: class 'B' is not known",
    );
    let cycle =
        r#""remoteClasses": [{"name": "A", "extends": "B"}, {"name": "B", "extends": "A"}]"#;
    assert_eq!(
        problems(cycle),
        [
            "m.kmd.json: remoteClasses[0].extends: 'B' leads back to 'A'",
            "m.kmd.json: remoteClasses[1].extends: 'A' leads back to 'B'",
        ]
    );
    assert_one(
        problems(r#""events": [{"name": "E", "extends": "E"}]"#),
        "events[0].extends: 'E' leads back to 'E'",
    );
    assert_one(
        problems(
            r#""complexTypes": [{"name": "R", "typeFormat": "REGISTER", "extends": "MediaType"}]"#,
        ),
        "complexTypes[0].extends: 'MediaType' is an enumeration",
    );
}

#[test]
fn a_chain_of_ancestors_is_bounded() {
    let classes: Vec<String> = (0..2000)
        .map(|index| format!(r#"{{"name": "A{index}", "extends": "A{}"}}"#, index + 1))
        .collect();
    let problems = problems(&format!(r#""remoteClasses": [{}]"#, classes.join(",")));
    assert!(
        problems[0].contains("more than 32 ancestors"),
        "{}",
        problems[0]
    );
}

#[test]
fn names_must_survive_ids_and_client_languages() {
    for name in ["A_B", "a.B", "1A", "", "Ä"] {
        let problems = problems(&format!(r#""remoteClasses": [{{"name": "{name}"}}]"#));
        assert_one(
            problems,
            &format!(
                "remoteClasses[0].name: class name '{name}' must start with a letter and have only letters and digits"
            ),
        );
    }
    assert_one(
        problems(&class(r#""properties": [{"name": "a-b", "type": "int"}]"#)),
        "remoteClasses[0].properties[0].name: value name 'a-b' must start with a letter and have only letters, digits \
         and underscores",
    );
}

#[test]
fn duplicates_are_found() {
    assert_one(
        problems(r#""remoteClasses": [{"name": "A"}, {"name": "A"}]"#),
        "remoteClasses[1]: class A is defined twice in this file",
    );
    assert_one(
        problems(&class(
            r#""methods": [{"name": "getX"}], "properties": [{"name": "x", "type": "int"}]"#,
        )),
        "remoteClasses[0].properties[0]: A already has an operation 'getX' with 0 parameters",
    );
    assert_one(
        problems(&class(
            r#""extends": "MediaObject", "methods": [{"name": "getTags"}]"#,
        )),
        "remoteClasses[0].methods[0]: MediaObject already has an operation 'getTags' with 0 parameters",
    );
    assert_one(
        problems(r#""complexTypes": [{"name": "E", "typeFormat": "ENUM", "values": ["A", "A"]}]"#),
        "complexTypes[0]: two values are named 'A'",
    );
    let register = r#""complexTypes": [{"name": "R", "typeFormat": "REGISTER", "extends": "Stats",
        "properties": [{"name": "id", "type": "int"}]}]"#;
    assert_one(
        problems(register),
        "complexTypes[0].properties[0]: 'id' is already inherited",
    );
    assert_one(
        problems(&class(
            r#""constructor": {"params": [{"name": "x", "type": "int"}, {"name": "x", "type": "int"}]}"#,
        )),
        "remoteClasses[0].constructor: two params are named 'x'",
    );
}

#[test]
fn defaults_must_fit_their_type() {
    for (ty, default, message) in [
        ("int", "3000000000", "3000000000 is no int"),
        ("int64", "1.5", "1.5 is no int64"),
        ("boolean", "1", "1 is no boolean"),
        ("String", "{}", "{} is no String"),
        ("String[]", "[1]", "1 is no String"),
        ("float<>", r#"{"a": "b"}"#, "\"b\" is no float"),
        (
            "MediaElement",
            r#""x""#,
            "a MediaElement can have no default",
        ),
        (
            "MediaType",
            r#""audio""#,
            "\"audio\" is no MediaType, which has the values AUDIO, DATA, VIDEO",
        ),
        ("Tag", r#"{"key": "k"}"#, "field 'value' is missing"),
        ("SDES", r#"{"kay": "k"}"#, "'kay' is no field of SDES"),
    ] {
        let property = format!(
            r#""properties": [{{"name": "x", "type": "{ty}", "defaultValue": {default}}}]"#
        );
        assert_one(
            problems(&class(&property)),
            &format!("remoteClasses[0].properties[0].defaultValue: {message}"),
        );
    }
    let fits = r#""properties": [{"name": "x", "type": "int", "defaultValue": "320"},
        {"name": "y", "type": "SDES", "defaultValue": {}}, {"name": "z", "type": "boolean", "defaultValue": "true"}]"#;
    assert_eq!(problems(&class(fits)), Vec::<String>::new());
}

#[test]
fn optional_parameters_without_default_are_warned_about() {
    let method =
        r#""methods": [{"name": "f", "params": [{"name": "x", "type": "int", "optional": true}]}]"#;
    assert_one(
        problems(&class(method)),
        "remoteClasses[0].methods[0].params[0]: warning: optional 'x' has no defaultValue: the module gets it as absent, \
         but Kurento's tools cannot build such a module",
    );
}

#[test]
fn unknown_members_and_events_are_reported() {
    assert_one(
        problems(&class(r#""propertys": []"#)),
        "remoteClasses[0].propertys: warning: is no member of a descriptor, it has no effect",
    );
    assert_one(
        problems(&class(r#""events": ["Nope"]"#)),
        "remoteClasses[0].events[0]: event 'Nope' is not known",
    );
}

#[test]
fn the_head_of_a_module_must_be_complete() {
    assert_eq!(
        problems_of(&["{}"]),
        [
            "m.kmd.json: none of the module's files has a name",
            "m.kmd.json: none of the module's files has a version",
            "m.kmd.json: none of the module's files has a kurentoVersion",
        ]
    );
    assert_one(
        problems_of(&[r#"{"name": "kurento", "version": "1.0.0", "kurentoVersion": "^7.0.0"}"#]),
        "the name 'kurento' belongs to the standard modules",
    );
}

#[test]
fn imports_must_be_present_in_a_fitting_version() {
    assert_one(
        problems_of(&[r#"{"name": "m", "version": "1.0.0", "kurentoVersion": "^6.9.0"}"#]),
        "kurentoVersion: needs core ^6.9.0, found version 7.3.0",
    );
    assert_one(
        problems(r#""imports": [{"name": "other", "version": "1.0.0"}]"#),
        "imports[0]: module 'other' is not known",
    );
    assert_one(
        problems(r#""imports": [{"name": "elements", "version": ">=7.0.0-dev"}]"#),
        "imports[0]: a release may not need the development version >=7.0.0-dev",
    );
    assert_one(
        problems(r#""imports": [{"name": "elements", "version": "latest"}]"#),
        "imports[0]: 'latest' is not a version: unexpected character 'l' while parsing major version number",
    );
    let module = |name: &str, import: &str| {
        format!(
            r#"{{"name": "{name}", "version": "1.0.0", "kurentoVersion": "^7.0.0",
                "imports": [{{"name": "{import}", "version": "^1.0.0"}}]}}"#
        )
    };
    assert_eq!(
        problems_of(&[&module("a", "b"), &module("b", "a")]),
        [
            "m.kmd.json: imports[0]: the import of 'b' leads back to 'a'",
            "m.kmd.json: imports[0]: the import of 'a' leads back to 'b'",
        ]
    );
}
