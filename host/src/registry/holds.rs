//! Which session holds which object.
//!
//! Whoever holds a parent holds the children that it gets from then on. That is not written down
//! for each pair of a session and a child, of which there may be millions: a hold has a date
//! (a serial number of births), and a child that was born later is *implied* by it. Only two kinds
//! of pairs are recorded, in [`Session::held`] and at the object:
//!
//! * a hold that nothing implies: of a root, or of a child that is older than the hold of its parent;
//! * a *renunciation*: the session gave up a child that the hold of its parent implies.
//!
//! A session that holds a child always holds its parents. So the holders of an object are those
//! recorded at it, and those of its parent that held it when the object was born, without those
//! that renounced. As dates only grow, the oldest holder of a parent decides: as long as it stays,
//! no other one's end can leave a child without a holder, the children with renunciations excepted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::object::Object;
use super::session::Session;
use crate::accounts::{Account, Claim, Exhausted, Resource};

/// What a session has to do with an object.
#[derive(Debug, Clone)]
pub(super) enum Stance {
    /// It holds the object since so many births.
    Holds(u64),
    /// It gave the object up, although it holds the parent.
    Renounced,
}

/// What a session has to do with one object.
type Record = (Arc<Object>, Stance);

/// The objects of one session: what it holds and has renounced, by serial number.
#[derive(Debug)]
pub(super) struct Held {
    records: HashMap<u64, Record>,
    /// As many as there are records.
    claim: Claim,
}

/// The sessions of one object. Changed only under the registry's graph lock.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Recorded holds by date, then by serial number of the session.
    by_date: BTreeMap<(u64, u64), Arc<Session>>,
    /// By serial number. What a session renounced is not implied again before it lets go of the
    /// parent, even if it comes to hold the object anew: that hold is then recorded.
    renounced: HashMap<u64, Arc<Session>>,
    /// Descendants that somebody renounced, by serial number.
    irregular: HashMap<u64, Arc<Object>>,
}

impl Held {
    pub(super) fn new(account: &Arc<Account>) -> Held {
        Held {
            records: HashMap::new(),
            claim: Claim::none(account, Resource::Holds),
        }
    }

    /// Number of records.
    pub(super) fn count(&self) -> usize {
        self.records.len()
    }

    /// Since which birth the session holds the object, if it does.
    fn since(&self, object: &Object) -> Option<u64> {
        match self.records.get(&object.serial) {
            Some((_, Stance::Holds(since))) => Some(*since),
            Some((_, Stance::Renounced)) => None,
            None => self.implied(object),
        }
    }

    /// Since which birth the hold of the parent implies that of the object, if it does.
    fn implied(&self, object: &Object) -> Option<u64> {
        let since = self.since(object.parent.as_ref()?)?;
        let born = object.born();
        (since < born).then_some(born)
    }

    pub(super) fn forget(&mut self, object: &Object) -> Option<Stance> {
        let (_, stance) = self.records.remove(&object.serial)?;
        self.claim.shrink(1);
        // Of a session that once held thousands of objects nothing should remain.
        if self.records.is_empty() {
            self.records = HashMap::new();
        }
        Some(stance)
    }

    /// What is recorded of the descendants of `object`, of which there are `subtree`.
    fn below(&self, object: &Object, subtree: &[Arc<Object>]) -> Vec<Record> {
        if subtree.len() < self.records.len() {
            let others = subtree.iter().filter(|other| other.serial != object.serial);
            return others
                .filter_map(|other| self.records.get(&other.serial))
                .cloned()
                .collect();
        }
        let records = self.records.values();
        records
            .filter(|(other, _)| other.is_below(object))
            .cloned()
            .collect()
    }

    pub(super) fn take(&mut self) -> Vec<Record> {
        let records = std::mem::take(&mut self.records);
        self.claim.shrink(self.claim.amount());
        records.into_values().collect()
    }
}

impl Holders {
    /// Number of recorded holds.
    pub(super) fn count(&self) -> usize {
        self.by_date.len()
    }

    /// Everybody who is recorded, for an object that dies.
    pub(super) fn take(&mut self) -> Vec<Arc<Session>> {
        let Holders {
            by_date, renounced, ..
        } = std::mem::take(self);
        by_date
            .into_values()
            .chain(renounced.into_values())
            .collect()
    }
}

/// Whether the session holds the object.
pub(super) fn holds(session: &Session, object: &Object) -> bool {
    session.held.lock().since(object).is_some()
}

/// Makes the session hold the object and its parents from now on: `births` have been so far.
///
/// # Errors
/// When the account of the session may have no more records of holds.
pub(super) fn hold_chain(
    session: &Arc<Session>,
    object: &Arc<Object>,
    births: u64,
) -> Result<(), Exhausted> {
    let mut held = session.held.lock();
    let chain = std::iter::once(object).chain(object.ancestors());
    let missing: Vec<_> = chain
        .filter(|object| held.since(object).is_none())
        .collect();
    // All or none: a child without its parent would be held by nobody's leave.
    let new = missing
        .iter()
        .filter(|object| !held.records.contains_key(&object.serial));
    let new = new.count() as u64;
    held.claim.grow(new)?;
    for object in missing {
        held.records
            .insert(object.serial, (object.clone(), Stance::Holds(births)));
        let mut holders = object.holders.lock();
        holders
            .by_date
            .insert((births, session.serial), session.clone());
    }
    Ok(())
}

