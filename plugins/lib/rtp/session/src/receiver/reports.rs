//! Which sender reports are believed.
//!
//! A report names one moment twice: by the sender's wall clock, and as a timestamp of the stream
//! (RFC 3550 §6.4.1). Devices and programs get either wrong: timestamps at double speed (GStreamer
//! 1.22's `webrtcbin`), always 0, off by seconds; wall clocks that stand still, begin at 0 or are set while
//! media goes on. What shows is when a report arrives: it was sent at the moment that it names, or soon
//! after, so that what lies between the two is the same for all reports, but for what the network adds.

use std::collections::VecDeque;

/// Reports that are looked at together, and of which the least delay counts: of each stream a report
/// comes every half second to five seconds, and some of 16 are not held up on the way.
const WINDOW: usize = 16;
/// What the least values of earlier and of later reports may differ by, ns, so that they are believed; and
/// more than what queues usually make of it, so that they are not…
const LEVEL: i64 = 20_000_000;
const SLOPE: i64 = 80_000_000;
/// …and as a part of the time between: 1/1000. Crystals differ by a fifth of that.
const LARGEST_DRIFT: i64 = 1000;
/// Reports of less time than this say nothing about speed, ns.
const LEAST_SPAN: i64 = 250_000_000;
/// The moment that a report names and what has just come: media is captured earlier, by what it takes to
/// encode it, and not much later than it is sent, ns.
const EARLIEST: i64 = -1_000_000_000;
const LATEST: i64 = 300_000_000;
/// After so many reports in a row that cannot be believed nothing is left of what was before; or after
/// as many as there were that could.
const PATIENCE: u32 = 32;

/// Values that should be level, with the time of each.
#[derive(Debug, Default)]
pub(super) struct Series(VecDeque<(i64, i64)>);

impl Series {
    pub(super) fn push(&mut self, at: i64, value: i64) {
        if self.0.len() >= WINDOW {
            self.0.pop_front();
        }
        self.0.push_back((at, value));
    }

    pub(super) fn least(&self) -> Option<i64> {
        self.0.iter().map(|(_, value)| *value).min()
    }

    fn is_single(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether the values neither rise nor fall, but for what is added to some of them.
    pub(super) fn is_level(&self) -> bool {
        self.step().is_some_and(|step| step <= LEVEL)
    }

    /// Whether the values rise or fall.
    fn slopes(&self) -> bool {
        self.step().is_some_and(|step| step > SLOPE)
    }

    /// How far the least of the earlier and of the later values are apart, less what clocks may make of
    /// it. `None` for too few.
    fn step(&self) -> Option<i64> {
        let (first, last) = (self.0.front()?.0, self.0.back()?.0);
        let span = last.saturating_sub(first);
        let half = self.0.len() / 2;
        let least = |from: usize, to: usize| self.0.range(from..to).map(|(_, value)| *value).min();
        let (earlier, later) = (least(0, half)?, least(half, self.0.len())?);
        let step = later.saturating_sub(earlier).saturating_abs();
        (span >= LEAST_SPAN).then(|| step.saturating_sub(span / LARGEST_DRIFT))
    }
}

/// The reports of one stream. All values are ns on the pipeline clock.
#[derive(Debug, Default)]
pub(super) struct StreamReports {
    /// How much later than its moment, by the times of the stream, each report arrived.
    lags: Series,
    /// The same of the media that has come since the latest report, the least of it; and before that.
    media: Option<i64>,
    former_media: Option<i64>,
    /// The lag that is believed.
    believed: Option<i64>,
    /// Reports that it follows from, [`PATIENCE`] at most, less those that cannot be believed since.
    support: u32,
}

impl StreamReports {
    /// Media arrived so much later than its time.
    #[inline]
    pub(super) fn on_media(&mut self, lateness: i64) {
        let known = self.media.unwrap_or(lateness);
        self.media = Some(known.min(lateness));
    }

    /// A report arrived, so much later than its moment.
    pub(super) fn on_report(&mut self, arrival: i64, lag: i64) {
        self.lags.push(arrival, lag);
        let least = self.lags.least();
        // A stream that has been silent since the report before is where it was.
        let media = self.media.take().or(self.former_media);
        self.former_media = media;
        let fits = |least: &i64| {
            let beyond = media.map(|media| least.saturating_sub(media));
            beyond.is_some_and(|beyond| (EARLIEST..=LATEST).contains(&beyond))
        };
        // The first one alone is believed until the next: senders of sound may let five seconds pass.
        let is_level = self.lags.is_level() || self.lags.is_single();
        if let Some(least) = least.filter(fits)
            && is_level
        {
            self.believed = Some(least);
            self.support = (self.support + 1).min(PATIENCE);
        } else if self.support > 0 && (self.lags.slopes() || least.filter(fits).is_none()) {
            self.support -= 1;
            if self.support == 0 {
                self.believed = Some(0);
            }
        }
    }

    /// How much later than its times the stream is to be presented, by its reports; `None` where they say
    /// nothing.
    #[inline]
    pub(super) fn lag(&self) -> Option<i64> {
        self.believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn is_level(values: impl IntoIterator<Item = i64>) -> bool {
        let mut series = Series::default();
        for (number, value) in (0..).zip(values) {
            series.push(number * 500 * MS, value * MS);
        }
        series.is_level()
    }

    #[test]
    fn what_queues_add_is_no_slope() {
        assert!(!is_level([]) && !is_level([5]), "too few");
        assert!(is_level([5, 5]) && is_level([5, 400, 5, 300, 5, 5, 700, 9]));
        assert!(!is_level([0, 500]) && !is_level([0, -500]));
        assert!(!is_level((0..16).map(|n| n * 20)), "4 % too fast");
        assert!(is_level((0..16).map(|n| n / 8)), "a crystal");
    }

    #[test]
    fn what_was_believed_is_kept_for_as_long_as_it_was() {
        let mut reports = StreamReports::default();
        reports.on_media(0);
        let mut lags = [30, 30, 30, 30, 30, 30, -900, -900, -900, -900, -900, -900].into_iter();
        let believed: Vec<Option<i64>> = (0..12)
            .map(|number| {
                reports.on_report(number * 500 * MS, lags.next().unwrap() * MS);
                reports.lag().map(|lag| lag / MS)
            })
            .collect();
        assert!(
            believed[..11].iter().all(|lag| *lag == Some(30)),
            "{believed:?}"
        );
        assert_eq!(believed[11], Some(0));
    }

    #[test]
    fn one_report_is_believed_until_the_next_one_says_otherwise() {
        let mut reports = StreamReports::default();
        reports.on_media(0);
        reports.on_report(0, -30 * MS);
        assert_eq!(reports.lag(), Some(-30 * MS));
        reports.on_report(500 * MS, -530 * MS);
        assert_eq!(reports.lag(), Some(0));
        let mut reports = StreamReports::default();
        reports.on_media(0);
        reports.on_report(0, 2000 * MS);
        assert_eq!(reports.lag(), None, "media came long after that");
    }
}
