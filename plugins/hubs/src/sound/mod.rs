//! The sound of a hub: who hears whom, 100 times a second.

mod seat;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, Weak},
};

use rivero_mix::{
    Beat, Due, FRAME, FRAME_NS, Frame, SAMPLE_RATE, Speakers, add, loudness, subtract,
};
use rivero_plugin_api::{
    Bytes, ElementContext, Layer, MediaKind, Packet, Result, Rtp, host, supervise::lock,
};

use crate::{
    clock::{Beats, Clock, Work},
    common::Common,
    lag::Lag,
    switch::no_port,
};
use seat::{Ear, Seat, Share, raw_sound};

/// Frames a second.
const RATE: u32 = 100;
/// Frames that are made up for after a stall, half a second: listeners go on without a gap, and what they
/// have waited for is there at once.
const PATIENCE: u32 = 50;

/// Who hears whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// Each port hears all others.
    Others,
    /// Each port hears those that the client chose for it.
    Chosen,
}

/// The sound of one hub.
pub(crate) struct SoundMix {
    hearing: Hearing,
    context: ElementContext,
    clock: Arc<Clock>,
    id: OnceLock<u64>,
    seats: Mutex<Vec<Arc<Seat>>>,
    chosen: Mutex<BTreeMap<Pair, Choice>>,
    /// What all hear who say nothing, where each hears all others: it is encoded for all of them together.
    common: OnceLock<Arc<Common>>,
    work: Mutex<MixWork>,
    /// Who is told when somebody else speaks.
    listener: OnceLock<Listener>,
}

/// Is told the port of who speaks now, or that nobody does.
type Listener = Box<dyn Fn(Option<&str>) + Send + Sync>;

/// A sink, and a source that it hears.
type Pair = (Box<str>, Box<str>);

/// A source that somebody hears.
#[derive(Clone, Copy, Debug, Default)]
struct Choice {
    /// As it is, and as it is to be: it comes and goes within a frame.
    gain: f32,
    volume: f32,
}

/// What the thread that mixes has at hand.
#[derive(Default)]
struct MixWork {
    /// `None` while nobody listens.
    beat: Option<Beat>,
    /// Of the mix that all hear who say nothing.
    shared: Ear,
    ears: HashMap<Box<str>, Ear>,
    speakers: Speakers<Box<str>>,
}

impl SoundMix {
    /// # Errors
    /// 40003 when there is no thread for it, or no pad
    pub(crate) fn new(hearing: Hearing, context: &ElementContext) -> Result<Arc<Self>> {
        let mix = Arc::new(Self {
            hearing,
            context: context.clone(),
            clock: Clock::join(Work::Sound)?,
            id: OnceLock::new(),
            seats: Mutex::default(),
            chosen: Mutex::default(),
            common: OnceLock::new(),
            work: Mutex::default(),
            listener: OnceLock::new(),
        });
        if hearing == Hearing::Others {
            let waking = Arc::downgrade(&mix);
            let wake = move || {
                if let Some(mix) = waking.upgrade() {
                    mix.wake();
                }
            };
            let sound = raw_sound(0, 0);
            let _ = mix
                .common
                .set(Common::open(context, MediaKind::Audio, sound, wake)?);
        }
        let beats: Weak<dyn Beats> = Arc::downgrade(&mix) as Weak<dyn Beats>;
        let _ = mix.id.set(mix.clock.add(beats));
        Ok(mix)
    }

    /// A port came; its pictures are told how far its sound is behind.
    ///
    /// # Errors
    /// Why its pads cannot be opened
    pub(crate) fn add_port(
        self: &Arc<Self>,
        id: &str,
        port: &ElementContext,
        lag: Arc<Lag>,
    ) -> Result<()> {
        let seat = Seat::open(self, id, port, lag)?;
        if let Some(common) = self.common.get() {
            seat.show(common);
        }
        lock(&self.seats).push(seat);
        self.wake();
        Ok(())
    }

    /// A port went: what was heard of it fades.
    pub(crate) fn remove_port(&self, id: &str) {
        for seat in self.seats().iter().filter(|seat| *seat.port == *id) {
            seat.leave();
        }
        for ((sink, source), choice) in lock(&self.chosen).iter_mut() {
            if **sink == *id || **source == *id {
                choice.volume = 0.0;
            }
        }
        self.wake();
    }

