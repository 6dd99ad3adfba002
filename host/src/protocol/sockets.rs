//! All sockets that clients have open, and who has to go when there are too many.
//!
//! Every socket has a claim of its account ([`Resource::Connections`]). Where there is none left,
//! the account that has most of them makes room: with a socket on which no request ever came, the
//! oldest first, else, for somebody else's sake, with the one that has been silent longest. Clients
//! of the protocol may be silent for days, so that for want of room alone is a connection ended.
//!
//! Some sockets are accepted beyond all that ([`Sockets::reserve`]): whoever asks for the server's
//! health is answered, and whoever wants a connection is told why there is none.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::accounts::{Account, AccountId, Accounts, Claim, Exhausted, Resource};

/// Sockets in the reserve at least.
const LEAST_RESERVE: usize = 16;

/// The open sockets.
#[derive(Debug)]
pub struct Sockets {
    accounts: Arc<Accounts>,
    start: Instant,
    /// Times that there was no room for a connection.
    crowded: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// By number: the oldest first.
    sockets: HashMap<u64, Arc<Socket>>,
    next: u64,
    /// Numbers of sockets with a claim on which no request has come, by account.
    quiet: HashMap<AccountId, BTreeSet<u64>>,
    /// Numbers of sockets without claim.
    unclaimed: BTreeSet<u64>,
}

#[derive(Debug)]
struct Socket {
    /// That of the address, then that of the principal. Changed only under the lock of [`Open`].
    account: ArcSwap<Account>,
    claim: Mutex<Option<Claim>>,
    /// Whether a request has come.
    talks: AtomicBool,
    /// When the last one came, in ms since the start.
    heard: AtomicU64,
    /// Why the socket has to end, once it has.
    end: watch::Sender<Option<String>>,
}

/// The place of one socket; dropping it makes room.
#[derive(Debug)]
pub struct Place {
    sockets: Arc<Sockets>,
    number: u64,
    socket: Arc<Socket>,
}

impl Sockets {
    /// No sockets yet.
    #[must_use]
    pub fn new(accounts: &Arc<Accounts>) -> Arc<Sockets> {
        Arc::new(Sockets {
            accounts: accounts.clone(),
            start: Instant::now(),
            crowded: AtomicU64::new(0),
            open: Mutex::default(),
        })
    }

    /// A place for a new socket from this address.
    pub fn admit(self: &Arc<Self>, from: IpAddr) -> Place {
        let account = self.accounts.of_peer(from);
        let mut open = self.open.lock();
        let claim = self.claim(&mut open, &account).ok();
        if claim.is_none() && open.unclaimed.len() >= self.reserve() {
            open.end_oldest_unclaimed();
        }
        let number = open.next;
        open.next += 1;
        match &claim {
            Some(_) => drop(open.quiet.entry(account.id()).or_default().insert(number)),
            None => drop(open.unclaimed.insert(number)),
        }
        let socket = Arc::new(Socket {
            account: ArcSwap::new(account),
            claim: Mutex::new(claim),
            talks: AtomicBool::new(false),
            heard: AtomicU64::new(self.now()),
            end: watch::Sender::new(None),
        });
        open.sockets.insert(number, socket.clone());
        Place {
            sockets: self.clone(),
            number,
            socket,
        }
    }

    /// Claims a connection for an account, in the place of another one's if need be.
    fn claim(&self, open: &mut Open, account: &Arc<Account>) -> Result<Claim, Exhausted> {
        let refused = match account.claim(Resource::Connections, 1) {
            Ok(claim) => return Ok(claim),
            Err(refused) => refused,
        };
        let crowded = self.crowded.fetch_add(1, Ordering::Relaxed) + 1;
        // It may happen thousands of times a second: a line for the first, the second, the fourth …
        if crowded.is_power_of_two() {
            tracing::warn!(crowded, "no room for a connection: {refused}");
        }
        let heaviest = match refused {
            Exhausted::Total { .. } => self.accounts.heaviest(Resource::Connections),
            Exhausted::Account { .. } | Exhausted::Quota { .. } | Exhausted::Heaviest { .. } => {
                Some(account.id())
            }
        };
        let heaviest = heaviest.unwrap_or(account.id());
        if !open.end_oldest_quiet(heaviest) {
            if heaviest == account.id() {
                return Err(refused);
            }
            open.end_most_silent(heaviest);
        }
        account.claim(Resource::Connections, 1)
    }

