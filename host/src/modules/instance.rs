//! Objects of modules as the host calls them.

use std::sync::{Arc, Mutex, PoisonError};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RString},
};
use rivero_media::{MediaKind, Node};
use rivero_plugin_api::{
    Error,
    abi::{
        traits::{self, AbiResponder, AbiResponder_TO, Module, Object},
        types::AbiError,
    },
    supervise,
};
use serde_json::{Map, Value};

use super::{
    Instance, ObjectContext, ObjectEvents, Released, Reply,
    callee::{Callee, Identity},
    element,
    generation::Held,
    held::Handler,
    overdue::{self, Manner, Name},
};
use crate::error::CallError;

/// Makes an object of a loaded module.
pub(super) fn create(
    module: &Held<Module>,
    class: &str,
    context: ObjectContext,
    params: &Value,
) -> Result<Arc<dyn Instance>, CallError> {
    let ObjectContext {
        id,
        pipeline,
        sink,
        node,
        ..
    } = context;
    let generation = module.generation();
    let threads = generation.threads();
    threads.admit()?;
    let identity = Identity {
        class: class.into(),
        object: id.clone(),
    };
    let callee = Callee::new(threads, identity, Some(sink.clone()));
    let place = (&callee, generation);
    let connection = element::connection(id, pipeline.clone(), sink, node, place);
    let params = params.to_string();
    let make = || module.create(class.into(), connection, params.as_str().into());
    match overdue::call(&callee, "the constructor", Manner::Patient, make) {
        RResult::ROk(object) => Ok(Arc::new(ModuleObject {
            object: Handler::new(object, &callee, generation),
            module: callee.module().clone(),
            pipeline,
        })),
        RResult::RErr(error) => Err(error.into()),
    }
}

struct ModuleObject {
    object: Handler<Object>,
    module: Arc<str>,
    pipeline: Arc<str>,
}

impl From<AbiError> for CallError {
    fn from(error: AbiError) -> Self {
        let error = Error::from(error);
        Self {
            code: error.code,
            kind: error.kind,
            message: error.message,
        }
    }
}

struct Responder(Mutex<Option<Reply>>);

impl Responder {
    /// For the module, which may keep it and answer later.
    fn of(reply: Reply) -> traits::Responder {
        AbiResponder_TO::from_ptr(RBox::new(Self(Mutex::new(Some(reply)))), TD_Opaque)
    }
}

impl AbiResponder for Responder {
    fn reply(&self, result: RResult<RString, AbiError>) {
        let reply = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(reply) = reply else { return };
        supervise::contained("the answer of a module", || reply(value(result)));
    }
}

/// A module that drops its responder without an answer must not leave the
/// client waiting.
impl Drop for Responder {
    fn drop(&mut self) {
        let reply = self
            .0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reply) = reply {
            let error = CallError::unexpected("the module gave no answer");
            // The module drops it: a panic must not cross into that.
            supervise::contained("the answer of a module", || reply(Err(error)));
        }
    }
}

fn value(result: RResult<RString, AbiError>) -> Result<Value, CallError> {
    match result {
        RResult::ROk(text) => serde_json::from_str(&text).map_err(|error| {
            CallError::unexpected(format!("the module's answer is no JSON: {error}"))
        }),
        RResult::RErr(error) => Err(error.into()),
    }
}

impl ModuleObject {
    /// Calls the object; it may take its time.
    fn call<T>(&self, name: impl Into<Name>, body: impl FnOnce(&Object) -> T) -> Option<T> {
        self.object.call(name, Manner::Patient, body)
    }
}

impl Instance for ModuleObject {
    fn module(&self) -> Arc<str> {
        self.module.clone()
    }

    fn invoke(&self, operation: &str, params: Value, reply: Reply) {
        let (params, responder) = (params.to_string(), Responder::of(reply));
        self.call(operation.to_owned(), |object| {
            object.invoke(operation.into(), params.as_str().into(), responder);
        });
    }

    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>, CallError> {
        let kind = kind.map_or(255, MediaKind::number);
        let stats = self.call("stats", |object| object.stats(kind));
        match stats.map(value).transpose()? {
            Some(Value::Object(stats)) => Ok(stats),
            _ => Err(CallError::unexpected(
                "the module's statistics are no JSON object",
            )),
        }
    }

    fn port_added(
        &self,
        port: &str,
        node: &Arc<Node>,
        events: Arc<dyn ObjectEvents>,
    ) -> Result<(), CallError> {
        let gone = || CallError::unexpected("the hub's object is gone");
        let generation = self.object.generation().ok_or_else(gone)?;
        let identity = Identity {
            class: "HubPort".into(),
            object: node.id().clone(),
        };
        let callee = Callee::new(generation.threads(), identity, Some(events.clone()));
        let connection = element::connection(
            node.id().clone(),
            self.pipeline.clone(),
            events,
            Some(node.clone()),
            (&callee, generation),
        );
        let added = self.call("port_added", |object| {
            object.port_added(port.into(), connection)
        });
        match added.ok_or_else(gone)? {
            RResult::ROk(()) => Ok(()),
            RResult::RErr(error) => Err(error.into()),
        }
    }

    fn port_removed(&self, port: &str) {
        self.call("port_removed", |object| object.port_removed(port.into()));
    }

    fn release(&self, released: Released) {
        // Nothing can be done about a release that failed: the object has ended all the same.
        let reply: Reply = Box::new(move |_| released());
        let responder = Responder::of(reply);
        self.call("release", |object| object.release(responder));
    }
}
