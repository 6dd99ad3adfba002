//! One output: what it gets, in order, whoever brings it.
//!
//! Around a switch two producers have media for the same output, each on a thread of its own, but a
//! source pad has one producer at a time. Neither may wait for the other: with media in a ring each could
//! wait for ever. So whoever finds the output busy leaves its burst to the one who is at it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, OnceLock},
    thread::{self, ThreadId},
};

use rivero_plugin_api::{Packet, SourcePad, supervise::lock};

use super::selector::{Selector, Step};

/// Bursts that wait for another producer's to be handed on, which takes microseconds.
const WAITING: usize = 16;
/// So much of it is handed on before the producer goes on with its own work. Media that runs in a ring
/// of hubs would keep it for ever.
const ROUNDS: usize = 2 * WAITING;

/// What one output gets.
pub(crate) struct Outlet {
    pad: OnceLock<SourcePad>,
    state: Mutex<State>,
}

struct State {
    selector: Selector,
    format: Option<u32>,
    /// Who hands on at present.
    producer: Option<ThreadId>,
    waiting: VecDeque<Item>,
}

enum Item {
    Format(Option<u32>),
    Burst(Vec<Packet>),
}

impl Outlet {
    pub(crate) fn new(is_video: bool) -> Self {
        Self {
            pad: OnceLock::new(),
            state: Mutex::new(State {
                selector: Selector::new(is_video),
                format: None,
                producer: None,
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Gives it its pad, once.
    pub(crate) fn open(&self, pad: SourcePad) {
        let _ = self.pad.set(pad);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// See [`Selector::want`].
    pub(crate) fn want(&self, input: u64, now: i64) -> bool {
        self.state().selector.want(input, now)
    }

    /// Nothing goes out from now on.
    pub(crate) fn want_nothing(&self) {
        let mut state = self.state();
        state.selector.want_nothing();
        state.set_format(None);
        self.work(state);
    }

    /// Nothing goes out from now on if the input is what the client chose last.
    pub(crate) fn leave(&self, input: u64) {
        let mut state = self.state();
        if state.selector.chosen() == Some(input) {
            state.selector.want_nothing();
            state.set_format(None);
        }
        self.work(state);
    }

    /// An input is gone.
    pub(crate) fn forget(&self, input: u64) {
        let mut state = self.state();
        if state.selector.forget(input) {
            state.set_format(None);
        }
        self.work(state);
    }

    /// The inputs that it shows or waits for.
    pub(crate) fn inputs(&self) -> Vec<u64> {
        self.state().selector.inputs().collect()
    }

    /// What an input gives has another format, or ends.
    pub(crate) fn on_format(&self, input: u64, format: Option<u32>) {
        let mut state = self.state();
        if state.selector.follows(input) {
            state.set_format(format);
            self.work(state);
        }
    }

    /// A burst of an input comes; gives what was done about it.
    pub(crate) fn on_packets(
        &self,
        (input, format): (u64, Option<u32>),
        packets: &[Packet],
        now: i64,
    ) -> Step {
        let mut state = self.state();
        let step = state.selector.step(input, packets, now);
        match step {
            Step::Nothing | Step::Ask => {}
            Step::Pass if state.producer.is_none() && state.waiting.is_empty() => {
                state.producer = Some(thread::current().id());
                drop(state);
                let turn = Turn(self);
                self.push(packets);
                turn.go_on();
            }
            Step::Pass => {
                state.add(packets.to_vec());
                self.work(state);
            }
            Step::Switch(begin) => {
                let mut burst = packets.get(begin..).unwrap_or_default().to_vec();
                if let Some(first) = burst.first_mut() {
                    first.flags |= Packet::DISCONTINUITY;
                }
                state.set_format(format);
                state.add(burst);
                self.work(state);
            }
        }
        step
    }

    /// Gives out a burst without a choice; none where only its format is known yet.
    pub(crate) fn give(&self, format: Option<u32>, packets: &[Packet]) {
        let mut state = self.state();
        state.set_format(format);
        if !packets.is_empty() {
            state.add(packets.to_vec());
        }
        self.work(state);
    }

    /// Hands on what waits, unless somebody does.
    fn work(&self, mut state: MutexGuard<'_, State>) {
        if state.producer.is_some() || state.waiting.is_empty() {
            return;
        }
        state.producer = Some(thread::current().id());
        drop(state);
        Turn(self).go_on();
    }

    fn push(&self, packets: &[Packet]) {
        let Some(pad) = self.pad.get() else { return };
        // Of several encodings only the one that the host chose comes in, so what goes out is the only
        // one that there is.
        if packets.iter().all(|packet| packet.layer.encoding == 0) {
            return pad.push(packets);
        }
        let mut single = packets.to_vec();
        single
            .iter_mut()
            .for_each(|packet| packet.layer.encoding = 0);
        pad.push(&single);
    }
}

impl State {
    fn set_format(&mut self, format: Option<u32>) {
        if self.format != format {
            self.format = format;
            self.waiting.push_back(Item::Format(format));
        }
    }

    /// What comes on a thread that is handing on here already has gone round in a ring, and ends.
    fn add(&mut self, burst: Vec<Packet>) {
        let is_ring = self.producer == Some(thread::current().id());
        if !is_ring && self.waiting.len() < WAITING {
            self.waiting.push_back(Item::Burst(burst));
        }
    }
}

/// The turn of a thread to hand on. Should it panic, the next one's comes.
struct Turn<'a>(&'a Outlet);

impl Turn<'_> {
    fn go_on(self) {
        for _ in 0..ROUNDS {
            let mut state = self.0.state();
            let Some(item) = state.waiting.pop_front() else {
                // Under the lock that found nothing: whoever adds something later finds nobody at it.
                state.producer = None;
                return;
            };
            drop(state);
            match item {
                Item::Burst(packets) => self.0.push(&packets),
                Item::Format(format) => {
                    if let Some(pad) = self.0.pad.get() {
                        pad.set_format(format);
                    }
                }
            }
        }
        let mut state = self.0.state();
        state.waiting.retain(|item| matches!(item, Item::Format(_)));
        state.producer = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state().producer = None;
        }
    }
}
