use super::*;
use crate::accounts::Account;
use crate::auth::Caller;
use crate::registry::Registry;
use serde_json::json;

struct Bench {
    model: Arc<Model>,
    registry: Registry,
    caller: Caller,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            model: Arc::new(Model::standard().unwrap()),
            registry: Registry::default(),
            caller: Caller::anyone(&Account::alone()),
        }
    }

    fn constructor(&self, class: &str, given: Value) -> Result<Converted, CallError> {
        let class = self.model.class(class).unwrap();
        self.incoming()
            .params(Place::Constructor, &class.constructor, Some(given))
    }

    fn operation(
        &self,
        class: &str,
        operation: &str,
        given: Option<Value>,
    ) -> Result<Map<String, Value>, CallError> {
        let operation = self
            .model
            .class(class)
            .unwrap()
            .operation(operation)
            .unwrap()
            .clone();
        self.incoming()
            .params(Place::Operation, operation.params(), given)
            .map(|converted| converted.params)
    }

    fn incoming(&self) -> Incoming<'_> {
        Incoming {
            model: &self.model,
            view: self.registry.view(&self.caller),
        }
    }

    fn pipeline(&self) -> Arc<Object> {
        let class = self.model.class("MediaPipeline").unwrap().clone();
        let graph = rivero_media::Graph::new(&rivero_media::Plane::start().unwrap());
        let body = crate::registry::Body::Pipeline { graph };
        let account = Account::alone();
        let allotment = crate::registry::Allotment::claim(&account, true).unwrap();
        let pipeline = Object::new("p".into(), class, None, body, allotment);
        self.registry.insert(&pipeline, None).unwrap();
        pipeline
    }
}

fn message<T: std::fmt::Debug>(result: Result<T, CallError>) -> String {
    result.unwrap_err().message
}

#[test]
fn leniency_is_the_protocols() {
    let bench = Bench::new();
    let set = |name: &str, value: Value| {
        let operation = format!("set{}{}", name[..1].to_uppercase(), &name[1..]);
        bench
            .operation("WebRtcEndpoint", &operation, Some(json!({name: value})))
            .map(|params| params[name].clone())
    };
    assert_eq!(set("name", json!(5)).unwrap(), json!("5"));
    assert_eq!(set("name", Value::Null).unwrap(), json!(""));
    assert_eq!(set("mtu", json!(1.9)).unwrap(), json!(1));
    assert_eq!(set("mtu", Value::Null).unwrap(), json!(0));
    assert_eq!(
        message(set("mtu", json!("1200"))),
        "'mtu' parameter should be a integer"
    );
    assert_eq!(
        message(set("mtu", json!(1e12))),
        "'mtu' parameter should be a integer"
    );
    assert_eq!(set("sendTagsInEvents", json!(1)).unwrap(), json!(true));
    assert_eq!(
        message(set("sendTagsInEvents", json!("true"))),
        "'sendTagsInEvents' parameter should be a boolean"
    );
    assert_eq!(
        message(set("name", json!({}))),
        "'name' parameter should be a string"
    );
}

#[test]
fn missing_parameters_are_named() {
    let bench = Bench::new();
    let tag = |given| message(bench.operation("MediaPipeline", "getTag", given));
    assert_eq!(tag(None), "'operationParams' is required");
    assert_eq!(tag(Some(json!([]))), "'operationParams' is required");
    assert_eq!(tag(Some(json!({}))), "'key' parameter should be a string");
    assert!(
        bench
            .operation("MediaPipeline", "getGstreamerDot", Some(Value::Null))
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        message(bench.constructor("WebRtcEndpoint", Value::Null)),
        "'constructorParams' is required"
    );
    assert_eq!(
        message(bench.constructor("WebRtcEndpoint", json!("x"))),
        "'constructorParams' should be an object"
    );
    assert_eq!(
        message(bench.constructor("WebRtcEndpoint", json!({}))),
        "'mediaPipeline' parameter should be a string"
    );
}

