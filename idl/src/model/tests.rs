use super::*;
use serde_json::json;

fn model(texts: &[&str]) -> Result<Model, Error> {
    let descriptors = texts
        .iter()
        .enumerate()
        .map(|(index, text)| Descriptor::parse(&format!("{index}.kmd.json"), text).unwrap());
    Model::with_standard(descriptors.collect())
}

#[test]
fn the_standard_modules_resolve() {
    let model = Model::standard().unwrap();
    let modules: Vec<&str> = model.modules().iter().map(Descriptor::name).collect();
    assert_eq!(modules, ["core", "elements", "filters"]);
    assert_eq!(model.classes().len(), 29);
    // Kurento's, and those that belong to what Rivero adds: six types and four events of Composite, TelephoneEvent, and
    // three events of recordings on their way to a store.
    assert_eq!(model.complex_types().len(), 55 + 6);
    assert_eq!(model.events().len(), 28 + 4 + 1 + 3);
    assert_eq!(
        model.descriptor("elements").unwrap().version.as_deref(),
        Some("7.3.0")
    );
    assert!(model.descriptor("kurento").is_none());
}

#[test]
fn a_class_is_found_by_plain_and_qualified_name() {
    let model = Model::standard().unwrap();
    let class = model.class("WebRtcEndpoint").unwrap();
    assert!(Arc::ptr_eq(
        class,
        model.class("kurento.WebRtcEndpoint").unwrap()
    ));
    assert_eq!(class.module, "elements");
    assert_eq!(&**class.qualified_name(), "kurento.WebRtcEndpoint");
    assert!(model.class("elements.WebRtcEndpoint").is_none());
}

#[test]
fn ancestors_are_nearest_first() {
    let model = Model::standard().unwrap();
    let class = model.class("WebRtcEndpoint").unwrap();
    let names: Vec<&str> = class
        .ancestors()
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "BaseRtpEndpoint",
            "SdpEndpoint",
            "SessionEndpoint",
            "Endpoint",
            "MediaElement",
            "MediaObject"
        ]
    );
    assert!(
        class.is_a("kurento.SdpEndpoint") && class.is_a("WebRtcEndpoint") && !class.is_a("Hub")
    );
}

#[test]
fn operations_are_methods_getters_and_setters() {
    let model = Model::standard().unwrap();
    let class = model.class("WebRtcEndpoint").unwrap();
    let offer = class.operation("processOffer").unwrap();
    assert_eq!(&**offer.declared_by(), "kurento.SdpEndpoint");
    assert_eq!(offer.returns(), Some(&Type::String));
    let pairs = class.operation("getICECandidatePairs").unwrap();
    let Some(Type::List(item)) = pairs.returns() else {
        panic!("{pairs:?}")
    };
    assert!(matches!(&**item, Type::Complex(name) if name.name() == "IceCandidatePair"));
    assert!(class.operation("setICECandidatePairs").is_none());
    let setter = class.operation("setExternalIPv4").unwrap();
    assert_eq!(setter.params()[0].name, "externalIPv4");
    assert!(class.operation("setId").is_none() && class.operation("getIceTcp").is_some());
    assert!(class.operation("getNothing").is_none());
}

#[test]
fn constructor_parameters_have_types_and_defaults() {
    let model = Model::standard().unwrap();
    let class = model.class("WebRtcEndpoint").unwrap();
    let [pipeline, .., dscp] = class.constructor.as_slice() else {
        panic!()
    };
    assert!(matches!(&pipeline.ty, Type::Class(name) if &**name == "kurento.MediaPipeline"));
    assert!(!pipeline.optional);
    assert_eq!(dscp.default, Some(json!("NO_VALUE")));
    let Some(ComplexType::Enum(values)) = model.complex_type("DSCPValue").map(|ty| &**ty) else {
        panic!()
    };
    assert_eq!(values.values.len(), 43);
}

