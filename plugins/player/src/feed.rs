//! Media by HTTP, with requests of our own: so each address is checked that is gone to.
//!
//! A feed has a thread while its playback lasts. It answers an `appsrc` that asks for
//! more, or for another place.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
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

use crate::{download::Download, failure::Failure, jpeg::Pictures};

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
    nature: Arc<OnceLock<Nature>>,
    _end: oneshot::Sender<()>,
}

/// What kind of thing comes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nature {
    /// From any place.
    pub(crate) is_seekable: bool,
    /// It has an end.
    pub(crate) has_length: bool,
    /// JPEG pictures, one buffer each, to be shown as they come.
    pub(crate) is_pictures: bool,
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
        let nature = Arc::<OnceLock<Nature>>::default();
        listen(&source, &wishes);
        let (end, ended) = oneshot::channel();
        let feeds = Feeding {
            source: source.clone(),
            wishes,
            nature: nature.clone(),
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
        Ok(Self {
            source,
            nature,
            _end: end,
        })
    }

    /// What comes, once it has been opened.
    pub(crate) fn nature(&self) -> Nature {
        self.nature.get().copied().unwrap_or_default()
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
    nature: Arc<OnceLock<Nature>>,
}

impl Feeding {
    async fn run(self, url: &Url, policy: Policy, opened: impl Fn(Result<(), Failure>)) {
        let mut download = match Download::begin(url, policy).await {
            Ok(download) => download,
            Err(failure) => return opened(Err(failure)),
        };
        let nature = Nature {
            is_seekable: download.is_seekable(),
            has_length: download.length().is_some(),
            is_pictures: download.content_type().starts_with("multipart/"),
        };
        self.set_source(nature, download.length());
        // Nobody else sets it.
        let _ = self.nature.set(nature);
        opened(Ok(()));
        let mut pictures = nature.is_pictures.then(Pictures::default);
        if let Err(error) = self.feed(&mut download, &mut pictures).await {
            gst::element_error!(
                self.source,
                gst::ResourceError::Read,
                ("{}", error),
                ["{}", download.host()]
            );
        }
    }

    fn set_source(&self, nature: Nature, length: Option<u64>) {
        if nature.is_pictures {
            self.source.set_format(gst::Format::Time);
            self.source.set_is_live(true);
            self.source.set_do_timestamp(true);
            self.source
                .set_caps(Some(&gst::Caps::new_empty_simple("image/jpeg")));
            return;
        }
        self.source.set_stream_type(if nature.is_seekable {
            gst_app::AppStreamType::Seekable
        } else {
            gst_app::AppStreamType::Stream
        });
        if let Some(length) = length {
            self.source
                .set_size(i64::try_from(length).unwrap_or(i64::MAX));
        }
    }

    /// Gives what is asked for, until nothing can be given any more.
    async fn feed(
        &self,
        download: &mut Download,
        pictures: &mut Option<Pictures>,
    ) -> io::Result<()> {
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
            match (bytes, &mut *pictures) {
                (Some(bytes), Some(pictures)) => {
                    pictures.push(&bytes);
                    while let Some(picture) = pictures.next()? {
                        self.give(Some(picture));
                    }
                }
                (bytes, _) => self.give(bytes),
            }
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
