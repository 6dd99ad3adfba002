//! The task of one publisher: connections, one after the other.

use std::{
    sync::{Arc, Mutex, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use rivero_plugin_api::{
    Error, Result,
    supervise::{contain_future, lock},
};
use rivero_uri::Policy;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, timeout_at},
};

use crate::{
    connection::Connection, failure::Failure, feed::Feed, figures::Figures, media::Formats,
    protocol::Target, settings::Settings,
};

/// Of the one thread that all publishers share.
const NAME: &str = "rtmp";
/// Threads that wait for the resolver; they end when they have nothing to do.
const BLOCKING_THREADS: usize = 16;
const IDLE_THREAD: Duration = Duration::from_secs(5);

/// What an endpoint hears of its task.
pub(crate) trait Listener: Send + Sync {
    /// The server takes media.
    fn connected(&self);
    /// The connection was lost, or the first could not be made.
    fn disconnected(&self, failure: &Failure);
    /// A connection is about to be tried, for this time since the latest that succeeded.
    fn reconnecting(&self, attempt: u32);
    /// There is no going on.
    fn gave_up(&self, failure: &Failure);
    /// The task has a mistake, and is over.
    fn panicked(&self, text: &str);
    /// A picture from which decoders can start is wanted.
    fn request_keyframe(&self);
    /// So much video is wanted, bit/s.
    fn ask_for(&self, bits_per_second: u64);
    /// ns on the pipeline's clock.
    fn now(&self) -> i64;
}

/// What a task is to do, and with what.
pub(crate) struct Work {
    pub(crate) target: Target,
    pub(crate) policy: Policy,
    pub(crate) settings: Settings,
    pub(crate) sends_silence: bool,
    pub(crate) feed: Arc<Feed>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) formats: fn() -> Formats,
}

/// Starts a task, which lasts until its feed is released. `over` is called then, whatever has happened.
///
/// # Errors
/// 40003 when there is no thread to be had
pub(crate) fn start(work: Work, over: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = Thread::obtain()?;
    let runtime = thread.0.as_ref();
    let runtime = runtime.ok_or_else(|| Error::unexpected("the publisher is shutting down"))?;
    let kept = thread.clone();
    runtime.spawn(async move {
        let listener = work.listener.clone();
        let feed = work.feed.clone();
        if let Err(text) = contain_future(work.run()).await {
            feed.open(false);
            listener.panicked(&text);
        }
        over();
        drop(kept);
    });
    Ok(())
}

impl Work {
    async fn run(self) {
        let mut attempt = 0;
        while self.media_comes().await {
            if attempt > 0 {
                self.listener.reconnecting(attempt);
            }
            let failure = match self.publish(&mut attempt).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            self.figures.failed(&failure.to_string());
            tracing::debug!(target = %self.target, attempt, "{failure}");
            // Later attempts that fail are told by the next one's number.
            if attempt == 0 {
                self.listener.disconnected(&failure);
            }
            attempt = attempt.saturating_add(1);
            let Some(pause) = failure.pause(attempt) else {
                return self.listener.gave_up(&failure);
            };
            self.rest(pause).await;
        }
    }

    /// One connection, from its beginning to its end.
    async fn publish(&self, attempt: &mut u32) -> std::result::Result<(), Failure> {
        let opening = Connection::open(self);
        let connection = tokio::select! {
            connection = opening => connection?,
            () = self.released() => return Ok(()),
        };
        if *attempt > 0 {
            self.figures.reconnections.fetch_add(1, Relaxed);
        }
        *attempt = 0;
        self.feed.open(true);
        self.figures.is_connected.store(true, Relaxed);
        self.listener.connected();
        let served = connection.serve(self, (self.formats)()).await;
        self.figures.is_connected.store(false, Relaxed);
        self.feed.open(false);
        served
    }

    /// Waits until there is something to publish; `false` when there never will be.
    async fn media_comes(&self) -> bool {
        while !self.feed.is_released() {
            let (audio, video) = self.feed.expected();
            if audio || video {
                return true;
            }
            self.feed.changed().await;
        }
        false
    }

    async fn released(&self) {
        while !self.feed.is_released() {
            self.feed.changed().await;
        }
    }

    async fn rest(&self, pause: Duration) {
        let end = Instant::now() + pause;
        // Whether the pause or the publisher is over.
        let _ = timeout_at(end, self.released()).await;
    }
}

/// The thread of all publishers: there while one lasts.
struct Thread(Option<Runtime>);

impl Thread {
    fn obtain() -> Result<Arc<Self>> {
        static CURRENT: Mutex<Weak<Thread>> = Mutex::new(Weak::new());
        let mut current = lock(&CURRENT);
        if let Some(thread) = current.upgrade() {
            return Ok(thread);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(IDLE_THREAD)
            .thread_name(NAME)
            .enable_all()
            .build()
            .map_err(|error| {
                Error::unexpected(format!("Cannot start a thread for publishers: {error}"))
            })?;
        let thread = Arc::new(Self(Some(runtime)));
        *current = Arc::downgrade(&thread);
        Ok(thread)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The last one may be a task of the runtime itself, which cannot wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
