//! That module code runs where it may: a check at the boundary, for tests.
//!
//! `RIVERO_CHECK_THREADS=1` switches it on. Then a module that is called on a thread of the runtime, on one of
//! another module, or under the lock of a graph, ends the process with a line that says so.

use std::{cell::Cell, fmt::Display, sync::LazyLock, time::Duration};

use super::overdue::Manner;
use crate::{lanes, observe::standard_error};

/// The environment's variable.
const VARIABLE: &str = "RIVERO_CHECK_THREADS";
/// How long the line may take.
const PATIENCE: Duration = Duration::from_secs(2);

static IS_CHECKED: LazyLock<bool> =
    LazyLock::new(|| std::env::var_os(VARIABLE).is_some_and(|value| value == "1"));

thread_local! {
    static IS_OF_RUNTIME: Cell<bool> = const { Cell::new(false) };
}

/// Says that this thread serves all clients, and is no place for the code of a module.
pub fn is_of_runtime() {
    IS_OF_RUNTIME.set(true);
}

/// Ends the process if `callee` must not be called here, whose lanes have names that are its own.
pub(super) fn check(callee: &impl Display, manner: Manner, is_own: impl Fn(&str) -> bool) {
    if !*IS_CHECKED {
        return;
    }
    if let Some(reason) = violation(manner, is_own) {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        let line = format!("{VARIABLE}: {callee} is called {reason}, on the thread {thread}\n");
        standard_error::say(line, PATIENCE);
        std::process::abort();
    }
}

fn violation(manner: Manner, is_own: impl Fn(&str) -> bool) -> Option<String> {
    if IS_OF_RUNTIME.get() {
        return Some("on a thread of the runtime".to_owned());
    }
    if rivero_media::is_graph_locked() {
        return Some("under the lock of a graph".to_owned());
    }
    let module = lanes::current_module();
    let fits = match (manner, &module) {
        // That of whoever produces the media.
        (Manner::Inline, _) | (Manner::Conversion, None) => true,
        (Manner::Conversion, Some(_)) | (_, None) => false,
        (Manner::Patient | Manner::Prompt, Some(module)) => is_own(module),
    };
    (!fits).then(|| match module {
        Some(module) => format!("on a thread of the module {module}"),
        None => "on a thread that is not the module's".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn is_allowed(manner: Manner) -> bool {
        violation(manner, |lane| lane == "toys").is_none()
    }

    #[test]
    fn a_module_is_called_on_its_own_threads_or_on_the_producers() {
        assert!(is_allowed(Manner::Inline) && is_allowed(Manner::Conversion));
        assert!(!is_allowed(Manner::Patient) && !is_allowed(Manner::Prompt));
        let on_lane_of = |module: &str| {
            let lane = lanes::Lane::new(module.into(), 1, Duration::ZERO);
            let (sender, result) = mpsc::channel();
            lane.run(move || {
                let manners = [Manner::Patient, Manner::Prompt, Manner::Conversion];
                sender.send(manners.map(is_allowed)).unwrap();
            });
            result.recv().unwrap()
        };
        assert_eq!(on_lane_of("toys"), [true, true, false]);
        assert_eq!(on_lane_of("others"), [false, false, false]);
    }

    #[test]
    fn no_module_is_called_on_a_thread_of_the_runtime() {
        let thread = std::thread::spawn(|| {
            is_of_runtime();
            is_allowed(Manner::Inline)
        });
        assert!(!thread.join().unwrap());
    }
}
