//! One WebSocket: messages in, and the outbox out.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{FutureExt, Sink, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::Frame};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::meter::Meter;
use crate::accounts::{Claim, Limits};
use crate::registry::Outbox;

/// Bytes of payload in one frame at most; longer messages are sent in fragments. Java's client
/// takes frames of 1,000,000 bytes. A connection keeps the room that its largest frame took.
const MAX_FRAME: usize = 16 << 10;
/// Messages up to this size are sent in one frame, for clients that know no fragments.
const MAX_WHOLE: usize = 64 << 10;
/// Bytes read at a time. A connection keeps so much room.
const READ_BUFFER: usize = 8 << 10;
/// Bytes collected before they are sent.
const WRITE_BUFFER: usize = 16 << 10;
/// Requests handled before their replies are flushed, when more have already arrived.
const BATCH: usize = 32;
/// How long a closing connection may take to say goodbye: a client that does not follow, or sends
/// on, must not keep its place.
const LINGER: Duration = Duration::from_secs(2);

/// A WebSocket and the queue that it sends from.
pub(crate) struct Wire<S> {
    /// `None` only while it is being renewed.
    socket: Option<WebSocketStream<Meter<S>>>,
    outbox: Arc<Outbox>,
    unflushed: usize,
    /// What is left of the message that is being sent.
    fragments: VecDeque<Message>,
    unfinished: Option<Unfinished>,
}

/// A message, and what has been claimed for its bytes.
pub(crate) struct Received {
    pub(crate) text: Utf8Bytes,
    pub(crate) claim: Claim,
}

/// Why nothing more is received.
#[derive(Debug)]
pub(crate) enum End {
    /// The client closed, or the connection broke.
    Gone,
    /// The client broke a rule or reached a bound: close with this code and reason.
    Refused(CloseCode, Cow<'static, str>),
}

impl End {
    fn refused(code: CloseCode, reason: &'static str) -> End {
        End::Refused(code, Cow::Borrowed(reason))
    }
}

/// How long a message has been unfinished.
struct Unfinished {
    began: Instant,
    /// What had been read when something came last, and when that was.
    progress: u64,
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Takes over a socket whose handshake is done; `rest` came in with the handshake.
    pub(crate) async fn new(stream: S, rest: Vec<u8>, outbox: Arc<Outbox>) -> Wire<S> {
        let meter = Meter::new(stream, &rest, READ_BUFFER as u64, outbox.account());
        let config = config(&outbox.account().limits());
        let socket =
            WebSocketStream::from_partially_read(meter, rest, Role::Server, Some(config)).await;
        Wire {
            socket: Some(socket),
            outbox,
            unflushed: 0,
            fragments: VecDeque::new(),
            unfinished: None,
        }
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
    ///
    /// In the order of RFC 6455 section 7.1.1: the server, which is to close first, ends its
    /// direction, then reads until the client has ended the other one. A client waits for the
    /// first of that after its own close frame, so without it both would wait until the end of
    /// [`LINGER`].
    pub(crate) async fn close(mut self, code: CloseCode, reason: Cow<'static, str>) {
        let reason = Utf8Bytes::from(&*reason);
        let goodbye = async {
            let _ = poll_fn(|cx| self.poll_send(cx)).await;
            let Some(socket) = &mut self.socket else {
                return;
            };
            let _ = socket.close(Some(CloseFrame { code, reason })).await;
            // Reading on keeps the close frame from being lost in a reset.
            let stream = socket.get_mut().stream_mut();
            let _ = stream.shutdown().await;
            let mut scratch = vec![0; 16 << 10];
            while stream
                .read(&mut scratch)
                .await
                .is_ok_and(|length| length > 0)
            {}
        };
        let _ = tokio::time::timeout(LINGER, goodbye).await;
    }

    /// Closes with `code`, and waits for nothing.
    pub(crate) fn abandon(mut self, code: CloseCode, reason: Cow<'static, str>) {
        let reason = Utf8Bytes::from(&*reason);
        if let Some(socket) = &mut self.socket {
            let _ = socket
                .close(Some(CloseFrame { code, reason }))
                .now_or_never();
        }
        self.outbox.close();
    }

    /// The next text, from a text or binary message; sends the outbox meanwhile.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, End>> {
        loop {
            // Replies to requests that arrived together leave together: one system call for many.
            let reading = self.unflushed < BATCH && !self.outbox.is_full();
            if reading
                && self.poll_renew(cx)?
                && let Poll::Ready(received) = self.poll_next(cx)
            {
                self.unflushed += 1;
                self.unfinished = None;
                return Poll::Ready(received);
            }
            let sent = self.poll_send(cx)?;
            // A client that sends without reading is read on until its replies reach the watermark.
            self.unflushed = 0;
            if reading {
                return self.poll_patience(cx).map(Err);
            }
            if sent.is_pending() && self.outbox.is_full() {
                return Poll::Pending;
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, End>> {
        let Some(socket) = &mut self.socket else {
            return Poll::Ready(Err(End::Gone));
        };
        loop {
            let text = match ready!(Pin::new(&mut *socket).poll_next(cx)) {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Binary(bytes))) => match Utf8Bytes::try_from(bytes) {
                    Ok(text) => text,
                    Err(_) => {
                        return Poll::Ready(Err(End::refused(CloseCode::Invalid, "Not UTF-8")));
                    }
                },
                Some(Ok(_)) => continue,
                Some(Err(error)) => {
                    let refusal = socket.get_ref().refusal();
                    let refused = |exhausted: crate::accounts::Exhausted| {
                        End::Refused(CloseCode::Again, exhausted.setting().into())
                    };
                    return Poll::Ready(Err(refusal.map_or_else(|| end(&error), refused)));
                }
                None => return Poll::Ready(Err(End::Gone)),
            };
            let claim = socket.get_mut().take_claim();
            return Poll::Ready(Ok(Received { text, claim }));
        }
    }

    /// After a large message the socket is made anew, as soon as nothing is left to be sent: the
    /// library would keep as much room as that message took, as long as the connection lasts.
    /// Returns whether more can be read.
    fn poll_renew(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Some(mut socket) = self.socket.take() else {
            return Err(End::Gone);
        };
        if !socket.get_ref().ends_after_large_frame() {
            self.socket = Some(socket);
            return Ok(true);
        }
        match Pin::new(&mut socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Err(end(&error)),
            Poll::Pending => {
                self.socket = Some(socket);
                return Ok(false);
            }
        }
        let mut meter = socket.into_inner();
        meter.forget_large_frame();
        let config = config(&self.outbox.account().limits());
        // Waits for nothing, since there is no handshake.
        let renewed = WebSocketStream::from_raw_socket(meter, Role::Server, Some(config));
        self.socket = renewed.now_or_never();
        Ok(true)
    }

    /// Ready when a client leaves a message unfinished for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Some(socket) = &self.socket else {
            return Poll::Ready(End::Gone);
        };
        if !socket.get_ref().is_unfinished() {
            self.unfinished = None;
            return Poll::Pending;
        }
        let limits = self.outbox.account().limits();
        let idle = Duration::from_secs(limits.message_idle_seconds);
        let longest = Duration::from_secs(limits.message_seconds);
        let (now, progress) = (Instant::now(), socket.get_ref().progress());
        let unfinished = self.unfinished.get_or_insert_with(|| Unfinished {
            began: now,
            progress,
            since: now,
            timer: Box::pin(sleep_until(now + idle.min(longest))),
        });
        if unfinished.progress != progress {
            (unfinished.progress, unfinished.since) = (progress, now);
        }
        loop {
            ready!(unfinished.timer.as_mut().poll(cx));
            let due = (unfinished.since + idle).min(unfinished.began + longest);
            if due <= Instant::now() {
                return Poll::Ready(End::refused(
                    CloseCode::Policy,
                    "A message was left unfinished",
                ));
            }
            unfinished.timer.as_mut().reset(due);
        }
    }

