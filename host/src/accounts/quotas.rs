//! What a principal may have, in place of what any account may.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Account;
use super::limits::{RESOURCES, Resource};
use crate::error::CallError;

/// The names of the quotas that are no amounts.
const REQUESTS: &str = "requestsPerSecond";
const BITRATE: &str = "bitrate";
const BYTES: &str = "bytes";
/// Requests that come together are carried out as long as they are no more than those of so long.
const BURST: Duration = Duration::from_secs(1);
/// There is no quota.
const NONE: u64 = u64::MAX;

/// The quotas that a credential gives its principal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas {
    amounts: [Option<u64>; RESOURCES],
    requests_per_second: Option<u64>,
    /// Bit/s of all media.
    bitrate: Option<u64>,
    /// Bytes of all media in a day.
    bytes: Option<u64>,
}

impl Quotas {
    /// Sets the quota with this name; false when there is none.
    pub fn set(&mut self, name: &str, quota: u64) -> bool {
        let resource = Resource::ALL.into_iter().find(|one| one.name() == name);
        let slot = match resource {
            Some(resource) => self.amounts.get_mut(resource as usize),
            None => match name {
                REQUESTS => Some(&mut self.requests_per_second),
                BITRATE => Some(&mut self.bitrate),
                BYTES => Some(&mut self.bytes),
                _ => None,
            },
        };
        slot.map(|slot| *slot = Some(quota)).is_some()
    }

    /// The quota with this name, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        let resource = Resource::ALL.into_iter().find(|one| one.name() == name);
        match resource {
            Some(resource) => self.amounts.get(resource as usize).copied().flatten(),
            None => match name {
                REQUESTS => self.requests_per_second,
                BITRATE => self.bitrate,
                BYTES => self.bytes,
                _ => None,
            },
        }
    }

    /// Names of all quotas.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let amounts = Resource::ALL.into_iter().map(Resource::name);
        amounts.chain([REQUESTS, BITRATE, BYTES])
    }
}

/// The quotas of one account. They are read with every claim, hence without a lock.
#[derive(Debug)]
pub(super) struct InForce {
    amounts: [AtomicU64; RESOURCES],
    requests_per_second: AtomicU64,
    bitrate: AtomicU64,
    bytes: AtomicU64,
    /// When the requests so far would all have come, had they kept to the quota.
    due: Mutex<Option<Instant>>,
}

impl Default for InForce {
    fn default() -> InForce {
        InForce {
            amounts: std::array::from_fn(|_| AtomicU64::new(NONE)),
            requests_per_second: AtomicU64::new(NONE),
            bitrate: AtomicU64::new(NONE),
            bytes: AtomicU64::new(NONE),
            due: Mutex::default(),
        }
    }
}

impl InForce {
    pub(super) fn amount(&self, resource: Resource) -> Option<u64> {
        in_force(self.amounts.get(resource as usize)?)
    }

    pub(super) fn replace(&self, quotas: &Quotas) {
        for (slot, quota) in self.amounts.iter().zip(quotas.amounts) {
            slot.store(quota.unwrap_or(NONE), Ordering::Relaxed);
        }
        for (slot, quota) in [
            (&self.requests_per_second, quotas.requests_per_second),
            (&self.bitrate, quotas.bitrate),
            (&self.bytes, quotas.bytes),
        ] {
            slot.store(quota.unwrap_or(NONE), Ordering::Relaxed);
        }
    }

    fn rate(&self) -> Option<u64> {
        in_force(&self.requests_per_second)
    }

    /// Whether it is of interest how much media there is.
    pub(super) fn are_on_media(&self) -> bool {
        in_force(&self.bitrate).or(in_force(&self.bytes)).is_some()
    }

    /// Whether what was carried in a day is of interest on this day later on.
    pub(super) fn are_by_day(&self) -> bool {
        in_force(&self.bytes).is_some()
    }

    /// Counts a request; the rate that it exceeds otherwise.
    ///
    /// The generic cell rate algorithm (ITU-T I.371): one instant is all that has to be kept.
    fn count_request(&self, now: Instant) -> Result<(), u64> {
        let Some(rate) = self.rate() else {
            return Ok(());
        };
        let Some(interval) = Duration::from_secs(1).as_nanos().checked_div(rate.into()) else {
            return Err(rate);
        };
        let interval = Duration::from_nanos(u64::try_from(interval).unwrap_or(u64::MAX));
        let mut due = self.due.lock();
        let next = due.map_or(now, |due| due.max(now)) + interval;
        if next.saturating_duration_since(now) > BURST {
            return Err(rate);
        }
        *due = Some(next);
        Ok(())
    }
}

/// The quota in a place, if there is one.
fn in_force(place: &AtomicU64) -> Option<u64> {
    Some(place.load(Ordering::Relaxed)).filter(|quota| *quota != NONE)
}

impl Account {
    /// Looks whether the account may begin something that carries media: neither its bitrate nor its bytes
    /// have reached what its credential permits. What runs goes on.
    ///
    /// # Errors
    /// 40009 when one of them has.
    pub fn check_media(&self) -> Result<(), CallError> {
        let bitrate = self.media.bitrate();
        if let Some(most) = in_force(&self.quotas.bitrate).filter(|most| bitrate >= *most) {
            return Err(CallError::not_enough_resources(format!(
                "The token permits {most} bit/s (quota {BITRATE}), and its endpoints carry {bitrate}: end some first"
            )));
        }
        let today = self.media.today();
        if let Some(most) = in_force(&self.quotas.bytes).filter(|most| today >= *most) {
            return Err(CallError::not_enough_resources(format!(
                "The token permits {most} bytes of media a day (quota {BYTES}), and its endpoints have carried {today}: wait for the next day of UTC"
            )));
        }
        Ok(())
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 40009 when the principal sends more than its credential permits.
    pub fn count_request(&self, now: Instant) -> Result<(), CallError> {
        self.quotas.count_request(now).map_err(|rate| {
            CallError::not_enough_resources(format!(
                "The token permits {rate} requests per second (quota {REQUESTS}): send fewer, and this one again"
            ))
        })
    }

    /// Whether its requests are counted: then it has to be remembered between connections.
    #[must_use]
    pub fn counts_requests(&self) -> bool {
        self.quotas.rate().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_rate(rate: u64) -> InForce {
        let mut quotas = Quotas::default();
        assert!(quotas.set(REQUESTS, rate) && !quotas.set("nonsense", 1));
        let in_force = InForce::default();
        in_force.replace(&quotas);
        in_force
    }

    #[test]
    fn requests_are_counted_by_the_second() {
        let (start, quotas) = (Instant::now(), of_rate(10));
        let sent = |at: Duration| {
            let attempts = (0..20).filter(|_| quotas.count_request(start + at).is_ok());
            attempts.count()
        };
        assert_eq!(sent(Duration::ZERO), 10);
        assert_eq!(sent(Duration::from_millis(99)), 0);
        assert_eq!(sent(Duration::from_millis(300)), 3);
        assert_eq!(sent(Duration::from_secs(60)), 10);
    }

    #[test]
    fn none_and_unlimited_are_rates_as_well() {
        let now = Instant::now();
        assert_eq!(of_rate(0).count_request(now), Err(0));
        let (open, fast) = (InForce::default(), of_rate(5_000_000_000));
        for _ in 0..10_000 {
            assert!(open.count_request(now).is_ok() && fast.count_request(now).is_ok());
        }
    }

    #[test]
    fn every_name_is_that_of_a_quota() {
        for name in Quotas::names() {
            assert!(Quotas::default().set(name, 1), "{name}");
        }
    }
}
