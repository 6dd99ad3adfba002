//! Media by HTTP, with requests of our own: so each address is checked that is gone to.
//!
//! A feed has a thread while its playback lasts. It answers an `appsrc` that asks for
//! more, or for another place.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rivero_gst::{gst, gst_app};
use rivero_plugin_api::supervise::{contain, lock, thread};
use rivero_uri::Policy;
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
use url::Url;

use crate::{download::Download, failure::Failure};

/// Of the thread.
const NAME: &str = "player-http";
/// A server that gives nothing for so long while media is wanted has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// What `appsrc` holds, bytes.
const HELD: u64 = 1 << 20;

/// The media's end at GStreamer, and the hand on the thread. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Feed {
    source: gst_app::AppSrc,
    _end: oneshot::Sender<()>,
}

/// What the streaming thread wants.
#[derive(Default)]
struct Wishes {
    hungry: AtomicBool,
    /// Byte to go on from. Held while a buffer is pushed.
    place: Mutex<Option<u64>>,
    changed: Notify,
}

impl Wishes {
    fn place(&self) -> MutexGuard<'_, Option<u64>> {
        lock(&self.place)
    }
}

impl Feed {
    /// Asks for the URL. `opened` is called, on the feed's thread, when the media can be
    /// played or cannot be had.
    ///
    /// # Errors
    /// [`Failure::Thread`] when there is no thread to be had
    pub(crate) fn open(
        url: Url,
        policy: Policy,
        opened: impl Fn(Result<(), Failure>) + Send + 'static,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::Thread)?;
        let source = gst_app::AppSrc::builder()
            .name("source")
            .format(gst::Format::Bytes)
            .block(false)
            .max_bytes(HELD)
            .build();
        let wishes = Arc::new(Wishes::default());
        listen(&source, &wishes);
        let (end, ended) = oneshot::channel();
        let feeds = Feeding {
            source: source.clone(),
            wishes,
        };
        let feed = move || {
            let fed = contain(|| {
                runtime.block_on(async {
                    tokio::select! {
                        // Whether it is told or dropped.
                        _ = ended => {}
                        () = feeds.run(&url, policy, &opened) => {}
                    }
                });
            });
            if let Err(text) = fed {
                opened(Err(Failure::panicked(NAME, text)));
            }
            // A name may still be looked up.
            runtime.shutdown_background();
        };
        thread(NAME, feed).map_err(Failure::Thread)?;
        Ok(Self { source, _end: end })
    }

    /// What the media comes out of.
    pub(crate) fn element(&self) -> &gst_app::AppSrc {
        &self.source
    }
}

/// Passes on what `source` asks for.
fn listen(source: &gst_app::AppSrc, wishes: &Arc<Wishes>) {
    let (more, enough, place) = (wishes.clone(), wishes.clone(), wishes.clone());
    source.set_callbacks(
        gst_app::AppSrcCallbacks::builder()
            .need_data(move |_, _| {
                more.hungry.store(true, Relaxed);
                more.changed.notify_one();
            })
            .enough_data(move |_| enough.hungry.store(false, Relaxed))
            .seek_data(move |_, offset| {
                // What is pushed before this is thrown away by who asks, after this it
                // asks anew.
                *place.place() = Some(offset);
                place.hungry.store(false, Relaxed);
                place.changed.notify_one();
                true
            })
            .build(),
    );
}

/// The thread's side.
struct Feeding {
    source: gst_app::AppSrc,
    wishes: Arc<Wishes>,
}

impl Feeding {
    async fn run(self, url: &Url, policy: Policy, opened: impl Fn(Result<(), Failure>)) {
        let mut download = match Download::begin(url, policy).await {
            Ok(download) => download,
            Err(failure) => return opened(Err(failure)),
        };
        self.source.set_stream_type(if download.is_seekable() {
            gst_app::AppStreamType::Seekable
        } else {
            gst_app::AppStreamType::Stream
        });
        if let Some(length) = download.length() {
            self.source
                .set_size(i64::try_from(length).unwrap_or(i64::MAX));
        }
        opened(Ok(()));
        if let Err(error) = self.feed(&mut download).await {
            gst::element_error!(
                self.source,
                gst::ResourceError::Read,
                ("{}", error),
                ["{}", download.host()]
            );
        }
    }

    /// Gives what is asked for, until nothing can be given any more.
    async fn feed(&self, download: &mut Download) -> io::Result<()> {
        loop {
            let place = self.wishes.place().take();
            if let Some(place) = place {
                download.seek(place);
            }
            if !self.wishes.hungry.load(Relaxed) {
                self.wishes.changed.notified().await;
                continue;
            }
            let bytes = tokio::select! {
                bytes = timeout(PATIENCE, download.next()) => {
                    bytes.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??
                }
                // Another place is wanted: what is waited for here is of no use.
                () = self.wishes.changed.notified() => continue,
            };
            self.give(bytes);
        }
    }

    fn give(&self, bytes: Option<bytes::Bytes>) {
        let place = self.wishes.place();
        if place.is_some() {
            return;
        }
        // A source that stopped takes nothing; it asks again or is dropped.
        let _ = match bytes {
            Some(bytes) => self.source.push_buffer(gst::Buffer::from_slice(bytes)),
            None => {
                self.wishes.hungry.store(false, Relaxed);
                self.source.end_of_stream()
            }
        };
        drop(place);
    }
}
