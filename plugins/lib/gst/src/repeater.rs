//! The last picture, again and again while no other comes.
//!
//! Who joins while a player stands still, or a film shows one picture for a song, would see nothing until the next
//! picture: nobody can be asked for an earlier one, and what encodes it has forgotten it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rivero_plugin_api::{Packet, SourcePad, host, supervise::lock};

/// A picture is repeated after so long.
const PAUSE: Duration = Duration::from_secs(1);
/// Between a repetition and a picture that should have come before it, ns.
const STEP: i64 = 1_000_000;

/// What goes into a pad, and its last picture. One of them pushes at a time: the streaming thread or a timer.
pub(crate) struct Repeater {
    pad: Arc<SourcePad>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Picture>,
    /// Of the playback; a timer of another one does nothing.
    generation: u64,
    is_open: bool,
    /// There is a timer.
    is_timed: bool,
    /// A picture that was not played may be shown.
    stands_still: bool,
    /// When the last picture was shown, ns of the host's clock.
    shown: i64,
    /// Packets of this playback.
    count: u64,
}

struct Picture {
    packet: Packet,
    since: Instant,
    was_played: bool,
}

impl Repeater {
    pub(crate) fn new(pad: Arc<SourcePad>) -> Arc<Self> {
        Arc::new(Self {
            pad,
            state: Mutex::default(),
        })
    }

    /// A playback begins.
    pub(crate) fn open(&self) {
        let mut state = lock(&self.state);
        let generation = state.generation + 1;
        *state = State {
            generation,
            is_open: true,
            ..State::default()
        };
    }

    /// A playback ends: nothing is pushed any more.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        let generation = state.generation + 1;
        *state = State {
            generation,
            ..State::default()
        };
    }

    /// Whether the client wants the playback to stand still: then the picture that it stands at is shown.
    pub(crate) fn stand_still(&self, stands_still: bool) {
        lock(&self.state).stands_still = stands_still;
    }

    /// Packets since the playback began.
    pub(crate) fn count(&self) -> u64 {
        lock(&self.state).count
    }

    /// A packet at its time; `is_picture`: a raw one, which needs nothing that came before.
    pub(crate) fn push(self: &Arc<Self>, mut packet: Packet, is_picture: bool) {
        let mut state = lock(&self.state);
        if !state.is_open {
            return;
        }
        state.count += 1;
        if is_picture {
            // A picture that comes late comes after its predecessor's repetition.
            packet.presentation_time = packet.presentation_time.max(state.shown + STEP);
            state.shown = packet.presentation_time;
            self.keep(&mut state, packet.clone(), true);
        }
        self.pad.push(&[packet]);
    }

    /// The picture at which a playback stands that does not play.
    pub(crate) fn preroll(self: &Arc<Self>, packet: Packet) {
        let mut state = lock(&self.state);
        if state.is_open {
            self.keep(&mut state, packet, false);
        }
    }

    fn keep(self: &Arc<Self>, state: &mut State, packet: Packet, was_played: bool) {
        state.last = Some(Picture {
            packet,
            since: Instant::now(),
            was_played,
        });
        if !state.is_timed {
            state.is_timed = self.start_timer(PAUSE, state.generation);
        }
    }

    fn start_timer(self: &Arc<Self>, delay: Duration, generation: u64) -> bool {
        let Some(host) = host() else {
            return false; // a test without a server
        };
        let repeater = Arc::downgrade(self);
        host.after(delay, move || {
            if let Some(repeater) = repeater.upgrade() {
                repeater.on_time(generation);
            }
        });
        true
    }

    fn on_time(self: &Arc<Self>, generation: u64) {
        let mut state = lock(&self.state);
        if state.generation != generation {
            return;
        }
        let (stands_still, shown) = (state.stands_still, state.shown);
        let mut delay = PAUSE;
        if let (Some(picture), Some(host)) = (&mut state.last, host())
            && (picture.was_played || stands_still)
        {
            let waited = picture.since.elapsed();
            if waited >= PAUSE {
                picture.since = Instant::now();
                let now = host.now().max(shown + STEP);
                picture.packet.presentation_time = now;
                picture.packet.ingress_time = host.now();
                self.pad.push(std::slice::from_ref(&picture.packet));
                state.shown = now;
            } else {
                delay = PAUSE - waited;
            }
        }
        self.start_timer(delay, generation);
    }
}
