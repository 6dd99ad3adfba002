//! Tasks of the runtime that panics stay in.

use std::time::Instant;

use rivero_plugin_api::supervise::{BackOff, contain_future, report};

/// Starts a task for one client, say; a panic ends it, and is reported under `place`.
pub(crate) fn spawn(place: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(text) = contain_future(task).await {
            report(place, &text);
        }
    });
}

/// Does what the server needs as long as it runs. Should it panic, `begin` is called again, at once for
/// the first time and after growing pauses while it goes on panicking.
pub(crate) async fn lasting<F: Future<Output = ()>>(
    place: &'static str,
    mut begin: impl FnMut() -> F,
) {
    let mut back_off = BackOff::default();
    while let Err(text) = contain_future(begin()).await {
        report(place, &text);
        tokio::time::sleep(back_off.pause(Instant::now())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lasts_begins_anew_until_it_is_done() {
        let mut begun = 0;
        lasting("tests of tasks", || {
            begun += 1;
            let is_last = begun == 4;
            async move {
                tokio::task::yield_now().await;
                assert!(is_last, "on purpose");
            }
        })
        .await;
        assert_eq!(begun, 4);
    }
}
