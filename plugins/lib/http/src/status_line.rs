//! The first line of an answer, as radios write it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What Shoutcast and its like answer in place of a version of HTTP.
const ICY: &[u8] = b"ICY ";
const HTTP: &[u8] = b"HTTP/1.0 ";

/// A connection whose first line says `HTTP/1.0` where the server says `ICY`.
pub(crate) struct StatusLine<S> {
    stream: S,
    /// What was read and not given on: the beginning, as long as that may be the word, or what stands in its place.
    beginning: Vec<u8>,
    is_known: bool,
}

impl<S> StatusLine<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            beginning: Vec::new(),
            is_known: false,
        }
    }
}

impl<S: AsyncRead + Unpin> StatusLine<S> {
    /// Reads until it is known what the line begins with.
    fn poll_beginning(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_known {
            let mut bytes = [0; ICY.len()];
            let missing = bytes.get_mut(self.beginning.len()..).unwrap_or_default();
            let mut piece = ReadBuf::new(missing);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
            let is_over = piece.filled().is_empty();
            self.beginning.extend_from_slice(piece.filled());
            if self.beginning == ICY {
                self.beginning = HTTP.to_vec();
                self.is_known = true;
            }
            self.is_known |= is_over || !ICY.starts_with(&self.beginning);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StatusLine<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_beginning(context))?;
        if self.beginning.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.beginning.len().min(buffer.remaining());
        for byte in self.beginning.drain(..length) {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StatusLine<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
