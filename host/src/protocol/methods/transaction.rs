//! `transaction`: several requests in one, where later ones may refer to the results of earlier
//! ones (`newref:N`).
//!
//! It ends at the first request that fails, and what was done until then stays done.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Arguments, Methods, authorize};
use crate::accounts::{Claim, Resource};
use crate::auth::Caller;
use crate::core::Execution;
use crate::error::CallError;
use crate::jsonrpc::json::weight;
use crate::jsonrpc::request::Request;
use crate::jsonrpc::response::{Answer, error_value};
use crate::registry::Session;

/// Bytes that references may add to the parameters of one transaction.
const MAX_EXPANSION: usize = 8 << 20;

/// `transaction`
pub(super) fn run(
    methods: &Arc<Methods>,
    mut arguments: Arguments,
) -> Result<Execution<Answer>, CallError> {
    let operations = match arguments.params.remove("operations") {
        Some(Value::Array(operations)) => operations,
        Some(_) => {
            return Err(CallError::bad_member(
                "'operations' parameter should be an array",
            ));
        }
        None => return Err(CallError::bad_member("'operations' parameter is required")),
    };
    let limit = methods.core.limits().transaction_operations;
    if operations.len() as u64 > limit {
        return Err(CallError::not_enough_resources(format!(
            "The transaction has {} operations, and mediaServer.limits.transaction.operations is {limit}",
            operations.len()
        )));
    }
    check_ids(&operations)?;
    let methods = methods.clone();
    let (caller, session) = (arguments.caller, arguments.session);
    Ok(Execution::pending(async move {
        let responses = methods.run_all(&caller, &session, operations).await?;
        Ok(Answer::Value(
            Some(session.id.clone()),
            Value::Array(responses),
        ))
    }))
}

/// The answers of a transaction so far.
struct Responses {
    list: Vec<Value>,
    /// For the memory that they take until all are together.
    claim: Claim,
}

impl Responses {
    /// Appends the response to a request; false when the transaction ends with it: it failed, or
    /// there is no room for its answer.
    fn push(&mut self, id: Value, outcome: Result<Answer, CallError>) -> bool {
        let outcome = outcome.map(Answer::into_value).and_then(|result| {
            self.grow(weight(&result))?;
            Ok(result)
        });
        let goes_on = outcome.is_ok();
        self.list.push(match outcome {
            Ok(result) => json!({"id": id, "jsonrpc": "2.0", "result": result}),
            Err(error) => json!({"id": id, "jsonrpc": "2.0", "error": error_value(&error)}),
        });
        goes_on
    }

    fn grow(&mut self, bytes: u64) -> Result<(), CallError> {
        let limit = self.claim.account().limits().transaction_bytes;
        if self.claim.amount() + bytes > limit {
            return Err(CallError::not_enough_resources(format!(
                "The answers of the transaction exceed mediaServer.limits.transaction.bytes ({limit}); what was done stays done"
            )));
        }
        Ok(self.claim.grow(bytes)?)
    }
}

impl Methods {
    async fn run_all(
        self: &Arc<Self>,
        caller: &Caller,
        session: &Arc<Session>,
        operations: Vec<Value>,
    ) -> Result<Vec<Value>, CallError> {
        let mut responses = Responses {
            list: Vec::with_capacity(operations.len()),
            claim: Claim::none(session.account(), Resource::RequestBytes),
        };
        let mut budget = MAX_EXPANSION;
        for (index, mut operation) in operations.into_iter().enumerate() {
            if let Some(params) = operation.get_mut("params") {
                insert_results(params, &responses.list, &mut budget)?;
            }
            let outcome = self.run_one(caller, session, &mut operation).await;
            let id = operation
                .get("id")
                .cloned()
                .unwrap_or_else(|| Value::from(index));
            if !responses.push(id, outcome) {
                break;
            }
            // Most operations are done at once: others are to have their turn in between.
            tokio::task::yield_now().await;
        }
        Ok(responses.list)
    }