#[test]
fn registers_and_events_have_inherited_members_first() {
    let model = Model::standard().unwrap();
    let Some(ComplexType::Register(stats)) = model
        .complex_type("RTCInboundRTPStreamStats")
        .map(|ty| &**ty)
    else {
        panic!()
    };
    assert_eq!(stats.fields[0].name, "id");
    assert_eq!(stats.fields.last().unwrap().name, "jitter");
    assert_eq!(stats.extends().unwrap().name(), "RTCRTPStreamStats");
    assert!(stats.is_a("Stats") && stats.is_a("kurento.RTCStats") && !stats.is_a("Tag"));
    let event = model.event("IceCandidateFound").unwrap();
    let names: Vec<&str> = event
        .properties
        .iter()
        .map(|property| property.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["source", "timestampMillis", "tags", "type", "candidate"]
    );
    assert_eq!(event.own_properties().len(), 1);
}

#[test]
fn events_of_a_class_are_its_own_and_the_inherited_ones() {
    let model = Model::standard().unwrap();
    let class = model.class("WebRtcEndpoint").unwrap();
    assert_eq!(class.event("Error").unwrap().name.name(), "Error");
    assert!(class.event("IceGatheringDone").is_some() && class.event("EndOfStream").is_none());
    assert_eq!(class.own_events().count(), 7);
}

const HEAD: &str = r#""version": "1.0.0", "kurentoVersion": "^7.0.0""#;

#[test]
fn a_module_has_its_own_namespace_and_sees_the_standard_types() {
    let text = format!(
        r#"{{"name": "lens", {HEAD},
            "remoteClasses": [{{"name": "Lens", "extends": "Filter",
                "constructor": {{"params": [{{"name": "size", "type": "int", "optional": true, "defaultValue": "320"}}]}},
                "methods": [{{"name": "focus", "params": [{{"name": "tag", "type": "Tag"}}]}},
                            {{"name": "focus", "params": []}}]}}],
            "complexTypes": [{{"name": "Tag", "typeFormat": "REGISTER",
                "properties": [{{"name": "at", "type": "MediaType"}}]}}]}}"#
    );
    let model = model(&[&text]).unwrap();
    let class = model.class("lens.Lens").unwrap();
    assert_eq!(
        (class.module.as_str(), class.namespace.as_str()),
        ("lens", "lens")
    );
    assert_eq!(class.constructor[0].default, Some(json!(320)));
    let one = class.operation_for("focus", ["tag"].into_iter()).unwrap();
    assert!(matches!(&one.params()[0].ty, Type::Complex(name) if &**name == "lens.Tag"));
    assert!(
        class
            .operation_for("focus", [].into_iter())
            .unwrap()
            .params()
            .is_empty()
    );
    assert_eq!(class.operations("focus").len(), 2);
    assert_eq!(
        model.complex_type("Tag").unwrap().name().namespace(),
        "kurento"
    );
}

#[test]
fn an_identical_definition_in_a_second_descriptor_is_fine_and_a_different_one_names_both() {
    let with = |ty: &str| {
        format!(
            r#"{{"name": "lens", {HEAD}, "remoteClasses": [{{"name": "Lens", "extends": "Filter", "doc": "{ty}",
                "properties": [{{"name": "size", "type": "{ty}"}}]}}]}}"#
        )
    };
    let differing_text = with("int").replace(r#""doc": "int""#, r#""doc": "other words""#);
    assert_eq!(
        model(&[&with("int"), &differing_text])
            .unwrap()
            .classes()
            .len(),
        30
    );
    let error = model(&[&with("int"), &with("float")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "1.kmd.json: remoteClasses[0]: class Lens is defined differently in 0.kmd.json: remoteClasses[0]"
    );
}

#[test]
fn two_modules_cannot_have_classes_of_one_name() {
    let module = |name: &str| {
        format!(
            r#"{{"name": "{name}", {HEAD}, "remoteClasses": [{{"name": "Lens", "extends": "Filter"}}]}}"#
        )
    };
    let error = model(&[&module("one"), &module("two")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "1.kmd.json: remoteClasses[0]: another class Lens is defined in 0.kmd.json: remoteClasses[0]"
    );
}
