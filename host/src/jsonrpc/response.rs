//! Writing replies and events.
//!
//! Object keys come out in alphabetical order and without blanks, byte for byte as
//! clients have always received them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::CallError;
use crate::redact::redacted;

/// Bytes of the text of an error at most.
const MAX_MESSAGE: usize = 4 << 10;

/// The result of a method.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// `"result":null`
    Null,
    /// `"result":{"sessionId":…}`
    Session(Arc<str>),
    /// `"result":{"sessionId":…,"value":…}`; no `sessionId` without a session.
    Value(Option<Arc<str>>, Value),
    /// `"result":{…}` with the members given, and the session.
    Members(Arc<str>, Map<String, Value>),
}

impl Answer {
    /// The session that the answer names; the connection becomes bound to it.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<str>> {
        match self {
            Answer::Null | Answer::Value(None, _) => None,
            Answer::Session(id) | Answer::Value(Some(id), _) | Answer::Members(id, _) => Some(id),
        }
    }

    /// The answer as a JSON value.
    #[must_use]
    pub fn into_value(self) -> Value {
        let mut members = Map::new();
        let session = match self {
            Answer::Null => return Value::Null,
            Answer::Session(id) => Some(id),
            Answer::Value(id, value) => {
                members.insert("value".into(), value);
                id
            }
            Answer::Members(id, given) => {
                members = given;
                Some(id)
            }
        };
        if let Some(id) = session {
            members.insert("sessionId".into(), Value::from(&*id));
        }
        Value::Object(members)
    }

    fn write(&self, out: &mut String) {
        match self {
            Answer::Null => out.push_str("null"),
            Answer::Session(id) => {
                out.push_str("{\"sessionId\":");
                write_string(out, id);
                out.push('}');
            }
            Answer::Value(id, value) => {
                out.push('{');
                if let Some(id) = id {
                    out.push_str("\"sessionId\":");
                    write_string(out, id);
                    out.push(',');
                }
                out.push_str("\"value\":");
                write_value(out, value);
                out.push('}');
            }
            Answer::Members(..) => write_value(out, &self.clone().into_value()),
        }
    }
}

/// The text of the reply to a request, or to a notification when `id` is `None`.
///
/// A notification that yields a result is answered with an error, and one that yields
/// null with an empty message: odd, but what the protocol's servers do.
#[must_use]
pub fn reply(id: Option<&Value>, outcome: &Result<Answer, CallError>) -> String {
    match (id, outcome) {
        (Some(id), Ok(answer)) => {
            let mut out = String::with_capacity(160);
            out.push_str("{\"id\":");
            write_value(&mut out, id);
            out.push_str(",\"jsonrpc\":\"2.0\",\"result\":");
            answer.write(&mut out);
            out.push('}');
            out
        }
        (None, Ok(Answer::Null)) => String::new(),
        (None, Ok(answer)) => {
            let mut out = String::from("{\"error\":{\"code\":-32000,\"data\":");
            answer.write(&mut out);
            out.push_str(",\"message\":\"Ignoring response because of a notification request\"},\"id\":null,\"jsonrpc\":\"2.0\"}");
            out
        }
        (id, Err(error)) => error_reply(id.unwrap_or(&Value::Null), error),
    }
}

/// The text of an error reply.
#[must_use]
pub fn error_reply(id: &Value, error: &CallError) -> String {
    let mut out = String::with_capacity(160);
    let _ = write!(out, "{{\"error\":{{\"code\":{},", error.code);
    if !error.kind.is_empty() {
        out.push_str("\"data\":{\"type\":");
        write_string(&mut out, &error.kind);
        out.push_str("},");
    }
    out.push_str("\"message\":");
    write_string(&mut out, &shortened(&error.message));
    out.push_str("},\"id\":");
    write_value(&mut out, id);
    out.push_str(",\"jsonrpc\":\"2.0\"}");
    out
}

/// The text of an `onEvent` notification.
#[must_use]
pub fn event(object: &str, event: &str, data: &Map<String, Value>) -> String {
    let mut out = String::with_capacity(320);
    out.push_str("{\"jsonrpc\":\"2.0\",\"method\":\"onEvent\",\"params\":{\"value\":{\"data\":");
    write_json(&mut out, data);
    out.push_str(",\"object\":");
    write_string(&mut out, object);
    out.push_str(",\"type\":");
    write_string(&mut out, event);
    out.push_str("}}}");
    out
}

