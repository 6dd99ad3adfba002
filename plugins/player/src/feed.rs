//! Media by HTTP, and what playlists name, with requests of our own: so each address is checked that is gone to.
//!
//! A feed has a thread while its playback lasts. It answers an `appsrc` that asks for
//! more, or for another place; of HLS, several of them.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rivero_gst::{gst, gst_app};
use rivero_hls::playlist::LONGEST_TEXT;
use rivero_plugin_api::supervise::{contain, lock, thread};
use rivero_uri::{Location, Policy};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
use url::Url;

use crate::{
    download::Download,
    failure::Failure,
    hls::{Session, Streams},
    jpeg::Pictures,
    lists::{self, Base, Text},
};

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
    streams: Arc<OnceLock<Streams>>,
    _end: oneshot::Sender<()>,
}

/// What is to be fed.
#[derive(Debug)]
pub(crate) enum What {
    Url(Url),
    /// What a playlist of HLS names.
    Stream(Text),
}

/// What there turned out to be.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Something to be played.
    Media,
    /// These, to be played one after the other.
    List(Vec<Location>),
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
    /// Asks for it. `opened` is called, on the feed's thread, when the media can be
    /// played or cannot be had. `is_passed_on`: frames are not decoded.
    ///
    /// # Errors
    /// [`Failure::Thread`] when there is no thread to be had
    pub(crate) fn open(
        what: What,
        policy: Policy,
        is_passed_on: bool,
        opened: impl Fn(Result<Opened, Failure>) + Send + 'static,
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
        let streams = Arc::<OnceLock<Streams>>::default();
        listen(&source, &wishes);
        let (end, ended) = oneshot::channel();
        let feeds = Feeding {
            source: source.clone(),
            wishes,
            nature: nature.clone(),
            streams: streams.clone(),
            policy,
            is_passed_on,
        };
        let feed = move || {
            let fed = contain(|| {
                runtime.block_on(async {
                    tokio::select! {
                        // Whether it is told or dropped.
                        _ = ended => {}
                        () = feeds.run(what, &opened) => {}
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
            streams,
            _end: end,
        })
    }

    /// What comes, once it has been opened.
    pub(crate) fn nature(&self) -> Nature {
        self.nature.get().copied().unwrap_or_default()
    }

    /// The tracks of a stream, if it is one of HLS.
    pub(crate) fn streams(&self) -> Option<&Streams> {
        self.streams.get()
    }

    /// What other media comes out of.
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

/// What is at a URL.
enum Found {
    Media(Box<Download>),
    List(Text),
}

/// The thread's side.
struct Feeding {
    source: gst_app::AppSrc,
    wishes: Arc<Wishes>,
    nature: Arc<OnceLock<Nature>>,
    streams: Arc<OnceLock<Streams>>,
    policy: Policy,
    is_passed_on: bool,
}

impl Feeding {
    async fn run(self, what: What, opened: impl Fn(Result<Opened, Failure>)) {
        let found = match what {
            What::Url(url) => self.begin(&url).await,
            What::Stream(text) => Ok(Found::List(text)),
        };
        match found {
            Err(failure) => opened(Err(failure)),
            Ok(Found::Media(download)) => self.play(*download, opened).await,
            Ok(Found::List(text)) if text.is_hls() => self.stream(&text, opened).await,
            Ok(Found::List(text)) => opened(text.entries().map(Opened::List)),
        }
    }

    /// Finds out whether there is media at a URL, or a playlist.
    async fn begin(&self, url: &Url) -> Result<Found, Failure> {
        let mut download = Download::begin(url, self.policy.clone()).await?;
        let media = download.content_type();
        let is_media = ["audio/", "video/", "image/", "multipart/"]
            .iter()
            .any(|kind| media.starts_with(kind));
        let is_named = lists::is_list_type(&media) || lists::is_list_name(download.url().path());
        if is_media && !is_named {
            return Ok(Found::Media(download.into()));
        }
        let failed = |error: io::Error| Failure::Uri(error.to_string());
        let late = |_| Failure::Uri(format!("{}: timed out", rivero_http::authority(url)));
        let beginning = timeout(PATIENCE, download.peek()).await.map_err(late)?;
        let beginning = beginning.map_err(failed)?;
        // A list by its name alone is one if it is text.
        let is_text = is_named && !beginning.is_empty() && !beginning.contains(&0);
        if !lists::is_list(beginning) && !is_text {
            return Ok(Found::Media(download.into()));
        }
        let base = Base::Remote(download.url().clone());
        let text = timeout(PATIENCE, download.text(LONGEST_TEXT)).await;
        let text = text.map_err(late)?.map_err(failed)?;
        Ok(Found::List(Text { text, base }))
    }

    async fn stream(self, text: &Text, opened: impl Fn(Result<Opened, Failure>)) {
        let session = match text.base.url() {
            Ok(base) => Session::open(&text.text, base, self.policy, self.is_passed_on).await,
            Err(failure) => Err(failure),
        };
        match session {
            Err(failure) => opened(Err(failure)),
            Ok(session) => {
                // Nobody else sets it.
                let _ = self.streams.set(session.streams());
                opened(Ok(Opened::Media));
                session.run().await;
            }
        }
    }

    async fn play(self, mut download: Download, opened: impl Fn(Result<Opened, Failure>)) {
        let nature = Nature {
            is_seekable: download.is_seekable(),
            has_length: download.length().is_some(),
            is_pictures: download.content_type().starts_with("multipart/"),
        };
        self.set_source(nature, download.length());
        // Nobody else sets it.
        let _ = self.nature.set(nature);
        opened(Ok(Opened::Media));
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
