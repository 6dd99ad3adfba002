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
use tokio::sync::mpsc;

use crate::lifecycle::{Event, Lifecycle};
use crate::observe::logging;

/// Requests that wait at most.
const MOST_ASKED: usize = 8;
/// How long the process may take to take itself apart when all is done.
const LEAVING: Duration = Duration::from_secs(3);

/// What somebody asks a running server for, by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGHUP: to read the configuration again, or to hand over to a new program if there is one.
    Reload,
    /// SIGUSR2: to hand over, also to the same program.
    HandOver,
}

/// Lets SIGTERM and SIGINT lead to the end, at once when they come again, and passes on what other
/// signals ask for. From then on the process ends at the deadline of its last phase, whoever still works then.
///
/// # Errors
/// When the system gives no thread or takes no handler.
pub fn attend(lifecycle: Arc<Lifecycle>) -> io::Result<mpsc::Receiver<Asked>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (asks, asked) = mpsc::channel(MOST_ASKED);
    let signals = {
        let _context = runtime.enter();
        Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            hand_over: signal(SignalKind::user_defined2())?,
            asks,
        }
    };
    supervise::thread("signals", move || {
        runtime.block_on(signals.lead_to_the_end(&lifecycle));
    })?;
    Ok(asked)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    hand_over: Signal,
    asks: mpsc::Sender<Asked>,
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

    fn ask(&self, asked: Asked) {
        // With so many waiting, what this one asks for will be done after it came.
        let _ = self.asks.try_send(asked);
    }

    /// The name of the next signal that wants the process to end.
    async fn stop(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                // Also where the terminal has gone, which is no reason to end what is being recorded.
                _ = self.hangup.recv() => self.ask(Asked::Reload),
                _ = self.hand_over.recv() => self.ask(Asked::HandOver),
            }
        }
    }
}
