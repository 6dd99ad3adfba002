//! The objects and sessions of the server, and who holds what.
//!
//! Objects form a tree (pipeline, its elements and hubs, a hub's ports). A session that uses an
//! object holds it and its parents; whoever holds a parent holds its new children. An object
//! that no session holds is destroyed.
//!
//! Looking an object up takes a read lock for the time of a hash look-up. Changes of the tree
//! and of the holds take one lock, the *graph lock*, for pure bookkeeping: no module is called
//! and nothing is sent under it.

pub mod collector;
pub mod id;
mod object;
mod session;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};

pub use object::{Body, Labels, Object, Settings};
pub use session::Session;

use crate::error::CallError;

/// All objects and all known sessions.
#[derive(Debug, Default)]
pub struct Registry {
    objects: RwLock<HashMap<Arc<str>, Arc<Object>>>,
    sessions: RwLock<HashMap<Arc<str>, Arc<Session>>>,
    graph: Mutex<()>,
    /// Nothing is registered any more. Changed under the graph lock.
    closed: AtomicBool,
    made: AtomicU64,
}

impl Registry {
    /// The object with this id.
    ///
    /// # Errors
    /// 40101 when there is none (40109 for `newref:` ids).
    pub fn object(&self, id: &str) -> Result<Arc<Object>, CallError> {
        self.objects
            .read()
            .get(id)
            .cloned()
            .ok_or_else(|| CallError::no_object(id))
    }

    /// The known session with this id, or a new one that nobody knows yet.
    pub fn session(&self, id: &Arc<str>) -> Arc<Session> {
        match self.known_session(id) {
            Some(session) => session,
            None => Session::new(id.clone()),
        }
    }

    /// The session with this id, if it is known.
    pub fn known_session(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.read().get(id).cloned()
    }

