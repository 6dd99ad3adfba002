//! What the proxy answers by itself, and what answers mean.

use super::{
    message::{Message, Start},
    session::Output,
};

/// Whether an answer to SETUP refuses a track, rather than the client (401, 407) or a transport (461).
pub(super) fn is_refusal(status: u16) -> bool {
    status >= 400 && !matches!(status, 401 | 407 | 461)
}

/// Answers a request of a server's. None of them concerns the client; least of all one that sends it to another host
/// (`REDIRECT`, RFC 2326 §10.10).
pub(super) fn refuse_or_agree(method: &str, message: &Message, out: &mut Output) {
    let sequence = message.sequence().unwrap_or_default();
    let mut answer = match method {
        "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" => reply(200, "OK", sequence),
        _ => {
            tracing::debug!(method, "a request of an RTSP server is refused");
            reply(501, "Not Implemented", sequence)
        }
    };
    if let Some(session) = message.header("Session") {
        answer.set("Session", session);
    }
    answer.write(&mut out.to_server);
}

pub(super) fn reply(status: u16, reason: &str, sequence: u32) -> Message {
    Message {
        start: Start::Response {
            status,
            reason: reason.to_owned(),
        },
        headers: vec![("CSeq".to_owned(), sequence.to_string())],
        body: Vec::new(),
    }
}
