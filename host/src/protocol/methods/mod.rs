//! The methods of the protocol.
//!
//! [`Methods::begin`] takes a message from a connection to its reply, or to a future that yields
//! it. The methods themselves are in [`object`], [`session`] and [`transaction`]; they know
//! sessions, but not connections.

mod object;
mod session;
mod transaction;

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::cache::Known;
use super::outbox::Outbox;
use super::request::{self, Params, Request};
use super::response::{self, Answer};
use crate::core::{Core, Execution};
use crate::error::CallError;
use crate::lifecycle::Phase;
use crate::registry::Session;
use crate::registry::id::unique_id;

/// Carries out requests.
#[derive(Debug)]
pub struct Methods {
    core: Arc<Core>,
    server_id: Arc<str>,
    caches_replies: bool,
}

/// A connection, as far as methods are concerned.
#[derive(Debug, Default)]
pub struct Peer {
    /// The session that requests without `sessionId` belong to.
    bound: Option<Arc<Session>>,
    outbox: Arc<Outbox>,
}

/// A text to send, and the session that the connection belongs to from then on.
#[derive(Debug, PartialEq)]
pub struct Reply {
    /// One message.
    pub text: Utf8Bytes,
    /// `None` leaves the connection as it is.
    pub session: Option<Arc<str>>,
}

/// What becomes of a message.
pub enum Begun {
    /// The reply is known.
    Done(Reply),
    /// The reply comes later.
    Pending {
        /// Yields the reply; dropping it abandons the reply, not the work.
        reply: BoxFuture<'static, Reply>,
        /// The session of the request.
        session: Arc<str>,
    },
    /// The request already runs; its one reply will come to this connection too.
    Repeated {
        /// The session of the request.
        session: Arc<str>,
    },
}

/// Under which session and id a reply is kept.
struct CacheKey {
    session: Arc<Session>,
    id: String,
}

/// Methods that are answered to the very end: they begin nothing.
const ENDS_SOMETHING: &[&str] = &[
    "ping",
    "keepAlive",
    "unsubscribe",
    "release",
    "unref",
    "closeSession",
];

impl Methods {
    /// `caches_replies` is false with `resources.disableRequestCache`.
    #[must_use]
    pub fn new(core: Arc<Core>, caches_replies: bool) -> Arc<Methods> {
        Arc::new(Methods {
            core,
            server_id: unique_id(),
            caches_replies,
        })
    }

    /// What carries calls out.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Takes a message.
    pub fn begin(self: &Arc<Self>, peer: &Peer, text: &str) -> Begun {
        let request = match Request::parse(text) {
            Ok(request) => request,
            Err(refused) => return done(response::error_reply(&refused.id, &refused.error)),
        };
        let named = match request::session_id(request.params.as_ref()) {
            Ok(named) => named,
            Err(error) => return done(response::reply(request.id.as_ref(), &Err(error))),
        };
        let session = self.session(named, peer.bound());
        let key = session
            .as_ref()
            .and_then(|session| self.cache_key(session, &request));
        if let Some(key) = &key {
            let session = key.session.id.clone();
            let mut cache = key.session.cache().lock();
            match cache.look_up(&key.id, &peer.outbox, Instant::now()) {
                Known::Reply(text) => {
                    let session = Some(session);
                    return Begun::Done(Reply { text, session });
                }
                Known::Running => return Begun::Repeated { session },
                Known::No => {}
            }
        }
        let key = key.filter(|_| request.method != "ping");
        let Request { id, method, params } = request;
        let session_id = session
            .as_ref()
            .map_or_else(unique_id, |session| session.id.clone());
        let execution = match self.admit(peer, session.as_ref(), &method) {
            Ok(()) => self.dispatch(session, session_id.clone(), &method, params),
            Err(error) => error.into(),
        };
        match execution {
            Execution::Done(outcome) => {
                let reply = finished(id.as_ref(), &outcome, method == "ping");
                if let Some(key) = key {
                    key.session
                        .cache()
                        .lock()
                        .finish(&key.id, reply.text.clone(), Instant::now());
                }
                Begun::Done(reply)
            }
            Execution::Pending(outcome) => {
                let outbox = peer.outbox.clone();
                if let Some(key) = &key {
                    key.session.cache().lock().begin(&key.id, &outbox);
                }
                let reply = outcome.map(move |outcome| {
                    let reply = finished(id.as_ref(), &outcome, false);
                    if let Some(key) = key {
                        let waiting = key.session.cache().lock().finish(
                            &key.id,
                            reply.text.clone(),
                            Instant::now(),
                        );
                        for other in waiting.iter().filter(|other| !Arc::ptr_eq(other, &outbox)) {
                            other.push(reply.text.clone());
                        }
                    }
                    reply
                });
                Begun::Pending {
                    reply: reply.boxed(),
                    session: session_id,
                }
            }
        }
    }

    /// Lets the connection belong to a session: its events come here now.
    pub fn bind(&self, peer: &mut Peer, id: &Arc<str>) {
        let is_bound = |bound: &&Arc<Session>| bound.id == *id && bound.is_known();
        if let Some(bound) = peer.bound.as_ref().filter(is_bound) {
            // Another connection may have taken it over meanwhile.
            bound.bind(&peer.outbox);
            return;
        }
        let session = self.core.registry.session(id);
        if let Some(old) = peer.bound.replace(session.clone()) {
            old.unbind(&peer.outbox);
        }
        session.bind(&peer.outbox);
    }

