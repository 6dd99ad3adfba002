//! The objects and sessions of the server, and who holds what.
//!
//! Objects form a tree (pipeline, its elements and hubs, a hub's ports). A session that uses an
//! object holds it and its parents; whoever holds a parent holds its new children ([`holds`]). An
//! object that no session holds is destroyed. Which sessions want events of an object is with the
//! object ([`Subscriptions`]); what becomes of an event is the business of `events`, which
//! knows the registry and is not known to it.
//!
//! Looking an object up takes a read lock for the time of a hash look-up. Changes of the tree
//! and of the holds take one lock, the *graph lock*, for pure bookkeeping: no module is called
//! and nothing is sent under it, and each change takes time for what it changes, not for all
//! sessions or objects that there are.

mod holds;
pub mod id;
mod labels;
mod object;
mod outbox;
mod recording;
mod replies;
mod session;
mod sharded;
mod subscriptions;
mod view;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

pub use labels::{Labels, Tags};
pub use object::{Allotment, Body, OWN_MODULE, Object, Settings};
pub use outbox::Outbox;
pub use recording::Recording;
pub use replies::{Known, Replies};
pub use session::Session;
pub use subscriptions::Subscriptions;
pub use view::View;

use crate::accounts::Exhausted;
use crate::auth::Caller;
use crate::error::CallError;
use sharded::Sharded;

/// All objects and all known sessions.
#[derive(Debug, Default)]
pub struct Registry {
    objects: Sharded<Arc<Object>>,
    /// By [`session::key`].
    sessions: Sharded<Arc<Session>>,
    /// Known sessions of principals by their ids alone. Changed only under the graph lock.
    namesakes: Sharded<Vec<Arc<Session>>>,
    graph: Mutex<Graph>,
    made: AtomicU64,
}

/// What belongs to no single object, under the graph lock.
#[derive(Debug, Default)]
struct Graph {
    /// Objects registered so far.
    births: u64,
    /// Objects without parent, by birth.
    roots: BTreeMap<u64, Arc<Object>>,
    /// How many there are of each class and module: counted as they come and go, since whoever asks does so
    /// again and again, and there may be 200,000.
    census: BTreeMap<(String, Arc<str>), u64>,
    /// Nothing is registered any more.
    closed: bool,
}

impl Registry {
    /// Number of known sessions.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// All pipelines of whomever, oldest first; clients see those of a [`View`].
    pub fn pipelines(&self) -> Vec<Arc<Object>> {
        let mut pipelines = self.roots();
        pipelines.retain(|object| matches!(object.body, Body::Pipeline { .. }));
        pipelines
    }

    /// Number of objects besides the server manager.
    pub fn object_count(&self) -> usize {
        self.objects.len().saturating_sub(1)
    }

    /// Number of objects that were ever registered.
    pub fn objects_made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// How many objects there are of each class and module, the server manager excepted.
    pub fn census(&self) -> Vec<(String, Arc<str>, u64)> {
        let graph = self.graph.lock();
        let counted = graph.census.iter();
        counted
            .map(|((class, module), number)| (class.clone(), module.clone(), *number))
            .collect()
    }

    fn roots(&self) -> Vec<Arc<Object>> {
        self.graph.lock().roots.values().cloned().collect()
    }

