//! Methods that concern a session as a whole.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Arguments, Methods};
use crate::core::Execution;
use crate::error::CallError;
use crate::jsonrpc::response::Answer;
use crate::registry::Session;

impl Methods {
    /// `connect`: a new session where the request names none, otherwise the return to a known one.
    pub(super) fn connect(
        &self,
        session: &Session,
        has_session: bool,
    ) -> Result<Answer, CallError> {
        if has_session && !session.is_known() {
            return Err(invalid_session());
        }
        let members = Map::from_iter([("serverId".to_owned(), Value::from(&*self.server_id))]);
        Ok(Answer::Members(session.id.clone(), members))
    }
}

/// `keepAlive`
pub(super) fn keep_alive(
    _methods: &Arc<Methods>,
    arguments: Arguments,
) -> Result<Execution<Answer>, CallError> {
    arguments.require_session()?;
    if !arguments.session.is_known() {
        return Err(invalid_session());
    }
    Ok(Execution::Done(Ok(Answer::Session(
        arguments.session.id.clone(),
    ))))
}

/// `closeSession`: ends the session's holds; with `release` also whatever it held.
pub(super) fn close(
    methods: &Arc<Methods>,
    arguments: Arguments,
) -> Result<Execution<Answer>, CallError> {
    arguments.require_session()?;
    let destroy = match arguments.params.get("release") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(destroy)) => *destroy,
        Some(_) => {
            return Err(CallError::bad_member(
                "'release' parameter should be a boolean",
            ));
        }
    };
    if destroy {
        arguments.caller.check_method("release")?;
    }
    if !arguments.session.is_known() {
        return Ok(Execution::Done(Ok(Answer::Null)));
    }
    let ended = methods.core.end_session(&arguments.session, destroy);
    Ok(ended.map(|()| Answer::Null))
}

fn invalid_session() -> CallError {
    CallError::invalid_session("Invalid session")
}
