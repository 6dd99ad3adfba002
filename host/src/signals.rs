//! What the system's signals lead to.
//!
//! They are attended to by a thread and a runtime of their own: the process ends when it is told
//! to, whatever the threads that serve clients are kept by.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rivero_plugin_api::supervise;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::lifecycle::{Event, Lifecycle};
use crate::observe::logging;

/// How long the process may take to take itself apart when all is done.
const LEAVING: Duration = Duration::from_secs(3);

/// Lets SIGTERM and SIGINT lead to the end, at once when they come again, and SIGHUP to nothing.
/// From then on the process ends at the deadline of its last phase, whoever still works then.
///
/// # Errors
/// When the system gives no thread or takes no handler.
pub fn attend(lifecycle: Arc<Lifecycle>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _context = runtime.enter();
        Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        }
    };
    supervise::thread("signals", move || {
        runtime.block_on(signals.lead_to_the_end(&lifecycle));
    })?;
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    async fn lead_to_the_end(mut self, lifecycle: &Lifecycle) {
        loop {
            tokio::select! {
                name = self.stop() => {
                    tracing::info!("stopping: {name}");
                    lifecycle.step(Event::Stop);
                }
                () = lifecycle.keep_time() => break,
            }
        }
        if lifecycle.is_complete() {
            // The main thread leaves. It is waited for only so long, and not if somebody insists.
            let _ = tokio::time::timeout(LEAVING, self.stop()).await;
        } else {
            tracing::error!(
                "the process ends before all its objects: recordings may lack their index"
            );
        }
        // The log has a thread of its own, which an exit does not wait for.
        logging::flush();
        std::process::exit(1);
    }

    /// The name of the next signal that wants the process to end.
    async fn stop(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                // The terminal may have gone, and what is being recorded has not.
                _ = self.hangup.recv() => tracing::info!(
                    "SIGHUP is ignored: settings count from the next start, log files rotate by themselves"
                ),
            }
        }
    }
}
