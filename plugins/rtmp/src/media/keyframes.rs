//! When the source is asked for a keyframe, so that one comes in time.

use super::MS;

/// It is looked at so often at least, so that nothing is asked for later than that.
pub(crate) const LOOK: i64 = 100 * MS;
/// A request is repeated after this at the earliest: those that come closer together are joined on their way.
const RETRY: i64 = 500 * MS;
/// What an answer is taken to need before there was one: a browser's round trip and its next picture.
const FIRST_ANSWER: i64 = 200 * MS;
const FIRST_DEVIATION: i64 = 50 * MS;

/// See the head of this file. All times are ns on the pipeline's clock.
#[derive(Debug)]
pub(crate) struct Keyframes {
    /// The longest from one to the next.
    interval: i64,
    /// When the latest one came; `None`: the first has not come.
    latest: Option<i64>,
    begin: i64,
    /// The requests since then: the first and the latest.
    asked: Option<(i64, i64)>,
    /// How long the source takes to answer, smoothed, and how far it strays from that.
    answer: i64,
    deviation: i64,
}

impl Keyframes {
    /// For a stream that begins now, whose first keyframe was just asked for.
    pub(crate) fn new(interval: i64, now: i64) -> Self {
        Self {
            interval,
            latest: None,
            begin: now,
            asked: Some((now, now)),
            answer: FIRST_ANSWER,
            deviation: FIRST_DEVIATION,
        }
    }

    /// One came at `now`, asked for or not.
    pub(crate) fn on_keyframe(&mut self, now: i64) {
        // Before the first one there may be a connection, or a conversion that begins: that is no answer.
        let asked = self.asked.take().filter(|_| self.latest.is_some());
        self.latest = Some(now);
        let Some((first, _)) = asked else { return };
        // Smoothed as round trips are (RFC 6298 §2.3). Where a request was lost it counts from the first all the same:
        // it may be lost again.
        let took = now.saturating_sub(first).clamp(0, self.interval);
        let strays = (took - self.answer).abs();
        self.deviation += (strays - self.deviation) / 4;
        self.answer += (took - self.answer) / 8;
    }

    /// Whether one is to be asked for; `is_needed`: nothing goes on without it.
    pub(crate) fn take_request(&mut self, now: i64, is_needed: bool) -> bool {
        let since = self.latest.unwrap_or(self.begin);
        let due = since.saturating_add(self.interval - self.lead() - LOOK);
        let retry = self.lead().max(RETRY);
        let waits = |(_, latest): (i64, i64)| now.saturating_sub(latest) < retry;
        if !(is_needed || now >= due) || self.asked.is_some_and(waits) {
            return false;
        }
        let first = self.asked.map_or(now, |(first, _)| first);
        self.asked = Some((first, now));
        true
    }

    /// How long before it has to be there a keyframe is asked for. A source that takes half of the interval would be asked
    /// ever earlier, and make twice as many as it needs to.
    fn lead(&self) -> i64 {
        (self.answer + 4 * self.deviation).min(self.interval / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: i64 = 2000 * MS;
    /// From one picture to the next.
    const PICTURE: i64 = 40 * MS;

    /// The times of the keyframes of two minutes, ms, of a source that answers the request with the given number after so
    /// many ms, with its next picture; `None`: the request is lost. `own`: after so long it makes one anyway.
    fn keyframes(answer: impl Fn(u32) -> Option<i64>, own: Option<i64>) -> Vec<i64> {
        let mut keyframes = Keyframes::new(INTERVAL, 0);
        let (mut requests, mut due, mut came) = (1, answer(0).map(|ms| ms * MS), Vec::new());
        for now in (0..120_000).map(|ms| ms * MS) {
            let last = came.last().copied();
            let is_own = own.is_some_and(|own| last.is_some_and(|last| now - last >= own * MS));
            if now % PICTURE == 0 && (due.is_some_and(|due| due <= now) || is_own) {
                due = None;
                came.push(now);
                keyframes.on_keyframe(now);
            }
            if now % LOOK == 0 && keyframes.take_request(now, false) {
                // As sources do: what is on its way answers both.
                due = due.or(answer(requests).map(|ms| now + ms * MS));
                requests += 1;
            }
        }
        came.into_iter().map(|at| at / MS).collect()
    }

    fn gaps(keyframes: &[i64]) -> Vec<i64> {
        keyframes.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Field report 33.
    #[test]
    fn a_keyframe_comes_every_two_seconds_however_long_the_source_takes() {
        for took in [0, 30, 200, 450, 800] {
            let gaps = gaps(&keyframes(|_| Some(took), None));
            // It has to be known how long it takes.
            let (first, then) = gaps.split_at(2);
            assert!(first.iter().all(|gap| *gap <= 2600), "{took}: {first:?}");
            assert!(then.iter().all(|gap| *gap <= 2000), "{took}: {then:?}");
            let settled = &then[then.len() / 2..];
            assert!(
                settled.iter().all(|gap| *gap >= 1600),
                "{took}: {settled:?}"
            );
        }
    }

    #[test]
    fn a_source_that_is_now_quick_and_now_slow_is_asked_early_enough() {
        let gaps = gaps(&keyframes(
            |number| Some(50 + i64::from(number * 7919 % 300)),
            None,
        ));
        assert!(gaps.iter().all(|gap| *gap <= 2040), "{gaps:?}");
        assert!(
            gaps.iter().sum::<i64>() / gaps.len() as i64 > 1400,
            "{gaps:?}"
        );
    }

    #[test]
    fn a_lost_request_is_repeated_and_forgotten() {
        let lost = keyframes(|number| (number != 10).then_some(60), None);
        let gaps = gaps(&lost);
        assert!(gaps.iter().all(|gap| *gap <= 2400), "{gaps:?}");
        assert_eq!(
            gaps.iter().filter(|gap| **gap > 2000).count(),
            1,
            "{gaps:?}"
        );
        assert!(gaps.last().is_some_and(|gap| *gap >= 1700), "{gaps:?}");
    }

    #[test]
    fn a_source_that_makes_them_itself_is_not_asked() {
        let mut keyframes = Keyframes::new(INTERVAL, 0);
        for now in (0..60_000).step_by(100).map(|ms| ms * MS) {
            if now % (1000 * MS) == 0 {
                keyframes.on_keyframe(now);
            }
            assert!(!keyframes.take_request(now, false));
        }
        assert!(keyframes.take_request(60_000 * MS, true), "one is needed");
        assert!(
            !keyframes.take_request(60_100 * MS, true),
            "it is on its way"
        );
        assert!(keyframes.take_request(60_500 * MS, true));
    }

    #[test]
    fn who_never_answers_is_asked_now_and_then() {
        let mut keyframes = Keyframes::new(INTERVAL, 0);
        let looks = (0..600_000).step_by(100).map(|ms| ms * MS);
        let asked = looks
            .filter(|now| keyframes.take_request(*now, true))
            .count();
        assert!((600..=1200).contains(&asked), "{asked}");
        let mut keyframes = Keyframes::new(0, 0);
        assert!(
            keyframes.take_request(500 * MS, false),
            "an interval of nothing"
        );
    }
}
