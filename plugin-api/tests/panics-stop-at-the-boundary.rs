//! Whatever an author's code panics in, the host's call comes back: with an error where it has an
//! answer, else with the news on the object, the conversion or in the log.
//!
//! Every function that the host calls goes through here once, by the same tables as in a server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed call fails the test, and panics are its subject"
)]

use std::sync::{Arc, LazyLock, Mutex};

use rivero_plugin_api::abi::{
    abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{RArc, RBox, ROption, RResult, RSlice, RStr, RString},
    },
    bytes::BytesMut,
    module::{self, Started},
    packet::Packet,
    timer,
    traits::{self, *},
    types::{AbiError, AbiFormat, AbiUpstream},
};
use rivero_plugin_api::{
    Class, Conversion, Converter, ConverterFactory, ConverterOutput, Element, ElementContext,
    MediaKind, Module, Object, Packaging, Result, SinkGroup, SinkHandler, SinkSelection,
    SourceHandler, Upstream, supervise,
};
use serde_json::{Map, Value};

// --- The author's side: everything panics ---------------------------------

/// Panics in everything but its constructor, which panics where it is told to.
struct Author;

fn create(context: ElementContext, params: Value) -> Result<Box<dyn Object>> {
    assert!(params["panic"] != true, "told to");
    // The host of this test keeps the handlers and makes no pads.
    let source = context.source_pad(MediaKind::Video, "default", Handler);
    let sink = context.sink_pad(MediaKind::Video, "default", Handler);
    assert!(source.is_err() && sink.is_err());
    Ok(Box::new(Author))
}

impl Object for Author {
    fn invoke(&self, _: &str, _: Value) -> Result<Value> {
        panic!("told to")
    }

    fn element(&self) -> &dyn Element {
        self
    }
}

impl Element for Author {
    fn stats(&self, _: Option<MediaKind>) -> Result<Map<String, Value>> {
        panic!("told to")
    }

    fn released(&self) {
        panic!("told to")
    }

    fn port_added(&self, _: &str, _: ElementContext) -> Result<()> {
        panic!("told to")
    }

    fn port_removed(&self, _: &str) {
        panic!("told to")
    }
}

struct Handler;

impl SourceHandler for Handler {
    fn upstream(&self, _: Upstream) {
        panic!("told to")
    }

    fn consumers(&self, _: u32) {
        panic!("told to")
    }
}

impl SinkHandler for Handler {
    fn packets(&self, _: &[Packet]) {
        panic!("told to")
    }

    fn format(&self, _: Option<u32>) {
        panic!("told to")
    }
}

impl SinkGroup for Handler {
    fn push_batch(&self, _: &[Packet], _: &[SinkSelection]) {
        panic!("told to, in a group")
    }
}

impl Converter for Handler {
    fn packets(&self, _: &[Packet]) {
        panic!("told to")
    }

    fn upstream(&self, _: Upstream) {
        panic!("told to")
    }

    fn stop(&self) {
        panic!("told to")
    }
}

impl Drop for Author {
    fn drop(&mut self) {
        panic!("told to, at the end of an object")
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        panic!("told to, at the end of a handler")
    }
}

fn convert(_: u32, output: u32, _: Value, _: ConverterOutput) -> Result<Box<dyn Converter>> {
    assert!(output > 0, "told to");
    Ok(Box::new(Handler))
}

fn definition() -> Module {
    let raw = ("RAW".to_owned(), Packaging::Raw);
    let conversion = Conversion {
        input: raw.clone(),
        output: raw,
        cost: 1,
    };
    Module {
        classes: vec![Class::new("Author", create)],
        converters: vec![ConverterFactory::new(conversion, convert)],
    }
}

// --- The host's side: it writes down what it hears ------------------------

/// Texts, shared by what hears them.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// There is one log in a process, since there is one host.
static LOG: LazyLock<Heard> = LazyLock::new(Heard::default);

struct Server;

