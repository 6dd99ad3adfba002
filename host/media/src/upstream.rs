//! Messages of consumers that wait for the module of a source pad.

use std::{
    mem::{discriminant, take},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rivero_plugin_api::{
    Upstream,
    abi::{traits::SourceHandler, types::AbiUpstream},
    supervise,
};

use crate::{depth, owner::Owner};

/// Messages to a source pad, in the order in which the first of each kind came. Of each kind only the
/// latest counts, so that there is a bound on what waits.
pub(crate) struct Outbox {
    handler: SourceHandler,
    owner: Option<Arc<dyn Owner>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: Vec<Upstream>,
    /// How deep those were who sent them, at most.
    depth: u32,
    /// A job is about to deliver, or does.
    scheduled: bool,
}

impl State {
    fn add(&mut self, message: Upstream) {
        let kind = discriminant(&message);
        let mut waiting = self.messages.iter_mut();
        match waiting.find(|known| discriminant(*known) == kind) {
            Some(known) => *known = message,
            None => self.messages.push(message),
        }
        self.depth = self.depth.max(depth::current());
    }
}

impl Outbox {
    pub(crate) fn new(handler: SourceHandler, owner: Option<Arc<dyn Owner>>) -> Arc<Self> {
        Arc::new(Self {
            handler,
            owner,
            state: Mutex::default(),
        })
    }

    pub(crate) fn handler(&self) -> &SourceHandler {
        &self.handler
    }

    pub(crate) fn owner(&self) -> Option<&Arc<dyn Owner>> {
        self.owner.as_ref()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the module told, soon. Never blocks.
    pub(crate) fn send(self: &Arc<Self>, message: Upstream) {
        let Some(owner) = &self.owner else {
            return self.handler.upstream(AbiUpstream::from(message));
        };
        if owner.is_cut() {
            return;
        }
        let mut state = self.state();
        state.add(message);
        if std::mem::replace(&mut state.scheduled, true) {
            return;
        }
        drop(state);
        let this = self.clone();
        owner.run(Box::new(move || this.deliver()), None);
    }

    fn deliver(&self) {
        loop {
            let mut state = self.state();
            let (messages, depth) = (take(&mut state.messages), take(&mut state.depth));
            let is_cut = self.owner.as_ref().is_some_and(|owner| owner.is_cut());
            if messages.is_empty() || is_cut {
                state.scheduled = false;
                return;
            }
            drop(state);
            for message in messages {
                supervise::contained("a pad", || {
                    depth::resume(depth, || self.handler.upstream(AbiUpstream::from(message)));
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_each_kind_waits_in_the_order_of_the_first() {
        let mut state = State::default();
        let rate = |bits_per_second| Upstream::BandwidthEstimate { bits_per_second };
        for number in 0..1000 {
            state.add(rate(number));
            state.add(Upstream::KeyframeRequest);
        }
        assert_eq!(state.messages, [rate(999), Upstream::KeyframeRequest]);
    }
}
