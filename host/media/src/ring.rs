//! What waits for a sink pad whose module takes media on a thread of its own.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use rivero_plugin_api::{
    MediaKind, Packaging, Packet, SinkSelection,
    abi::traits::{SinkGroup, SinkHandler},
    supervise,
};

use crate::{depth, owner::Owner, queue::Queue};

/// Pieces that are handed over before other pads of the module have their turn.
const PIECES: usize = 16;

/// What takes media out of a ring.
pub(crate) enum End {
    /// The pad.
    Handler(SinkHandler),
    /// Its group, which knows it by this token.
    Group(SinkGroup, u64),
}

impl End {
    fn take(&self, packets: &[Packet]) {
        match self {
            Self::Handler(handler) => handler.packets(packets.into()),
            Self::Group(group, token) => {
                for packets in packets.chunks(64) {
                    let selection = SinkSelection {
                        token: *token,
                        packets: u64::MAX >> (64 - packets.len()),
                    };
                    group.push_batch(packets.into(), [selection].as_slice().into());
                }
            }
        }
    }
}

/// A bounded queue before a pad. Where it is full, media is lost up to the next keyframe, and counted.
pub(crate) struct Ring {
    this: Weak<Self>,
    kind: MediaKind,
    owner: Arc<dyn Owner>,
    end: End,
    /// Asks what feeds the pad for a keyframe; set once there is something to ask.
    on_overflow: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Packets that were lost here so far: only shown, so relaxed accesses are enough.
    lost: AtomicU64,
    state: Mutex<State>,
}

struct State {
    media: Queue,
    /// How deep those were who handed on what waits, at most.
    depth: u32,
    /// A job is about to take media out, or does.
    scheduled: bool,
    /// The module knows the format of what waits.
    open: bool,
}

impl Ring {
    pub(crate) fn new(kind: MediaKind, owner: Arc<dyn Owner>, end: End) -> Arc<Self> {
        let state = State {
            media: Queue::before_pad(kind, Packaging::Rtp),
            depth: 0,
            scheduled: false,
            open: false,
        };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            kind,
            owner,
            end,
            on_overflow: OnceLock::new(),
            lost: AtomicU64::new(0),
            state: Mutex::new(state),
        })
    }

    /// Names what to do when media was lost that a keyframe would make up for; only the first call counts.
    pub(crate) fn set_on_overflow(&self, action: impl Fn() + Send + Sync + 'static) {
        let _ = self.on_overflow.set(Box::new(action));
    }

    /// Packets that were lost here so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    fn on_lost(&self, packets: u64) {
        self.lost.fetch_add(packets, Relaxed);
        self.owner.on_lost(packets);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Media from the producer. Never blocks.
    pub(crate) fn push(&self, packets: &[Packet]) {
        let mut lost = 0;
        let mut overflowed = false;
        let mut state = self.state();
        if self.owner.is_cut() {
            lost = state.media.break_off() + packets.len() as u64;
        } else {
            for packet in packets {
                let pushed = state.media.push(packet);
                lost += pushed.dropped;
                overflowed |= pushed.overflowed;
            }
            state.depth = state.depth.max(depth::current());
            self.schedule(state);
        }
        if lost > 0 {
            self.on_lost(lost);
        }
        if overflowed && let Some(action) = self.on_overflow.get() {
            action();
        }
    }

    /// Media in another format comes, of which the module does not know yet: it waits. Where another
    /// stream begins, what is left of the former one is lost.
    pub(crate) fn hold(&self, begins: bool, packaging: Packaging) {
        let mut state = self.state();
        state.open = false;
        state.media.retune(self.kind, packaging);
        let lost = if begins { state.media.break_off() } else { 0 };
        drop(state);
        if lost > 0 {
            self.on_lost(lost);
        }
    }

    /// The module knows the format.
    pub(crate) fn open(&self) {
        self.state().open = true;
    }

    /// Hands over what waits; for a thread without locks, since the module may be called from here.
    pub(crate) fn go_on(&self) {
        self.schedule(self.state());
    }

    fn schedule(&self, mut state: MutexGuard<'_, State>) {
        if !state.open || state.scheduled || state.media.is_empty() {
            return;
        }
        state.scheduled = true;
        // The job may be run here and now.
        drop(state);
        if let Some(this) = self.this.upgrade() {
            self.owner.run(Box::new(move || this.drain()), None);
        }
    }

    fn drain(self: Arc<Self>) {
        let mut piece = Vec::new();
        for _ in 0..PIECES {
            let mut state = self.state();
            if self.owner.is_cut() {
                let lost = state.media.break_off();
                if lost > 0 {
                    self.on_lost(lost);
                }
            } else if state.open {
                state.media.pop_piece(&mut piece);
            }
            if piece.is_empty() {
                // Under the same lock as the look that found nothing: whoever puts in something later
                // finds nobody at work.
                state.scheduled = false;
                state.depth = 0;
                return;
            }
            let depth = state.depth;
            drop(state);
            supervise::contained("a pad", || {
                depth::resume(depth, || self.end.take(&piece));
            });
            piece.clear();
        }
        let mut state = self.state();
        state.scheduled = false;
        self.schedule(state);
    }
}