/// Ends the session's hold of the object and its descendants, `subtree`; returns the objects of
/// it that nobody holds any more, children before parents.
///
/// # Errors
/// As [`hold_chain`], when the session goes on holding the parent; nothing has changed then.
pub(super) fn unhold(
    session: &Arc<Session>,
    object: &Arc<Object>,
    subtree: &[Arc<Object>],
) -> Result<Vec<Arc<Object>>, Exhausted> {
    let (since, implied, below) = {
        let held = session.held.lock();
        let Some(since) = held.since(object) else {
            return Ok(Vec::new());
        };
        (
            since,
            held.implied(object).is_some(),
            held.below(object, subtree),
        )
    };
    let former = if implied {
        renounce(session, object)?
    } else {
        session.held.lock().forget(object)
    };
    if let Some(stance) = former {
        forget_holder(session, object, &stance);
    }
    for (object, stance) in &below {
        session.held.lock().forget(object);
        forget_holder(session, object, stance);
    }
    let mut suspects = vec![object.clone()];
    add_bereaved(object, since, &mut suspects);
    add_all_bereaved(below, &mut suspects);
    Ok(unheld(suspects))
}

/// Ends all holds of a session, which are `records`; returns the objects that nobody holds any
/// more, children before parents.
pub(super) fn unhold_all(session: &Session, records: Vec<Record>) -> Vec<Arc<Object>> {
    for (object, stance) in &records {
        forget_holder(session, object, stance);
    }
    let mut suspects = Vec::new();
    add_all_bereaved(records, &mut suspects);
    unheld(suspects)
}

/// Those above the object know no more of its renunciations.
pub(super) fn make_regular(object: &Object) {
    for above in object.ancestors() {
        above.holders.lock().irregular.remove(&object.serial);
    }
}

/// Records that the session gave up what the hold of the parent implies; returns what was recorded
/// before.
fn renounce(session: &Arc<Session>, object: &Arc<Object>) -> Result<Option<Stance>, Exhausted> {
    let mut held = session.held.lock();
    if !held.records.contains_key(&object.serial) {
        held.claim.grow(1)?;
    }
    let former = held
        .records
        .insert(object.serial, (object.clone(), Stance::Renounced));
    object
        .holders
        .lock()
        .renounced
        .insert(session.serial, session.clone());
    for above in object.ancestors() {
        above
            .holders
            .lock()
            .irregular
            .insert(object.serial, object.clone());
    }
    // A second renunciation follows a hold that was recorded after the first.
    Ok(former.map(|(_, stance)| stance))
}

/// The object's side of a record that the session has no longer.
fn forget_holder(session: &Session, object: &Object, stance: &Stance) {
    let mut holders = object.holders.lock();
    if let Stance::Holds(since) = stance {
        holders.by_date.remove(&(*since, session.serial));
    }
    let still_renounced = matches!(
        session.held.lock().records.get(&object.serial),
        Some((_, Stance::Renounced))
    );
    if !still_renounced
        && holders.renounced.remove(&session.serial).is_some()
        && holders.renounced.is_empty()
    {
        drop(holders);
        make_regular(object);
    }
}

fn add_all_bereaved(records: Vec<Record>, suspects: &mut Vec<Arc<Object>>) {
    for (object, stance) in records {
        if let Stance::Holds(since) = stance {
            add_bereaved(&object, since, suspects);
        }
        suspects.push(object);
    }
}

/// Adds the descendants of `object` that may have lost their last holder with one that held it
/// since `since`: children that no remaining holder implies, and those that somebody renounced.
fn add_bereaved(object: &Arc<Object>, since: u64, suspects: &mut Vec<Arc<Object>>) {
    let irregular: Vec<_> = object.holders.lock().irregular.values().cloned().collect();
    for irregular in irregular {
        // Its children are implied for those who have not renounced it, and only for those.
        add_unimplied(&irregular, irregular.born(), suspects);
        suspects.push(irregular);
    }
    add_unimplied(object, since, suspects);
}

fn add_unimplied(object: &Arc<Object>, since: u64, suspects: &mut Vec<Arc<Object>>) {
    let oldest = oldest_hold(object);
    if oldest <= since {
        return;
    }
    // A hold implies what was born after its date.
    let range = since.saturating_add(1)..=oldest;
    let children = object.children.lock();
    let bereaved: Vec<_> = children
        .range(range)
        .map(|(_, child)| child.clone())
        .collect();
    drop(children);
    for child in bereaved {
        add_unimplied(&child, child.born(), suspects);
        suspects.push(child);
    }
}

/// The date of the oldest hold of the object; without any it is infinitely late.
fn oldest_hold(object: &Object) -> u64 {
    if is_implied(object, &|_| false) {
        return object.born();
    }
    let holders = object.holders.lock();
    holders
        .by_date
        .first_key_value()
        .map_or(u64::MAX, |((since, _), _)| *since)
}

/// Whether a session that `without` does not exclude holds the parent since before the birth of
/// the object and has not renounced it.
fn is_implied(object: &Object, without: &dyn Fn(u64) -> bool) -> bool {
    let Some(parent) = &object.parent else {
        return false;
    };
    let without =
        |session: u64| without(session) || object.holders.lock().renounced.contains_key(&session);
    let recorded = {
        let holders = parent.holders.lock();
        let mut older = holders.by_date.range(..(object.born(), 0));
        older.any(|((_, session), _)| !without(*session))
    };
    recorded || is_implied(parent, &without)
}

/// Those of the objects that nobody holds, children before parents.
fn unheld(mut objects: Vec<Arc<Object>>) -> Vec<Arc<Object>> {
    objects.retain(|object| {
        object.holders.lock().by_date.is_empty() && !is_implied(object, &|_| false)
    });
    // Children are younger than their parents.
    objects.sort_unstable_by_key(|object| std::cmp::Reverse(object.born()));
    objects
}
