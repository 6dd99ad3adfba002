//! Passing a connection on to the process that has its session.
//!
//! A client that lost its connection comes back to the new process, with the session that it has
//! with the old one. The old one is asked, and if it knows the session, messages go back and forth
//! between the client and it: the new process keeps the socket, TLS and the bounds of what is
//! received, the old one does everything else.

use std::borrow::Cow;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::connection::{Service, talk};
use super::wire::{End, Received, Wire, config};
use crate::auth::Caller;
use crate::handover::{Adoption, KNOWN, UNKNOWN, nonblocking};
use crate::registry::Outbox;

/// Bytes of a `connect` with a session at most: the id has at most 1 KB.
const LONGEST: usize = 4 << 10;

/// A request, as far as it says that it is one to return to a session.
#[derive(Deserialize)]
struct Return<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "sessionId")]
    session: Option<String>,
}

/// The session that a message asks to return to, if it does.
fn session_to_return_to(text: &str) -> Option<String> {
    if text.len() > LONGEST || !text.contains("connect") {
        return None;
    }
    let request: Return<'_> = serde_json::from_str(text).ok()?;
    (request.method == "connect").then_some(request.params?.session?)
}

impl Service {
    /// The way to the process that has the session to which a message asks to return.
    pub(super) async fn way_back(
        &self,
        text: &str,
        caller: &Caller,
        from: SocketAddr,
    ) -> Option<UnixStream> {
        let predecessor = self.predecessor.load_full()?;
        let session = session_to_return_to(text).filter(|id| !self.knows(id, caller))?;
        let adoption = Adoption::new(session, from, caller.principal());
        predecessor.adopt(adoption).await
    }

    fn knows(&self, session: &str, caller: &Caller) -> bool {
        let registry = &self.methods.core().registry;
        registry.view(caller).session(&session.into()).is_known()
    }

    /// Serves a connection that the process that took over passes on, if its session is here or
    /// with the process before this one.
    pub(crate) async fn adopt(self: Arc<Self>, stream: StdStream, adoption: Adoption) {
        let Ok(mut stream) = nonblocking(stream) else {
            return;
        };
        let from = adoption.from;
        let place = self.sockets.admit(from.ip());
        let caller = self.caller(Arc::new(adoption.principal()), &place);
        if self.knows(&adoption.session, &caller) {
            if stream.write_all(&[KNOWN]).await.is_err() {
                return;
            }
            tracing::debug!(%from, "a client returns by way of the process that took over");
            let outbox = Outbox::new(caller.account());
            let wire = Wire::new(stream, Vec::new(), outbox.clone()).await;
            let path = self.path.clone();
            return talk(wire, &caller, outbox, &path, &place, from, &self).await;
        }
        drop(place);
        let before = match self.predecessor.load_full() {
            Some(predecessor) => predecessor.adopt(adoption).await,
            None => None,
        };
        match before {
            Some(mut before) => {
                if stream.write_all(&[KNOWN]).await.is_ok() {
                    let _ = copy_bidirectional(&mut stream, &mut before).await;
                }
            }
            None => drop(stream.write_all(&[UNKNOWN]).await),
        }
    }
}

/// Passes messages on, beginning with this one, until one side ends.
pub(super) async fn relay<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    outbox: &Arc<Outbox>,
    first: Received,
    there: UnixStream,
    mut heard: impl FnMut(),
) -> End {
    let config = config(&outbox.account().limits());
    let there = WebSocketStream::from_raw_socket(there, Role::Client, Some(config)).await;
    let (mut requests, mut replies) = there.split();
    let gone = || {
        End::Refused(
            CloseCode::Away,
            "The server of this session has gone".into(),
        )
    };
    let forth = async {
        let mut next = first;
        loop {
            heard();
            let Received { text, claim } = next;
            // Replies go on being sent meanwhile, so that neither side waits for the other.
            let sent = wire
                .send_during(Box::pin(requests.send(Message::Text(text))))
                .await;
            drop(claim);
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return gone(),
                Err(end) => return end,
            }
            next = match poll_fn(|cx| wire.poll_receive(cx)).await {
                Ok(received) => received,
                Err(end) => return end,
            };
        }
    };
    let back = async {
        loop {
            match replies.next().await {
                Some(Ok(Message::Text(text))) => {
                    outbox.push(text);
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return End::Refused(frame.code, frame.reason.as_str().to_owned().into());
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return gone(),
                Some(Ok(_)) => {}
            }
        }
    };
    tokio::select! {
        end = forth => end,
        end = back => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connect_with_a_session_returns_to_one() {
        for (text, session) in [
            (
                r#"{"id": 1, "method": "connect", "params": {"sessionId": "a"}}"#,
                Some("a"),
            ),
            (
                r#"{"method":"\u0063onnect","params":{"sessionId":"a","x":[1]}}"#,
                None,
            ),
            (r#"{"method": "connect", "params": {}}"#, None),
            (r#"{"method": "connect"}"#, None),
            (
                r#"{"method": "invoke", "params": {"sessionId": "a", "operation": "connect"}}"#,
                None,
            ),
            (r#"{"method": "connect", "params": {"sessionId": 1}}"#, None),
            ("connect", None),
        ] {
            assert_eq!(session_to_return_to(text).as_deref(), session, "{text}");
        }
    }
}
