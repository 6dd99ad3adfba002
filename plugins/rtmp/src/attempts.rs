//! Connections to a server, one after the other, until there is no more to do.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use rivero_plugin_api::host;
use serde_json::json;

use crate::{failure::Failure, figures::Figures};

/// What an endpoint hears of its connections.
pub(crate) trait Reports: Send + Sync {
    /// Media goes or comes.
    fn connected(&self);
    /// The connection was lost, or the first could not be made.
    fn disconnected(&self, reason: &str);
    /// A connection is about to be tried, for this time since the latest that succeeded.
    fn reconnecting(&self, attempt: u32);
    /// There is no going on.
    fn gave_up(&self, failure: &Failure);
    /// The task has a mistake, and is over.
    fn panicked(&self, text: &str);
}

/// Counts the attempts of one endpoint, and tells what comes of them.
pub(crate) struct Attempts<'a> {
    reports: &'a dyn Reports,
    figures: &'a Figures,
    /// Since the latest that succeeded.
    attempt: u32,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(reports: &'a dyn Reports, figures: &'a Figures) -> Self {
        Self {
            reports,
            figures,
            attempt: 0,
        }
    }

    /// Another attempt begins.
    pub(crate) fn begin(&self) {
        if self.attempt > 0 {
            self.reports.reconnecting(self.attempt);
        }
    }

    /// It has succeeded: the server takes media, or gives it.
    pub(crate) fn succeeded(&mut self) {
        if self.attempt > 0 {
            self.figures.reconnections.fetch_add(1, Relaxed);
            if let Some(host) = host() {
                host.count("reconnections_total", &json!({}), 1.0);
            }
        }
        self.attempt = 0;
        self.figures.is_connected.store(true, Relaxed);
        self.reports.connected();
    }

    /// It has failed, or has come to an end; how long to wait until the next one. `None`: there is to be none.
    pub(crate) fn failed(&mut self, failure: &Failure) -> Option<Duration> {
        let reason = failure.to_string();
        self.figures.end(&reason);
        // Later attempts that fail are told by the next one's number.
        if self.attempt == 0 {
            self.reports.disconnected(&reason);
        }
        self.attempt = self.attempt.saturating_add(1);
        let pause = failure.pause(self.attempt);
        if pause.is_none() {
            self.reports.gave_up(failure);
        }
        pause
    }
}