    /// Moves the outbox to the socket; ready when all of it has left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        self.outbox.register(cx.waker());
        if self.outbox.is_closed() {
            return Poll::Ready(Err(End::Gone));
        }
        let Some(socket) = &mut self.socket else {
            return Poll::Ready(Err(End::Gone));
        };
        loop {
            // One frame after the other: what the socket does not take is moved with every write.
            ready!(Pin::new(&mut *socket).poll_ready(cx)).map_err(|error| end(&error))?;
            let message = match self.fragments.pop_front() {
                Some(fragment) => fragment,
                None => match self.outbox.pop() {
                    None => break,
                    Some(text) if text.len() <= MAX_WHOLE => Message::Text(text),
                    Some(text) => {
                        self.fragments = fragments(text);
                        continue;
                    }
                },
            };
            Pin::new(&mut *socket)
                .start_send(message)
                .map_err(|error| end(&error))?;
        }
        ready!(Pin::new(&mut *socket).poll_flush(cx)).map_err(|error| end(&error))?;
        self.outbox.sent();
        Poll::Ready(Ok(()))
    }
}

pub(super) fn config(limits: &Limits) -> WebSocketConfig {
    let most = usize::try_from(limits.message_bytes).unwrap_or(usize::MAX);
    WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
}

fn end(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::refused(
            CloseCode::Size,
            "A message exceeds mediaServer.limits.message.bytes",
        ),
        Error::Utf8(_) => End::refused(CloseCode::Invalid, "Not UTF-8"),
        Error::Protocol(problem) if !is_reset(problem) => {
            End::refused(CloseCode::Protocol, "Protocol error")
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
fn fragments(text: Utf8Bytes) -> VecDeque<Message> {
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

    /// A client waits for the server to end its direction, then ends the other one.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_follows_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(1024);
        let wire = Wire::new(server, Vec::new(), Outbox::detached()).await;
        let begun = Instant::now();
        let closing = tokio::spawn(wire.close(CloseCode::Protocol, "no".into()));
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        drop(client);
        closing.await.unwrap();
        assert!(begun.elapsed() < LINGER, "{:?}", begun.elapsed());
        // FIN and close, four bytes, 1002 (RFC 6455 sections 5.5.1 and 7.4.1), the reason.
        assert_eq!(received, b"\x88\x04\x03\xeano");
    }

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
        let large = fragments("é".repeat(20_000).into());
        let frames: Vec<(usize, bool)> = large
            .iter()
            .map(|message| match message {
                Message::Frame(frame) => (frame.payload().len(), frame.header().is_final),
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(frames, [(16_384, false), (16_384, false), (7_232, true)]);
    }
}
