//! A17: values of every type come back as they went, through requests, replies and events.

use std::sync::Arc;

use crate::common::{Bench, Client, Toys};
use rivero_idl::{Descriptor, Model};
use serde_json::{Map, Value, json};

/// A class whose method `echo` answers its parameter and raises it as an event.
fn descriptor(types: &[(&str, &str)]) -> Descriptor {
    let methods = types.iter().map(|(name, ty)| {
        json!({
            "name": format!("echo{name}"), "doc": "",
            "params": [{"name": "value", "type": ty, "doc": ""}],
            "return": {"type": ty, "doc": ""},
        })
    });
    let events = types.iter().map(|(name, ty)| {
        json!({
            "name": format!("Echo{name}"), "doc": "", "extends": "kurento.Media",
            "properties": [{"name": "value", "type": ty, "doc": ""}],
        })
    });
    let names = types.iter().map(|(name, _)| format!("Echo{name}"));
    let text = json!({
        "name": "echo", "version": "1.0.0", "kurentoVersion": "^7.0.0",
        "remoteClasses": [{
            "name": "Parrot", "extends": "kurento.MediaElement", "doc": "Says what it is told.",
            "constructor": {"doc": "", "params": [{"name": "mediaPipeline", "type": "kurento.MediaPipeline", "doc": ""}]},
            "methods": methods.collect::<Vec<_>>(),
            "events": names.collect::<Vec<_>>(),
        }],
        "events": events.collect::<Vec<_>>(),
        "complexTypes": [
            {"name": "Colour", "typeFormat": "ENUM", "doc": "", "values": ["RED", "GREEN"]},
            {"name": "Pair", "typeFormat": "REGISTER", "doc": "", "properties": [
                {"name": "number", "type": "int64", "doc": ""},
                {"name": "list", "type": "float[]", "doc": ""},
                {"name": "colours", "type": "Colour<>", "doc": "", "optional": true},
            ]},
        ],
    });
    Descriptor::parse("echo.kmd.json", &text.to_string()).unwrap()
}

const TYPES: &[(&str, &str)] = &[
    ("String", "String"),
    ("Boolean", "boolean"),
    ("Int", "int"),
    ("Int64", "int64"),
    ("Float", "float"),
    ("Double", "double"),
    ("Colour", "Colour"),
    ("List", "int64[]"),
    ("Texts", "String[]"),
    ("Map", "int<>"),
    ("Pair", "Pair"),
    ("Pairs", "Pair[]"),
    ("PairMap", "Pair<>"),
];

/// Toys that answer what they are told, and raise it as an event of the same name.
fn parrots() -> Arc<Toys> {
    let model = Model::with_standard(vec![descriptor(TYPES)]).unwrap();
    let toys = Toys::of(model);
    for (name, _) in TYPES {
        let event = format!("Echo{name}");
        toys.script(&format!("echo{name}"), move |toy, params| {
            let said = Map::from_iter([("value".to_owned(), params["value"].clone())]);
            toy.sink.emit(&event, said);
            Ok(params["value"].clone())
        });
    }
    toys
}

async fn parrot(client: &mut Client) -> String {
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let parrot = client.element("echo.Parrot", &pipeline).await;
    for (name, _) in TYPES {
        client.subscribe(&parrot, &format!("Echo{name}")).await;
    }
    parrot
}

fn pair(number: i64) -> Value {
    json!({"__module__": "echo", "__type__": "Pair", "colours": {"a": "RED", "b": "GREEN"}, "list": [0.5, -2.0], "number": number})
}

#[tokio::test]
async fn a17_every_type_comes_back_in_replies_and_events() {
    let bench = Bench::with(parrots(), |_| {}).await;
    let mut client = bench.client().await;
    let parrot = parrot(&mut client).await;
    let beyond_int = 9_007_199_254_740_993_i64;
    for (name, value) in [
        ("String", json!("é \u{0} \u{1f600} \" \\ \n")),
        ("Boolean", json!(true)),
        ("Int", json!(i32::MIN)),
        ("Int64", json!(beyond_int)),
        ("Int64", json!(i64::MIN)),
        ("Float", json!(f64::from(0.1_f32))),
        ("Double", json!(0.1)),
        ("Double", json!(1e300)),
        ("Colour", json!("GREEN")),
        ("List", json!([])),
        ("List", json!([1, -1, beyond_int])),
        ("Texts", json!(["", "x"])),
        ("Map", json!({})),
        ("Map", json!({"a": 1, "": 2})),
        ("Pair", pair(beyond_int)),
        ("Pairs", json!([pair(1), pair(2)])),
        ("PairMap", json!({"x": pair(1), "y": pair(2)})),
    ] {
        let answer = client
            .invoke(&parrot, &format!("echo{name}"), json!({"value": value}))
            .await;
        assert_eq!(answer, value, "{name}");
        let event = client.event().await;
        assert_eq!(event["type"], format!("Echo{name}"));
        assert_eq!(event["data"]["value"], value, "{name}");
    }
}

#[tokio::test]
async fn a17_labels_are_added_where_they_are_missing() {
    let bench = Bench::with(parrots(), |_| {}).await;
    let mut client = bench.client().await;
    let parrot = parrot(&mut client).await;
    // As Java's client sends it (typed, nulls omitted), and as JavaScript's does (bare).
    let typed = json!({"__type__": "Pair", "__module__": "echo", "number": 1, "list": []});
    for given in [typed.clone(), json!({"number": 1, "list": []})] {
        let answer = client
            .invoke(&parrot, "echoPair", json!({"value": given}))
            .await;
        assert_eq!(answer, typed);
    }
    let bare = json!({"x": {"number": 1, "list": []}});
    let answer = client
        .invoke(&parrot, "echoPairMap", json!({"value": bare}))
        .await;
    assert_eq!(answer, json!({"x": typed}));
}

#[tokio::test]
async fn a17_what_does_not_fit_is_refused_by_name() {
    let bench = Bench::with(parrots(), |_| {}).await;
    let mut client = bench.client().await;
    let parrot = parrot(&mut client).await;
    for (name, value, message) in [
        (
            "Int",
            json!(i64::from(i32::MAX) + 1),
            "'value' parameter should be a integer",
        ),
        ("Int64", json!("x"), "'value' parameter should be a int64"),
        ("List", json!({}), "'value' parameter should be a list"),
        ("Map", json!([]), "'value' parameter should be a map"),
        ("Colour", json!("BLUE"), "Invalid value for 'Colour'"),
        (
            "Pair",
            json!({"number": 1}),
            "'list' property should be a list",
        ),
        (
            "Pairs",
            json!([pair(1), {"number": [], "list": []}]),
            "'number' property should be a int64",
        ),
    ] {
        let params = json!({"object": parrot, "operation": format!("echo{name}"), "operationParams": {"value": value}});
        assert_eq!(
            client.error("invoke", params).await,
            (40001, message.to_owned()),
            "{name}"
        );
    }
    let foreign = json!({"__type__": "Tag", "__module__": "kurento", "number": 1, "list": []});
    let params =
        json!({"object": parrot, "operation": "echoPair", "operationParams": {"value": foreign}});
    let (code, message) = client.error("invoke", params).await;
    assert_eq!(
        (code, message.as_str()),
        (40003, "Type Tag is not compatible")
    );
}
