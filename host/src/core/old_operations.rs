//! Calls of operations by their names of generation 6.

use std::sync::Arc;

use serde_json::Value;

use super::invoke::in_time;
use super::{Core, Execution};
use crate::aliases::OldOperation;
use crate::auth::Caller;
use crate::registry::{Object, Session};

impl Core {
    /// Calls what an old operation means.
    ///
    /// Errors are those of the operations of today, and name their parameters.
    pub(super) fn invoke_old(
        self: &Arc<Self>,
        caller: &Caller,
        session: &Arc<Session>,
        object: &Arc<Object>,
        operation: OldOperation,
        params: Option<Value>,
    ) -> Execution<Value> {
        let steps = operation.steps(params);
        if let [(name, params)] = steps.as_slice() {
            return self.invoke(caller, session, object, (*name).to_owned(), params.clone());
        }
        let (core, session, object) = (self.clone(), session.clone(), object.clone());
        let caller = caller.clone();
        Execution::pending(in_time(
            self.options().call_timeout,
            operation.name().into(),
            async move {
                let mut answer = Value::Null;
                for (name, params) in steps {
                    let step = core.invoke(&caller, &session, &object, name.to_owned(), params);
                    answer = step.wait().await?;
                    // Setters answer null and are all carried out; getters until one has a value.
                    if answer.as_str().is_some_and(|text| !text.is_empty()) {
                        break;
                    }
                }
                Ok(answer)
            },
        ))
    }
}
