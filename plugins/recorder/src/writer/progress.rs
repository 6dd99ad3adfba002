//! How far a recording has come, for those who wait for its end.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

/// Whether it is over; each change of it, or of nothing, is a step forward.
#[derive(Default)]
pub(super) struct Progress(watch::Sender<bool>);

impl Progress {
    /// Something was written, or taken by a server.
    pub(super) fn advance(&self) {
        self.0.send_modify(|_| {});
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        self.0.send_replace(true);
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) {
        // The sender is `self`, so there is no error.
        let _ = self.0.subscribe().wait_for(|is_over| *is_over).await;
    }

    /// Waits until something is so, or for the end.
    pub(super) async fn reached(&self, is_so: impl Fn() -> bool) {
        let mut steps = self.0.subscribe();
        // As in `ended`.
        let _ = steps.wait_for(|is_over| *is_over || is_so()).await;
    }

    /// Waits for the end; `false` when nothing has come forward for `patience`.
    pub(super) async fn ended_without_pause(&self, patience: Duration) -> bool {
        let mut steps = self.0.subscribe();
        while !*steps.borrow_and_update() {
            if timeout(patience, steps.changed()).await.is_err() {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A recording that comes forward after each of these, and ends with the last.
    async fn is_waited_for(pauses: &'static [u64]) -> bool {
        let progress = Arc::new(Progress::default());
        let recording = progress.clone();
        tokio::spawn(async move {
            for pause in pauses {
                tokio::time::sleep(Duration::from_secs(*pause)).await;
                recording.advance();
            }
            recording.end();
        });
        progress.ended_without_pause(PATIENCE).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_forward_is_waited_for_and_what_stands_still_is_not() {
        assert!(is_waited_for(&[4, 4, 4, 4]).await);
        assert!(!is_waited_for(&[4, 4, 6, 1]).await);
    }
}