    /// Registers an object, held by `session` and by every session that holds its parent.
    ///
    /// # Errors
    /// 40101 when the parent has been destroyed meanwhile, 40009 when the session may not hold it
    /// and after [`Registry::close`]; the caller then releases the object.
    pub fn insert(
        &self,
        object: &Arc<Object>,
        session: Option<&Arc<Session>>,
    ) -> Result<(), CallError> {
        let mut graph = self.graph.lock();
        if graph.closed {
            return Err(CallError::going_down("nothing is begun any more"));
        }
        if let Some(parent) = &object.parent
            && parent.is_released()
        {
            return Err(CallError::no_object(&parent.id));
        }
        let born = graph.births + 1;
        object.born.store(born, Ordering::Relaxed);
        // Before it becomes known: its session may be refused.
        if let Some(session) = session {
            self.hold_chain(session, object, born)?;
        }
        graph.births = born;
        graph.count_in(object);
        match &object.parent {
            Some(parent) => parent.children.lock().insert(born, object.clone()),
            None => graph.roots.insert(born, object.clone()),
        };
        self.objects.insert(object.id.clone(), object.clone());
        self.made.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Makes `session` a holder of the object and its parents.
    ///
    /// Returns the session under which the hold was made: another one than the argument when
    /// two connections began to use the same new id at the same time.
    ///
    /// # Errors
    /// 40101 when the object has been destroyed meanwhile, 40009 when the account of the session
    /// may have no more sessions or holds.
    pub fn touch(
        &self,
        session: &Arc<Session>,
        object: &Arc<Object>,
    ) -> Result<Arc<Session>, CallError> {
        if session.is_known() && holds::holds(session, object) {
            return Ok(session.clone());
        }
        let graph = self.graph.lock();
        if object.is_released() {
            return Err(CallError::no_object(&object.id));
        }
        Ok(self.hold_chain(session, object, graph.births)?)
    }

    /// The known session that stands for `session`, becoming known if its id was free. Under the
    /// graph lock.
    fn admit(&self, session: &Arc<Session>) -> Result<Arc<Session>, Exhausted> {
        let key = session.key();
        if let Some(known) = self.sessions.get(&key) {
            return Ok(known);
        }
        session.claim_place()?;
        self.sessions.insert(key.into(), session.clone());
        self.list_namesake(session);
        session.known.store(true, Ordering::Release);
        // After its end the id means another session.
        session.account().newcomers().forget(&session.id);
        Ok(session.clone())
    }

    /// Lets who sees all find a session of a principal by its id. Under the graph lock.
    fn list_namesake(&self, session: &Arc<Session>) {
        if session.account().owner().is_some() {
            let mut namesakes = self.namesakes.get(&session.id).unwrap_or_default();
            namesakes.push(session.clone());
            self.namesakes.insert(session.id.clone(), namesakes);
        }
    }

    /// Undoes that. Under the graph lock.
    fn unlist_namesake(&self, session: &Arc<Session>) {
        let Some(mut namesakes) = self.namesakes.get(&session.id) else {
            return;
        };
        namesakes.retain(|other| !Arc::ptr_eq(other, session));
        match namesakes.is_empty() {
            true => self.namesakes.remove(&session.id),
            false => self.namesakes.insert(session.id.clone(), namesakes),
        }
    }

    /// The known session that a session stands for: itself, or one of the same name and principal
    /// that became known first.
    #[must_use]
    pub fn known(&self, session: &Session) -> Option<Arc<Session>> {
        self.sessions.get(&session.key())
    }

    fn hold_chain(
        &self,
        session: &Arc<Session>,
        object: &Arc<Object>,
        births: u64,
    ) -> Result<Arc<Session>, Exhausted> {
        let session = self.admit(session)?;
        holds::hold_chain(&session, object, births)?;
        Ok(session)
    }

    /// Subscribes a session to an event of an object, which it holds from then on; returns the
    /// id of the subscription, and the session as [`Registry::touch`] does. `since` is the number
    /// of the first event that is wanted.
    ///
    /// # Errors
    /// As [`Registry::touch`], and 40009 when the account may have no more subscriptions.
    pub fn subscribe(
        &self,
        session: &Arc<Session>,
        object: &Arc<Object>,
        event: &str,
        since: u64,
        caller: &Caller,
    ) -> Result<(Arc<str>, Arc<Session>), CallError> {
        let graph = self.graph.lock();
        if object.is_released() {
            return Err(CallError::no_object(&object.id));
        }
        let session = self.hold_chain(session, object, graph.births)?;
        // Who sees all does not let others see it, whose session he uses.
        let sees_all = caller.sees_all() && caller.account().owner() == session.account().owner();
        let id = object.subscriptions.add(event, &session, since, sees_all)?;
        session
            .subscribed
            .lock()
            .insert(object.serial, Arc::downgrade(object));
        Ok((id, session))
    }

    /// Ends a subscription of a session; unknown ones are no error.
    pub fn unsubscribe(&self, session: &Arc<Session>, object: &Object, id: &str) {
        let _graph = self.graph.lock();
        if object.subscriptions.remove(id, session) {
            session.subscribed.lock().remove(&object.serial);
        }
    }

    /// Ends this session's hold of the object and its descendants.
    ///
    /// Returns the objects that died of it, children before parents, already unregistered.
    ///
    /// # Errors
    /// 40009 when the session goes on holding the parent, and its account may have no more records
    /// of that kind.
    pub fn unhold(
        &self,
        session: &Arc<Session>,
        object: &Arc<Object>,
    ) -> Result<Vec<Arc<Object>>, CallError> {
        let mut graph = self.graph.lock();
        let subtree = subtree(object);
        let unheld = holds::unhold(session, object, &subtree)?;
        unsubscribe_within(session, object, &subtree);
        Ok(graph.take_all(self, &unheld))
    }

    /// Ends a session: nobody knows it afterwards.
    ///
    /// Returns the objects that die of it, children before parents, already unregistered: those
    /// that it alone held, or with `destroy` all that it held, and their descendants.
    #[must_use]
    pub fn end_session(&self, session: &Arc<Session>, destroy: bool) -> Vec<Arc<Object>> {
        let mut graph = self.graph.lock();
        let is_listed = |known: Arc<Session>| Arc::ptr_eq(&known, session);
        let key = session.key();
        if self.sessions.get(&key).is_some_and(is_listed) {
            self.sessions.remove(&key);
            self.unlist_namesake(session);
        }
        session.known.store(false, Ordering::Release);
        *session.place.lock() = None;
        session.forget_backlog();
        session.replies().lock().clear();
        let subscribed = std::mem::take(&mut *session.subscribed.lock());
        for object in subscribed.values().filter_map(Weak::upgrade) {
            object.subscriptions.remove_session(session);
        }
        let records = session.held.lock().take();
        let mut held: Vec<_> = records.iter().map(|(object, _)| object.clone()).collect();
        // Children are younger than their parents, so the youngest first is children first.
        held.sort_unstable_by_key(|object| std::cmp::Reverse(object.born()));
        let unheld = holds::unhold_all(session, records);
        graph.take_all(self, if destroy { &held } else { &unheld })
    }

    /// Unregisters an object and its descendants, whoever holds them.
    ///
    /// Returns them, children before parents.
    #[must_use]
    pub fn remove(&self, object: &Arc<Object>) -> Vec<Arc<Object>> {
        self.graph.lock().take_subtree(self, object)
    }

    /// Unregisters everything at the end of the process, and takes nothing more: what is being
    /// made at the moment would otherwise outlive the end.
    #[must_use]
    pub fn close(&self) -> Vec<Arc<Object>> {
        let mut graph = self.graph.lock();
        graph.closed = true;
        let roots = graph.roots.values().cloned().collect::<Vec<_>>();
        graph.take_all(self, &roots)
    }

    /// Known sessions that were neither used nor connected since the last call.
    pub fn stale_sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.filtered(|session| {
            !session.alive.swap(false, Ordering::Relaxed) && !session.is_bound()
        })
    }
}

