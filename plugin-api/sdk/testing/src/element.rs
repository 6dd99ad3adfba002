//! Objects of the module under test.

use std::sync::{Arc, Mutex, OnceLock};

use rivero_media::{Graph, Node, NodeEvent, NodeObserver};
use rivero_plugin_api::{
    Class, DEFAULT_DESCRIPTION, Error, MediaKind, Object, Result,
    abi::{
        abi_stable::{
            sabi_trait::TD_Opaque,
            std_types::{RArc, ROption, RResult, RStr, RString},
        },
        module,
        traits::{
            AbiElementHost, AbiElementHost_TO, ElementHost, SinkGroup, SinkHandler, SinkPad,
            SourceHandler, SourcePad,
        },
        types::AbiError,
    },
    supervise::lock,
};
use serde_json::{Map, Value, json};

use super::{loaded, pads};

/// What the module made.
pub(super) enum Instance {
    /// In this program.
    Linked(Box<dyn Object>),
    /// In a library.
    Loaded(loaded::Object),
}

impl Instance {
    fn call(&self, operation: &str, parameters: Value) -> Result<Value> {
        match self {
            Self::Linked(object) => object.invoke(operation, parameters),
            Self::Loaded(object) => object.call(operation, &parameters),
        }
    }

    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>> {
        match self {
            Self::Linked(object) => object.element().stats(kind),
            Self::Loaded(object) => object.stats(kind),
        }
    }

    fn port_added(&self, id: &str, port: &Held) -> Result<()> {
        match self {
            Self::Linked(object) => object
                .element()
                .port_added(id, module::context(port.host())),
            Self::Loaded(object) => object.port_added(id, port.host()),
        }
    }

    fn port_removed(&self, id: &str) {
        match self {
            Self::Linked(object) => object.element().port_removed(id),
            Self::Loaded(object) => object.port_removed(id),
        }
    }

    fn released(&self) -> Result<()> {
        match self {
            Self::Linked(object) => object.element().released(),
            Self::Loaded(object) => return object.released(),
        }
        Ok(())
    }
}

/// An object, or a port of a hub.
pub struct Element {
    held: Arc<Held>,
    /// Of a port: its hub.
    hub: Option<Arc<Held>>,
}

/// What an object is made of.
pub(super) struct Held {
    id: String,
    node: Arc<Node>,
    object: OnceLock<Instance>,
    raised: Arc<Raised>,
    is_released: Mutex<bool>,
}

/// What the object has told its clients.
#[derive(Default)]
struct Raised {
    events: Mutex<Vec<(String, Value)>>,
    errors: Mutex<Vec<Error>>,
}

/// What can be connected.
pub trait Linked {
    /// Where it is in the graph.
    fn node(&self) -> &Arc<Node>;

    /// The kinds of media that it sends.
    fn kinds(&self) -> &[MediaKind] {
        &MediaKind::ALL
    }

    /// Sends media of its kinds to `sink`, in place of what came from elsewhere.
    fn connect(&self, sink: &impl Linked) {
        for kind in self.kinds() {
            let description = DEFAULT_DESCRIPTION;
            self.node()
                .connect(sink.node(), *kind, description, description);
        }
    }

    /// Sends it nothing any more.
    fn disconnect(&self, sink: &impl Linked) {
        for kind in self.kinds() {
            let description = DEFAULT_DESCRIPTION;
            self.node()
                .disconnect(sink.node(), *kind, description, description);
        }
    }
}

impl Linked for Element {
    fn node(&self) -> &Arc<Node> {
        &self.held.node
    }
}

/// Of nodes: what it tells is of no interest here.
pub(super) struct Unobserved;

impl NodeObserver for Unobserved {
    fn notify(&self, _: NodeEvent) {}
}

impl Held {
    fn new(graph: &Arc<Graph>, id: &str) -> Arc<Self> {
        Arc::new(Self {
            id: id.to_owned(),
            node: Node::new(id.into(), graph, Arc::new(Unobserved)),
            object: OnceLock::new(),
            raised: Arc::default(),
            is_released: Mutex::new(false),
        })
    }

    fn host(&self) -> ElementHost {
        let connection = RArc::new(Connection {
            id: self.id.clone(),
            node: self.node.clone(),
            raised: self.raised.clone(),
        });
        AbiElementHost_TO::from_ptr(connection, TD_Opaque)
    }

    pub(super) fn release(&self) {
        if std::mem::replace(&mut *lock(&self.is_released), true) {
            return;
        }
        if let Some(object) = self.object.get()
            && let Err(error) = object.released()
        {
            lock(&self.raised.errors).push(error);
        }
        self.node.release();
    }

    pub(super) fn is_released(&self) -> bool {
        *lock(&self.is_released)
    }
}

impl Element {
    pub(super) fn create(
        graph: &Arc<Graph>,
        id: &str,
        class: &Class,
        parameters: Value,
    ) -> Result<Self> {
        let create = |host| (class.create)(module::context(host), parameters);
        Self::make(graph, id, |host| Ok(Instance::Linked(create(host)?)))
    }

    pub(super) fn make(
        graph: &Arc<Graph>,
        id: &str,
        create: impl FnOnce(ElementHost) -> Result<Instance>,
    ) -> Result<Self> {
        let held = Held::new(graph, id);
        match create(held.host()) {
            Ok(object) => {
                let _ = held.object.set(object);
                Ok(Self { held, hub: None })
            }
            Err(error) => {
                // Pads that it had opened by then.
                held.node.release();
                Err(error)
            }
        }
    }

    pub(super) fn held(&self) -> Arc<Held> {
        self.held.clone()
    }

    fn object(&self) -> Result<&Instance> {
        let object = self.held.object.get();
        object.ok_or_else(|| Error::not_supported("a port has no operations of the module"))
    }

