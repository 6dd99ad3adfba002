//! One running converter: what waits for it, and the pieces in which it works.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use abi_stable::std_types::RSlice;
use rivero_plugin_api::{
    Error, MediaKind, Packet, Upstream,
    abi::{
        guard, module,
        traits::{Converter, ConverterOutput},
        types::AbiUpstream,
    },
};

use super::{bitrate::EncoderBitrate, route::Step};
use crate::{
    conversion_counters::Counters,
    converters::{ConverterSettings, Converters},
    plane::Plane,
    queue::Queue,
    workers::Work,
};

/// Called once when a conversion cannot begin or go on.
pub(super) type OnFailure = Box<dyn Fn(Error) + Send + Sync>;

/// What a conversion is started with.
pub(super) struct Recipe {
    pub(super) converters: Arc<dyn Converters>,
    pub(super) step: Step,
    /// Size, rate and channels, as far as they are asked for.
    pub(super) settings: ConverterSettings,
    pub(super) sink: ConverterOutput,
}

/// A conversion as its producer and its consumers see it. Whatever they want is
/// noted, and done on a worker.
pub(super) struct Runner {
    this: Weak<Runner>,
    plane: Weak<Plane>,
    kind: MediaKind,
    input: u32,
    /// Locked for moments only: producers and consumers put in what they want.
    inbox: Mutex<Inbox>,
    /// Locked as long as the converter works, by the one worker at a time that does.
    ///
    /// *Lock order:* this one, then the inbox: a converter may report its failure from within its
    /// work. Nobody waits for this one with the inbox locked, so who only wants something never
    /// waits for the converter.
    machine: Mutex<Machine>,
    /// Relaxed is enough: what comes out or in while this is being set is of no use, and harms
    /// nobody.
    ended: AtomicBool,
    /// Of an encoder.
    bitrate: Option<EncoderBitrate>,
    counters: Arc<Counters>,
    on_failure: OnFailure,
}

struct Inbox {
    media: Queue,
    /// The last foreign format that was met, and whether it can be converted: the table of formats
    /// has a lock, which is not taken for each packet.
    verdict: (u32, bool),
    keyframe: bool,
    target: Option<u64>,
    loss: Option<f32>,
    failure: Option<Error>,
    stop: bool,
    scheduled: bool,
}

enum Machine {
    New(Box<Recipe>),
    Running(Converter),
    Ended,
}

/// What one piece of work consists of.
#[derive(Default)]
struct Piece {
    media: Vec<Packet>,
    messages: Vec<Upstream>,
    failure: Option<Error>,
    stop: bool,
}

