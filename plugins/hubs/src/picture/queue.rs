//! Which of the pictures that came is shown when one is due.

use std::collections::VecDeque;

use rivero_mix::Picture;

/// Pictures may be ahead of their sound by so much, ns: less is not seen, and waiting for it would be delay for nothing.
const AHEAD: i64 = 30_000_000;
/// Nothing waits for longer than this, ns, whatever its times are.
const LONGEST_WAIT: i64 = 250_000_000;
/// Pictures that wait at most: what they would be of 40 a second.
const MOST: usize = 10;

/// A picture that came.
pub(super) struct Arrived {
    pub(super) picture: Picture,
    /// When it is to be seen, by its sender, ns.
    pub(super) time: i64,
    /// When it came, and when the packet that it was made of entered the server, ns.
    pub(super) arrival: i64,
    pub(super) ingress: i64,
}

/// The pictures of one port.
#[derive(Default)]
pub(super) struct Queue {
    shown: Option<Arrived>,
    /// It was seen.
    is_old: bool,
    coming: VecDeque<Arrived>,
    /// Pictures of the mix that showed the same of it as the one before.
    pub(super) repeated: i64,
    /// Pictures that were never seen.
    pub(super) dropped: i64,
}

impl Queue {
    pub(super) fn push(&mut self, arrived: Arrived) {
        self.coming.push_back(arrived);
        if self.coming.len() > MOST {
            self.advance();
        }
    }

    /// What is seen at `now`, while the sound is behind by `lag`.
    pub(super) fn step(&mut self, now: i64, lag: Option<i64>) -> Option<&Arrived> {
        let heard = lag.map_or(i64::MAX, |lag| now - lag + AHEAD);
        let is_due = |next: &Arrived| next.time <= heard || next.arrival <= now - LONGEST_WAIT;
        while self.shown.is_none() || self.coming.front().is_some_and(is_due) {
            if !self.advance() {
                break;
            }
        }
        if self.shown.is_some() && std::mem::replace(&mut self.is_old, true) {
            self.repeated += 1;
        }
        self.shown.as_ref()
    }

    /// Takes the next one; `false` where there is none.
    fn advance(&mut self) -> bool {
        let Some(next) = self.coming.pop_front() else {
            return false;
        };
        if self.shown.replace(next).is_some() && !self.is_old {
            self.dropped += 1;
        }
        self.is_old = false;
        true
    }

    /// When the latest one came, ns.
    pub(super) fn arrival(&self) -> Option<i64> {
        let latest = self.coming.back().or(self.shown.as_ref());
        latest.map(|latest| latest.arrival)
    }

    /// Nothing comes any more, and nothing is shown.
    pub(super) fn clear(&mut self) {
        self.shown = None;
        self.coming.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_filter::{Colours, PictureFormat};

    const MS: i64 = 1_000_000;

    /// A picture of this time that came so much later, ms.
    fn push(queue: &mut Queue, time: i64, later: i64) {
        let format = PictureFormat {
            width: 2,
            height: 2,
            colours: Colours::default(),
        };
        queue.push(Arrived {
            picture: Picture {
                bytes: vec![0; 6].into(),
                format,
            },
            time: time * MS,
            arrival: (time + later) * MS,
            ingress: 0,
        });
    }

    fn seen(queue: &mut Queue, now: i64, lag: Option<i64>) -> Option<i64> {
        let shown = queue.step(now * MS, lag.map(|lag| lag * MS));
        shown.map(|shown| shown.time / MS)
    }

    #[test]
    fn the_latest_picture_is_seen_where_sound_is_hardly_behind_or_not_known() {
        for lag in [None, Some(20), Some(35)] {
            let mut queue = Queue::default();
            push(&mut queue, 1000, 10);
            push(&mut queue, 1033, 10);
            assert_eq!(seen(&mut queue, 1045, lag), Some(1033), "{lag:?}");
            assert_eq!((queue.repeated, queue.dropped), (0, 1));
            assert_eq!(seen(&mut queue, 1070, lag), Some(1033));
            assert_eq!((queue.repeated, queue.dropped), (1, 1));
        }
    }

    #[test]
    fn pictures_wait_for_sound_that_is_behind_but_not_for_ever() {
        let mut queue = Queue::default();
        for picture in 0..6 {
            push(&mut queue, 1000 + 33 * picture, 10);
        }
        // What is heard is of 1000: nothing is further ahead than is not seen.
        assert_eq!(seen(&mut queue, 1180, Some(180)), Some(1000));
        assert_eq!(seen(&mut queue, 1213, Some(180)), Some(1033));
        assert_eq!(seen(&mut queue, 1246, Some(180)), Some(1066));
        assert_eq!(queue.dropped, 0);
        // Times that make no sense hold nothing up.
        assert_eq!(seen(&mut queue, 1500, Some(490)), Some(1165));
        push(&mut queue, 99_000, -97_500);
        assert_eq!(seen(&mut queue, 1510, Some(40)), Some(1165));
        assert_eq!(seen(&mut queue, 1760, Some(40)), Some(99_000));
    }

    #[test]
    fn there_is_a_bound_and_an_end() {
        let mut queue = Queue::default();
        for picture in 0..1000 {
            push(&mut queue, 10_000 + picture, -9_000);
        }
        assert_eq!(queue.coming.len(), MOST);
        assert_eq!(queue.arrival(), Some(1999 * MS));
        queue.clear();
        assert_eq!(
            (seen(&mut queue, 3000, None), queue.arrival()),
            (None, None)
        );
    }
}
