//! Calendar dates in UTC.

/// A point in time, in the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CivilTime {
    /// Such as 2026.
    pub year: u64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u64,
    /// 0 to 23.
    pub hour: u64,
    /// 0 to 59.
    pub minute: u64,
    /// 0 to 59.
    pub second: u64,
}

impl CivilTime {
    /// From seconds since the epoch.
    #[must_use]
    pub fn from_epoch(seconds: u64) -> CivilTime {
        let (mut day, time) = (seconds / 86_400, seconds % 86_400);
        let mut year = 1970;
        while day >= 365 + leap_day(year) {
            day -= 365 + leap_day(year);
            year += 1;
        }
        let mut month = 1;
        for length in [31, 28 + leap_day(year), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if day < length {
                break;
            }
            day -= length;
            month += 1;
        }
        CivilTime {
            year,
            month,
            day: day + 1,
            hour: time / 3600,
            minute: time / 60 % 60,
            second: time % 60,
        }
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

fn leap_day(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    u64::from(is_leap)
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
    }
}
