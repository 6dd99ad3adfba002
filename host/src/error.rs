//! Errors as a client sees them: a code, a symbolic type and a message.
//!
//! Every error that leaves the server is a [`CallError`] made by a constructor of
//! this file, so that code and type cannot drift apart. The pairs are those of the
//! Kurento protocol, misspellings included, because clients compare them.

use std::borrow::Cow;
use std::time::Duration;

/// The `data.type` of codes without a name of their own.
const UNDEFINED: &str = "UNDEFINED";

/// A failed call: `error.code`, `error.data.type` and `error.message`.
///
/// An empty `kind` means that the reply carries no `data`; only the errors of
/// JSON-RPC itself (-32xxx) are so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// Kurento's error code (40xxx), or one of JSON-RPC 2.0 (-32xxx).
    pub code: i32,
    /// Symbolic name of the code, sent as `data.type`.
    pub kind: Cow<'static, str>,
    /// Text for a person: what is wrong and, where it helps, what to do.
    pub message: String,
}

/// Declares the codes once: a constructor per code, and the table that maps a code
/// to its type.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $kind:literal;)*) => {
        impl CallError {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(message: impl Into<String>) -> CallError {
                    CallError { code: $code, kind: Cow::Borrowed($kind), message: message.into() }
                }
            )*
        }

        /// All known pairs of code and `data.type`.
        pub const CODES: &[(i32, &str)] = &[$(($code, $kind)),*];
    };
}

codes! {
    /// JSON text that cannot be parsed.
    parse_error = -32700, "";
    /// Valid JSON that is no JSON-RPC 2.0 request.
    invalid_request = -32600, "";
    /// A method that the server does not have.
    method_not_found = -32601, "";
    /// The `params` member is missing although the method needs it.
    invalid_params = -32602, "INVALID_PARAMS";
    /// The request cannot be processed for a reason that has no code of its own.
    internal = -32603, "";
    /// A member of `params` is missing or has the wrong JSON type.
    bad_member = -32000, "";
    /// A parameter of an operation or constructor is missing or ill-typed.
    marshall = 40001, "MARSHALL_ERROR";
    /// A failure inside an object that has no code of its own.
    unexpected = 40003, "UNEXPECTED_ERROR";
    /// Two elements or ports that cannot be connected.
    connect = 40004, "CONNECT_ERROR";
    /// A media type that the operation does not serve.
    unsupported_media_type = 40005, "UNSUPPORTED_MEDIA_TYPE";
    /// An operation that exists but has no implementation.
    not_implemented = 40006, "NOT_IMPLEMENTED";
    /// A session that the server does not know.
    invalid_session = 40007, "INVALID_SESSION";
    /// A transaction that is not well formed; also an unknown operation.
    malformed_transaction = 40008, "MALFORMED_TRANSACTION";
    /// A limit of the server is reached.
    not_enough_resources = 40009, "NOT_ENOUGH_RESOURCES";
    /// A class that does not exist.
    type_not_found = 40100, "MEDIA_OBJECT_TYPE_NOT_FOUND";
    /// An object id that does not resolve.
    object_not_found = 40101, "MEDIA_OBJECT_NOT_FOUND";
    /// A class that cannot be constructed.
    constructor_not_found = 40104, "MEDIA_OBJECT_CONSTRUCTOR_NOT_FOUND";
    /// Reserved by the protocol for an unknown operation; see [`CallError::malformed_transaction`].
    operation_not_found = 40105, "MEDIA_OBJECT_METHOD_NOT_FOUND";
    /// An event that the object's class does not raise.
    event_not_supported = 40106, "MEDIA_OBJECT_EVENT_NOT_SUPPORTED";
    /// A parameter of the right type with an unusable value.
    illegal_param = 40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR";
    /// No factory for a class.
    not_available = 40108, "MEDIA_OBJECT_NOT_AVAILABLE";
    /// A `newref:` reference outside a transaction.
    not_committed = 40109, "MEDIA_OBJECT_NOT_FOUND_TRANSACTION_NO_COMMIT";
    /// A tag that the object does not have.
    tag_not_found = 40110, "MEDIA_OBJECT_TAG_KEY_NOT_FOUND";
    /// An operation that the object cannot perform as it was set up.
    operation_not_supported = 40111, "MEDIA_OBJECT_OPERATION_NOT_SUPPORTED";
    /// The session description cannot be made.
    sdp_create = 40200, "SDP_CREATE_ERROR";
    /// The session description cannot be parsed.
    sdp_parse = 40201, "SDP_PARSE_ERROR";
    /// No local session description yet.
    no_local_sdp = 40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR";
    /// No remote session description yet.
    no_remote_sdp = 40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR";
    /// The offer cannot be generated.
    generate_offer = 40204, "SDP_END_POINT_GENERATE_OFFER_ERROR";
    /// The offer cannot be processed.
    process_offer = 40205, "SDP_END_POINT_PROCESS_OFFER_ERROR";
    /// The answer cannot be processed.
    process_answer = 40206, "SDP_END_POINT_PROCESS_ANSWER_ERROR";
    /// The configuration of the session description is unusable.
    sdp_configuration = 40207, "SDP_CONFIGURATION_ERROR";
    /// The endpoint has been negotiated already.
    already_negotiated = 40208, "SDP_END_POINT_ALREADY_NEGOTIATED";
    /// An answer without a generated offer.
    offer_not_generated = 40209, "SDP_END_POINT_NOT_OFFER_GENERATED";
    /// A second answer.
    answer_already_processed = 40210, "SDP_END_POINT_ANSWER_ALREADY_PROCCESED";
    /// The SDP session cannot be created.
    cannot_create_session = 40211, "SDP_END_POINT_CANNOT_CREATE_SESSON";
    /// The HTTP endpoint cannot be registered.
    http_registration = 40300, "HTTP_END_POINT_REGISTRATION_ERROR";
    /// Candidate gathering cannot start.
    gather_candidates = 40400, "ICE_GATHER_CANDIDATES_ERROR";
    /// A candidate cannot be added.
    add_candidate = 40401, "ICE_ADD_CANDIDATE_ERROR";
    /// An unknown module descriptor; the protocol gives this code no type.
    kmd_not_found = 40500, "UNDEFINED";
    /// A file that does not exist.
    file_not_found = 40600, "URI_PATH_FILE_NOT_FOUND";
    /// A position that cannot be reached.
    seek_failed = 40700, "PLAYER_SEEK_FAIL";
}

