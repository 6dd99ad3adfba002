//! Whether the server is alive, and whether anybody should be sent to it.

use super::Core;
use crate::lifecycle::Phase;
use crate::observe::metrics::{Family, Kind, Labels};

/// What the answers depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Threads that do not turn any more. Only a restart helps, so that this alone is asked for who is alive.
    Watchdog,
    /// The server is coming to its end.
    Lifecycle,
    /// Files of modules that are refused: what they would make is missing here and not elsewhere.
    Modules,
    /// No room for recordings.
    Recordings,
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 4] = [
        Check::Watchdog,
        Check::Lifecycle,
        Check::Modules,
        Check::Recordings,
    ];

    /// As pages and metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Check::Watchdog => "watchdog",
            Check::Lifecycle => "lifecycle",
            Check::Modules => "modules",
            Check::Recordings => "recordings",
        }
    }
}

impl Core {
    /// What is wrong, one line for each thing; nothing where all is well.
    #[must_use]
    pub fn problems(&self, check: Check) -> Vec<String> {
        match check {
            Check::Watchdog => self.monitor.blocked(),
            Check::Lifecycle => match self.lifecycle.phase() {
                Phase::Running | Phase::HandedOver => Vec::new(),
                phase => vec![format!("the server is {phase}")],
            },
            Check::Modules => {
                let refused = self.factories.refused().into_iter();
                let line = |refused: crate::modules::Refused| {
                    format!("{}: {}", refused.printable_file(), refused.reason)
                };
                refused.map(line).collect()
            }
            Check::Recordings => self.monitor.disks(),
        }
    }
}

/// For the page: what `/readyz` depends on.
pub(super) fn families(problems: impl Fn(Check) -> usize) -> Vec<Family> {
    let mut failing = Family::new(
        "unready",
        Kind::Gauge,
        "1 where a check of /readyz fails, else 0.",
    );
    for check in Check::ALL {
        let fails = problems(check) > 0;
        failing.add(
            Labels::one("check", check.name()),
            f64::from(u8::from(fails)),
        );
    }
    vec![failing]
}
