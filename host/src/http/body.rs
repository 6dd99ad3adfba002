//! What follows the head of an answer: something whole, or what comes bit by bit.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use futures_util::Stream;
use http_body_util::Full;
use hyper::body::{Bytes, Frame, SizeHint};

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Full<Bytes>),
    /// What comes for as long as somebody reads.
    Stream(Pieces),
}

/// Pieces that are made when the connection has room for them, and not before: a slow reader keeps
/// at most the piece that is on its way.
pub struct Pieces {
    stream: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    taken: Arc<AtomicU64>,
}

impl Pieces {
    /// Those of a stream. It ends when nothing was taken for half a minute, so it has to have
    /// something to say at least every few seconds.
    pub fn new(stream: impl Stream<Item = Bytes> + Send + 'static) -> Pieces {
        Pieces {
            stream: Box::pin(stream),
            taken: Arc::default(),
        }
    }

    /// Counts the pieces that the connection has taken.
    pub(super) fn taken(&self) -> Arc<AtomicU64> {
        self.taken.clone()
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body::Whole(Full::new(bytes))
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::from(Bytes::new())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Body::Whole(whole) => Pin::new(whole).poll_frame(cx),
            Body::Stream(pieces) => pieces.stream.as_mut().poll_next(cx).map(|piece| {
                // Only compared with its former value.
                pieces.taken.fetch_add(1, Relaxed);
                piece.map(|piece| Ok(Frame::data(piece)))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(whole) => whole.is_end_stream(),
            Body::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(whole) => whole.size_hint(),
            Body::Stream(_) => SizeHint::default(),
        }
    }
}
