//! What systemd is told of the process where it started it (sd_notify(3)): that it serves, that it
//! is well, and that its end takes the time that it does.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::lifecycle::{Lifecycle, Phase};

/// How often word is sent at least: what takes long is told again and again.
const PERIOD: Duration = Duration::from_secs(5);
/// How much longer the end may take from each word on. What ends it is the process's own deadline,
/// however short the unit's `TimeoutStopSec` is.
const PATIENCE: Duration = Duration::from_secs(30);

/// The state of a server that runs.
const SERVING: &str = "serving";

/// Says that clients are served, and from then on how the process is. For as long as it is polled,
/// or until another process speaks for the server; to be run where clients are served, for a watchdog is to notice when they are not.
pub(crate) async fn keep_informed(lifecycle: Arc<Lifecycle>) {
    let watched = sd_notify::watchdog_enabled();
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let mut words = interval(watched.map_or(PERIOD, |limit| PERIOD.min(limit / 3)));
    words.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        let next = next_phase(told);
        tokio::select! {
            _ = words.tick() => {}
            () = lifecycle.reached(next), if told != Some(Phase::Ended) => {}
        }
        let phase = lifecycle.phase();
        if lifecycle.successor().is_some() {
            return;
        }
        say(&words_for(phase, told));
        told = Some(phase);
    }
}

/// Says that the configuration is being read again.
pub(crate) fn reloading() {
    let mut words = vec![NotifyState::Reloading];
    // Which tells this reload from an earlier one (Type=notify-reload).
    words.extend(NotifyState::monotonic_usec_now());
    say(&words);
}

/// Says that this is done, or why it was not.
pub(crate) fn reloaded(failure: Option<String>) {
    let status = match failure {
        None => SERVING.to_owned(),
        Some(failure) => format!("{SERVING}; the last reload failed: {failure}"),
    };
    say(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Says that another process is the main one of the service from now on, and serves.
pub(crate) fn handed_over(process: u32) {
    say(&[
        NotifyState::MainPid(process),
        NotifyState::Ready,
        NotifyState::Status(SERVING),
    ]);
}

fn say(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!(%error, "systemd does not listen");
    }
}

/// The phase that is news after this one.
fn next_phase(told: Option<Phase>) -> Phase {
    match told {
        None => Phase::Running,
        Some(Phase::Running) => Phase::HandedOver,
        Some(Phase::HandedOver | Phase::Draining) => Phase::Ending,
        Some(Phase::Ending | Phase::Ended) => Phase::Ended,
    }
}

/// What is to be said in a phase; `told` is the one that was told before.
fn words_for(phase: Phase, told: Option<Phase>) -> Vec<NotifyState<'static>> {
    let mut words = vec![NotifyState::Watchdog];
    if phase > Phase::HandedOver {
        let patience = u32::try_from(PATIENCE.as_micros()).unwrap_or(u32::MAX);
        words.push(NotifyState::ExtendTimeoutUsec(patience));
    }
    if told != Some(phase) {
        words.extend(match phase {
            Phase::Running | Phase::HandedOver => {
                [NotifyState::Ready, NotifyState::Status(SERVING)]
            }
            Phase::Draining => [
                NotifyState::Stopping,
                NotifyState::Status("draining: calls go on, nothing new is begun"),
            ],
            Phase::Ending | Phase::Ended => [
                NotifyState::Stopping,
                NotifyState::Status("ending: recordings are being completed"),
            ],
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(phase: Phase, told: Option<Phase>) -> String {
        let words = words_for(phase, told);
        words.iter().map(|word| format!("{word};")).collect()
    }

    #[test]
    fn each_phase_is_told_once_and_well_being_always() {
        assert_eq!(
            said(Phase::Running, None),
            "WATCHDOG=1;READY=1;STATUS=serving;"
        );
        assert_eq!(said(Phase::Running, Some(Phase::Running)), "WATCHDOG=1;");
        let draining = said(Phase::Draining, Some(Phase::Running));
        assert!(draining.contains("STOPPING=1;"), "{draining}");
        assert_eq!(
            said(Phase::Draining, Some(Phase::Draining)),
            "WATCHDOG=1;EXTEND_TIMEOUT_USEC=30000000;"
        );
        assert!(said(Phase::Ending, Some(Phase::Running)).contains("STOPPING=1;"));
    }
}