    /// Runs one request as if it named the transaction's session.
    async fn run_one(
        self: &Arc<Self>,
        caller: &Caller,
        session: &Arc<Session>,
        operation: &mut Value,
    ) -> Result<Answer, CallError> {
        let id = operation.get("id").cloned();
        let request = Request::from_value(operation.take()).map_err(|refused| refused.error)?;
        if let Some(id) = id {
            *operation = json!({ "id": id });
        }
        let params = Some(request.params.unwrap_or_default());
        let known = self.core.registry.known(session);
        let session = known.unwrap_or_else(|| session.clone());
        authorize(caller, Some(&session), &request.method)?;
        self.dispatch(caller, session, true, &request.method, params)
            .wait()
            .await
    }
}

/// Ids count from 0, as numbers or strings; a missing one is right.
fn check_ids(operations: &[Value]) -> Result<(), CallError> {
    for (index, operation) in operations.iter().enumerate() {
        let is_right = match operation.get("id") {
            None => true,
            Some(Value::String(id)) => *id == index.to_string(),
            Some(id) => id.as_u64() == u64::try_from(index).ok(),
        };
        if !is_right {
            return Err(CallError::malformed_transaction(format!(
                "Id of request '{index}' should be '{index}'"
            )));
        }
    }
    Ok(())
}

/// Replaces every string `newref:N` by the value that request N answered.
fn insert_results(
    value: &mut Value,
    responses: &[Value],
    budget: &mut usize,
) -> Result<(), CallError> {
    match value {
        Value::String(text) => {
            if let Some(index) = text.strip_prefix("newref:") {
                *value = result_of(index, responses, budget)?;
            }
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| insert_results(item, responses, budget)),
        Value::Object(members) => insert_in_members(members, responses, budget),
        _ => Ok(()),
    }
}

fn insert_in_members(
    members: &mut Map<String, Value>,
    responses: &[Value],
    budget: &mut usize,
) -> Result<(), CallError> {
    members
        .values_mut()
        .try_for_each(|member| insert_results(member, responses, budget))
}

fn result_of(index: &str, responses: &[Value], budget: &mut usize) -> Result<Value, CallError> {
    let number: usize = index.parse().map_err(|_| {
        CallError::malformed_transaction(format!("Invalid index of newref '{index}'"))
    })?;
    let result = responses
        .get(number)
        .and_then(|response| response.get("result")?.get("value"));
    let result = result.ok_or_else(|| {
        CallError::malformed_transaction(format!("Result not found on request {number}"))
    })?;
    let size = match result {
        Value::String(text) => text.len(),
        Value::Array(_) | Value::Object(_) => result.to_string().len(),
        _ => 0,
    };
    *budget = budget.checked_sub(size).ok_or_else(|| {
        CallError::malformed_transaction("The transaction refers to too large results")
    })?;
    Ok(result.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_from_zero() {
        assert!(check_ids(&[json!({"id": 0}), json!({"id": "1"}), json!({})]).is_ok());
        assert_eq!(
            check_ids(&[json!({"id": 5})]).unwrap_err().message,
            "Id of request '0' should be '0'"
        );
    }

    #[test]
    fn references_are_replaced_everywhere() {
        let responses = [json!({"result": {"value": "abc"}}), json!({"result": null})];
        let insert =
            |mut value: Value| insert_results(&mut value, &responses, &mut 1000).map(|()| value);
        assert_eq!(
            insert(json!({"a": ["newref:0", 1]})).unwrap(),
            json!({"a": ["abc", 1]})
        );
        assert_eq!(
            insert(json!("newref:abc")).unwrap_err().message,
            "Invalid index of newref 'abc'"
        );
        assert_eq!(
            insert(json!("newref:7")).unwrap_err().message,
            "Result not found on request 7"
        );
        assert_eq!(
            insert(json!("newref:1")).unwrap_err().message,
            "Result not found on request 1"
        );
    }

    #[test]
    fn references_cannot_blow_a_request_up() {
        let responses = [json!({"result": {"value": "x".repeat(600)}})];
        let mut value = json!(["newref:0", "newref:0"]);
        assert_eq!(
            insert_results(&mut value, &responses, &mut 1000)
                .unwrap_err()
                .code,
            40008
        );
    }
}