#[test]
fn optional_parameters_stand_on_their_own() {
    let bench = Bench::new();
    bench.pipeline();
    let given = json!({"mediaPipeline": "p", "useDataChannels": true, "unknown": 1});
    let params = bench.constructor("WebRtcEndpoint", given).unwrap().params;
    assert_eq!(params["useDataChannels"], json!(true));
    assert_eq!(params["recvonly"], json!(false));
    assert!(!params.contains_key("unknown"));
}

#[test]
fn enumerations_and_registers() {
    let bench = Bench::new();
    let flowing = |kind| {
        bench.operation(
            "PassThrough",
            "isMediaFlowingIn",
            Some(json!({"mediaType": kind})),
        )
    };
    assert_eq!(
        message(flowing(json!("BAD"))),
        "Invalid value for 'MediaType'"
    );
    assert_eq!(
        message(flowing(Value::Null)),
        "Invalid value for 'MediaType'"
    );
    assert_eq!(
        flowing(json!("AUDIO")).unwrap()["sinkMediaDescription"],
        "default"
    );
    let format =
        |caps| bench.operation("PassThrough", "setVideoFormat", Some(json!({"caps": caps})));
    assert_eq!(
        message(format(json!({"codec": "AV9"}))),
        "Invalid value for 'VideoCodec'"
    );
    assert_eq!(
        message(format(json!({"codec": "VP8"}))),
        "'framerate' property should be a object"
    );
    assert_eq!(
        message(format(json!(5))),
        "'caps' parameter should be a object"
    );
    let foreign = json!({"__type__": "Nope", "__module__": "kurento", "codec": "VP8"});
    assert_eq!(
        message(format(foreign)),
        "Type Nope does not exist in module kurento"
    );
    let other = json!({"__type__": "Tag", "__module__": "kurento", "codec": "VP8"});
    assert_eq!(message(format(other)), "Type Tag is not compatible");
    let framerate = json!({"numerator": 15, "denominator": 1});
    let caps = json!({"__type__": "VideoCaps", "codec": "VP8", "framerate": framerate});
    assert_eq!(
        format(caps).unwrap()["caps"],
        json!({"codec": "VP8", "framerate": framerate})
    );
}

#[test]
fn references_are_checked() {
    let bench = Bench::new();
    let pipeline = bench.pipeline();
    let element = |id: Value| bench.constructor("PassThrough", json!({"mediaPipeline": id}));
    assert!(Arc::ptr_eq(
        element(json!("p"))
            .unwrap()
            .object("mediaPipeline")
            .unwrap(),
        &pipeline
    ));
    let code = |result: Result<Converted, CallError>| result.unwrap_err().code;
    assert_eq!(code(element(json!("nope"))), 40101);
    assert_eq!(code(element(Value::Null)), 40101);
    assert_eq!(code(element(json!("newref:0"))), 40109);
    assert_eq!(code(element(json!({}))), 40001);
    let port = bench.constructor("HubPort", json!({"hub": "p"}));
    assert_eq!(
        message(port),
        "'hub' should be a Hub, but 'p' is a MediaPipeline"
    );
}

#[test]
fn what_may_be_absent_counts_as_null() {
    let bench = Bench::new();
    let give = |candidate: Value| {
        let given = json!({"candidate": candidate});
        bench.operation("WebRtcEndpoint", "addIceCandidate", Some(given))
    };
    for (given, mid, index) in [
        (json!({"candidate": "c", "sdpMid": "0"}), "0", 0),
        (json!({"candidate": "c", "sdpMLineIndex": 1}), "", 1),
        (json!({"candidate": "c"}), "", 0),
        (
            json!({"candidate": "c", "sdpMid": null, "sdpMLineIndex": null}),
            "",
            0,
        ),
    ] {
        let candidate = &give(given).unwrap()["candidate"];
        let whole = json!({"candidate": "c", "sdpMid": mid, "sdpMLineIndex": index});
        assert_eq!(*candidate, whole);
    }
    let refused = give(json!({"sdpMid": "0", "sdpMLineIndex": 0})).unwrap_err();
    assert_eq!(refused.code, 40001);
    let refused = give(json!({"candidate": "c", "sdpMid": {}})).unwrap_err();
    assert_eq!(refused.code, 40001);
}