    pub(super) fn add_port(&self, graph: &Arc<Graph>, id: &str) -> Result<Self> {
        let port = Held::new(graph, id);
        self.object()?.port_added(id, &port)?;
        Ok(Self {
            held: port,
            hub: Some(self.held.clone()),
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.held.id
    }

    /// Calls an operation with these parameters, an object by their names. Nothing fills in defaults here.
    ///
    /// # Errors
    /// What the client would hear
    pub fn call(&self, operation: &str, parameters: Value) -> Result<Value> {
        self.object()?.call(operation, parameters)
    }

    /// Its entries for `getStats`, of all kinds of media or of one.
    ///
    /// # Errors
    /// What the client would hear
    pub fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>> {
        self.object()?.stats(kind)
    }

    /// Reads a property.
    ///
    /// # Errors
    /// What the client would hear
    pub fn get(&self, property: &str) -> Result<Value> {
        self.call(&format!("get{}", capitalised(property)), json!({}))
    }

    /// Sets a property.
    ///
    /// # Errors
    /// What the client would hear
    pub fn set(&self, property: &str, value: impl Into<Value>) -> Result<()> {
        let parameters = Map::from_iter([(property.to_owned(), value.into())]);
        self.call(&format!("set{}", capitalised(property)), parameters.into())?;
        Ok(())
    }

    /// The events that it raised since the last call, with their own properties.
    pub fn events(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut lock(&self.held.raised.events))
    }

    /// The `Error` events that it raised since the last call; panics of its pads and timers are such.
    pub fn errors(&self) -> Vec<Error> {
        std::mem::take(&mut lock(&self.held.raised.errors))
    }

    /// Releases it.
    pub fn release(&self) {
        self.held.release();
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        let object = self.hub.as_ref().and_then(|hub| hub.object.get());
        if let Some(object) = object {
            object.port_removed(&self.held.id);
        }
        self.release();
        let errors = lock(&self.held.raised.errors);
        let panic = errors.iter().find(|error| is_panic(error));
        if let Some(error) = panic.filter(|_| !std::thread::panicking()) {
            panic!("{}: {}", self.held.id, error.message);
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next();
    first
        .iter()
        .flat_map(|first| first.to_uppercase())
        .chain(letters)
        .collect()
}

/// The parameters of a constructor with the defaults of the descriptor.
pub(super) fn completed(manifest: &Value, class: &str, given: Value) -> Result<Value> {
    let Value::Object(mut given) = given else {
        return Err(Error::marshall("parameters are an object by their names"));
    };
    let classes = manifest.pointer("/descriptor/remoteClasses");
    let mut classes = classes.and_then(Value::as_array).into_iter().flatten();
    let class = classes.find(|known| known.get("name").is_some_and(|name| name == class));
    let Some(parameters) = class.and_then(|class| class.pointer("/constructor/params")) else {
        return Ok(Value::Object(given));
    };
    let mut complete = Map::new();
    for parameter in parameters.as_array().into_iter().flatten() {
        let name = parameter
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let default = parameter.get("defaultValue").cloned();
        let is_optional = parameter
            .get("optional")
            .is_some_and(|optional| *optional == true);
        let of_pipeline = parameter
            .get("type")
            .is_some_and(|of| of == "MediaPipeline");
        let value = given.remove(name).or(default);
        let value = value.or_else(|| of_pipeline.then(|| json!("pipeline")));
        match value {
            Some(value) => drop(complete.insert(name.to_owned(), value)),
            None if is_optional => {}
            None => return Err(Error::marshall(format!("'{name}' parameter is required"))),
        }
    }
    match given.keys().next() {
        Some(unknown) => Err(Error::marshall(format!(
            "there is no parameter '{unknown}'"
        ))),
        None => Ok(Value::Object(complete)),
    }
}

/// An object's connection to the server.
struct Connection {
    id: String,
    node: Arc<Node>,
    raised: Arc<Raised>,
}

/// Kind of the error that a panic is.
const PANIC: &str = "PANIC";

/// Whether one of [`Element::errors`] is a panic.
pub fn is_panic(error: &Error) -> bool {
    error.kind == PANIC
}

impl Connection {
    fn raise(&self, error: Error) {
        lock(&self.raised.errors).push(error);
    }
}

impl AbiElementHost for Connection {
    fn id(&self) -> RString {
        self.id.as_str().into()
    }

    fn pipeline(&self) -> RString {
        "pipeline".into()
    }

    fn emit(&self, event: RStr<'_>, data: RStr<'_>) {
        let data = serde_json::from_str(data.as_str()).unwrap_or_default();
        lock(&self.raised.events).push((event.as_str().to_owned(), data));
    }

    fn error(&self, kind: RStr<'_>, code: i32, description: RStr<'_>) {
        self.raise(Error {
            code,
            kind: kind.as_str().to_owned().into(),
            message: description.as_str().to_owned(),
        });
    }

    fn panicked(&self, place: RStr<'_>, message: RStr<'_>) {
        self.raise(Error {
            kind: PANIC.into(),
            ..Error::panicked(place.as_str(), message.as_str())
        });
    }

    fn add_source_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SourceHandler,
    ) -> RResult<SourcePad, AbiError> {
        module::result(pads::open_source(
            &self.node,
            kind,
            description.as_str(),
            handler,
        ))
    }

    fn add_sink_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SinkHandler,
        group: ROption<SinkGroup>,
        token: u64,
    ) -> RResult<SinkPad, AbiError> {
        let place = (kind, description.as_str());
        module::result(pads::open_sink(
            &self.node,
            place,
            handler,
            group.into_option(),
            token,
        ))
    }

    fn class_of(&self, _: RStr<'_>) -> ROption<RString> {
        ROption::RNone
    }
}
