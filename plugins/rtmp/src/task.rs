//! The task of one publisher: connections, one after the other.

use std::{sync::Arc, time::Duration};

use rivero_flv::Coding;
use rivero_plugin_api::{Result, supervise::contain_future};
use rivero_uri::Policy;
use tokio::time::timeout;

use crate::{
    attempts::{Attempts, Reports},
    connection::Connection,
    failure::Failure,
    feed::Feed,
    figures::Figures,
    media::Formats,
    protocol::{Role, Target},
    publication::publish,
    runtime::Thread,
    settings::{EnhancedRtmp, Settings},
};

/// What a publisher hears of its task.
pub(crate) trait Listener: Reports {
    /// A picture from which decoders can start is wanted.
    fn request_keyframe(&self);
    /// The server takes these beside H.264 and AAC.
    fn takes(&self, codings: &[Coding]);
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
    let task = async move {
        let listener = work.listener.clone();
        let feed = work.feed.clone();
        if let Err(text) = contain_future(work.run()).await {
            feed.open(false);
            listener.panicked(&text);
        }
        over();
    };
    Thread::obtain()?.spawn(task).map(|_| ())
}

impl Work {
    async fn run(self) {
        let (listener, figures) = (self.listener.clone(), self.figures.clone());
        let mut attempts = Attempts::new(&*listener, &figures);
        while self.media_comes().await {
            attempts.begin();
            let failure = match self.publish(&mut attempts).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            tracing::debug!(target = %self.target, "{failure}");
            let Some(pause) = attempts.failed(&failure) else {
                return;
            };
            self.rest(pause).await;
        }
    }

    /// One connection, from its beginning to its end.
    async fn publish(&self, attempts: &mut Attempts<'_>) -> std::result::Result<(), Failure> {
        let is_enhanced = self.settings.enhanced_rtmp != EnhancedRtmp::Never;
        let opening = Connection::open(Role::Publish { is_enhanced }, &self.target, &self.policy);
        let connection = tokio::select! {
            connection = opening => connection?,
            () = self.released() => return Ok(()),
        };
        self.listener.takes(match self.settings.enhanced_rtmp {
            EnhancedRtmp::Offered => connection.client.offered(),
            EnhancedRtmp::Always => &Coding::ALL,
            EnhancedRtmp::Never => &[],
        });
        self.feed.open(true);
        attempts.succeeded();
        let served = publish(connection, self, (self.formats)()).await;
        self.feed.open(false);
        served
    }

    /// Waits until there is something to publish; `false` when there never will be.
    async fn media_comes(&self) -> bool {
        while !self.feed.is_released() {
            let (audio, video) = self.feed.expected();
            if audio.is_some() || video.is_some() {
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
        // Whether the pause or the publisher is over.
        let _ = timeout(pause, self.released()).await;
    }
}
