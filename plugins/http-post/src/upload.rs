//! One upload, from its first byte to the end of its media.

use std::{collections::VecDeque, fs::File, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use rivero_gst::{
    bus::Report,
    element, gst,
    gst::prelude::*,
    playback::{Notice, Playback},
};
use rivero_plugin_api::ElementContext;
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::interval,
};

use crate::{
    api::HttpPostEndpointEvents,
    body::Body,
    boxes::{Boxes, Order},
    desk::Desk,
    failure::Failure,
    feed::{self, Feed},
    form::Form,
    session::Visit,
};

/// Media that waits to be decoded, so that a client that pauses is not heard at once.
const AHEAD: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// How often an upload without media is looked at, and how often nothing may be done for it.
const LOOKING: Duration = Duration::from_secs(1);
const MOST_LOOKS: u32 = 2;

/// See the head of this file.
pub(crate) struct Upload {
    desk: Arc<Desk>,
    body: Body,
    visit: Visit<ElementContext>,
    /// For the client; empty once it has been told.
    verdict: Option<oneshot::Sender<Result<(), Failure>>>,
}

/// The media in the body.
enum Media {
    Plain(Body),
    Form(Box<Form>),
}

impl Media {
    async fn piece(&mut self) -> Option<Result<Bytes, Failure>> {
        match self {
            Self::Plain(body) => body.next().await,
            Self::Form(form) => form.piece().await,
        }
    }
}

/// What a playback reads.
enum Source {
    /// What came already, and what still comes.
    Stream(VecDeque<Bytes>, Media),
    /// All of it.
    File(File),
}

impl Upload {
    /// `verdict` is told as soon as it is known.
    pub(crate) fn new(
        desk: Arc<Desk>,
        body: Body,
        visit: Visit<ElementContext>,
        verdict: oneshot::Sender<Result<(), Failure>>,
    ) -> Self {
        Self {
            desk,
            body,
            visit,
            verdict: Some(verdict),
        }
    }

    /// Plays it. `boundary`: of the form that it comes in.
    pub(crate) async fn run(mut self, boundary: Option<String>) -> Visit<ElementContext> {
        let desk = self.desk.clone();
        let source = tokio::select! {
            source = Source::open(self.body.clone(), boundary) => source,
            () = desk.released() => Err(Failure::Released),
        };
        let result = match source {
            Ok(source) => self.play(source).await,
            Err(failure) => Err(failure),
        };
        match result {
            Ok(()) => self.conclude(),
            Err(failure) => self.fail(failure),
        }
        self.visit
    }

    async fn play(&mut self, source: Source) -> Result<(), Failure> {
        let desk = self.desk.clone();
        let _turn = tokio::select! {
            turn = desk.stage() => turn,
            () = desk.released() => return Err(Failure::Released),
        };
        let (mut stage, stream) = Stage::new(&desk, source)?;
        let result = tokio::select! {
            result = self.drive(&mut stage, stream) => result,
            () = desk.released() => Err(Failure::Released),
        };
        stage.end().await;
        for outlet in desk.outlets() {
            outlet.pad.set_format(None);
        }
        result
    }

    /// Until the end of the media.
    async fn drive(&mut self, stage: &mut Stage, stream: Option<Stream>) -> Result<(), Failure> {
        stage.go().await;
        let mut stream = stream;
        let mut looks = interval(LOOKING);
        loop {
            tokio::select! {
                _ = looks.tick() => stage.look()?,
                notice = stage.heard.recv() => {
                    if let Some(notice) = notice && stage.heed(notice).await? {
                        return Ok(());
                    }
                }
                piece = Stream::next(&mut stream) => match (&stream, piece) {
                    (Some(stream), Some(Ok(bytes))) => stream.feed.push(bytes),
                    (Some(ended), piece) => {
                        ended.feed.end();
                        stream = None;
                        if let Some(Err(failure)) = piece {
                            self.fail(failure);
                        }
                    }
                    (None, _) => {}
                }
            }
        }
    }

    /// Tells the application and the client, unless they know of a failure already.
    fn fail(&mut self, failure: Failure) {
        if let Some(verdict) = self.verdict.take() {
            self.desk.failed(&failure);
            self.visit.answered();
            // The client may be gone.
            let _ = verdict.send(Err(failure));
        }
    }

    /// All has been played: of an upload that broke off, all that came.
    fn conclude(&mut self) {
        if let Some(verdict) = self.verdict.take() {
            self.desk.context().end_of_stream();
            self.visit.answered();
            let _ = verdict.send(Ok(()));
        }
    }
}

impl Source {
    /// Reads until it is known how the media can be played.
    async fn open(body: Body, boundary: Option<String>) -> Result<Self, Failure> {
        let mut media = match boundary {
            Some(boundary) => Media::Form(Box::new(Form::file(body, boundary).await?)),
            None => Media::Plain(body),
        };
        let (mut boxes, mut begun) = (Boxes::default(), VecDeque::new());
        while let Some(piece) = media.piece().await {
            let piece = piece?;
            let order = boxes.read(&piece);
            begun.push_back(piece);
            match order {
                None => {}
                Some(Order::Streams) => break,
                Some(Order::IndexLast) => return keep(begun, media).await.map(Self::File),
            }
        }
        Ok(Self::Stream(begun, media))
    }
}