    /// Lets a port hear another one, beside those that it hears.
    ///
    /// # Errors
    /// 40107 where one is no port of the hub
    pub(crate) fn connect(&self, source: &str, sink: &str) -> Result<()> {
        self.check(source)?;
        self.check(sink)?;
        let key = (sink.into(), source.into());
        lock(&self.chosen).entry(key).or_default().volume = 1.0;
        Ok(())
    }

    /// Undoes that; nothing where it was not so.
    ///
    /// # Errors
    /// 40107 where one is no port of the hub
    pub(crate) fn disconnect(&self, source: &str, sink: &str) -> Result<()> {
        self.check(source)?;
        self.check(sink)?;
        let key = (sink.into(), source.into());
        if let Some(choice) = lock(&self.chosen).get_mut(&key) {
            choice.volume = 0.0;
        }
        Ok(())
    }

    /// How loud others hear a port: 0 is silence, 1 as it comes.
    pub(crate) fn set_volume(&self, port: &str, volume: f32) {
        for seat in self.seats().iter().filter(|seat| *seat.port == *port) {
            seat.set_volume(volume);
        }
    }

    /// How often the sound of a port was late, and how much faster it is read, parts of one.
    pub(crate) fn counts(&self, port: &str) -> (i64, f64) {
        let seats = self.seats();
        let seat = seats.iter().find(|seat| *seat.port == *port);
        seat.map_or((0, 0.0), |seat| seat.counts())
    }