    /// Sockets that may be accepted without a claim.
    fn reserve(&self) -> usize {
        let most = self.accounts.limits().of(Resource::Connections).total;
        let reserve = usize::try_from(most / 10).unwrap_or(usize::MAX);
        reserve.max(LEAST_RESERVE)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Open {
    /// Ends the oldest socket of an account on which no request has come; false without any.
    fn end_oldest_quiet(&mut self, account: AccountId) -> bool {
        let oldest = self.quiet.get(&account).and_then(BTreeSet::first).copied();
        oldest.is_some_and(|number| self.end(number, "a new connection needs the room"))
    }

    fn end_most_silent(&mut self, account: AccountId) {
        let claimed = |socket: &Socket| {
            socket.account.load().id() == account && socket.claim.lock().is_some()
        };
        let sockets = self.sockets.iter().filter(|(_, socket)| claimed(socket));
        let longest = sockets.min_by_key(|(_, socket)| socket.heard.load(Ordering::Relaxed));
        if let Some(number) = longest.map(|(number, _)| *number) {
            self.end(number, "mediaServer.limits.connections is reached");
        }
    }

    fn end_oldest_unclaimed(&mut self) {
        if let Some(number) = self.unclaimed.first().copied() {
            self.end(number, "a new connection needs the room");
        }
    }

    /// Gives the socket's claim to others, and tells it to end.
    fn end(&mut self, number: u64, reason: &str) -> bool {
        self.forget(number);
        let Some(socket) = self.sockets.remove(&number) else {
            return false;
        };
        *socket.claim.lock() = None;
        socket.end.send_replace(Some(reason.to_owned()));
        true
    }

    fn forget(&mut self, number: u64) {
        self.unclaimed.remove(&number);
        let Some(socket) = self.sockets.get(&number) else {
            return;
        };
        let id = socket.account.load().id();
        if let Some(quiet) = self.quiet.get_mut(&id) {
            quiet.remove(&number);
            if quiet.is_empty() {
                self.quiet.remove(&id);
            }
        }
    }
}

impl Place {
    /// Whose socket it is.
    #[must_use]
    pub fn account(&self) -> Arc<Account> {
        self.socket.account.load_full()
    }

    /// The socket becomes a connection, of `account` from now on, and needs a claim of that.
    ///
    /// # Errors
    /// When the account may have no more connections.
    pub fn connect(&self, account: &Arc<Account>) -> Result<(), Exhausted> {
        let mut open = self.sockets.open.lock();
        let is_same = Arc::ptr_eq(&self.socket.account.load(), account);
        let has_claim = self.socket.claim.lock().is_some();
        if (is_same && has_claim) || self.socket.end.borrow().is_some() {
            return Ok(());
        }
        // First, so that one client needs no room for two.
        *self.socket.claim.lock() = None;
        open.forget(self.number);
        self.socket.account.store(account.clone());
        // Whoever is refused has a place in the reserve until he is told, as others without claim.
        if open.unclaimed.len() >= self.sockets.reserve() {
            open.end_oldest_unclaimed();
        }
        open.unclaimed.insert(self.number);
        let claim = self.sockets.claim(&mut open, account)?;
        *self.socket.claim.lock() = Some(claim);
        open.unclaimed.remove(&self.number);
        let quiet = open.quiet.entry(account.id()).or_default();
        quiet.insert(self.number);
        Ok(())
    }

    /// A request has come.
    pub fn heard(&self) {
        self.socket
            .heard
            .store(self.sockets.now(), Ordering::Relaxed);
        if !self.socket.talks.swap(true, Ordering::Relaxed) {
            self.sockets.open.lock().forget(self.number);
        }
    }

    /// Done when the socket has to make room for another one; says why.
    pub async fn ended(&self) -> String {
        let mut end = self.socket.end.subscribe();
        match end.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sockets.open.lock();
        open.forget(self.number);
        open.sockets.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Bounds, Limits};
    use std::net::Ipv4Addr;

    /// Room for ten connections, eight of one account.
    fn sockets() -> Arc<Sockets> {
        let bounds = Bounds {
            total: 10,
            account: 8,
        };
        let limits = Limits::default().with(Resource::Connections, bounds);
        Sockets::new(&Accounts::new(limits))
    }

    fn client(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn has_ended(place: &Place) -> bool {
        place.socket.end.borrow().is_some()
    }

    #[test]
    fn who_never_asked_for_anything_makes_room_the_oldest_first() {
        let sockets = sockets();
        let places: Vec<_> = (0..8).map(|_| sockets.admit(client(1))).collect();
        places[0].heard();
        let newcomer = sockets.admit(client(1));
        assert_eq!(places.iter().position(has_ended), Some(1));
        assert!(newcomer.connect(&newcomer.account()).is_ok() && !has_ended(&newcomer));
    }

    #[test]
    fn the_account_that_has_most_makes_room_for_others_only() {
        let sockets = sockets();
        let talking = |last| {
            let place = sockets.admit(client(last));
            place.heard();
            place
        };
        let heavy: Vec<_> = (0..8).map(|_| talking(1)).collect();
        let light: Vec<_> = (0..2).map(|_| talking(2)).collect();
        let own = sockets.admit(client(1));
        assert!(own.connect(&own.account()).is_err() && !heavy.iter().any(has_ended));
        let other = sockets.admit(client(3));
        assert!(other.connect(&other.account()).is_ok());
        assert_eq!(heavy.iter().filter(|place| has_ended(place)).count(), 1);
        assert!(!light.iter().any(has_ended));
    }

    #[test]
    fn the_reserve_is_bounded_and_nothing_remains() {
        let sockets = sockets();
        let mut places: Vec<_> = (0..8).map(|_| sockets.admit(client(1))).collect();
        places.iter().for_each(Place::heard);
        places.extend((0..=LEAST_RESERVE).map(|_| sockets.admit(client(1))));
        assert_eq!(places.iter().position(has_ended), Some(8));
        drop(places);
        let open = sockets.open.lock();
        assert!(open.sockets.is_empty() && open.quiet.is_empty() && open.unclaimed.is_empty());
        assert_eq!(sockets.accounts.usage(Resource::Connections), 0);
    }
}