/// Writes the upload into a file without a name.
async fn keep(begun: VecDeque<Bytes>, mut media: Media) -> Result<File, Failure> {
    let file = spawn_blocking(tempfile::tempfile).await;
    let file = file
        .unwrap_or_else(|error| Err(error.into()))
        .map_err(Failure::Storage)?;
    let mut file = tokio::fs::File::from_std(file);
    for piece in begun {
        file.write_all(&piece).await.map_err(Failure::Storage)?;
    }
    while let Some(piece) = media.piece().await {
        file.write_all(&piece?).await.map_err(Failure::Storage)?;
    }
    file.flush().await.map_err(Failure::Storage)?;
    Ok(file.into_std().await)
}

/// What still goes into a playback.
struct Stream {
    feed: Feed,
    begun: VecDeque<Bytes>,
    media: Media,
}

impl Stream {
    /// The next piece, once there is room for it; never without a stream.
    async fn next(stream: &mut Option<Self>) -> Option<Result<Bytes, Failure>> {
        let Some(stream) = stream else {
            return std::future::pending().await;
        };
        stream.feed.wanted().await;
        match stream.begun.pop_front() {
            Some(bytes) => Some(Ok(bytes)),
            None => stream.media.piece().await,
        }
    }
}

/// The pipeline of an upload.
struct Stage {
    playback: Playback,
    heard: mpsc::UnboundedReceiver<Notice>,
    /// It stands still until more has arrived.
    is_waiting: bool,
    /// How often nothing was done for it.
    idle: u32,
    /// What it reads.
    _file: Option<File>,
}

impl Stage {
    fn new(desk: &Desk, source: Source) -> Result<(Self, Option<Stream>), Failure> {
        let (notices, heard) = mpsc::unbounded_channel();
        let tell = Arc::new(move |notice| {
            // Nobody listens after the end.
            let _ = notices.send(notice);
        });
        let decoder = element::make("decodebin")?;
        decoder.set_property("use-buffering", true);
        decoder.set_property("max-size-time", AHEAD.nseconds());
        let play = |head: &gst::Element| {
            Playback::new(&[head, &decoder], desk.is_encoded(), desk.outlets(), tell)
        };
        let (playback, stream, file) = match source {
            Source::Stream(begun, media) => {
                let feed = Feed::new();
                let playback = play(feed.element())?;
                (playback, Some(Stream { feed, begun, media }), None)
            }
            Source::File(file) => (play(&feed::reader(&file)?)?, None, Some(file)),
        };
        let stage = Self {
            playback,
            heard,
            is_waiting: false,
            idle: 0,
            _file: file,
        };
        Ok((stage, stream))
    }

    /// What may block does so elsewhere.
    async fn set_state(&self, state: gst::State) {
        let pipeline = self.playback.pipeline().clone();
        // An element that does not start says why.
        let _ = spawn_blocking(move || pipeline.set_state(state)).await;
    }

    /// `true` at the end of the media.
    async fn heed(&mut self, notice: Notice) -> Result<bool, Failure> {
        match notice {
            Notice::Empty => {
                let text = "it has neither sound nor picture".to_owned();
                Err(Failure::Media(text))
            }
            Notice::Failed(error) => Err(error.into()),
            Notice::Report(Report::Error(error)) => Err(Failure::new(error, self.playback.began())),
            Notice::Report(Report::EndOfStream) => Ok(true),
            Notice::Report(report) => {
                self.adapt(report).await;
                Ok(false)
            }
        }
    }

    /// Gives up a playback that nobody works at.
    fn look(&mut self) -> Result<(), Failure> {
        let is_stuck = !self.playback.began() && self.playback.is_stuck();
        self.idle = if is_stuck { self.idle + 1 } else { 0 };
        if self.idle < MOST_LOOKS {
            return Ok(());
        }
        let text = "nothing in it can be played".to_owned();
        Err(Failure::Media(text))
    }

    async fn adapt(&mut self, report: Report) {
        match report {
            Report::Warning(warning) => tracing::warn!("{warning}"),
            Report::AsyncDone => self.go().await,
            Report::Buffering(percent) => {
                let waits = percent < 100;
                if std::mem::replace(&mut self.is_waiting, waits) != waits {
                    self.go().await;
                }
            }
            Report::Latency => {
                // Who cannot say how much they delay keep what they had.
                let _ = self.playback.pipeline().recalculate_latency();
            }
            Report::ClockLost => {
                self.set_state(gst::State::Paused).await;
                self.go().await;
            }
            _ => {}
        }
    }

    async fn go(&self) {
        self.set_state(if self.is_waiting || !self.playback.is_ready() {
            gst::State::Paused
        } else {
            gst::State::Playing
        })
        .await;
    }

    /// Waits until its threads are gone.
    async fn end(self) {
        let Self { playback, .. } = self;
        let _ = spawn_blocking(move || drop(playback)).await;
    }
}