/// An error as a member of a transaction's list of responses.
#[must_use]
pub fn error_value(error: &CallError) -> Value {
    let mut members = Map::new();
    members.insert("code".into(), error.code.into());
    members.insert("message".into(), Value::from(shortened(&error.message)));
    if !error.kind.is_empty() {
        members.insert("data".into(), serde_json::json!({ "type": error.kind }));
    }
    Value::Object(members)
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::String(text) => write_string(out, text),
        other => write_json(out, other),
    }
}

/// Strings without characters that need escaping, nearly all of them, are copied as they are.
fn write_string(out: &mut String, text: &str) {
    if text
        .bytes()
        .any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        write_json(out, text);
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut String, value: &T) {
    let mut bytes = std::mem::take(out).into_bytes();
    let before = bytes.len();
    // Serialising to memory can only fail for maps with keys that are no strings; there are none.
    if serde_json::to_writer(&mut bytes, value).is_err() {
        bytes.truncate(before);
    }
    // The serialiser writes nothing but UTF-8, whose check is cheap beside a copy.
    *out = String::from_utf8(bytes).unwrap_or_default();
}

/// The text of an error without secrets, cut where what a client sent makes it longer than anybody
/// reads.
fn shortened(message: &str) -> Cow<'_, str> {
    let message = redacted(message);
    if message.len() <= MAX_MESSAGE {
        return message;
    }
    let end = message.floor_char_boundary(MAX_MESSAGE);
    let beginning = message.get(..end).unwrap_or_default();
    format!("{beginning}… ({} bytes)", message.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results_are_compact_and_sorted() {
        let pong = Ok(Answer::Value(None, json!("pong")));
        assert_eq!(
            reply(Some(&json!(1)), &pong),
            r#"{"id":1,"jsonrpc":"2.0","result":{"value":"pong"}}"#
        );
        let void = Ok(Answer::Value(Some("s".into()), Value::Null));
        assert_eq!(
            reply(Some(&json!("a\"b")), &void),
            r#"{"id":"a\"b","jsonrpc":"2.0","result":{"sessionId":"s","value":null}}"#
        );
        let members = json!({"serverId": "x", "type": "T"})
            .as_object()
            .unwrap()
            .clone();
        assert_eq!(
            reply(Some(&json!(1.5)), &Ok(Answer::Members("s".into(), members))),
            r#"{"id":1.5,"jsonrpc":"2.0","result":{"serverId":"x","sessionId":"s","type":"T"}}"#
        );
        assert_eq!(
            reply(Some(&Value::Null), &Ok(Answer::Null)),
            r#"{"id":null,"jsonrpc":"2.0","result":null}"#
        );
    }

    #[test]
    fn errors_carry_their_type() {
        assert_eq!(
            reply(
                Some(&json!(4)),
                &Err(CallError::invalid_session("Invalid session"))
            ),
            r#"{"error":{"code":40007,"data":{"type":"INVALID_SESSION"},"message":"Invalid session"},"id":4,"jsonrpc":"2.0"}"#
        );
        assert_eq!(
            error_reply(
                &Value::Null,
                &CallError::invalid_request("Invalid JSON-RPC request.")
            ),
            r#"{"error":{"code":-32600,"message":"Invalid JSON-RPC request."},"id":null,"jsonrpc":"2.0"}"#
        );
    }

    #[test]
    fn errors_do_not_repeat_all_that_was_sent() {
        let error = CallError::no_factory(&"é".repeat(1 << 20));
        for text in [
            error_reply(&Value::Null, &error),
            error_value(&error).to_string(),
        ] {
            assert!(text.len() < 5_000 && text.contains("é… (20971"), "{text}");
        }
    }

    #[test]
    fn notifications_are_answered_oddly() {
        assert_eq!(reply(None, &Ok(Answer::Null)), "");
        assert_eq!(
            reply(None, &Ok(Answer::Value(None, json!("pong")))),
            r#"{"error":{"code":-32000,"data":{"value":"pong"},"message":"Ignoring response because of a notification request"},"id":null,"jsonrpc":"2.0"}"#
        );
    }

    #[test]
    fn strings_survive_the_fast_path() {
        for text in ["", "plain", "üñí☃", "\"q\" \\ / \n\u{1}", "\u{2028}"] {
            let mut out = String::new();
            write_string(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn events_have_the_shape_clients_unwrap() {
        let data = json!({"source": "o", "tags": []})
            .as_object()
            .unwrap()
            .clone();
        assert_eq!(
            event("o", "Error", &data),
            r#"{"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"source":"o","tags":[]},"object":"o","type":"Error"}}}"#
        );
    }
}
