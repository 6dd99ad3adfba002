//! The queue between the pads of an endpoint and the writer of its recording.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rivero_plugin_api::{MediaKind, supervise::lock};
use tokio::{sync::Notify, time::timeout};

use crate::{memory::Memory, sample::Frame};

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
    /// Bytes of media that are queued.
    bytes: usize,
    /// And those that a writer has taken and not written yet.
    in_work: usize,
    /// The recording is over.
    is_closed: bool,
    /// Frames left out since the writer last looked.
    lost: u64,
    /// Video that follows is cut off from what was before.
    broken: bool,
}

/// See the head of this file.
pub(crate) struct Intake {
    memory: &'static Memory,
    queue: Mutex<Queue>,
    media: Notify,
    control: Notify,
}

/// What a writer has taken out. It counts as waiting until it is dropped: a disk or a server that hangs does so
/// while this is being written.
pub(crate) struct Batch {
    /// With the times at which they came.
    pub(crate) commands: Vec<(i64, Command)>,
    /// Frames that were left out since the batch before.
    pub(crate) lost: u64,
    bytes: usize,
    intake: Arc<Intake>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.intake.queue().in_work -= self.bytes;
        self.intake.memory.give_back(self.bytes);
    }
}

impl Intake {
    pub(crate) fn new(memory: &'static Memory) -> Self {
        Self {
            memory,
            queue: Mutex::default(),
            media: Notify::default(),
            control: Notify::default(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Queues media that came `at`, ns on the pipeline's clock; never blocks.
    pub(crate) fn frames(&self, at: i64, kind: MediaKind, mut frames: Vec<Frame>) {
        let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
        let mut queue = self.queue();
        if queue.is_closed {
            return;
        }
        if !self.memory.take(queue.bytes + queue.in_work, bytes) {
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

    /// Nothing is taken out any more: what waits is let go, and what comes is not kept.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.commands.clear();
        self.memory.give_back(std::mem::take(&mut queue.bytes));
    }

    /// Waits for commands, `idle` at most, and takes them all.
    pub(crate) async fn next(self: &Arc<Self>, idle: Duration) -> Batch {
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
        let bytes = std::mem::take(&mut queue.bytes);
        queue.in_work += bytes;
        Batch {
            commands: queue.commands.drain(..).collect(),
            lost: std::mem::take(&mut queue.lost),
            bytes,
            intake: self.clone(),
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.close();
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

    /// Takes `bytes` of a recorder that waits alone.
    fn intake(bytes: usize) -> Arc<Intake> {
        let memory = Box::leak(Box::new(Memory::new(2 * bytes)));
        Arc::new(Intake::new(memory))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_left_out_and_marked() {
        let intake = intake(48 << 20);
        for _ in 0..3 {
            intake.frames(0, MediaKind::Video, vec![frame(20 << 20)]);
        }
        let batch = intake.next(SECOND).await;
        assert_eq!((batch.commands.len(), batch.lost), (2, 1));
        drop(batch);
        intake.frames(0, MediaKind::Video, vec![frame(1)]);
        let batch = intake.next(SECOND).await;
        let [(_, Command::Frames(_, frames))] = &batch.commands[..] else {
            panic!("{:?}", batch.commands)
        };
        assert!(frames[0].discontinuity && batch.lost == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_being_written_still_waits() {
        let intake = intake(48 << 20);
        intake.frames(0, MediaKind::Video, vec![frame(40 << 20)]);
        let hanging = intake.next(SECOND).await;
        intake.frames(0, MediaKind::Video, vec![frame(40 << 20)]);
        assert_eq!(intake.next(SECOND).await.lost, 1);
        drop(hanging);
        intake.frames(0, MediaKind::Video, vec![frame(40 << 20)]);
        assert_eq!(intake.next(SECOND).await.lost, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_recording_costs_no_other_its_media() {
        let memory: &Memory = Box::leak(Box::new(Memory::new(100 << 20)));
        let slow: Vec<_> = (0..20).map(|_| Arc::new(Intake::new(memory))).collect();
        for round in 0..2000 {
            slow[round % 20].frames(0, MediaKind::Video, vec![frame(1 << 18)]);
        }
        let fast = Arc::new(Intake::new(memory));
        for _ in 0..100 {
            fast.frames(0, MediaKind::Video, vec![frame(1 << 18)]);
            assert_eq!(fast.next(SECOND).await.lost, 0);
        }
        assert!(slow[0].next(SECOND).await.lost > 0);
        // All of it is there again for those that follow.
        drop((slow, fast));
        assert!(memory.take(0, 50 << 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_recording_that_is_over_keeps_nothing() {
        let memory: &Memory = Box::leak(Box::new(Memory::new(100)));
        let intake = Arc::new(Intake::new(memory));
        intake.frames(0, MediaKind::Video, vec![frame(50)]);
        intake.close();
        intake.frames(0, MediaKind::Video, vec![frame(50)]);
        assert!(memory.take(0, 50));
    }

    #[tokio::test(start_paused = true)]
    async fn control_does_not_wait_for_a_batch() {
        let intake = intake(100);
        let start = tokio::time::Instant::now();
        intake.control(0, Command::Begin);
        assert_eq!(intake.next(SECOND).await.commands.len(), 1);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(intake.next(SECOND).await.commands.is_empty());
        assert_eq!(start.elapsed(), SECOND);
    }
}
