//! The queue between the pads of a publisher and its task.

use std::sync::{Mutex, MutexGuard};

use rivero_plugin_api::supervise::lock;
use tokio::sync::Notify;

use crate::media::{Frame, Kind};

/// Bytes that wait for the task, which takes them at once unless its thread is busy. Beyond, they are left out.
const CAPACITY: usize = 8 << 20;

/// What came since the task looked last.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Each with the time at which it came, ns on the pipeline's clock.
    pub(crate) frames: Vec<(i64, Frame)>,
    /// Frames that were left out; a keyframe has to come.
    pub(crate) lost: u64,
}

#[derive(Debug, Default)]
struct Queue {
    taken: Taken,
    bytes: usize,
    /// There is a connection.
    is_open: bool,
    audio: Option<u32>,
    video: Option<u32>,
    is_released: bool,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    queue: Mutex<Queue>,
    changed: Notify,
}

impl Feed {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Frames that came at `now`; never blocks. While there is no connection nobody needs them.
    pub(crate) fn push(&self, now: i64, frames: impl Iterator<Item = Frame>) {
        let mut queue = self.queue();
        if !queue.is_open {
            return;
        }
        for frame in frames {
            // Once one is left out the next ones are, too: pictures refer to those before them.
            if queue.taken.lost > 0 || queue.bytes + frame.data.len() > CAPACITY {
                queue.taken.lost += 1;
                continue;
            }
            queue.bytes += frame.data.len();
            queue.taken.frames.push((now, frame));
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// The number of the format in which a kind of media comes; `None`: it does not.
    pub(crate) fn expect(&self, kind: Kind, format: Option<u32>) {
        let mut queue = self.queue();
        match kind {
            Kind::Audio => queue.audio = format,
            Kind::Video => queue.video = format,
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Media is taken from now on, or not any more. What came before is gone.
    pub(crate) fn open(&self, is_open: bool) {
        let mut queue = self.queue();
        queue.is_open = is_open;
        queue.bytes = 0;
        queue.taken = Taken::default();
    }

    /// The publisher is gone: the task is to end.
    pub(crate) fn release(&self) {
        self.queue().is_released = true;
        self.changed.notify_one();
    }

    pub(crate) fn is_released(&self) -> bool {
        self.queue().is_released
    }

    /// The formats in which sound and pictures come, if they do.
    pub(crate) fn expected(&self) -> (Option<u32>, Option<u32>) {
        let queue = self.queue();
        (queue.audio, queue.video)
    }

    /// What came since.
    pub(crate) fn take(&self) -> Taken {
        let mut queue = self.queue();
        queue.bytes = 0;
        std::mem::take(&mut queue.taken)
    }

    /// Waits for anything to change. Only the task waits, and nothing is missed that changed since it looked.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Frame {
        Frame {
            kind: Kind::Video,
            format: 1,
            presentation_time: 0,
            is_keyframe: false,
            data: vec![0; bytes].into(),
        }
    }

    #[test]
    fn media_is_taken_while_there_is_a_connection_and_up_to_a_bound() {
        let feed = Feed::default();
        feed.push(0, std::iter::once(frame(1)));
        feed.open(true);
        feed.push(1, (0..4).map(|_| frame(3 << 20)));
        feed.push(1, std::iter::once(frame(1)));
        let taken = feed.take();
        assert_eq!((taken.frames.len(), taken.lost), (2, 3));
        feed.push(2, std::iter::once(frame(1)));
        feed.open(false);
        assert_eq!(feed.take().frames.len(), 0);
    }
}