    /// Ids of all known sessions, sorted.
    pub fn session_ids(&self) -> Vec<Arc<str>> {
        let mut ids: Vec<_> = self.sessions.read().keys().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// All pipelines, oldest first.
    pub fn pipelines(&self) -> Vec<Arc<Object>> {
        let mut pipelines = self.roots();
        pipelines.retain(|object| matches!(object.body, Body::Pipeline { .. }));
        pipelines
    }

    /// Number of objects besides the server manager.
    pub fn object_count(&self) -> usize {
        self.objects.read().len().saturating_sub(1)
    }

    /// Number of objects that were ever registered.
    pub fn objects_made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Drops the replies of all sessions that nobody may ask for any more; whether some are left.
    pub fn expire_replies(&self, now: Instant) -> bool {
        let sessions: Vec<_> = self.sessions.read().values().cloned().collect();
        let left = sessions
            .iter()
            .filter(|session| !session.cache().lock().expire(now));
        left.count() > 0
    }

    fn roots(&self) -> Vec<Arc<Object>> {
        let objects = self.objects.read();
        let mut roots: Vec<_> = objects
            .values()
            .filter(|object| object.parent.is_none())
            .cloned()
            .collect();
        roots.sort_unstable_by_key(|object| object.serial);
        roots
    }

    /// Registers an object, held by `session` and by every session that holds its parent.
    ///
    /// # Errors
    /// 40101 when the parent has been destroyed meanwhile, 40009 after [`Registry::close`]; the
    /// caller then releases the object.
    pub fn insert(
        &self,
        object: &Arc<Object>,
        session: Option<&Arc<Session>>,
    ) -> Result<(), CallError> {
        let _graph = self.graph.lock();
        if self.closed.load(Ordering::Relaxed) {
            return Err(CallError::going_down("nothing is begun any more"));
        }
        if let Some(parent) = &object.parent {
            if parent.is_released() {
                return Err(CallError::no_object(&parent.id));
            }
            parent.children.lock().insert(object.serial, object.clone());
            let holders: Vec<_> = parent.holders.lock().values().cloned().collect();
            for holder in holders {
                link(&holder, object);
            }
        }
        self.objects
            .write()
            .insert(object.id.clone(), object.clone());
        self.made.fetch_add(1, Ordering::Relaxed);
        if let Some(session) = session {
            self.hold_chain(session, object);
        }
        Ok(())
    }

    /// Makes `session` a holder of the object and its parents.
    ///
    /// Returns the session under which the hold was made: another one than the argument when
    /// two connections began to use the same new id at the same time.
    ///
    /// # Errors
    /// 40101 when the object has been destroyed meanwhile.
    pub fn touch(
        &self,
        session: &Arc<Session>,
        object: &Arc<Object>,
    ) -> Result<Arc<Session>, CallError> {
        if session.is_known() && object.holders.lock().contains_key(&session.serial) {
            return Ok(session.clone());
        }
        let _graph = self.graph.lock();
        if object.is_released() {
            return Err(CallError::no_object(&object.id));
        }
        Ok(self.hold_chain(session, object))
    }

    /// The known session that stands for `session`, becoming known if its id was free.
    fn admit(&self, session: &Arc<Session>) -> Arc<Session> {
        let mut sessions = self.sessions.write();
        let known = sessions
            .entry(session.id.clone())
            .or_insert_with(|| session.clone())
            .clone();
        known.known.store(true, Ordering::Release);
        known
    }

    fn hold_chain(&self, session: &Arc<Session>, object: &Arc<Object>) -> Arc<Session> {
        let session = self.admit(session);
        let mut current = Some(object);
        while let Some(object) = current {
            link(&session, object);
            current = object.parent.as_ref();
        }
        session
    }

    /// Ends this session's hold of the object and its descendants.
    ///
    /// Returns the objects that died of it, children before parents, already unregistered.
    #[must_use]
    pub fn unhold(&self, session: &Arc<Session>, object: &Arc<Object>) -> Vec<Arc<Object>> {
        let _graph = self.graph.lock();
        let subtree = subtree(object);
        for object in &subtree {
            unlink(session, object);
        }
        self.take_unheld(subtree)
    }

    /// Ends a session: nobody knows it afterwards.
    ///
    /// Returns the objects that die of it, children before parents, already unregistered: those
    /// that it alone held, or with `destroy` all that it held, and their descendants.
    #[must_use]
    pub fn end_session(&self, session: &Arc<Session>, destroy: bool) -> Vec<Arc<Object>> {
        let _graph = self.graph.lock();
        let is_listed = |known: &Arc<Session>| Arc::ptr_eq(known, session);
        if self.sessions.read().get(&session.id).is_some_and(is_listed) {
            self.sessions.write().remove(&session.id);
        }
        session.known.store(false, Ordering::Release);
        let mut held: Vec<_> = std::mem::take(&mut *session.held.lock())
            .into_iter()
            .collect();
        // Children are younger than their parents, so the youngest first is children first.
        held.sort_unstable_by_key(|(serial, _)| std::cmp::Reverse(*serial));
        let held: Vec<_> = held.into_iter().map(|(_, object)| object).collect();
        for object in &held {
            unlink(session, object);
        }
        if !destroy {
            return self.take_unheld(held);
        }
        let mut dead = Vec::new();
        for object in held {
            dead.extend(self.take_subtree(&object));
        }
        dead
    }

    /// Unregisters an object and its descendants, whoever holds them.
    ///
    /// Returns them, children before parents.
    #[must_use]
    pub fn remove(&self, object: &Arc<Object>) -> Vec<Arc<Object>> {
        let _graph = self.graph.lock();
        self.take_subtree(object)
    }

    /// Unregisters everything at the end of the process, and takes nothing more: what is being
    /// made at the moment would otherwise outlive the end.
    #[must_use]
    pub fn close(&self) -> Vec<Arc<Object>> {
        let _graph = self.graph.lock();
        self.closed.store(true, Ordering::Relaxed);
        self.roots()
            .iter()
            .flat_map(|root| self.take_subtree(root))
            .collect()
    }

    /// Known sessions that were neither used nor connected since the last call.
    fn stale_sessions(&self) -> Vec<Arc<Session>> {
        let sessions = self.sessions.read();
        let is_stale = |session: &&Arc<Session>| {
            !session.alive.swap(false, Ordering::Relaxed) && !session.is_bound()
        };
        sessions.values().filter(is_stale).cloned().collect()
    }

    fn take_unheld(&self, objects: Vec<Arc<Object>>) -> Vec<Arc<Object>> {
        let mut dead = Vec::new();
        for object in objects {
            if object.holders.lock().is_empty() {
                dead.extend(self.take_subtree(&object));
            }
        }
        dead
    }

    fn take_subtree(&self, object: &Arc<Object>) -> Vec<Arc<Object>> {
        let mut dead = subtree(object);
        dead.retain(|object| self.take(object));
        dead
    }

    /// Unregisters one object; false when it is already, or is the server manager.
    fn take(&self, object: &Arc<Object>) -> bool {
        if matches!(object.body, Body::ServerManager)
            || object.released.swap(true, Ordering::AcqRel)
        {
            return false;
        }
        self.objects.write().remove(&object.id);
        if let Some(parent) = &object.parent {
            parent.children.lock().remove(&object.serial);
        }
        for session in std::mem::take(&mut *object.holders.lock()).into_values() {
            session.held.lock().remove(&object.serial);
        }
        true
    }
}

fn link(session: &Arc<Session>, object: &Arc<Object>) {
    if object
        .holders
        .lock()
        .insert(session.serial, session.clone())
        .is_none()
    {
        session.held.lock().insert(object.serial, object.clone());
    }
}

fn unlink(session: &Arc<Session>, object: &Arc<Object>) {
    object.holders.lock().remove(&session.serial);
    object.subscriptions.remove_session(session);
    session.held.lock().remove(&object.serial);
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
