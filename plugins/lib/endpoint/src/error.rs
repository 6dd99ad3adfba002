//! Kurento's codes for what goes wrong in a negotiation, and what goes wrong after it.

use rivero_plugin_api::{ElementContext, Error};
use rivero_sdp::SdpError;

/// 40208: there is nothing to negotiate any more, or the same was said before.
#[must_use]
pub fn already_negotiated() -> Error {
    Error::new(
        40208,
        "SDP_END_POINT_ALREADY_NEGOTIATED",
        "Endpoint already negotiated",
    )
}

/// 40209: an answer to nothing.
#[must_use]
pub fn offer_not_generated() -> Error {
    Error::new(
        40209,
        "SDP_END_POINT_NOT_OFFER_GENERATED",
        "Offer not generated. It is not possible to process an answer.",
    )
}

/// 40210: an answer to what has been answered.
#[must_use]
pub fn answer_already_processed() -> Error {
    Error::new(
        40210,
        "SDP_END_POINT_ANSWER_ALREADY_PROCCESED",
        "Sdp Answer already processed",
    )
}

/// 40202: nothing was described here yet.
#[must_use]
pub fn no_local_description() -> Error {
    Error::new(40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR", "No local SDP")
}

/// 40203: the peer has not described itself yet.
#[must_use]
pub fn no_remote_description() -> Error {
    Error::new(40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR", "No remote SDP")
}

/// What is wrong with a description of the peer.
#[must_use]
pub fn of_description(error: &SdpError, of_answer: bool) -> Error {
    match error {
        SdpError::Empty | SdpError::TooLarge { .. } | SdpError::Parse { .. } => {
            Error::new(40201, "SDP_PARSE_ERROR", format!("Invalid SDP: {error}"))
        }
        SdpError::SectionCount { .. } | SdpError::SectionMismatch { .. } => {
            unusable_answer(&error.to_string())
        }
        SdpError::NoCommonTransport { .. } if of_answer => unusable_answer(&error.to_string()),
        SdpError::NoCommonTransport { .. } => unusable_offer(&error.to_string()),
        _ => Error::new(40207, "SDP_CONFIGURATION_ERROR", error.to_string()),
    }
}

/// 40205: an offer that cannot be met.
#[must_use]
pub fn unusable_offer(text: &str) -> Error {
    Error::new(40205, "SDP_END_POINT_PROCESS_OFFER_ERROR", text)
}

/// 40206: an answer that does not answer our offer.
#[must_use]
pub fn unusable_answer(text: &str) -> Error {
    Error::new(40206, "SDP_END_POINT_PROCESS_ANSWER_ERROR", text)
}

/// 40111: nothing feeds the video that is sent.
#[must_use]
pub fn no_source_of_keyframes() -> Error {
    Error::not_supported("Keyframe request failed (must be requested from a subscriber element)")
}

/// Raises an `Error` event: the peer answers no request for a keyframe.
pub fn keyframe_missing(context: &ElementContext) {
    let text = "the peer sends video, but no keyframe, although it is asked for them: who joins sees no \
                picture before the next one";
    context.error("KEYFRAME_MISSING", 0, text);
}
