//! Slows down who guesses.
//!
//! Each wrong credential from an address makes the answer to the next one come later. So that
//! nobody guesses on many connections at a time instead, an address has few such answers under way;
//! while it has them all, its requests are refused without a look at their credential. Who
//! shows a right one is not made to wait for the others behind the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::accounts::AccountId;

/// Wrong credentials that are answered at once: somebody has pasted the wrong one.
const FREE: u32 = 3;
/// How long the answer to the next one takes; each further one doubles it, …
const FIRST: Duration = Duration::from_millis(250);
/// … up to this.
const LONGEST: Duration = Duration::from_secs(4);
/// Late answers of one address that may be under way.
const UNDER_WAY: u32 = 8;
/// An address without a wrong credential for so long is forgotten.
const MEMORY: Duration = Duration::from_secs(600);
/// Addresses that are remembered. Of more, the ones go that have been quiet for longest.
const ADDRESSES: usize = 4_096;

/// What is remembered of addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttle(Arc<Mutex<HashMap<AccountId, Record>>>);

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    under_way: u32,
    last: Instant,
}

/// How long the answer to a wrong credential has to wait.
#[derive(Debug, Default)]
pub struct Delay {
    length: Duration,
    /// It counts as under way until it is dropped.
    of: Option<(Throttle, AccountId)>,
}

impl Delay {
    /// Done when its time has come.
    pub async fn over(&self) {
        if !self.length.is_zero() {
            tokio::time::sleep(self.length).await;
        }
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        if let Some((throttle, id)) = self.of.take()
            && let Some(record) = throttle.0.lock().get_mut(&id)
        {
            record.under_way = record.under_way.saturating_sub(1);
        }
    }
}

impl Throttle {
    /// Whether credentials from an address are looked at just now.
    pub(super) fn listens_to(&self, address: IpAddr) -> bool {
        let records = self.0.lock();
        let record = records.get(&AccountId::of(address));
        record.is_none_or(|record| record.under_way < UNDER_WAY)
    }

    /// Notes a wrong credential from an address.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) -> Delay {
        let id = AccountId::of(address);
        let mut records = self.0.lock();
        if !records.contains_key(&id) {
            make_room(&mut records, now);
        }
        let record = records.entry(id).or_insert(Record {
            failures: 0,
            under_way: 0,
            last: now,
        });
        if now.saturating_duration_since(record.last) >= MEMORY {
            record.failures = 0;
        }
        record.failures = record.failures.saturating_add(1);
        record.last = now;
        let Some(beyond) = record.failures.checked_sub(FREE + 1) else {
            return Delay::default();
        };
        record.under_way += 1;
        let length = FIRST.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX));
        Delay {
            length: length.min(LONGEST),
            of: Some((self.clone(), id)),
        }
    }
}

/// A walk through all of them when the table is full makes room for a tenth, so that it is made
/// once for some hundred newcomers.
fn make_room(records: &mut HashMap<AccountId, Record>, now: Instant) {
    if records.len() < ADDRESSES {
        return;
    }
    let mut quiet: Vec<(Instant, AccountId)> = records
        .iter()
        .map(|(id, record)| (record.last, *id))
        .collect();
    quiet.sort_unstable();
    let old = quiet
        .iter()
        .filter(|(last, _)| now.saturating_duration_since(*last) >= MEMORY);
    let count = old.count().max(ADDRESSES / 10);
    for (_, id) in quiet.iter().take(count) {
        records.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_come_later_and_later_and_what_is_past_is_forgotten() {
        let (throttle, from) = (Throttle::default(), address(1));
        let start = Instant::now();
        let mut lengths = Vec::new();
        for _ in 0..10 {
            lengths.push(throttle.failed(from, start).length.as_millis());
        }
        assert_eq!(
            lengths,
            [0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]
        );
        assert!(throttle.failed(address(2), start).length.is_zero());
        assert!(throttle.failed(from, start + MEMORY).length.is_zero());
        let delay = throttle.failed(address(3), start);
        delay.over().await;
        assert!(start.elapsed() < FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_few_late_answers_under_way() {
        let (throttle, from, now) = (Throttle::default(), address(1), Instant::now());
        let mut delays: Vec<_> = (0..FREE + UNDER_WAY)
            .map(|_| throttle.failed(from, now))
            .collect();
        assert!(!throttle.listens_to(from) && throttle.listens_to(address(2)));
        let delay = delays.pop().unwrap();
        delay.over().await;
        assert!(now.elapsed() >= LONGEST && !throttle.listens_to(from));
        drop(delay);
        assert!(throttle.listens_to(from));
    }

    #[test]
    fn a_bounded_number_of_addresses_is_remembered() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..3 * u32::try_from(ADDRESSES).unwrap() {
            throttle.failed(address(number), now + Duration::from_millis(number.into()));
        }
        let records = throttle.0.lock();
        assert!(records.len() <= ADDRESSES && records.len() > ADDRESSES / 2);
        let newest = AccountId::of(address(3 * u32::try_from(ADDRESSES).unwrap() - 1));
        assert!(records.contains_key(&newest));
    }
}
