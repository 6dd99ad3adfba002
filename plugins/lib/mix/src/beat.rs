//! When something that happens regularly is due.

/// A beat that keeps time: deadlines are multiples of the period after the first one, whatever is late.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Beats in `per` ns.
    count: i64,
    per: i64,
    begin: i64,
    /// Beats since the begin.
    next: i64,
    /// So many that are overdue are made up for one after the other, before they are left out.
    patience: i64,
}

/// A beat that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its deadline, ns.
    pub time: i64,
    /// Beats before it that were left out.
    pub missed: i64,
}

impl Beat {
    /// `count` beats a second, the first one at `now`, ns. Up to `patience` of those that are overdue are made up for;
    /// beyond that only the latest one is.
    #[must_use]
    pub fn new(count: u32, patience: u32, now: i64) -> Self {
        Self {
            count: i64::from(count.max(1)),
            per: 1_000_000_000,
            begin: now,
            next: 0,
            patience: i64::from(patience),
        }
    }

    /// Another number of beats a second, from the next one on.
    pub fn set_rate(&mut self, count: u32) {
        self.begin = self.deadline();
        self.next = 0;
        self.count = i64::from(count.max(1));
    }

    /// Beats a second.
    #[must_use]
    pub fn rate(&self) -> u32 {
        u32::try_from(self.count).unwrap_or(1)
    }

    /// When the next one is due, ns.
    #[must_use]
    pub fn deadline(&self) -> i64 {
        self.begin + self.at(self.next)
    }

    /// The time between two, ns.
    #[must_use]
    pub fn period(&self) -> i64 {
        self.per / self.count
    }

    /// What is due at `now`, which counts as done then.
    pub fn due(&mut self, now: i64) -> Option<Due> {
        let late = now - self.deadline();
        if late < 0 {
            return None;
        }
        let overdue = late / self.period();
        let missed = if overdue > self.patience { overdue } else { 0 };
        self.next += missed;
        let time = self.deadline();
        self.next += 1;
        Some(Due { time, missed })
    }

    fn at(&self, beat: i64) -> i64 {
        // In parts, so that nothing overflows in the life of a hub.
        let (seconds, rest) = (beat / self.count, beat % self.count);
        seconds * self.per + rest * self.per / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn thirty_a_second_do_not_drift() {
        let mut beat = Beat::new(30, 0, 5);
        let mut now = 5;
        for _ in 0..30 * 3600 {
            now = beat.deadline();
            assert_eq!(
                beat.due(now),
                Some(Due {
                    time: now,
                    missed: 0
                })
            );
        }
        assert_eq!(beat.deadline(), 5 + 3_600_000_000_000);
        assert_eq!(beat.due(now), None);
    }

    #[test]
    fn pictures_that_are_overdue_are_left_out_and_sound_is_made_up_for() {
        let mut pictures = Beat::new(10, 0, 0);
        assert_eq!(pictures.due(0).map(|due| due.time), Some(0));
        let due = pictures.due(350 * MS).unwrap();
        assert_eq!((due.time, due.missed), (300 * MS, 2));
        assert_eq!(pictures.due(350 * MS), None);

        let mut sound = Beat::new(100, 50, 0);
        let mut made = 0;
        while let Some(due) = sound.due(305 * MS) {
            assert_eq!((due.time, due.missed), (made * 10 * MS, 0));
            made += 1;
        }
        assert_eq!(made, 31);
        let due = sound.due(2000 * MS).unwrap();
        assert_eq!((due.time, due.missed), (2000 * MS, 169));
    }

    #[test]
    fn another_rate_counts_from_the_next_beat() {
        let mut beat = Beat::new(10, 0, 0);
        beat.due(0);
        beat.set_rate(20);
        assert_eq!(beat.deadline(), 100 * MS);
        beat.due(100 * MS);
        assert_eq!(beat.deadline(), 150 * MS);
    }
}