impl AbiHost for Server {
    fn log(&self, level: u8, _: RStr<'_>, message: RStr<'_>, fields: RStr<'_>) {
        LOG.add(format!("{level} {message} {fields}"));
    }
    fn log_level(&self) -> u8 {
        5
    }
    fn configuration(&self, _: RStr<'_>) -> RString {
        "{}".into()
    }
    fn data_directory(&self) -> RString {
        "/nonexistent".into()
    }
    fn now(&self) -> i64 {
        0
    }
    fn format_id(&self, _: &AbiFormat) -> u32 {
        1
    }
    fn format(&self, _: u32) -> ROption<AbiFormat> {
        ROption::RNone
    }
    fn start_timer(&self, _: u64, _: Timer) -> u64 {
        0
    }
    fn cancel_timer(&self, _: u64) {}
    fn metric(&self, _: u8, _: RStr<'_>, _: RStr<'_>, _: f64) {}
    fn allocate(&self, length: usize) -> BytesMut {
        BytesMut::new(length)
    }
}

/// The host's side of an object: its panics, and the handlers of its pads.
#[derive(Clone, Default)]
struct Objects {
    panics: Heard,
    sources: Arc<Mutex<Vec<traits::SourceHandler>>>,
    sinks: Arc<Mutex<Vec<traits::SinkHandler>>>,
}

fn no_pad() -> AbiError {
    rivero_plugin_api::Error::unexpected("no pads in this test").into()
}

impl AbiElementHost for Objects {
    fn id(&self) -> RString {
        "object".into()
    }
    fn pipeline(&self) -> RString {
        "pipeline".into()
    }
    fn emit(&self, _: RStr<'_>, _: RStr<'_>) {}
    fn error(&self, _: RStr<'_>, _: i32, _: RStr<'_>) {}
    fn panicked(&self, place: RStr<'_>, message: RStr<'_>) {
        self.panics.add(format!("{place}: {message}"));
    }
    fn add_source_pad(
        &self,
        _: MediaKind,
        _: RStr<'_>,
        handler: traits::SourceHandler,
    ) -> RResult<SourcePad, AbiError> {
        self.sources.lock().unwrap().push(handler);
        RResult::RErr(no_pad())
    }
    fn add_sink_pad(
        &self,
        _: MediaKind,
        _: RStr<'_>,
        handler: traits::SinkHandler,
        _: ROption<traits::SinkGroup>,
        _: u64,
    ) -> RResult<SinkPad, AbiError> {
        self.sinks.lock().unwrap().push(handler);
        RResult::RErr(no_pad())
    }
    fn class_of(&self, _: RStr<'_>) -> ROption<RString> {
        ROption::RNone
    }
}

impl Objects {
    fn host(&self) -> ElementHost {
        AbiElementHost_TO::from_ptr(RArc::new(self.clone()), TD_Opaque)
    }
}

impl AbiResponder for Heard {
    fn reply(&self, result: RResult<RString, AbiError>) {
        self.add(match result {
            RResult::ROk(value) => value.into_string(),
            RResult::RErr(error) => format!("{} {}", error.code, error.message),
        });
    }
}

