//! The host's pipeline clock as sessions have it.

use std::{sync::OnceLock, time::Instant};

use rivero_plugin_api::{Host, host};
use rivero_rtp_session::PipelineClock;

/// The host is asked once: its clock and [`Instant`] are one clock with two origins. One for all links,
/// so that their timers fall together.
pub(super) fn pipeline_clock() -> PipelineClock {
    static CLOCK: OnceLock<PipelineClock> = OnceLock::new();
    *CLOCK.get_or_init(|| PipelineClock::new(Instant::now(), host().map_or(0, Host::now)))
}
