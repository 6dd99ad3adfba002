//! Ends sessions that went away without saying so.

use std::sync::Arc;

use super::{Core, Execution};

/// Sessions that are told one by one; of more only the number.
const TOLD: usize = 100;
/// Sessions that are ended in one go, before others have their turn.
const IN_ONE_GO: usize = 64;

impl Core {
    /// One pass: ends every session that was neither used nor connected since the last pass,
    /// that is after one to two periods of absence. Modules may go on releasing what that ends.
    pub async fn collect(self: &Arc<Self>) {
        let stale = self.registry.stale_sessions();
        if stale.len() > TOLD {
            tracing::info!(sessions = stale.len(), "ending sessions that have gone");
        }
        for (number, session) in stale.iter().enumerate() {
            if stale.len() <= TOLD {
                tracing::info!(session = %session.id, "ending a session that has gone");
            }
            match self.end_session(session, false) {
                Execution::Done(_) => {}
                // Nobody waits for one module's sake.
                Execution::Pending(ending) => drop(tokio::spawn(ending)),
            }
            if number % IN_ONE_GO == IN_ONE_GO - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}
