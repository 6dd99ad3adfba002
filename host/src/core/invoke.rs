//! `invoke`: finds the operation, converts its parameters, and has it carried out.

use std::sync::Arc;
use std::time::Duration;

use rivero_idl::Operation;
use serde_json::Value;
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::media_object::media_object;
use super::{Core, Execution};
use crate::aliases::old_operation;
use crate::auth::Caller;
use crate::convert::{Converted, Incoming, Place, outgoing};
use crate::error::CallError;
use crate::modules::Instance;
use crate::redact::redacted;
use crate::registry::{Body, Object, Session};

/// What the session calls.
struct Call {
    caller: Caller,
    object: Arc<Object>,
    operation: Operation,
    name: String,
    converted: Converted,
}

impl Core {
    /// Calls an operation of an object.
    ///
    /// Errors: 40008 for an unknown operation, those of parameter conversion
    /// ([`Incoming::params`]), 40004 for objects that do not belong together, and whatever the
    /// operation says.
    pub fn invoke(
        self: &Arc<Self>,
        caller: &Caller,
        session: &Arc<Session>,
        object: &Arc<Object>,
        name: String,
        params: Option<Value>,
    ) -> Execution<Value> {
        if let Some(operation) = old_operation(&object.class, &name) {
            return self.invoke_old(caller, session, object, operation, params);
        }
        match self.prepare(caller, session, object, name, params) {
            Ok(call) => self.carry_out(call),
            Err(error) => error.into(),
        }
    }

    fn prepare(
        &self,
        caller: &Caller,
        session: &Arc<Session>,
        object: &Arc<Object>,
        name: String,
        params: Option<Value>,
    ) -> Result<Call, CallError> {
        caller.check_operation(&name)?;
        let given = params.as_ref().and_then(Value::as_object);
        let count = given.map_or(0, serde_json::Map::len);
        let names = given.into_iter().flatten().map(|(name, _)| name.as_str());
        let operation = object.class.operation_for(&name, names).cloned();
        let operation = operation.ok_or_else(|| CallError::no_operation(&name, count))?;
        let types = self.types_of(object);
        let incoming = Incoming {
            model: &types,
            view: self.registry.view(caller),
        };
        let converted = incoming.params(Place::Operation, operation.params(), params)?;
        // What shares no pipeline is not connected, so there is nothing to part, as in Kurento.
        let parts = name == "disconnect" && self.is_own(&operation);
        for (_, referred) in &converted.objects {
            if !parts {
                check_relation(object, referred)?;
            }
            self.registry.touch(session, referred)?;
        }
        Ok(Call {
            caller: caller.clone(),
            object: object.clone(),
            operation,
            name,
            converted,
        })
    }

    fn carry_out(self: &Arc<Self>, call: Call) -> Execution<Value> {
        if self.is_own(&call.operation) {
            return self.carry_out_own(call);
        }
        match call.object.instance().cloned() {
            Some(instance) => self.carry_out_in_module(call, instance),
            None => {
                CallError::not_implemented(format!("'{}' is not implemented", call.name)).into()
            }
        }
    }

    /// Whether the server itself carries an operation out: those of the classes of `core` are
    /// declared by no module.
    fn is_own(&self, operation: &Operation) -> bool {
        let declared_by = operation.declared_by();
        OWN_CLASSES.iter().any(|class| **class == **declared_by)
    }

    fn carry_out_own(self: &Arc<Self>, call: Call) -> Execution<Value> {
        // Only objects that live in a module have calls that take time.
        if call.object.instance().is_none() {
            return self.run_own(&call);
        }
        let calls = call.object.calls.clone();
        if let Ok(_turn) = calls.try_lock() {
            return self.run_own(&call);
        }
        let core = self.clone();
        Execution::pending(in_time(
            self.options().call_timeout,
            call.name.clone(),
            async move {
                let turn = call.object.calls.clone().lock_owned().await;
                if call.object.is_released() {
                    return Err(core.gone(&call.object.id));
                }
                let execution = core.run_own(&call);
                drop(turn);
                execution.wait().await
            },
        ))
    }

