//! Errors that reach the client.

use std::borrow::Cow;

/// The result of everything a client can ask of a module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error as the client sees it: Kurento code, `data.type` and a text that
/// says what to do. Modules of third parties use the codes 49000 to 49999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code} {kind})")]
pub struct Error {
    /// Kurento error code, 40000 to 49999.
    pub code: i32,
    /// Symbolic name of the code, such as `SDP_PARSE_ERROR`.
    pub kind: Cow<'static, str>,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Error {
    /// Any error of the tables in the protocol reference, or one of a module's own.
    pub fn new(code: i32, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            kind: kind.into(),
            message: message.into(),
        }
    }

    /// 40001: a parameter is missing or of the wrong type.
    pub fn marshall(message: impl Into<String>) -> Self {
        Self::new(40001, "MARSHALL_ERROR", message)
    }

    /// 40003: whatever has no code of its own.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(40003, "UNEXPECTED_ERROR", message)
    }

    /// 40107: a parameter has a value that makes no sense here.
    pub fn illegal_parameter(message: impl Into<String>) -> Self {
        Self::new(40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR", message)
    }

    /// 40111: the object cannot do this in its present state.
    pub fn not_supported(message: impl Into<String>) -> Self {
        Self::new(40111, "MEDIA_OBJECT_OPERATION_NOT_SUPPORTED", message)
    }

    /// 40008, the code that Kurento gives to an operation it does not know.
    pub fn no_such_operation(operation: &str, parameters: usize) -> Self {
        Self::new(
            40008,
            "MALFORMED_TRANSACTION",
            format!("Method '{operation}' with {parameters} parameters not found"),
        )
    }

    /// 40003: the module's code panicked.
    pub fn panicked(place: &str, text: &str) -> Self {
        Self::unexpected(format!("the module panicked in {place}: {text}"))
    }
}
