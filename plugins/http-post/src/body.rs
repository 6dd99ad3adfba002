//! The body of a request, as far as it may be read.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::body::{Body as _, Incoming};
use rivero_plugin_api::supervise::lock;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::failure::Failure;

/// A client that sends nothing for so long while it might is given up.
const STALLED: Duration = Duration::from_secs(60);
/// What an upload that failed still sends is read for so long: a connection that
/// is cut meanwhile loses the answer (RFC 9112 §9.6).
const LINGERING: Duration = Duration::from_secs(10);

/// Clones read the same body.
#[derive(Clone)]
pub(crate) struct Body(Arc<Mutex<Inner>>);

struct Inner {
    incoming: Incoming,
    /// Bytes that came.
    read: u64,
    /// Bytes that may come.
    limit: u64,
    /// Until somebody gives up, while something is waited for.
    stalled: Pin<Box<Sleep>>,
    is_waiting: bool,
    /// Who reads gets its turn after every piece.
    is_turn_over: bool,
}

impl Body {
    /// `limit`: bytes.
    pub(crate) fn new(incoming: Incoming, limit: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            incoming,
            read: 0,
            limit,
            stalled: Box::pin(sleep(STALLED)),
            is_waiting: false,
            is_turn_over: false,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }

    /// Reads and forgets the rest.
    pub(crate) async fn discard(mut self) {
        self.inner().limit = u64::MAX;
        // Whatever it ends with, the client has had its time.
        let _ = timeout(LINGERING, async {
            while let Some(Ok(_)) = self.next().await {}
        })
        .await;
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Failure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner().poll(context)
    }
}

impl Inner {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if std::mem::take(&mut self.is_turn_over) {
            // Multer takes all that there is, however much.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return self.wait(context).map(|failure| Some(Err(failure))),
            };
            self.is_waiting = false;
            return Poll::Ready(match frame {
                None => None,
                Some(Err(error)) => Some(Err(Failure::Broken(self.read, error.to_string()))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => Some(self.take(bytes)),
                    Err(_) => continue, // trailers
                },
            });
        }
    }

    /// Time in which nobody reads is not the client's: it counts from the first
    /// time that nothing is there.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        if !std::mem::replace(&mut self.is_waiting, true) {
            self.stalled.as_mut().reset(Instant::now() + STALLED);
        }
        ready!(self.stalled.as_mut().poll(context));
        let text = format!("nothing came for {} s", STALLED.as_secs());
        Poll::Ready(Failure::Broken(self.read, text))
    }

    fn take(&mut self, bytes: Bytes) -> Result<Bytes, Failure> {
        self.read += bytes.len() as u64;
        self.is_turn_over = true;
        if self.read > self.limit {
            return Err(Failure::TooLarge(self.limit));
        }
        Ok(bytes)
    }
}
