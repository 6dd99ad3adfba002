//! Timers on the host's thread for them.

use std::time::Duration;

use crate::{
    Host,
    abi::{timer::timer, traits},
    supervise,
};

/// A running timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId(u64);

impl Host {
    /// Runs `action` once after `delay` on a thread of the module; it must not block. What belongs to
    /// an object is better started by [`ElementContext::after`](crate::ElementContext::after): of
    /// a panic in it that object hears.
    pub fn after(&self, delay: Duration, action: impl FnOnce() + Send + 'static) -> TimerId {
        let on_panic = |message: &str| supervise::report("a timer", message);
        self.start_timer(delay, timer(action, on_panic))
    }

    pub(crate) fn start_timer(&self, delay: Duration, timer: traits::Timer) -> TimerId {
        let nanoseconds = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        TimerId(self.services().start_timer(nanoseconds, timer))
    }

    /// Stops a timer; too late is no error.
    pub fn cancel(&self, timer: TimerId) {
        self.services().cancel_timer(timer.0);
    }
}
