//! The thread of an endpoint that drives its playbacks: what may block blocks here.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use rivero_gst::{gst, gst::prelude::*, outlet::Outlet, playback::Notice};
use rivero_plugin_api::{
    ElementContext, Error, Result,
    supervise::{self, contain, lock},
};
use rivero_proxy::Names;
use rivero_uri::{UriEndpoint as Base, UriState};

use crate::{
    failure::Failure,
    feed::Opened,
    items::Items,
    playback::{Origin, Playback},
    range::Range,
    source::{Lookup, Setup},
    watch::{Rules, Watch},
};

mod beginning;
mod ending;

use beginning::Lookups;

/// A seek is complete within this, or goes on without who asked for it.
const SEEKING: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// Of the thread.
const NAME: &str = "player";

/// How often a playback without media is looked at, and how often nothing may be done for it.
const LOOKING: Duration = Duration::from_secs(1);
const MOST_LOOKS: u32 = 2;

/// What the deck plays from and tells to.
pub(crate) struct Spec {
    pub(crate) context: ElementContext,
    pub(crate) base: Arc<Base>,
    pub(crate) encoded: bool,
    pub(crate) setup: Setup,
    pub(crate) rules: Rules,
    pub(crate) outlets: Vec<Outlet>,
}

/// What the deck is to do.
enum Command {
    /// The order of that number: play, stand still or end.
    Go(UriState, u64),
    /// To ms; `false` is answered if that is not possible.
    Seek(i64, SyncSender<bool>),
    /// From the playback of that number.
    Notice(u64, Notice),
    /// The feed of the playback of that number has something, or never will, or nothing any more.
    Opened(u64, std::result::Result<Opened, Failure>),
    /// This was looked up.
    LookedUp(Lookup, std::result::Result<IpAddr, Failure>),
    /// Answered when all before it is done.
    Reached(SyncSender<()>),
    Close,
}

/// The endpoint's hand on the thread.
pub(crate) struct Deck {
    commands: Sender<Command>,
    base: Arc<Base>,
    /// Number of the latest order.
    latest: Arc<Mutex<u64>>,
    pipeline: Arc<Mutex<Current>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// What others may look at.
#[derive(Default)]
pub(crate) struct Current {
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    /// Those in it that mean nothing to clients.
    names: Option<Names>,
}

impl Deck {
    /// Starts the thread.
    ///
    /// # Errors
    /// 40003 when there is no thread to be had
    pub(crate) fn start(spec: Spec) -> Result<Self> {
        let (commands, received) = mpsc::channel();
        let pipeline = Arc::<Mutex<Current>>::default();
        let (base, latest) = (spec.base.clone(), Arc::<Mutex<u64>>::default());
        let watch = Watch::new(spec.rules);
        let drive = Drive {
            spec,
            latest: latest.clone(),
            own: commands.clone(),
            current: pipeline.clone(),
            items: Items::default(),
            playback: None,
            opening: None,
            lookups: Lookups::default(),
            waiting: Vec::new(),
            idle: 0,
            looked: Instant::now(),
            watch,
            retry_at: None,
            is_retrying: false,
            number: 0,
            wanted: gst::State::Null,
            is_live: false,
            buffers: false,
        };
        let thread = supervise::thread(NAME, move || drive.run(&received))
            .map_err(|error| Error::unexpected(format!("no thread for a player: {error}")))?;
        Ok(Self {
            commands,
            base,
            latest,
            pipeline,
            thread: Mutex::new(Some(thread)),
        })
    }

    fn tell(&self, command: Command) {
        // The thread only ends when it is told to.
        let _ = self.commands.send(command);
    }

    /// Orders to play, to stand still or to end, and enters that state: the client may ask for it
    /// next.
    pub(crate) fn order(&self, state: UriState) {
        let mut latest = lock(&self.latest);
        *latest += 1;
        self.base.enter(state);
        self.tell(Command::Go(state, *latest));
    }

    /// Seeks to ms and waits, `patience` at most, until that is done.
    ///
    /// # Errors
    /// 40700
    pub(crate) fn seek(&self, position: i64, patience: Duration) -> Result<()> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.tell(Command::Seek(position, answer));
        match answered.recv_timeout(patience) {
            Ok(true) => Ok(()),
            _ => Err(seek_fails()),
        }
    }

