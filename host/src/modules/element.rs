//! The host's side of one object, as its module sees it.

use std::sync::Arc;

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RResult, RStr, RString},
};
use rivero_media::Node;
use rivero_plugin_api::{
    Error, MediaKind,
    abi::{
        guard,
        traits::{
            AbiElementHost, AbiElementHost_TO, ElementHost, SinkGroup, SinkHandler, SinkPad,
            SourceHandler, SourcePad,
        },
        types::AbiError,
    },
    supervise,
};
use serde_json::Value;

use super::{ObjectEvents, callee::Callee, generation::Generation, held, pads};

/// An object's connection to the server: events, pads, look-up.
struct Connection {
    id: Arc<str>,
    pipeline: Arc<str>,
    events: Arc<dyn ObjectEvents>,
    node: Option<Arc<Node>>,
    /// As it is called.
    callee: Arc<Callee>,
    /// As long as somebody in the module has this, its code may be run.
    generation: Arc<Generation>,
}

/// Gives an object, or a port of a hub, its connection.
pub(super) fn connection(
    id: Arc<str>,
    pipeline: Arc<str>,
    events: Arc<dyn ObjectEvents>,
    node: Option<Arc<Node>>,
    (callee, generation): (&Arc<Callee>, &Arc<Generation>),
) -> ElementHost {
    if let Some(node) = &node {
        callee.own(node);
    }
    let connection = Connection {
        id,
        pipeline,
        events,
        node,
        callee: callee.clone(),
        generation: generation.clone(),
    };
    AbiElementHost_TO::from_ptr(RArc::new(connection), TD_Opaque)
}

impl Connection {
    /// A panic of ours must not cross into the module.
    fn contained<T: Default>(&self, body: impl FnOnce() -> T) -> T {
        let _object = tracing::error_span!("object", id = %self.id).entered();
        supervise::contained("a call of a module", body).unwrap_or_default()
    }

    fn node(&self) -> Result<&Arc<Node>, Error> {
        self.node.as_ref().ok_or_else(|| {
            Error::not_supported("this object is no media element: it has no pads of its own")
        })
    }
}

fn result<T>(result: Result<T, Error>) -> RResult<T, AbiError> {
    match result {
        Ok(value) => RResult::ROk(value),
        Err(error) => RResult::RErr(error.into()),
    }
}

impl AbiElementHost for Connection {
    fn id(&self) -> RString {
        (*self.id).into()
    }

    fn pipeline(&self) -> RString {
        (*self.pipeline).into()
    }

    fn emit(&self, event: RStr<'_>, data: RStr<'_>) {
        self.contained(|| match serde_json::from_str(data.as_str()) {
            Ok(Value::Object(data)) => self.events.emit(event.as_str(), data),
            _ => tracing::error!(object = %self.id, %event, "an event's data is no JSON object"),
        });
    }

    fn error(&self, kind: RStr<'_>, code: i32, description: RStr<'_>) {
        self.contained(|| self.events.error(kind.as_str(), code, description.as_str()));
    }

    fn panicked(&self, place: RStr<'_>, message: RStr<'_>) {
        self.contained(|| {
            tracing::error!(object = %self.id, %place, "the module panicked: {message}");
            supervise::count("a module");
            let error = Error::panicked(place.as_str(), message.as_str());
            self.events
                .error("UNEXPECTED_ELEMENT_ERROR", error.code, &error.message);
        });
    }

    fn add_source_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SourceHandler,
    ) -> RResult<SourcePad, AbiError> {
        result(guard::call("add_source_pad", || {
            let handler = held::source_handler(handler, &self.callee, &self.generation);
            let place = (self.node()?, kind, description.as_str());
            pads::open_source(place, handler, &self.generation)
        }))
    }

    fn add_sink_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SinkHandler,
        group: ROption<SinkGroup>,
        token: u64,
    ) -> RResult<SinkPad, AbiError> {
        result(guard::call("add_sink_pad", || {
            if self.node()?.is_hidden() {
                let text = "a hub has no ways in of its own: its ports have";
                return Err(Error::not_supported(text));
            }
            let handler = held::sink_handler(handler, &self.callee, &self.generation);
            let group = group.into_option();
            let group = group.map(|group| held::sink_group(group, &self.callee, &self.generation));
            pads::open_sink(
                self.node()?,
                kind,
                description.as_str(),
                handler,
                group,
                token,
            )
        }))
    }

    fn class_of(&self, id: RStr<'_>) -> ROption<RString> {
        let class = self.contained(|| self.events.class_of(id.as_str()));
        class.map(RString::from).into()
    }
}
