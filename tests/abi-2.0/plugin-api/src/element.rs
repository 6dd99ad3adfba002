//! Objects of a module and what they know of the host.

use std::{borrow::Cow, sync::Arc, time::Duration};

use abi_stable::std_types::{ROption, RResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, MediaKind, Result,
    abi::{module, timer::timer, traits},
    host::host,
    pad::{SinkGroupHandle, SinkHandler, SinkPad, SourceHandler, SourcePad},
    timer::TimerId,
};

/// The hooks that an element may implement beside the methods of its class.
pub trait Element: Send + Sync + 'static {
    /// Entries for `getStats`: statistics object by its id, each with `type`,
    /// `__type__` and `__module__`. `kind` limits them to one kind of media.
    fn stats(&self, kind: Option<MediaKind>) -> Result<serde_json::Map<String, Value>> {
        let _ = kind;
        Ok(serde_json::Map::new())
    }

    /// The object was released: stop threads, close sockets and files, drop pads.
    ///
    /// Whoever released it is told when this returns, or when the [`Answer`](crate::Answer) is
    /// sent that was taken meanwhile; the server ends once all its objects have. That counts for
    /// 20 s at most.
    fn released(&self) {}

    /// Hubs only: a port came. Its pads belong to the hub; what is connected to
    /// the port's object arrives at its sink pads. `port` is the port's own: what is raised by it is raised by
    /// the port's object, and so are panics of its pads.
    ///
    /// # Errors
    /// Refuses the port: whoever creates it gets the error, and [`port_removed`](Self::port_removed) is not
    /// called. What was opened of the port is to be dropped.
    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        let _ = (id, port);
        Ok(())
    }

    /// Hubs only: a port went.
    fn port_removed(&self, id: &str) {
        let _ = id;
    }
}

/// An element with its operations by name. Generated; authors implement the
/// trait of their class instead.
pub trait Object: Send + Sync + 'static {
    /// Runs one operation. The host has checked and converted `params`, a JSON
    /// object by parameter name, against the descriptor.
    fn invoke(&self, operation: &str, params: Value) -> Result<Value>;
    /// The element behind it.
    fn element(&self) -> &dyn Element;
}

/// Makes objects of one class.
#[derive(Clone)]
pub struct Class {
    /// Plain class name as in the descriptor.
    pub name: Cow<'static, str>,
    /// See [`Constructor`].
    pub create: Constructor,
}

/// Makes an object; the parameters are checked and have their defaults. It may hold what it likes, which is let
/// go of when the module is no longer in use: so one function can serve classes that are known at run time only.
pub type Constructor = Arc<dyn Fn(ElementContext, Value) -> Result<Box<dyn Object>> + Send + Sync>;

impl Class {
    /// A class with this plain name, as in the descriptor.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        create: impl Fn(ElementContext, Value) -> Result<Box<dyn Object>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            create: Arc::new(create),
        }
    }
}

/// Reference to an object of the server by its id, checked by the host for
/// existence, class and pipeline before it is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectRef(pub String);

/// An object's connection to the host. Clones mean the same object.
#[derive(Clone)]
pub struct ElementContext {
    host: Arc<traits::ElementHost>,
    id: Arc<str>,
    pipeline: Arc<str>,
}

impl ElementContext {
    pub(crate) fn new(host: traits::ElementHost) -> Self {
        let id = host.id().as_str().into();
        let pipeline = host.pipeline().as_str().into();
        Self {
            host: Arc::new(host),
            id,
            pipeline,
        }
    }

    /// The object's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Id of the pipeline it belongs to.
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// Raises an event of the class. `data` holds the event's own properties;
    /// the host adds source, time, tags and type. Prefer the generated emitters.
    pub fn emit(&self, event: &str, data: Value) {
        self.host
            .emit(event.into(), data.to_string().as_str().into());
    }

    /// Raises the `Error` event: `kind` such as `RESOURCE_ERROR_OPEN`, `code` 0
    /// where there is none.
    pub fn error(&self, kind: &str, code: i32, description: &str) {
        self.host.error(kind.into(), code, description.into());
    }

    /// Raises the `Error` event of a panic in work for this object, which
    /// [`supervise::contain`](crate::supervise::contain) gave; the host logs and counts it, too.
    pub fn panicked(&self, place: &str, message: &str) {
        self.host.panicked(place.into(), message.into());
    }

    /// Runs `action` once after `delay` on a thread of the module; it must not block. A panic in it
    /// is an error of this object. `None` outside of a server (a unit test), where nothing runs.
    pub fn after(
        &self,
        delay: Duration,
        action: impl FnOnce() + Send + 'static,
    ) -> Option<TimerId> {
        let host = host()?;
        let owner = self.clone();
        let on_panic = move |message: &str| owner.panicked("a timer", message);
        Some(host.start_timer(delay, timer(action, on_panic)))
    }

    /// Class name of a living object of the same pipeline.
    pub fn class_of(&self, object: &ObjectRef) -> Option<String> {
        match self.host.class_of(object.0.as_str().into()) {
            ROption::RSome(class) => Some(class.into_string()),
            ROption::RNone => None,
        }
    }

    /// Opens the way out for media of a kind; one pad per kind and description.
    pub fn source_pad(
        &self,
        kind: MediaKind,
        description: &str,
        handler: impl SourceHandler,
    ) -> Result<SourcePad> {
        let handler = module::source_handler(handler, self.clone());
        match self.host.add_source_pad(kind, description.into(), handler) {
            RResult::ROk(pad) => Ok(SourcePad::new(pad)),
            RResult::RErr(error) => Err(error.into()),
        }
    }

    /// Opens a way in; packets come to `handler` on a thread of the module, or on the producer's where
    /// `build.rs` says `inline`.
    pub fn sink_pad(
        &self,
        kind: MediaKind,
        description: &str,
        handler: impl SinkHandler,
    ) -> Result<SinkPad> {
        self.open_sink(kind, description, handler, ROption::RNone, 0)
    }

    /// Opens a way in whose packets come to `group` in batches, marked with `token`.
    pub fn grouped_sink_pad(
        &self,
        kind: MediaKind,
        description: &str,
        handler: impl SinkHandler,
        group: &SinkGroupHandle,
        token: u64,
    ) -> Result<SinkPad> {
        self.open_sink(
            kind,
            description,
            handler,
            ROption::RSome(group.share()),
            token,
        )
    }

    fn open_sink(
        &self,
        kind: MediaKind,
        description: &str,
        handler: impl SinkHandler,
        group: ROption<traits::SinkGroup>,
        token: u64,
    ) -> Result<SinkPad> {
        let handler = module::sink_handler(handler, self.clone());
        match self
            .host
            .add_sink_pad(kind, description.into(), handler, group, token)
        {
            RResult::ROk(pad) => Ok(SinkPad::new(pad)),
            RResult::RErr(error) => Err(Error::from(error)),
        }
    }
}