    /// Has it told who speaks, from now on.
    pub(crate) fn on_speaker(&self, listener: impl Fn(Option<&str>) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    fn check(&self, port: &str) -> Result<()> {
        let seats = self.seats();
        let mut seats = seats.iter().filter(|seat| !seat.is_leaving());
        let is_known = seats.any(|seat| *seat.port == *port);
        if is_known { Ok(()) } else { Err(no_port(port)) }
    }

    /// The hub is released.
    pub(crate) fn close(&self) {
        // Dropped when the lock is let go: a pad that closes calls into the host.
        let seats = std::mem::take(&mut *lock(&self.seats));
        drop(seats);
        if let Some(common) = self.common.get() {
            common.close();
        }
    }

    fn is_heard(&self, present: &[Arc<Seat>]) -> bool {
        let common = self.common.get();
        common.is_some_and(|common| common.has_consumers())
            || present.iter().any(|seat| seat.is_heard())
    }

    pub(crate) fn wake(&self) {
        if let Some(id) = self.id.get() {
            self.clock.wake(*id);
        }
    }

    fn seats(&self) -> Vec<Arc<Seat>> {
        lock(&self.seats).clone()
    }

    /// Lets go of ports that have been heard to go.
    fn sweep(&self, work: &mut MixWork, gone: &[Arc<Seat>]) {
        let mut seats = lock(&self.seats);
        seats.retain(|seat| !gone.iter().any(|gone| Arc::ptr_eq(gone, seat)));
        drop(seats);
        for seat in gone {
            work.ears.remove(&seat.port);
            work.speakers.forget(&seat.port);
            lock(&self.chosen)
                .retain(|(sink, source), _| *sink != seat.port && *source != seat.port);
        }
    }

    fn mix(&self, work: &mut MixWork, seats: &[Arc<Seat>], due: Due) {
        let shares: Vec<Share> = seats.iter().map(|seat| seat.share(due.time)).collect();
        match self.hearing {
            Hearing::Others => {
                self.follow_speakers(work, &shares);
                mix_others(work, &shares, self.common.get(), due);
            }
            Hearing::Chosen => self.mix_chosen(work, &shares, due),
        }
    }

    fn follow_speakers(&self, work: &mut MixWork, shares: &[Share]) {
        let Some(listener) = self.listener.get() else {
            return;
        };
        for share in shares {
            if let Some(said) = &share.said {
                let level = share.level.unwrap_or_else(|| loudness(said));
                work.speakers.hear(&share.seat.port, level);
            }
        }
        if let Some(speaker) = work.speakers.step() {
            listener(speaker.as_deref());
        }
    }

    fn mix_chosen(&self, work: &mut MixWork, shares: &[Share], due: Due) {
        let places = shares.iter().enumerate();
        let places: HashMap<&str, usize> = places
            .map(|(place, share)| (&*share.seat.port, place))
            .collect();
        let mut sums: Vec<Frame> = vec![[[0.0; 2]; FRAME]; shares.len()];
        let mut chosen = lock(&self.chosen);
        for ((sink, source), choice) in chosen.iter_mut() {
            let (from, to) = (choice.gain, choice.volume);
            choice.gain = to;
            let said = places
                .get(&**source)
                .and_then(|place| shares.get(*place)?.said.as_ref());
            let sum = places.get(&**sink).and_then(|place| sums.get_mut(*place));
            if let (Some(said), Some(sum)) = (said, sum) {
                add_between(sum, said, from, to);
            }
        }
        chosen.retain(|_, choice| choice.gain > 0.0 || choice.volume > 0.0);
        drop(chosen);
        for (share, sum) in shares.iter().zip(&sums) {
            if share.seat.is_heard() {
                let ear = work.ears.entry(share.seat.port.clone()).or_default();
                give(&share.seat, ear.write(sum), due);
            }
        }
    }
}

/// Each hears all others; who says nothing hears what all of those hear.
fn mix_others(work: &mut MixWork, shares: &[Share], common: Option<&Arc<Common>>, due: Due) {
    let mut total: Frame = [[0.0; 2]; FRAME];
    for said in shares.iter().filter_map(|share| share.said.as_ref()) {
        add(&mut total, said);
    }
    let shared = work.shared.write(&total);
    if let Some(common) = common.filter(|common| common.has_consumers())
        && let Some(packet) = packet(shared.clone(), due)
    {
        common.push(packet);
    }
    for share in shares.iter().filter(|share| share.seat.is_heard()) {
        match &share.said {
            None => give(&share.seat, shared.clone(), due),
            Some(said) => {
                let mut others = total;
                subtract(&mut others, said);
                let ear = work.ears.entry(share.seat.port.clone()).or_default();
                give(&share.seat, ear.write(&others), due);
            }
        }
    }
}

/// Adds a frame whose gain changes in its course.
fn add_between(sum: &mut Frame, frame: &Frame, from: f32, to: f32) {
    for (place, (sum, sample)) in sum.iter_mut().zip(frame).enumerate() {
        let gain = from + (to - from) * (place + 1) as f32 / FRAME as f32;
        sum[0] += sample[0] * gain;
        sum[1] += sample[1] * gain;
    }
}

fn give(seat: &Seat, bytes: Option<Bytes>, due: Due) {
    if let Some(packet) = packet(bytes, due) {
        seat.push(packet);
    }
}

fn packet(bytes: Option<Bytes>, due: Due) -> Option<Packet> {
    let (bytes, host) = (bytes?, host()?);
    let discontinuity = if due.missed > 0 {
        Packet::DISCONTINUITY
    } else {
        0
    };
    Some(Packet {
        bytes,
        format: host.format_id(&raw_sound(SAMPLE_RATE, 2)),
        origin: 0,
        kind: MediaKind::Audio,
        flags: Packet::KEYFRAME | discontinuity,
        layer: Layer::default(),
        presentation_time: due.time,
        ingress_time: due.time,
        duration: FRAME_NS,
        rtp: Rtp::default(),
        ..Packet::default()
    })
}

impl Beats for SoundMix {
    fn beat(&self, now: i64) -> Option<i64> {
        let seats = self.seats();
        let mut work = lock(&self.work);
        let (gone, present): (Vec<_>, Vec<_>) =
            seats.iter().cloned().partition(|seat| seat.is_leaving());
        if !self.is_heard(&present) {
            work.beat = None;
            present.iter().for_each(|seat| seat.rest());
            self.sweep(&mut work, &gone);
            // Who begins to listen meanwhile wakes it again.
            return None;
        }
        present.iter().for_each(|seat| seat.begin());
        let mut beat = work
            .beat
            .take()
            .unwrap_or_else(|| Beat::new(RATE, PATIENCE, now));
        while let Some(due) = beat.due(now) {
            self.mix(&mut work, &seats, due);
        }
        let next = beat.deadline();
        work.beat = Some(beat);
        self.sweep(&mut work, &gone);
        Some(next)
    }

    fn panicked(&self, text: &str) {
        self.context.panicked("a mix of sound", text);
    }
}