impl Graph {
    fn take_all(&mut self, registry: &Registry, objects: &[Arc<Object>]) -> Vec<Arc<Object>> {
        let subtrees = objects
            .iter()
            .map(|object| self.take_subtree(registry, object));
        subtrees.flatten().collect()
    }

    fn take_subtree(&mut self, registry: &Registry, object: &Arc<Object>) -> Vec<Arc<Object>> {
        // Of what another of the dead took along nothing is left to walk through.
        if object.is_released() {
            return Vec::new();
        }
        let mut dead = subtree(object);
        dead.retain(|object| self.take(registry, object));
        dead
    }

    fn count_in(&mut self, object: &Object) {
        if !matches!(object.body, Body::ServerManager) {
            *self.census.entry(kind_of(object)).or_default() += 1;
        }
    }

    fn count_out(&mut self, object: &Object) {
        if let Entry::Occupied(mut counted) = self.census.entry(kind_of(object)) {
            *counted.get_mut() -= 1;
            if *counted.get() == 0 {
                counted.remove();
            }
        }
    }

    /// Unregisters one object; false when it is already, or is the server manager.
    fn take(&mut self, registry: &Registry, object: &Arc<Object>) -> bool {
        if matches!(object.body, Body::ServerManager)
            || object.released.swap(true, Ordering::AcqRel)
        {
            return false;
        }
        registry.objects.remove(&object.id);
        self.count_out(object);
        match &object.parent {
            Some(parent) => parent.children.lock().remove(&object.born()),
            None => self.roots.remove(&object.born()),
        };
        holds::make_regular(object);
        let recorded = object.holders.lock().take();
        for session in recorded {
            session.held.lock().forget(object);
        }
        true
    }
}

/// What the census counts by.
fn kind_of(object: &Object) -> (String, Arc<str>) {
    (object.class.name.clone(), object.module())
}

/// Ends the session's subscriptions to events of the object and its descendants, `subtree`.
fn unsubscribe_within(session: &Arc<Session>, object: &Object, subtree: &[Arc<Object>]) {
    let mut subscribed = session.subscribed.lock();
    let within: Vec<Arc<Object>> = if subtree.len() < subscribed.len() {
        let known = |other: &&Arc<Object>| subscribed.contains_key(&other.serial);
        subtree.iter().filter(known).cloned().collect()
    } else {
        let all = subscribed.values().filter_map(Weak::upgrade);
        all.filter(|other| other.serial == object.serial || other.is_below(object))
            .collect()
    };
    for object in within {
        subscribed.remove(&object.serial);
        object.subscriptions.remove_session(session);
    }
}

/// The object and its descendants, children before parents.
fn subtree(object: &Arc<Object>) -> Vec<Arc<Object>> {
    let mut found = vec![object.clone()];
    let mut next = 0;
    while let Some(object) = found.get(next).cloned() {
        found.extend(object.children());
        next += 1;
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests;
