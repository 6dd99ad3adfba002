//! One WebSocket: messages in, and the outbox out.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::Frame};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::outbox::Outbox;

/// Bytes of an incoming message at most; more is answered with close code 1009.
const MAX_MESSAGE: usize = 32_000_000;
/// Bytes of payload per outgoing frame at most: what Java's client accepts.
const MAX_FRAME: usize = 1_000_000;
/// No request is read while more than this many bytes of replies wait.
const READ_WATERMARK: usize = 2 << 20;
/// Requests handled before their replies are flushed, when more have already arrived.
const BATCH: usize = 32;
/// How long a closing connection may take to say goodbye.
const LINGER: Duration = Duration::from_secs(2);

/// A WebSocket and the queue that it sends from.
pub(crate) struct Wire<S> {
    socket: WebSocketStream<S>,
    outbox: Arc<Outbox>,
    unflushed: usize,
}

/// Why nothing more is received.
#[derive(Debug)]
pub(crate) enum End {
    /// The client closed, or the connection broke.
    Gone,
    /// The client broke a rule of RFC 6455: close with this code and reason.
    Refused(CloseCode, &'static str),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Takes over a socket whose handshake is done; `rest` came in with the handshake.
    pub(crate) async fn new(stream: S, rest: Vec<u8>, outbox: Arc<Outbox>) -> Wire<S> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE))
            .read_buffer_size(16 << 10)
            .write_buffer_size(64 << 10);
        let socket =
            WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
        Wire {
            socket,
            outbox,
            unflushed: 0,
        }
    }

    /// The next text, from a text or binary message; sends the outbox meanwhile.
    pub(crate) async fn receive(&mut self) -> Result<Utf8Bytes, End> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// Sends the outbox while `future` runs; an error when the connection breaks first.
    pub(crate) async fn send_during<F: Future + Unpin>(
        &mut self,
        mut future: F,
    ) -> Result<F::Output, End> {
        poll_fn(|cx| {
            if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
                return Poll::Ready(Ok(output));
            }
            match self.poll_send(cx) {
                Poll::Ready(Err(end)) => Poll::Ready(Err(end)),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Sends what waits, closes with `code`, and waits a moment for the client to follow.
    pub(crate) async fn close(mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        let goodbye = async {
            let _ = poll_fn(|cx| self.poll_send(cx)).await;
            let _ = self.socket.close(Some(frame)).await;
            // Reading on keeps the close frame from being lost in a reset.
            let mut scratch = vec![0; 16 << 10];
            while self
                .socket
                .get_mut()
                .read(&mut scratch)
                .await
                .is_ok_and(|length| length > 0)
            {}
        };
        let _ = tokio::time::timeout(LINGER, goodbye).await;
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Utf8Bytes, End>> {
        loop {
            // Replies to requests that arrived together leave together: one system call for many.
            let reading = self.unflushed < BATCH && self.outbox.bytes() < READ_WATERMARK;
            if reading {
                match Pin::new(&mut self.socket).poll_next(cx) {
                    Poll::Ready(Some(Ok(Message::Text(text)))) => {
                        self.unflushed += 1;
                        return Poll::Ready(Ok(text));
                    }
                    Poll::Ready(Some(Ok(Message::Binary(bytes)))) => {
                        self.unflushed += 1;
                        let text = Utf8Bytes::try_from(bytes);
                        return Poll::Ready(
                            text.map_err(|_| End::Refused(CloseCode::Invalid, "Not UTF-8")),
                        );
                    }
                    Poll::Ready(Some(Ok(_))) => continue,
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(end(&error))),
                    Poll::Ready(None) => return Poll::Ready(Err(End::Gone)),
                    Poll::Pending => {}
                }
            }
            let sent = self.poll_send(cx)?;
            // A client that sends without reading is read on until its replies reach the watermark.
            self.unflushed = 0;
            if reading || (sent.is_pending() && self.outbox.bytes() >= READ_WATERMARK) {
                return Poll::Pending;
            }
        }
    }

    /// Moves the outbox to the socket; ready when all of it has left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        self.outbox.register(cx.waker());
        if self.outbox.is_closed() {
            return Poll::Ready(Err(End::Gone));
        }
        loop {
            ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(|error| end(&error))?;
            let Some(text) = self.outbox.pop() else { break };
            if text.len() <= MAX_FRAME {
                Pin::new(&mut self.socket)
                    .start_send(Message::Text(text))
                    .map_err(|error| end(&error))?;
                continue;
            }
            for frame in fragments(text) {
                Pin::new(&mut self.socket)
                    .start_send(frame)
                    .map_err(|error| end(&error))?;
            }
        }
        Pin::new(&mut self.socket)
            .poll_flush(cx)
            .map_err(|error| end(&error))
    }
}

fn end(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::Refused(CloseCode::Size, "A message was too large"),
        Error::Utf8(_) => End::Refused(CloseCode::Invalid, "Not UTF-8"),
        Error::Protocol(problem) if !is_reset(problem) => {
            End::Refused(CloseCode::Protocol, "Protocol error")
        }
        _ => End::Gone,
    }
}

fn is_reset(problem: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    matches!(
        problem,
        ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing
    )
}

/// A large text as one message in several frames.
fn fragments(text: Utf8Bytes) -> Vec<Message> {
    let parts = split(&text, MAX_FRAME);
    let last = parts.len().saturating_sub(1);
    let bytes = Bytes::from(text);
    let frame = |(index, part): (usize, std::ops::Range<usize>)| {
        let opcode = if index == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        Message::Frame(Frame::message(
            bytes.slice(part),
            OpCode::Data(opcode),
            index == last,
        ))
    };
    parts.into_iter().enumerate().map(frame).collect()
}

/// Ranges of at most `size` bytes that cut no UTF-8 sequence; `size` is at least 4.
fn split(text: &str, size: usize) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = text.floor_char_boundary(start + size);
        parts.push(start..end);
        start = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_end_between_characters() {
        for text in ["", "abcdefgh", "äöüß€€€€", "😀😀😀"] {
            let parts = split(text, 4);
            assert!(parts.iter().all(|part| text.is_char_boundary(part.start)
                && part.len() <= 4
                && !part.is_empty()));
            assert_eq!(
                parts
                    .iter()
                    .map(|part| &text[part.clone()])
                    .collect::<String>(),
                text
            );
        }
    }

    #[test]
    fn large_messages_are_fragmented() {
        let large = fragments("é".repeat(1_200_000).into());
        let frames: Vec<(usize, bool)> = large
            .iter()
            .map(|message| match message {
                Message::Frame(frame) => (frame.payload().len(), frame.header().is_final),
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(
            frames,
            [(1_000_000, false), (1_000_000, false), (400_000, true)]
        );
    }
}
