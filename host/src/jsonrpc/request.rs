//! A JSON-RPC 2.0 request as a type.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::json;
use crate::error::CallError;

/// The members of a request's `params`.
pub type Params = Map<String, Value>;

/// One request or notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Any scalar; `None` for a notification.
    pub id: Option<Value>,
    /// Method name, such as `create`.
    pub method: String,
    /// `None` when `params` is absent or null.
    pub params: Option<Params>,
}

/// A message that is no request: the error, and the id to answer with.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The request's id where it could be read, otherwise null.
    pub id: Value,
    /// Why the message is refused.
    pub error: CallError,
}

impl Request {
    /// Parses the text of one WebSocket message.
    ///
    /// # Errors
    /// -32700 for malformed JSON, -32600 for JSON that is no JSON-RPC 2.0 request
    /// (batches included), -32603 for `params` that are neither object nor null.
    pub fn parse(text: &str) -> Result<Request, Refused> {
        let value = json::parse(text).map_err(|error| Refused {
            id: Value::Null,
            error: CallError::parse_error(format!("Parse error: {error}")),
        })?;
        Request::from_value(value)
    }

    /// Takes a parsed JSON value as a request.
    ///
    /// # Errors
    /// As [`Request::parse`], without -32700.
    pub fn from_value(value: Value) -> Result<Request, Refused> {
        let Value::Object(mut members) = value else {
            return Err(invalid());
        };
        let version_is_2 = members
            .get("jsonrpc")
            .is_some_and(|version| version == "2.0");
        let id = members.remove("id");
        let id_is_scalar = !matches!(id, Some(Value::Array(_) | Value::Object(_)));
        let (true, true, Some(Value::String(method))) =
            (version_is_2, id_is_scalar, members.remove("method"))
        else {
            return Err(invalid());
        };
        let params = match members.remove("params") {
            None | Some(Value::Null) => None,
            Some(Value::Object(params)) => Some(params),
            Some(_) => {
                return Err(Refused {
                    id: id.unwrap_or(Value::Null),
                    error: CallError::internal(
                        "Unexpected error while processing method: 'params' should be an object",
                    ),
                });
            }
        };
        Ok(Request { id, method, params })
    }
}

fn invalid() -> Refused {
    Refused {
        id: Value::Null,
        error: CallError::invalid_request("Invalid JSON-RPC request."),
    }
}

/// Removes the string member `name`.
///
/// Numbers, booleans and null count as strings, as everywhere in the protocol.
///
/// # Errors
/// -32000 when the member is missing, an array or an object.
pub fn take_string(params: &mut Params, name: &str) -> Result<String, CallError> {
    match params.remove(name) {
        None => Err(CallError::bad_member(format!(
            "'{name}' parameter is required"
        ))),
        Some(value) => as_text(value)
            .ok_or_else(|| CallError::bad_member(format!("'{name}' parameter should be a string"))),
    }
}

/// A scalar as a string: null is empty, numbers and booleans as JSON writes them.
#[must_use]
pub fn as_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The `sessionId` that the request itself names, if any; null names none.
///
/// # Errors
/// -32000 when it is an array or an object.
pub fn session_id(params: Option<&Params>) -> Result<Option<Arc<str>>, CallError> {
    match params.and_then(|params| params.get("sessionId")) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Arc::from(text.as_str()))),
        Some(other) => as_text(other.clone())
            .map(|text| Some(Arc::from(text)))
            .ok_or_else(|| CallError::bad_member("'sessionId' parameter should be a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_scalar_is_an_id() {
        for id in [
            json!(1),
            json!(-7),
            json!(1.5),
            json!("x"),
            json!(true),
            Value::Null,
        ] {
            let request =
                Request::from_value(json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).unwrap();
            assert_eq!(request.id, Some(id));
        }
    }

    #[test]
    fn refuses_what_is_no_request() {
        for message in [
            json!({"jsonrpc": "2.0", "id": [1], "method": "ping"}),
            json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}),
            json!({"jsonrpc": 2.0, "id": 1, "method": "ping"}),
            json!({"jsonrpc": "2.0", "id": 1, "method": 5}),
            json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
            json!([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]),
            json!("str"),
            Value::Null,
        ] {
            let refused = Request::from_value(message).unwrap_err();
            assert_eq!((refused.id, refused.error.code), (Value::Null, -32600));
        }
    }

    #[test]
    fn params_are_an_object_or_absent() {
        let parse = |params| {
            Request::from_value(json!({"jsonrpc": "2.0", "id": 3, "method": "m", "params": params}))
        };
        assert_eq!(parse(Value::Null).unwrap().params, None);
        let refused = parse(json!([1])).unwrap_err();
        assert_eq!((refused.id, refused.error.code), (json!(3), -32603));
    }

    #[test]
    fn scalars_count_as_strings() {
        let mut params = json!({"a": 5, "b": null, "c": {}})
            .as_object()
            .unwrap()
            .clone();
        assert_eq!(take_string(&mut params, "a").unwrap(), "5");
        assert_eq!(take_string(&mut params, "b").unwrap(), "");
        assert_eq!(
            take_string(&mut params, "c").unwrap_err().message,
            "'c' parameter should be a string"
        );
        assert_eq!(
            take_string(&mut params, "d").unwrap_err().message,
            "'d' parameter is required"
        );
    }
}
