//! The registry as a caller sees it: the one way to an object or a session by its name.
//!
//! Whatever a client names or has listed comes out of a [`View`], which only a [`Caller`] opens.
//! What the caller may not see answers in all respects as what does not exist. Objects belong to the
//! principal whose session made them, and what is in a pipeline to the pipeline's: so whoever sees
//! an object may see its parents, its children and whatever it is connected with.

use std::sync::Arc;

use super::Registry;
use super::object::{Body, Object};
use super::session::{self, Session};
use crate::auth::Caller;
use crate::error::CallError;

/// What there is for a caller.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    registry: &'a Registry,
    caller: &'a Caller,
}

impl Registry {
    /// What there is for a caller.
    #[must_use]
    pub fn view<'a>(&'a self, caller: &'a Caller) -> View<'a> {
        let registry = self;
        View { registry, caller }
    }

    /// The class of an object, for a module that has another one in the same pipeline.
    #[must_use]
    pub fn class_within(&self, pipeline: &str, id: &str) -> Option<String> {
        let object = self.objects.get(id)?;
        (object.pipeline() == Some(pipeline)).then(|| object.class.name.clone())
    }
}

impl View<'_> {
    /// The object with this id.
    ///
    /// # Errors
    /// 40101 when there is none (40109 for `newref:` ids).
    pub fn object(&self, id: &str) -> Result<Arc<Object>, CallError> {
        let object = self.registry.objects.get(id);
        let object = object.filter(|object| self.sees(object));
        object.ok_or_else(|| CallError::no_object(id))
    }

    /// Whether an object exists for the caller.
    fn sees(&self, object: &Object) -> bool {
        matches!(object.body, Body::ServerManager) || self.caller.sees(object.owner())
    }

    /// The known session with this id, or a new one of the caller that nobody knows yet.
    #[must_use]
    pub fn session(&self, id: &Arc<str>) -> Arc<Session> {
        if let Some(session) = self.known_session(id) {
            return session;
        }
        let account = self.caller.account();
        let newcomers = account.newcomers();
        let newcomer = newcomers.find_or_make(id, || Session::new(id.clone(), account));
        // Another connection's may have become known in between, and is no newcomer any more then.
        self.known_session(id).unwrap_or(newcomer)
    }

    /// The session with this id, if it is known. Each principal has names of its own for its
    /// sessions; for who sees all, its own come first.
    #[must_use]
    pub fn known_session(&self, id: &str) -> Option<Arc<Session>> {
        let owner = self.caller.account().owner();
        let own = self.registry.sessions.get(&session::key(owner, id));
        own.or_else(|| {
            let all = self
                .caller
                .sees_all()
                .then(|| self.registry.namesakes.get(id));
            all.flatten()?.first().cloned()
        })
    }

    /// All known sessions, sorted by their ids.
    #[must_use]
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        let seen = |session: &Arc<Session>| self.caller.sees(session.account().owner());
        let mut sessions = self.registry.sessions.filtered(seen);
        sessions.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        sessions
    }

    /// Their ids.
    #[must_use]
    pub fn session_ids(&self) -> Vec<Arc<str>> {
        let sessions = self.sessions();
        sessions.iter().map(|session| session.id.clone()).collect()
    }

    /// All pipelines, oldest first.
    #[must_use]
    pub fn pipelines(&self) -> Vec<Arc<Object>> {
        let mut pipelines = self.registry.pipelines();
        pipelines.retain(|pipeline| self.sees(pipeline));
        pipelines
    }
}
