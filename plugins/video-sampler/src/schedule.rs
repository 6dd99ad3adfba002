//! Which pictures are due.

use std::time::Duration;

/// A grid in time: the first picture at or after each of its lines is due. Pictures come at times of their own, so that
/// counting from the latest one that was due would make each period longer by what it came late.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// ns
    period: i64,
    /// The next line, ns on the clock of pictures.
    next: Option<i64>,
}

impl Schedule {
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            // 292 years
            period: i64::try_from(period.as_nanos()).unwrap_or(i64::MAX).max(1),
            next: None,
        }
    }

    /// Whether the picture of this time is due, ns.
    pub(crate) fn is_due(&mut self, time: i64) -> bool {
        let next = match self.next {
            // Times may go back, with another source.
            Some(next) if next.saturating_sub(time) <= self.period => next,
            _ => time,
        };
        let late = time.saturating_sub(next);
        let is_due = late >= 0;
        self.next = Some(match is_due {
            true if late < self.period => next.saturating_add(self.period),
            // Lines without a picture are over.
            true => time.saturating_add(self.period),
            false => next,
        });
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn due(period: u64, times: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut schedule = Schedule::new(Duration::from_millis(period));
        let times = times.into_iter().map(|time| time * MS);
        let due = times.filter(|time| schedule.is_due(*time));
        due.map(|time| time / MS).collect()
    }

    #[test]
    fn one_picture_is_due_in_each_period() {
        assert_eq!(due(100, (0..10).map(|n| n * 40)), [0, 120, 200, 320]);
        // 30 pictures a second, at a rate that they do not divide.
        assert_eq!(due(250, (0..300).map(|n| n * 1000 / 30)).len(), 40);
    }

    #[test]
    fn all_are_due_where_they_come_more_slowly() {
        assert_eq!(due(10, [0, 40, 80, 120]), [0, 40, 80, 120]);
        assert_eq!(due(1, [7]), [7]);
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        assert_eq!(due(100, [0, 1000, 1040, 1080, 1120]), [0, 1000, 1120]);
    }

    #[test]
    fn times_that_go_back_begin_anew() {
        assert_eq!(due(100, [5000, 5100, 10, 50, 110]), [5000, 5100, 10, 110]);
    }

    #[test]
    fn times_at_the_ends_of_the_range_are_times() {
        let mut schedule = Schedule::new(Duration::MAX);
        assert!(schedule.is_due(i64::MIN));
        schedule.is_due(i64::MAX);
        schedule.is_due(i64::MIN);
    }
}