    fn run_own(self: &Arc<Self>, call: &Call) -> Execution<Value> {
        let Call {
            caller,
            object,
            name,
            converted,
            operation,
        } = call;
        if name == "getChildren" {
            let object = object.clone();
            return self.list(object.child_count(), move |_| {
                let children = object.children();
                children
                    .iter()
                    .map(|child| Value::from(&*child.id))
                    .collect()
            });
        }
        let outcome = match &object.body {
            Body::ServerManager => self.server_manager(caller, name, converted),
            Body::Pipeline { .. } | Body::Hub { .. } => {
                self.container(object, name, converted).map(Execution::Done)
            }
            Body::Element { .. } | Body::HubPort { .. } => {
                self.media_element(object, name, converted)
            }
            Body::Plain(_) => None,
        };
        let outcome =
            outcome.or_else(|| media_object(object, name, converted).map(Execution::Done));
        match outcome {
            Some(execution) => execution,
            None => CallError::no_operation(name, operation.params().len()).into(),
        }
    }

    fn carry_out_in_module(
        self: &Arc<Self>,
        call: Call,
        instance: Arc<dyn Instance>,
    ) -> Execution<Value> {
        let core = self.clone();
        Execution::pending(in_time(
            self.options().call_timeout,
            call.name.clone(),
            async move {
                let value = core
                    .invoke_instance(
                        &call.object,
                        instance,
                        call.name,
                        call.converted.params.into(),
                    )
                    .await?;
                let Some(ty) = call.operation.returns() else {
                    return Ok(Value::Null);
                };
                let types = core.types_of(&call.object);
                let value = match (&call.operation, value) {
                    // Where media comes from may be known to whoever sees the object; the password
                    // that leads there is not.
                    (Operation::Getter(_), Value::String(text)) => redacted(&text).into(),
                    (_, value) => value,
                };
                outgoing(&types, ty, value).map_err(|mismatch| {
                tracing::error!(object = %call.object.id, %mismatch, "a module's answer does not fit its descriptor");
                CallError::unexpected(format!("The module's answer does not fit its descriptor: {mismatch}"))
            })
            },
        ))
    }

    /// Why a call that waited for its turn finds no object: while the server ends, all have gone.
    fn gone(&self, id: &str) -> CallError {
        let ending = self.lifecycle.admit().err();
        ending.unwrap_or_else(|| CallError::no_object(id))
    }

    /// Calls a module when it is the call's turn; later calls wait until the module answers.
    async fn invoke_instance(
        &self,
        object: &Arc<Object>,
        instance: Arc<dyn Instance>,
        operation: String,
        params: Value,
    ) -> Result<Value, CallError> {
        let turn = object.calls.clone().lock_owned().await;
        if object.is_released() {
            return Err(self.gone(&object.id));
        }
        // Where the client gives up waiting, the recording that it wanted may still begin.
        let begun = object.recording.begin(object.account(), &operation)?;
        let outcome = self.call_instance(instance, turn, operation.clone(), params);
        let outcome = outcome.await;
        let recording = &object.recording;
        recording.on_operation(&object.class, &operation, begun, outcome.is_ok());
        outcome
    }

    async fn call_instance(
        &self,
        instance: Arc<dyn Instance>,
        turn: OwnedMutexGuard<()>,
        operation: String,
        params: Value,
    ) -> Result<Value, CallError> {
        let (sender, receiver) = oneshot::channel();
        self.lane(&instance).try_run(move || {
            if sender.is_closed() {
                return;
            }
            let reply = Box::new(move |result| {
                let _ = sender.send(result);
                // After the answer is on its way, so that those to later calls come after it.
                drop(turn);
            });
            instance.invoke(&operation, params, reply);
        })?;
        receiver
            .await
            .map_err(|_| CallError::unexpected("The module failed while it handled the call"))?
    }
}

/// Classes whose operations the server carries out, for all objects.
const OWN_CLASSES: &[&str] = &[
    "kurento.MediaObject",
    "kurento.MediaElement",
    "kurento.MediaPipeline",
    "kurento.Hub",
    "kurento.HubPort",
    "kurento.ServerManager",
];

/// Bounds a call that waits for a module.
pub(super) async fn in_time<T>(
    limit: Duration,
    what: String,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(CallError::timed_out(&format!("'{what}'"), limit)),
    }
}

/// Objects that work together share a pipeline, and a hub knows only its own ports.
fn check_relation(object: &Arc<Object>, referred: &Arc<Object>) -> Result<(), CallError> {
    if let (Some(own), Some(other)) = (object.pipeline(), referred.pipeline())
        && own != other
    {
        return Err(CallError::connect("Media elements do not share pipeline"));
    }
    let is_foreign_port = matches!(object.body, Body::Hub { .. })
        && matches!(referred.body, Body::HubPort { .. })
        && !referred
            .parent
            .as_ref()
            .is_some_and(|hub| Arc::ptr_eq(hub, object));
    if is_foreign_port {
        return Err(CallError::connect("Can not connect ports"));
    }
    Ok(())
}
