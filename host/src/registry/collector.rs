//! Ends sessions that went away without saying so.

use std::sync::Arc;

use super::{Object, Registry};

impl Registry {
    /// One pass: ends every session that was neither used nor connected since the last pass,
    /// that is after one to two periods of absence.
    ///
    /// Returns the objects that died of it, children before parents, already unregistered.
    #[must_use]
    pub fn collect(&self) -> Vec<Arc<Object>> {
        let mut dead = Vec::new();
        for session in self.stale_sessions() {
            tracing::info!(session = %session.id, "ending a session that has gone");
            dead.extend(self.end_session(&session, false));
        }
        dead
    }
}