impl CallError {
    /// An error of any code, with the type that belongs to it.
    ///
    /// Modules choose their own codes (49000-49999); whatever the table does not
    /// know is `UNDEFINED`.
    #[must_use]
    pub fn with_code(code: i32, message: impl Into<String>) -> CallError {
        let kind = CODES
            .iter()
            .find(|(known, _)| *known == code)
            .map_or(UNDEFINED, |(_, kind)| *kind);
        CallError {
            code,
            kind: Cow::Borrowed(kind),
            message: message.into(),
        }
    }

    /// The object `id` does not exist, or is a `newref:` outside a transaction.
    #[must_use]
    pub fn no_object(id: &str) -> CallError {
        if id.starts_with("newref:") {
            return CallError::not_committed(format!(
                "Object '{id}' not found. Possibly using a transactional object without committing the transaction."
            ));
        }
        CallError::object_not_found(format!("Object '{id}' not found"))
    }

    /// The class has no operation of this name that takes `count` parameters.
    #[must_use]
    pub fn no_operation(operation: &str, count: usize) -> CallError {
        CallError::malformed_transaction(format!(
            "Method '{operation}' with {count} parameters not found"
        ))
    }

    /// Nothing creates objects of this class.
    #[must_use]
    pub fn no_factory(class: &str) -> CallError {
        CallError::not_available(format!("Factory '{class}' not found"))
    }

    /// The server ends soon, and `what` it does not do any more.
    #[must_use]
    pub fn going_down(what: &str) -> CallError {
        CallError::not_enough_resources(format!(
            "The server is going down, {what}: use another server, or this one when it is back"
        ))
    }

    /// A module that did not answer within its time.
    #[must_use]
    pub fn timed_out(what: &str, limit: Duration) -> CallError {
        CallError::unexpected(format!(
            "{what} has not finished within {} s; the object stays busy until it does",
            limit.as_secs_f64()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_typed() {
        let mut codes: Vec<i32> = CODES.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CODES.len());
        for (code, kind) in CODES {
            assert!(*code < 0 || !kind.is_empty(), "{code} has no type");
        }
    }

    #[test]
    fn codes_and_types_are_the_protocols() {
        let expected = [
            (-32602, "INVALID_PARAMS"),
            (40001, "MARSHALL_ERROR"),
            (40003, "UNEXPECTED_ERROR"),
            (40004, "CONNECT_ERROR"),
            (40005, "UNSUPPORTED_MEDIA_TYPE"),
            (40006, "NOT_IMPLEMENTED"),
            (40007, "INVALID_SESSION"),
            (40008, "MALFORMED_TRANSACTION"),
            (40009, "NOT_ENOUGH_RESOURCES"),
            (40101, "MEDIA_OBJECT_NOT_FOUND"),
            (40106, "MEDIA_OBJECT_EVENT_NOT_SUPPORTED"),
            (40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR"),
            (40108, "MEDIA_OBJECT_NOT_AVAILABLE"),
            (40109, "MEDIA_OBJECT_NOT_FOUND_TRANSACTION_NO_COMMIT"),
            (40110, "MEDIA_OBJECT_TAG_KEY_NOT_FOUND"),
            (40111, "MEDIA_OBJECT_OPERATION_NOT_SUPPORTED"),
            (40201, "SDP_PARSE_ERROR"),
            (40208, "SDP_END_POINT_ALREADY_NEGOTIATED"),
            (40210, "SDP_END_POINT_ANSWER_ALREADY_PROCCESED"),
            (40211, "SDP_END_POINT_CANNOT_CREATE_SESSON"),
            (40401, "ICE_ADD_CANDIDATE_ERROR"),
            (40500, "UNDEFINED"),
            (40700, "PLAYER_SEEK_FAIL"),
            (49001, "UNDEFINED"),
        ];
        for (code, kind) in expected {
            assert_eq!(CallError::with_code(code, "x").kind, kind, "{code}");
        }
    }

    #[test]
    fn transactional_ids_have_their_own_error() {
        assert_eq!(CallError::no_object("newref:0").code, 40109);
        assert_eq!(
            CallError::no_object("nope"),
            CallError::object_not_found("Object 'nope' not found")
        );
    }
}