impl AbiConverterOutput for Heard {
    fn push(&self, _: RSlice<'_, Packet>) {}
    fn upstream(&self, _: AbiUpstream) {}
    fn failed(&self, error: AbiError) {
        self.add(format!("{} {}", error.code, error.message));
    }
}

fn start(definition: fn() -> Module) -> Started {
    let server = AbiHost_TO::from_ptr(RArc::new(Server), TD_Opaque);
    module::start(server, definition)
}

fn started() -> traits::Module {
    start(definition).into_result().unwrap()
}

fn object(objects: &Objects) -> traits::Object {
    let made = started().create("Author".into(), objects.host(), "{}".into());
    made.into_result().unwrap()
}

/// Code and text of the error that this is.
fn refusal<T>(result: RResult<T, AbiError>) -> String {
    match result.into_result() {
        Ok(_) => panic!("no error"),
        Err(error) => format!("{} {}", error.code, error.message),
    }
}

fn is_logged(text: &str) -> bool {
    LOG.take()
        .iter()
        .any(|line| line.starts_with("1 a panic in ") && line.contains(text))
}

// --- What becomes of it ---------------------------------------------------

#[test]
fn a_panic_at_the_start_is_an_error_of_the_load() {
    let refused = refusal(start(|| panic!("told to")));
    assert_eq!(
        refused,
        "40003 the module panicked in the start of the module: told to"
    );
    assert_eq!(module::class_names(|| panic!("told to")).len(), 0);
}

#[test]
fn a_panic_in_a_constructor_is_its_answer() {
    let create = |class: &str, params: &str| {
        let objects = Objects::default();
        refusal(started().create(class.into(), objects.host(), params.into()))
    };
    let refused = create("Author", "{\"panic\": true}");
    assert_eq!(
        refused,
        "40003 the module panicked in the constructor: told to"
    );
    assert_eq!(create("Other", "{}"), "40003 the module has no class Other");
    assert!(create("Author", "{").starts_with("40001 "));
}

#[test]
fn a_panic_in_an_operation_is_its_answer_and_news_of_the_object() {
    let objects = Objects::default();
    let object = object(&objects);
    let answers = Heard::default();
    let responder = AbiResponder_TO::from_ptr(RBox::new(answers.clone()), TD_Opaque);
    object.invoke("getName".into(), "{}".into(), responder);
    assert_eq!(
        answers.take(),
        ["40003 the module panicked in getName: told to"]
    );
    assert_eq!(
        refusal(object.stats(255)),
        "40003 the module panicked in stats: told to"
    );
    assert_eq!(
        objects.panics.take(),
        ["getName: told to", "stats: told to"]
    );
}

#[test]
fn a_panic_in_what_has_no_answer_is_news_of_the_object() {
    let objects = Objects::default();
    let object = object(&objects);
    let refused = object.port_added("port".into(), objects.host());
    assert_eq!(
        refusal(refused),
        "40003 the module panicked in port_added: told to"
    );
    object.port_removed("port".into());
    let released = Heard::default();
    object.release(AbiResponder_TO::from_ptr(
        RBox::new(released.clone()),
        TD_Opaque,
    ));
    assert_eq!(released.take(), ["null"]);
    let hooks = [
        "port_added: told to",
        "port_removed: told to",
        "released: told to",
    ];
    assert_eq!(objects.panics.take(), hooks);

    let source = objects.sources.lock().unwrap().pop().unwrap();
    source.consumers(1);
    source.upstream(Upstream::KeyframeRequest.into());
    let sink = objects.sinks.lock().unwrap().pop().unwrap();
    sink.packets(RSlice::EMPTY);
    sink.format(1);
    let handlers = [
        "consumers: told to",
        "upstream: told to",
        "packets: told to",
        "format: told to",
    ];
    assert_eq!(objects.panics.take(), handlers);
}

#[test]
fn a_panic_in_a_destructor_is_logged() {
    let objects = Objects::default();
    drop(object(&objects));
    assert!(is_logged("at the end of an object"));
    objects.sources.lock().unwrap().clear();
    assert!(is_logged("at the end of a handler"));
    objects.sinks.lock().unwrap().clear();
    assert!(is_logged("at the end of a handler"));
}

#[test]
fn a_panic_in_a_group_or_a_timer_is_logged() {
    started();
    let group = module::sink_group(Handler);
    group.push_batch(RSlice::EMPTY, RSlice::EMPTY);
    assert!(is_logged("told to, in a group"));
    let timer = timer::timer(
        || panic!("told to, by a timer"),
        |text| supervise::report("a timer", text),
    );
    timer.fire();
    assert!(is_logged("told to, by a timer"));
    timer.fire();
    assert!(!is_logged("told to, by a timer"), "a timer fires once");
}

#[test]
fn a_panic_in_a_converter_is_a_failure_of_the_conversion() {
    let failures = Heard::default();
    let output = || AbiConverterOutput_TO::from_ptr(RArc::new(failures.clone()), TD_Opaque);
    let create = |which, to| started().create_converter(which, 1, to, "{}".into(), output());
    let refused = refusal(create(0, 0));
    assert_eq!(
        refused,
        "40003 the module panicked in the constructor of a converter: told to"
    );
    assert_eq!(
        refusal(create(7, 1)),
        "40003 the module has no such converter"
    );

    let converter = create(0, 1).into_result().unwrap();
    converter.packets(RSlice::EMPTY);
    converter.upstream(Upstream::KeyframeRequest.into());
    converter.stop();
    let failed = ["packets", "upstream", "stop"]
        .map(|place| format!("40003 the module panicked in {place} of a converter: told to"));
    assert_eq!(failures.take(), failed);
    drop(converter);
    assert!(is_logged("at the end of a handler"));
}
