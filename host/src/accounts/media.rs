//! How much media an account's endpoints receive and send, for the quotas on it.
//!
//! The media plane counts bytes where it counts packets. Here these counters are looked at once a second, of
//! accounts that have such a quota: nothing is asked on the way of a packet.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Account;

/// What a bitrate is the average of: a keyframe is no excess.
const WINDOW: Duration = Duration::from_secs(5);

/// Something that media comes from and goes to.
pub trait Carrier: Debug + Send + Sync {
    /// Bytes of all that came and went so far. It never shrinks.
    fn bytes(&self) -> u64;
}

/// The media of one account.
#[derive(Debug, Default)]
pub(super) struct Media {
    carriers: Mutex<Carriers>,
    meter: Mutex<Meter>,
    /// What the last look has found: read with every request that begins something. Relaxed, as each number
    /// stands for itself.
    bitrate: AtomicU64,
    today: AtomicU64,
}

#[derive(Debug, Default)]
struct Carriers {
    /// Each with what has been counted of it.
    all: HashMap<u64, (Weak<dyn Carrier>, u64)>,
    next: u64,
    /// What came before nobody wanted to know is not counted.
    are_counted: bool,
}

/// What was carried, by time.
#[derive(Debug, Default)]
struct Meter {
    bytes: u64,
    /// Days since 1970, of UTC.
    day: u64,
    today: u64,
    /// How many of the bytes are in the count of some day.
    booked: u64,
    /// Bytes at the looks of the [`WINDOW`], the oldest first, and at the last one before it.
    looks: VecDeque<(Instant, u64)>,
}

/// A carrier that counts for an account until this is dropped.
#[derive(Debug)]
pub struct Metered {
    account: Arc<Account>,
    carrier: Arc<dyn Carrier>,
    number: u64,
}

impl Metered {
    /// Has the account's media include that of `carrier`, from its beginning.
    #[must_use]
    pub fn new(account: &Arc<Account>, carrier: Arc<dyn Carrier>) -> Metered {
        let mut carriers = account.media.carriers.lock();
        let number = carriers.next;
        carriers.next += 1;
        let weak = Arc::downgrade(&carrier);
        carriers.all.insert(number, (weak, 0));
        drop(carriers);
        Metered {
            account: account.clone(),
            carrier,
            number,
        }
    }
}

impl Drop for Metered {
    /// What it carried since the last look counts as well: else many short ones would count for nothing.
    fn drop(&mut self) {
        let media = &self.account.media;
        let mut carriers = media.carriers.lock();
        let Some((_, counted)) = carriers.all.remove(&self.number) else {
            return;
        };
        if carriers.are_counted {
            // In the order of a look, so that no look sees it neither here nor there.
            media.meter.lock().bytes += self.carrier.bytes().saturating_sub(counted);
        }
    }
}

impl Media {
    /// Looks at all counters, on some day, if anybody wants to know.
    pub(super) fn look(&self, is_wanted: bool, now: Instant, day: u64) {
        let mut carriers = self.carriers.lock();
        if !is_wanted {
            carriers.are_counted = false;
            return;
        }
        let begins = !std::mem::replace(&mut carriers.are_counted, true);
        let mut carried = 0;
        for (carrier, counted) in carriers.all.values_mut() {
            if let Some(bytes) = carrier.upgrade().map(|carrier| carrier.bytes()) {
                carried += bytes.saturating_sub(*counted);
                *counted = bytes;
            }
        }
        let mut meter = self.meter.lock();
        if begins {
            meter.looks.clear();
            carried = 0;
        }
        meter.bytes += carried;
        let bitrate = meter.look(now, day);
        self.bitrate.store(bitrate, Ordering::Relaxed);
        self.today.store(meter.today, Ordering::Relaxed);
    }

    /// Bit/s, as it was found last.
    pub(super) fn bitrate(&self) -> u64 {
        self.bitrate.load(Ordering::Relaxed)
    }

    /// Bytes of this day, as they were found last.
    pub(super) fn today(&self) -> u64 {
        self.today.load(Ordering::Relaxed)
    }