impl Runner {
    pub(super) fn new(
        plane: &Arc<Plane>,
        kind: MediaKind,
        bitrate: Option<EncoderBitrate>,
        counters: Arc<Counters>,
        on_failure: OnFailure,
        recipe: impl FnOnce(&Weak<Runner>) -> Recipe,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| {
            let recipe = recipe(this);
            let packaging = recipe
                .converters
                .conversions()
                .get(recipe.step.conversion)
                .map_or(rivero_plugin_api::Packaging::Frame, |c| c.input.1);
            Self {
                this: this.clone(),
                plane: Arc::downgrade(plane),
                kind,
                input: recipe.step.formats().0,
                inbox: Mutex::new(Inbox::new(Queue::new(kind, packaging))),
                machine: Mutex::new(Machine::New(Box::new(recipe))),
                ended: AtomicBool::new(false),
                bitrate,
                counters,
                on_failure,
            }
        })
    }

    /// Media for the converter; `true` when some was left out and a keyframe would help.
    pub(super) fn on_packets(&self, packets: &[Packet]) -> bool {
        let mut overflowed = false;
        let mut dropped = 0;
        if let (Some(bitrate), Some(plane)) = (&self.bitrate, self.plane.upgrade()) {
            bitrate.on_packets(packets, plane.formats());
            self.retarget();
        }
        let mut inbox = self.inbox();
        if inbox.stop || self.has_ended() {
            return false;
        }
        for packet in packets {
            if packet.format != self.input && !self.fits(&mut inbox, packet.format) {
                continue;
            }
            let pushed = inbox.media.push(packet);
            dropped += pushed.dropped;
            overflowed |= pushed.overflowed;
        }
        self.wake(&mut inbox);
        drop(inbox);
        self.counters
            .received
            .fetch_add(packets.len() as u64, Relaxed);
        if dropped > 0 {
            self.counters.dropped.fetch_add(dropped, Relaxed);
        }
        overflowed
    }

    /// Whether a packet of another format than the pad's can be converted all the
    /// same: raw pictures of any size, not telephone events among speech.
    fn fits(&self, inbox: &mut Inbox, format: u32) -> bool {
        if inbox.verdict.0 != format {
            inbox.verdict = (format, self.is_alike(format));
        }
        inbox.verdict.1
    }

    fn is_alike(&self, format: u32) -> bool {
        let Some(plane) = self.plane.upgrade() else {
            return false;
        };
        let (given, own) = (plane.formats().get(format), plane.formats().get(self.input));
        given.zip(own).is_some_and(|(given, own)| {
            given.encoding == own.encoding && given.packaging == own.packaging
        })
    }

    pub(super) fn request_keyframe(&self) {
        let mut inbox = self.inbox();
        inbox.keyframe = true;
        self.wake(&mut inbox);
    }

    pub(super) fn set_estimate(&self, bits_per_second: u64) {
        if let Some(bitrate) = &self.bitrate {
            bitrate.set_estimate(bits_per_second);
        }
        self.retarget();
    }

    /// The element's bitrates or the estimate may have changed.
    pub(super) fn retarget(&self) {
        let Some(target) = self.bitrate.as_ref().and_then(EncoderBitrate::changed) else {
            return;
        };
        let mut inbox = self.inbox();
        inbox.target = Some(target);
        self.wake(&mut inbox);
    }

    pub(super) fn report_loss(&self, fraction: f32) {
        let mut inbox = self.inbox();
        inbox.loss = Some(fraction);
        self.wake(&mut inbox);
    }

    /// The converter says that it cannot go on.
    pub(super) fn report_failure(&self, error: Error) {
        let mut inbox = self.inbox();
        inbox.failure.get_or_insert(error);
        self.wake(&mut inbox);
    }

    /// Nobody needs it any more.
    pub(super) fn stop(&self) {
        let mut inbox = self.inbox();
        inbox.stop = true;
        self.wake(&mut inbox);
    }

    /// Whether what still comes out is of no use.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, inbox: &mut Inbox) {
        if inbox.scheduled {
            return;
        }
        if let (Some(plane), Some(this)) = (self.plane.upgrade(), self.this.upgrade()) {
            inbox.scheduled = true;
            plane.workers().schedule(this);
        }
    }

    fn start(&self, recipe: &Recipe) -> Result<Converter, Error> {
        let settings = ConverterSettings {
            bitrate: self.bitrate.as_ref().and_then(EncoderBitrate::initial),
            ..recipe.settings
        };
        let step = &recipe.step;
        let (converters, formats) = (&recipe.converters, step.formats());
        let sink = module::share(&recipe.sink);
        let converter = guard::call("the start of a conversion", || {
            converters.create(step.conversion, formats, &settings, sink)
        })?;
        self.counters.started.fetch_add(1, Relaxed);
        self.counters.running.fetch_add(1, Relaxed);
        Ok(converter)
    }

    /// Does a piece; an error ends the conversion.
    fn piece(&self, piece: &Piece) -> Result<(), Error> {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = matches!(&*machine, Machine::New(_));
        if let Machine::New(recipe) = &*machine {
            let converter = self.start(recipe)?;
            *machine = Machine::Running(converter);
        }
        let Machine::Running(converter) = &*machine else {
            return Ok(());
        };
        // What it was started with is newer than what was noted before.
        let is_old =
            |message: &Upstream| is_new && matches!(message, Upstream::TargetBitrate { .. });
        for message in piece.messages.iter().filter(|message| !is_old(message)) {
            converter.upstream(AbiUpstream::from(*message));
        }
        if !piece.media.is_empty() {
            converter.packets(RSlice::from_slice(&piece.media));
        }
        Ok(())
    }

    fn end(&self) {
        self.ended.store(true, Relaxed);
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let last = std::mem::replace(&mut *machine, Machine::Ended);
        drop(machine);
        if let Machine::Running(converter) = last {
            converter.stop();
            self.counters.running.fetch_sub(1, Relaxed);
        }
    }

    fn fail(&self, error: Error) {
        self.counters.failed.fetch_add(1, Relaxed);
        self.end();
        (self.on_failure)(error);
    }
}

impl Work for Runner {
    fn is_urgent(&self) -> bool {
        self.kind == MediaKind::Audio
    }

    fn work(&self) -> bool {
        let mut piece = self.inbox().piece();
        if piece.stop || self.has_ended() {
            self.end();
        } else if let Some(error) = piece.failure.take() {
            self.fail(error);
        } else if let Err(error) = self.piece(&piece) {
            self.fail(error);
        }
        // Under the same lock as the look for more: what is put in after it finds nothing scheduled
        // and wakes a worker.
        let mut inbox = self.inbox();
        inbox.scheduled = inbox.has_work() && !self.has_ended();
        inbox.scheduled
    }

    fn panicked(&self, text: &str) {
        self.fail(Error::panicked("a conversion", text));
    }
}

impl Inbox {
    fn new(media: Queue) -> Self {
        Self {
            media,
            verdict: (0, false),
            keyframe: false,
            target: None,
            loss: None,
            failure: None,
            stop: false,
            scheduled: false,
        }
    }

    fn has_work(&self) -> bool {
        let messages = self.keyframe || self.target.is_some() || self.loss.is_some();
        self.stop || self.failure.is_some() || messages || !self.media.is_empty()
    }

    fn piece(&mut self) -> Piece {
        let mut piece = Piece {
            stop: self.stop,
            failure: self.failure.take(),
            ..Piece::default()
        };
        if let Some(bits_per_second) = self.target.take() {
            piece
                .messages
                .push(Upstream::TargetBitrate { bits_per_second });
        }
        if let Some(fraction) = self.loss.take() {
            piece.messages.push(Upstream::Loss { fraction });
        }
        if std::mem::take(&mut self.keyframe) {
            piece.messages.push(Upstream::KeyframeRequest);
        }
        self.media.pop_piece(&mut piece.media);
        piece
    }
}
