//! Calendar dates in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time, in the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CivilTime {
    /// Such as 2026; negative before the year 0 of astronomers.
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

const SECONDS_PER_DAY: i64 = 86_400;
/// The calendar repeats itself after so many years …
const YEARS_PER_ERA: i64 = 400;
/// … which are so many days.
const DAYS_PER_ERA: i64 = 146_097;
/// From 1 March of the year 0, where eras begin, to 1 January 1970.
const DAYS_BEFORE_EPOCH: i64 = 719_468;

impl CivilTime {
    /// From seconds since the epoch, of any size: a file system may say anything.
    #[must_use]
    pub fn from_epoch(seconds: i64) -> CivilTime {
        let time = seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = date(seconds.div_euclid(SECONDS_PER_DAY));
        CivilTime {
            year,
            month: small(month),
            day: small(day),
            hour: small(time / 3600),
            minute: small(time / 60 % 60),
            second: small(time % 60),
        }
    }

    /// `2026-11-20`
    #[must_use]
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `Nov 20 2026 10:29:29`
    #[must_use]
    pub fn in_words(&self) -> String {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let month = MONTHS
            .get(usize::from(self.month - 1))
            .copied()
            .unwrap_or_default();
        format!(
            "{month} {:02} {} {:02}:{:02}:{:02}",
            self.day, self.year, self.hour, self.minute, self.second
        )
    }
}

impl From<SystemTime> for CivilTime {
    fn from(time: SystemTime) -> CivilTime {
        let seconds = |distance: Duration| i64::try_from(distance.as_secs()).unwrap_or(i64::MAX);
        CivilTime::from_epoch(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => seconds(since),
            // Files may be older than the epoch, or say so.
            Err(before) => -seconds(before.duration()),
        })
    }
}

/// Year, month and day of a day since the epoch.
///
/// Years are taken to begin with March, so that the leap day is the last of its year, and the
/// lengths of the months before it follow a straight line (153 days for five of them).
fn date(days_since_epoch: i64) -> (i64, i64, i64) {
    let days = days_since_epoch + DAYS_BEFORE_EPOCH;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    // Without the leap days before it, the day of the era says the year: one in 4 years (1,460
    // days and the leap day itself), none in every 100th, one in the 400th.
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / (DAYS_PER_ERA - 1);
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    // January and February belong to the year after the one that began in March.
    let year = era * YEARS_PER_ERA + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// A number that is known to be below 60.
fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_out() {
        let in_words = |seconds| CivilTime::from_epoch(seconds).in_words();
        assert_eq!(in_words(0), "Jan 01 1970 00:00:00");
        assert_eq!(in_words(951_782_399), "Feb 28 2000 23:59:59");
        assert_eq!(in_words(951_868_799), "Feb 29 2000 23:59:59");
        assert_eq!(in_words(1_795_170_569), "Nov 20 2026 10:29:29");
        assert_eq!(in_words(1_798_761_599), "Dec 31 2026 23:59:59");
        assert_eq!(in_words(4_107_542_399), "Feb 28 2100 23:59:59");
        assert_eq!(in_words(4_107_542_400), "Mar 01 2100 00:00:00");
        assert_eq!(in_words(-1), "Dec 31 1969 23:59:59");
        assert_eq!(in_words(-62_167_219_201), "Dec 31 -1 23:59:59");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let lengths = |year: i64| {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            [
                31,
                28 + i64::from(leap),
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ]
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..800 * 365 {
            assert_eq!(date(days), (year, month, day));
            day += 1;
            if day > lengths(year)[usize::try_from(month - 1).unwrap()] {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn any_number_of_seconds_is_a_time() {
        let far = Duration::from_secs(9_000_000_000_000_000_000);
        assert_eq!(CivilTime::from(UNIX_EPOCH + far).hour, 16);
        let before = CivilTime::from(UNIX_EPOCH - Duration::from_secs(86_400));
        assert_eq!(before.in_words(), "Dec 31 1969 00:00:00");
        for seconds in [i64::MIN, i64::MAX] {
            let time = CivilTime::from_epoch(seconds);
            assert!((1..=12).contains(&time.month) && (1..=31).contains(&time.day));
        }
    }
}
