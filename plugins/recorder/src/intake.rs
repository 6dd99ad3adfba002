//! The queue between the pads of an endpoint and the writer of its recording.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use rivero_plugin_api::{MediaKind, supervise::lock};
use tokio::{sync::Notify, time::timeout};

use crate::sample::Frame;

/// Media that waits for a slow disk or server, bytes. Beyond, it is left out.
const CAPACITY: usize = 48 << 20;
/// Media is taken out in batches of about so long.
const BATCH: Duration = Duration::from_millis(60);

/// What a writer does next.
#[derive(Debug)]
pub(crate) enum Command {
    /// Media.
    Frames(MediaKind, Vec<Frame>),
    /// Media of a kind is to come, or not any more.
    Expect(MediaKind, bool),
    /// Recording begins or goes on.
    Begin,
    /// Recording is on hold.
    Pause,
    /// Recording ends.
    Finish,
}

#[derive(Default)]
struct Queue {
    /// Each with the time at which it came, ns on the pipeline's clock.
    commands: VecDeque<(i64, Command)>,
    bytes: usize,
    /// Frames left out since the writer last looked.
    lost: u64,
    /// Video that follows is cut off from what was before.
    broken: bool,
}

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    media: Notify,
    control: Notify,
}

impl Intake {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Queues media that came `at`, ns on the pipeline's clock; never blocks.
    pub(crate) fn frames(&self, at: i64, kind: MediaKind, mut frames: Vec<Frame>) {
        let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
        let mut queue = self.queue();
        if queue.bytes + bytes > CAPACITY {
            queue.lost += frames.len() as u64;
            queue.broken |= kind == MediaKind::Video;
            return;
        }
        if kind == MediaKind::Video
            && std::mem::take(&mut queue.broken)
            && let Some(first) = frames.first_mut()
        {
            first.discontinuity = true;
        }
        queue.bytes += bytes;
        let command = Command::Frames(kind, frames);
        queue.commands.push_back((at, command));
        drop(queue);
        self.media.notify_one();
    }

    /// Queues anything else, which is done at once and counts from `at`.
    pub(crate) fn control(&self, at: i64, command: Command) {
        self.queue().commands.push_back((at, command));
        self.control.notify_one();
    }

    /// Waits for commands, `idle` at most, and takes them all with the times at
    /// which they came; with them the number of frames that were left out.
    pub(crate) async fn next(&self, idle: Duration) -> (Vec<(i64, Command)>, u64) {
        let media_then_batch = async {
            self.media.notified().await;
            tokio::time::sleep(BATCH).await;
        };
        let either = async {
            tokio::select! {
                () = self.control.notified() => {}
                () = media_then_batch => {}
            }
        };
        // Nothing within the time is an answer too: the writer's tick.
        let _ = timeout(idle, either).await;
        let mut queue = self.queue();
        queue.bytes = 0;
        (
            queue.commands.drain(..).collect(),
            std::mem::take(&mut queue.lost),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Frame {
        Frame {
            format: 1,
            presentation_time: 0,
            duration: 0,
            keyframe: false,
            discontinuity: false,
            data: vec![0; bytes].into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_left_out_and_marked() {
        let intake = Intake::default();
        for _ in 0..3 {
            intake.frames(0, MediaKind::Video, vec![frame(20 << 20)]);
        }
        let (commands, lost) = intake.next(Duration::from_secs(1)).await;
        assert_eq!((commands.len(), lost), (2, 1));
        intake.frames(0, MediaKind::Video, vec![frame(1)]);
        let (commands, lost) = intake.next(Duration::from_secs(1)).await;
        let [(_, Command::Frames(_, frames))] = &commands[..] else {
            panic!("{commands:?}")
        };
        assert!(frames[0].discontinuity && lost == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn control_does_not_wait_for_a_batch() {
        let intake = Intake::default();
        let start = tokio::time::Instant::now();
        intake.control(0, Command::Begin);
        assert_eq!(intake.next(Duration::from_secs(1)).await.0.len(), 1);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(intake.next(Duration::from_secs(1)).await.0.is_empty());
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