    /// The session of a request: the one it names, or the connection's.
    fn session(
        &self,
        named: Option<Arc<str>>,
        bound: Option<&Arc<Session>>,
    ) -> Option<Arc<Session>> {
        let session = match (named, bound) {
            (Some(id), Some(bound)) if bound.id == id && bound.is_known() => bound.clone(),
            (None, Some(bound)) if bound.is_known() => bound.clone(),
            (Some(id), _) => self.core.registry.session(&id),
            // Ended meanwhile, or not known yet: its id may have become known elsewhere.
            (None, Some(bound)) => self.core.registry.session(&bound.id),
            (None, None) => return None,
        };
        session.keep_alive();
        Some(session)
    }

    /// Whether a request is carried out while the server is going down: a new session's is not,
    /// and at the end only what ends something.
    fn admit(
        &self,
        peer: &Peer,
        session: Option<&Arc<Session>>,
        method: &str,
    ) -> Result<(), CallError> {
        let lifecycle = &self.core.lifecycle;
        if lifecycle.phase() == Phase::Running || ENDS_SOMETHING.contains(&method) {
            return Ok(());
        }
        let is_bound = |session: &Arc<Session>| {
            let bound = peer.bound();
            bound.is_some_and(|bound| bound.id == session.id)
        };
        match session.is_some_and(|session| session.is_known() || is_bound(session)) {
            true => lifecycle.admit(),
            false => lifecycle.admit_session(),
        }
    }

    fn cache_key(&self, session: &Arc<Session>, request: &Request) -> Option<CacheKey> {
        let id = request
            .id
            .as_ref()
            .filter(|_| self.caches_replies && session.is_known())?;
        Some(CacheKey {
            session: session.clone(),
            id: request::as_text(id.clone())?,
        })
    }

    /// Carries a method out. `session_id` is that of `session`, or a fresh one without session.
    fn dispatch(
        self: &Arc<Self>,
        session: Option<Arc<Session>>,
        session_id: Arc<str>,
        method: &str,
        params: Option<Params>,
    ) -> Execution<Answer> {
        let has_session = session.is_some();
        match method {
            "ping" => {
                let session = has_session.then_some(session_id);
                return Execution::Done(Ok(Answer::Value(session, Value::from("pong"))));
            }
            "connect" => return Execution::Done(self.connect(session, session_id)),
            _ => {}
        }
        let Some(run) = method_named(method) else {
            return CallError::method_not_found("Method not found.").into();
        };
        // A bound connection's session counts as a parameter, so that there always are some.
        let Some(params) = params.or_else(|| has_session.then(Map::new)) else {
            return CallError::invalid_params("'params' is required").into();
        };
        let session = session.unwrap_or_else(|| Session::new(session_id));
        match run(
            self,
            Arguments {
                session,
                has_session,
                params,
            },
        ) {
            Ok(execution) => execution,
            Err(error) => error.into(),
        }
    }
}

/// What a method works on.
struct Arguments {
    session: Arc<Session>,
    /// Whether the session was named or bound, and not made up for this request.
    has_session: bool,
    params: Params,
}

impl Arguments {
    fn take_string(&mut self, name: &str) -> Result<String, CallError> {
        request::take_string(&mut self.params, name)
    }

    /// # Errors
    /// -32000 when the request has no session.
    fn require_session(&self) -> Result<(), CallError> {
        match self.has_session {
            true => Ok(()),
            false => Err(CallError::bad_member("'sessionId' parameter is required")),
        }
    }
}

type Method = fn(&Arc<Methods>, Arguments) -> Result<Execution<Answer>, CallError>;

fn method_named(name: &str) -> Option<Method> {
    Some(match name {
        "create" => object::create,
        "invoke" => object::invoke,
        "describe" => object::describe,
        "subscribe" => object::subscribe,
        "unsubscribe" => object::unsubscribe,
        "release" => object::release,
        "ref" => object::reference,
        "unref" => object::unreference,
        "keepAlive" => session::keep_alive,
        "closeSession" => session::close,
        "transaction" => transaction::run,
        _ => return None,
    })
}

impl Peer {
    /// A connection that belongs to no session yet.
    #[must_use]
    pub fn new(outbox: Arc<Outbox>) -> Peer {
        Peer {
            bound: None,
            outbox,
        }
    }

    fn bound(&self) -> Option<&Arc<Session>> {
        self.bound.as_ref()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(session) = &self.bound {
            session.unbind(&self.outbox);
        }
    }
}

fn done(text: String) -> Begun {
    Begun::Done(Reply {
        text: text.into(),
        session: None,
    })
}

/// The reply to a request that has come to its end. A ping binds nothing, since it may name any session.
fn finished(id: Option<&Value>, outcome: &Result<Answer, CallError>, is_ping: bool) -> Reply {
    let session = outcome
        .as_ref()
        .ok()
        .filter(|_| !is_ping)
        .and_then(Answer::session)
        .cloned();
    Reply {
        text: response::reply(id, outcome).into(),
        session,
    }
}