    /// Waits until all that was asked for has begun, `patience` at most.
    pub(crate) fn settle(&self, patience: Duration) {
        let (answer, answered) = mpsc::sync_channel(1);
        self.tell(Command::Reached(answer));
        // What takes longer is not there yet.
        let _ = answered.recv_timeout(patience);
    }

    /// The pipeline that plays, if one does.
    pub(crate) fn pipeline(&self) -> Option<gst::Pipeline> {
        lock(&self.pipeline).pipeline.upgrade()
    }

    /// A text about the pipeline, as clients may read it.
    pub(crate) fn public(&self, text: &str) -> String {
        let names = lock(&self.pipeline).names.clone();
        names.map_or_else(|| text.to_owned(), |names| names.public(text))
    }

    /// Ends the thread and waits for it.
    pub(crate) fn close(&self) {
        self.tell(Command::Close);
        if let Some(thread) = lock(&self.thread).take() {
            // It does not panic: what it does is contained.
            let _ = thread.join();
        }
    }
}

impl Drop for Deck {
    fn drop(&mut self) {
        self.tell(Command::Close);
    }
}

/// 40700 as Kurento words it.
pub(crate) fn seek_fails() -> Error {
    Error::new(40700, "PLAYER_SEEK_FAIL", "Seek fails")
}

/// The thread's side.
struct Drive {
    spec: Spec,
    /// Number of the latest order.
    latest: Arc<Mutex<u64>>,
    own: Sender<Command>,
    current: Arc<Mutex<Current>>,
    /// What a playlist has, if one is played.
    items: Items,
    playback: Option<Playback>,
    /// What there will be a playback of.
    opening: Option<Origin>,
    lookups: Lookups,
    /// What has to wait for that.
    waiting: Vec<Command>,
    /// How often nothing was done for the playback.
    idle: u32,
    /// When the playback was looked at.
    looked: Instant,
    watch: Watch,
    /// When the source is to be asked again.
    retry_at: Option<Instant>,
    /// It was asked again, or is to be.
    is_retrying: bool,
    /// Of the playback.
    number: u64,
    /// What the client wants it to do.
    wanted: gst::State,
    /// It cannot be held back.
    is_live: bool,
    /// It stands still until more has arrived.
    buffers: bool,
}

