//! A module with a little of everything that crosses the boundary.

use std::sync::{Arc, OnceLock};

use rivero_plugin_api::{
    Answer, Class, DEFAULT_DESCRIPTION, Element, ElementContext, Error, MediaKind, Object, Packet,
    Result, SinkHandler, SinkPad, SourceHandler, SourcePad, Upstream, supervise,
};
use serde_json::Value;

rivero_plugin_api::export_module! { classes: [
    Class::new("AbiProbe", |context, _| Ok(Box::new(Probe::open(&context)?))),
    Class::new("AbiHub", |_, _| Ok(Box::new(Full))),
] }

const VIDEO: MediaKind = MediaKind::Video;

struct Probe(Arc<Way>);

/// The way through.
#[derive(Default)]
struct Way {
    source: OnceLock<SourcePad>,
    sink: OnceLock<SinkPad>,
}

struct In(Arc<Way>);

struct Out(Arc<Way>);

impl Probe {
    fn open(context: &ElementContext) -> Result<Self> {
        let way = Arc::<Way>::default();
        let source = context.source_pad(VIDEO, DEFAULT_DESCRIPTION, Out(way.clone()))?;
        let sink = context.sink_pad(VIDEO, DEFAULT_DESCRIPTION, In(way.clone()))?;
        way.source.get_or_init(|| source);
        way.sink.get_or_init(|| sink).accept_any();
        Ok(Self(way))
    }
}

impl SinkHandler for In {
    fn packets(&self, packets: &[Packet]) {
        if let Some(source) = self.0.source.get() {
            let own = |packet: &Packet| Packet {
                origin: source.id(),
                ..packet.clone()
            };
            source.push(&packets.iter().map(own).collect::<Vec<_>>());
        }
    }

    fn format(&self, format: Option<u32>) {
        if let Some(source) = self.0.source.get() {
            source.set_format(format);
        }
    }
}

impl SourceHandler for Out {
    fn upstream(&self, message: Upstream) {
        if let Some(sink) = self.0.sink.get() {
            sink.upstream(message);
        }
    }
}

impl Element for Probe {}

impl Object for Probe {
    fn invoke(&self, operation: &str, params: Value) -> Result<Value> {
        match operation {
            "answerLater" => {
                let (answer, text) = (Answer::take(), params.get("text").cloned());
                let told = supervise::thread("fixture", move || {
                    answer.send(Ok(text.unwrap_or_default()));
                });
                told.map_err(|error| Error::unexpected(error.to_string()))?;
                Ok(Value::Null)
            }
            "fail" => panic!("told to"),
            other => Err(Error::no_such_operation(other, 0)),
        }
    }

    fn element(&self) -> &dyn Element {
        self
    }
}

struct Full;

impl Element for Full {
    fn port_added(&self, _: &str, _: ElementContext) -> Result<()> {
        Err(Error::new(49_002, "FULL", "no port fits in"))
    }
}

impl Object for Full {
    fn invoke(&self, operation: &str, _: Value) -> Result<Value> {
        Err(Error::no_such_operation(operation, 0))
    }

    fn element(&self) -> &dyn Element {
        self
    }
}