    /// Goes on from what was carried on a day.
    pub(super) fn resume(&self, (day, today): (u64, u64)) {
        let mut meter = self.meter.lock();
        (meter.day, meter.today) = (day, today);
        self.today.store(today, Ordering::Relaxed);
    }

    /// The last day that something was carried on, and how much.
    pub(super) fn last_day(&self) -> (u64, u64) {
        let mut meter = self.meter.lock();
        let day = meter.day;
        meter.turn(day);
        (day, meter.today)
    }
}

impl Meter {
    /// Notes how much has been carried; the bit/s of the [`WINDOW`].
    fn look(&mut self, now: Instant, day: u64) -> u64 {
        self.turn(day);
        self.looks.push_back((now, self.bytes));
        let is_old = |(at, _): &(Instant, u64)| now.saturating_duration_since(*at) >= WINDOW;
        while self.looks.get(1).is_some_and(is_old) {
            self.looks.pop_front();
        }
        let Some((since, before)) = self.looks.front() else {
            return 0;
        };
        let time = now.saturating_duration_since(*since).as_millis();
        let bits = u128::from(self.bytes - before) * 8;
        let rate = (bits * 1_000).checked_div(time).unwrap_or_default();
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    /// What was carried since the last look counts for the day that it is now.
    fn turn(&mut self, day: u64) {
        if self.day != day {
            (self.day, self.today) = (day, 0);
        }
        self.today += self.bytes - std::mem::replace(&mut self.booked, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Fake(AtomicU64);

    impl Carrier for Fake {
        fn bytes(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn carrier(account: &Arc<Account>) -> (Arc<Fake>, Metered) {
        let fake = Arc::<Fake>::default();
        let metered = Metered::new(account, fake.clone());
        (fake, metered)
    }

    #[test]
    fn the_bitrate_is_that_of_some_seconds() {
        let account = Account::alone();
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let ((one, _one), (two, _two)) = (carrier(&account), carrier(&account));
        let media = &account.media;
        media.look(true, at(0), 1);
        // 1 Mbit at once is 1 Mbit/s for a second, and a fifth of it in a while.
        one.0.store(125_000, Ordering::Relaxed);
        media.look(true, at(1), 1);
        assert_eq!(media.bitrate(), 1_000_000);
        for second in 2..=5 {
            media.look(true, at(second), 1);
        }
        assert_eq!(media.bitrate(), 200_000);
        media.look(true, at(6), 1);
        assert_eq!(media.bitrate(), 0);
        for second in 7..20 {
            one.0.fetch_add(50_000, Ordering::Relaxed);
            two.0.fetch_add(75_000, Ordering::Relaxed);
            media.look(true, at(second), 1);
        }
        assert_eq!(media.bitrate(), 1_000_000);
        assert!(media.meter.lock().looks.len() <= 6);
    }

    #[test]
    fn bytes_are_counted_by_the_day_also_of_what_has_gone() {
        let account = Account::alone();
        let now = Instant::now();
        let (one, metered) = carrier(&account);
        let media = &account.media;
        media.look(true, now, 1);
        one.0.store(100, Ordering::Relaxed);
        media.look(true, now, 1);
        one.0.store(150, Ordering::Relaxed);
        drop(metered);
        assert_eq!((media.today(), media.last_day()), (100, (1, 150)));
        media.look(true, now, 1);
        assert_eq!(media.today(), 150);
        let (two, _two) = carrier(&account);
        two.0.store(7, Ordering::Relaxed);
        media.look(true, now, 2);
        assert_eq!(media.today(), 7);
        media.resume((2, 20));
        media.look(true, now, 2);
        assert_eq!(media.today(), 20);
    }

    #[test]
    fn what_came_before_somebody_wanted_to_know_is_not_counted() {
        let account = Account::alone();
        let start = Instant::now();
        let (one, _one) = carrier(&account);
        let media = &account.media;
        media.look(false, start, 1);
        one.0.store(1_000_000, Ordering::Relaxed);
        media.look(true, start + Duration::from_secs(1), 1);
        assert_eq!((media.bitrate(), media.today()), (0, 0));
        one.0.fetch_add(1_000, Ordering::Relaxed);
        media.look(true, start + Duration::from_secs(2), 1);
        assert_eq!((media.bitrate(), media.today()), (8_000, 1_000));
    }
}