impl Drive {
    fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let done = match self.next(commands) {
                Err(RecvTimeoutError::Disconnected) | Ok(Command::Close) => break,
                Err(RecvTimeoutError::Timeout) => contain(|| self.look()),
                Ok(command) => contain(|| self.carry_out(command)),
            };
            if let Err(text) = done {
                self.panicked(&text);
            }
            // Reports may come faster than the time runs out in which none does.
            if self.looked.elapsed() >= LOOKING
                && let Err(text) = contain(|| self.look())
            {
                self.panicked(&text);
            }
        }
        supervise::contained(NAME, || self.end());
    }

    /// Whatever state the playback is in, it is over; the next one begins anew.
    fn panicked(&mut self, text: &str) {
        self.spec.context.panicked("the thread of a player", text);
        supervise::contained(NAME, || self.end());
        self.spec.base.enter(UriState::Stop);
    }

    fn next(&self, commands: &Receiver<Command>) -> std::result::Result<Command, RecvTimeoutError> {
        let is_watched = { self.playback.as_ref() }
            .is_some_and(|playback| !playback.began() || playback.is_live_source());
        let next_look = is_watched.then(|| self.looked + LOOKING);
        match next_look.into_iter().chain(self.retry_at).min() {
            Some(at) => commands.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Gives up a playback that nobody works at, or whose source is silent; asks a source again.
    fn look(&mut self) {
        let now = Instant::now();
        self.looked = now;
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            if let Err(failure) = self.begin() {
                self.fail(&failure);
            }
            return;
        }
        self.listen(now);
        let is_stuck = self.playback.as_ref().is_some_and(Playback::is_stuck);
        self.idle = if is_stuck { self.idle + 1 } else { 0 };
        if self.idle >= MOST_LOOKS {
            let text = "nothing in it can be played".to_owned();
            self.fail(&Failure::Media(text));
        }
    }

    fn listen(&mut self, now: Instant) {
        let Some(playback) = self.playback.as_ref().filter(|own| own.is_live_source()) else {
            return;
        };
        if self.wanted != gst::State::Playing {
            return self.watch.begin();
        }
        let (packets, waits) = (playback.packets(), playback.is_connection());
        if self.watch.is_silent(now, packets, waits) {
            self.fail(&Failure::Silent);
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Seek(..) | Command::Reached(_) if self.opening.is_some() => {
                self.waiting.push(command);
            }
            Command::Go(state, number) => {
                self.enter(state, number);
                match state {
                    UriState::Start => self.go(gst::State::Playing),
                    UriState::Pause => self.go(gst::State::Paused),
                    UriState::Stop => self.finish(),
                }
            }
            Command::Seek(position, answer) => {
                // Who asked may have given up.
                let _ = answer.send(self.seek(position));
            }
            Command::Reached(answer) => {
                let _ = answer.send(());
            }
            Command::Notice(number, notice) if number == self.number => self.notice(notice),
            Command::Opened(number, Err(failure))
                if number == self.number && self.playback.is_some() =>
            {
                self.fail(&failure);
            }
            Command::Opened(number, result) if number == self.number => self.opened(result),
            Command::LookedUp(lookup, result) => self.looked_up(&lookup, result),
            Command::Notice(..) | Command::Opened(..) | Command::Close => {}
        }
    }

    /// Enters the state of an order again, if the playback before ended since it was given. A
    /// later order has entered its own.
    fn enter(&self, state: UriState, number: u64) {
        let latest = lock(&self.latest);
        if *latest == number {
            self.spec.base.enter(state);
        }
    }

    /// Plays or stands still, from the beginning if there is no playback.
    fn go(&mut self, wanted: gst::State) {
        self.wanted = wanted;
        if self.playback.is_some() {
            self.apply();
        } else if self.opening.is_none()
            && self.retry_at.is_none()
            && let Err(failure) = self.begin()
        {
            self.fail(&failure);
        }
    }

    /// Does what had to wait for the opening.
    fn wait_no_more(&mut self) {
        for command in std::mem::take(&mut self.waiting) {
            self.carry_out(command);
        }
    }

    /// Lets the pipeline do what is wanted, as far as media is there.
    fn apply(&mut self) {
        let Some(playback) = &self.playback else {
            return;
        };
        playback.stand_still(self.wanted == gst::State::Paused);
        let can_go = self.is_live || (playback.is_ready() && !self.buffers);
        let state = if can_go {
            self.wanted
        } else {
            gst::State::Paused
        };
        match playback.pipeline().set_state(state) {
            Ok(gst::StateChangeSuccess::NoPreroll) if !self.is_live => {
                self.is_live = true;
                self.apply();
            }
            Ok(_) => {}
            // An element has said why, and that comes as a notice.
            Err(_) => tracing::debug!(player = self.spec.context.id(), ?state, "does not start"),
        }
    }

    fn seek(&mut self, position: i64) -> bool {
        let Some(playback) = &self.playback else {
            return false;
        };
        let pipeline = playback.pipeline();
        // Nothing is known of the media before its first picture.
        let _ = pipeline.state(SEEKING);
        if !Range::of(pipeline).is_seekable {
            return false;
        }
        let mut position = gst::ClockTime::from_mseconds(u64::try_from(position).unwrap_or(0));
        if self.spec.encoded
            && let Ok(place) = i64::try_from(position.nseconds())
            && let Some(Ok(place)) = playback.beginning(place).map(u64::try_from)
        {
            position = gst::ClockTime::from_nseconds(place);
        }
        // Frames that are passed on can begin at a keyframe only.
        let exactness = if self.spec.encoded {
            gst::SeekFlags::KEY_UNIT
        } else {
            gst::SeekFlags::ACCURATE
        };
        if pipeline
            .seek_simple(gst::SeekFlags::FLUSH | exactness, position)
            .is_err()
        {
            return false;
        }
        let _ = pipeline.state(SEEKING);
        true
    }
}
