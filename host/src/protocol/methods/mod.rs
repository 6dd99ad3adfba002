//! The methods of the protocol.
//!
//! [`Methods::begin`] takes a message from a connection to its reply, or to a future that yields
//! it. The methods themselves are in [`object`], [`session`] and [`transaction`]; they know
//! sessions, but not connections.

mod object;
mod session;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::accounts::{Account, Claim, Resource};
use crate::auth::Caller;
use crate::core::requests::Method;
use crate::core::{Core, Execution};
use crate::error::CallError;
use crate::jsonrpc::json::{self, Extent, weight};
use crate::jsonrpc::request::{self, Params, Request};
use crate::jsonrpc::response::{self, Answer};
use crate::lifecycle::Phase;
use crate::registry::id::unique_id;
use crate::registry::{Known, Outbox, Session};

/// Texts and answers of more bytes than this are parsed and written beside the runtime: that takes
/// longer than other clients should wait.
pub(super) const LARGE: usize = 64 << 10;

/// Carries out requests.
#[derive(Debug)]
pub struct Methods {
    core: Arc<Core>,
    server_id: Arc<str>,
    caches_replies: AtomicBool,
}

/// A connection, as far as methods are concerned.
#[derive(Debug)]
pub struct Peer {
    origin: Origin,
}

/// Where requests come from, and their replies go.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The session that requests without `sessionId` belong to.
    bound: Option<Arc<Session>>,
    outbox: Arc<Outbox>,
    /// On whose behalf they come.
    caller: Caller,
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

impl Begun {
    /// A message that could not be handled.
    pub(super) fn failed(error: &CallError) -> Begun {
        done(response::error_reply(&Value::Null, error))
    }
}

/// Under which session and id a reply is kept. Dropping it ends the wait for it.
struct Ticket {
    session: Arc<Session>,
    id: Arc<str>,
    finished: bool,
}

impl Ticket {
    /// Keeps the reply, and sends it to the other connections that have asked for it.
    fn finish(mut self, reply: &Utf8Bytes) {
        self.finished = true;
        let waiting = self.session.finish_reply(&self.id, reply, Instant::now());
        for other in waiting {
            other.push(reply.clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Of a request that came to no end nobody should wait for the reply.
        if !self.finished {
            self.session.replies().lock().abandon(&self.id);
        }
    }
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
            caches_replies: caches_replies.into(),
        })
    }

    /// Whether repeated requests get the reply of the first, from now on.
    pub fn set_caches_replies(&self, caches_replies: bool) {
        self.caches_replies.store(caches_replies, Ordering::Relaxed);
    }

    /// What carries calls out.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Takes a message. `received` is what has been claimed for its bytes so far.
    pub fn begin(self: &Arc<Self>, origin: &Origin, text: &str, mut received: Claim) -> Begun {
        let since = Instant::now();
        let request = match self.parse(text, &mut received) {
            Ok(request) => request,
            Err(refused) => {
                self.answered(Method::unknown(), Some(refused.error.code), since);
                return done(response::error_reply(&refused.id, &refused.error));
            }
        };
        let method_name = Method::named(&request.method);
        let refuse = |error: CallError| {
            self.answered(method_name, Some(error.code), since);
            done(response::reply(request.id.as_ref(), &Err(error)))
        };
        let named = match self.named_session(&request) {
            Ok(named) => named,
            Err(error) => return refuse(error),
        };
        let session = self.session(named, origin);
        if let Err(error) = authorize(&origin.caller, session.as_ref(), &request.method) {
            return refuse(error);
        }
        if request.method == "ping" {
            let begun = self.ping(session, origin, &request);
            self.answered(method_name, None, since);
            return begun;
        }
        if let Err(error) = self.check_memory(&request, text, &mut received) {
            return refuse(error);
        }
        let has_session = session.is_some();
        let account = origin.outbox.account();
        let session = session.unwrap_or_else(|| Session::new(unique_id(), account));
        let ticket = match self.ticket(&session, has_session, origin, &request) {
            Ok(ticket) => ticket,
            Err(begun) => return begun,
        };
        let raised = account.events().count();
        let Request { id, method, params } = request;
        let session_id = session.id.clone();
        let known = has_session.then_some(&session);
        let execution = match self.admit(origin, known, &method) {
            Ok(()) => self.dispatch(&origin.caller, session, has_session, &method, params),
            Err(error) => error.into(),
        };
        let finish = Finish {
            methods: self.clone(),
            account: account.clone(),
            id,
            ticket,
            raised,
            method: method_name,
            since,
        };
        match execution {
            Execution::Done(outcome) if finish.is_quick(&outcome) => {
                Begun::Done(finish.reply(&outcome))
            }
            Execution::Done(outcome) => Begun::Pending {
                reply: finish.slowly(outcome).boxed(),
                session: session_id,
            },
            Execution::Pending(outcome) => {
                // What goes on keeps its parameters until it is done. It has begun, so that it is
                // too late to refuse it: the next one is.
                let _ = received.resize(Extent::of(text).cost());
                let reply = async move {
                    let outcome = outcome.await;
                    drop(received);
                    finish.slowly(outcome).await
                };
                Begun::Pending {
                    reply: reply.boxed(),
                    session: session_id,
                }
            }
        }
    }

    fn answered(&self, method: Method, error: Option<i32>, since: Instant) {
        self.core.requests.answered(method, error, since.elapsed());
    }

    /// Parses a text that does not hold too much. For what a large one holds, memory is claimed
    /// before it is taken.
    fn parse(&self, text: &str, received: &mut Claim) -> Result<Request, request::Refused> {
        let refused = |error| request::Refused {
            id: self.id_alone(text),
            error,
        };
        let limit = self.core.limits().message_values;
        // A value takes two bytes at least, with the comma that follows.
        if text.len() > LARGE || text.len() as u64 / 2 > limit {
            let extent = Extent::of(text);
            if extent.values > limit {
                return Err(refused(CallError::not_enough_resources(format!(
                    "The message holds {} values, and mediaServer.limits.message.values is {limit}",
                    extent.values
                ))));
            }
            received
                .resize(extent.cost())
                .map_err(|exhausted| refused(exhausted.into()))?;
        }
        Request::parse(text)
    }

    /// The id of a request that is not parsed: clients wait for an answer with it.
    fn id_alone(&self, text: &str) -> Value {
        match json::scalar_member(text, "id") {
            Value::String(id) if id.len() as u64 > self.core.limits().id_bytes => Value::Null,
            id => id,
        }
    }

    /// Refuses requests of an account whose requests that are under way take too much memory,
    /// but for those that give something back.
    fn check_memory(
        &self,
        request: &Request,
        text: &str,
        received: &mut Claim,
    ) -> Result<(), CallError> {
        let account = received.account();
        let half = self.core.limits().of(Resource::RequestBytes).account / 2;
        if account.usage(Resource::RequestBytes) > half
            && !matches!(
                &*request.method,
                "release" | "unref" | "unsubscribe" | "closeSession"
            )
        {
            received.resize(Extent::of(text).cost())?;
        }
        Ok(())
    }

    /// The session that a request names, if any, after a look at the lengths of its ids.
    fn named_session(&self, request: &Request) -> Result<Option<Arc<str>>, CallError> {
        let limit = self.core.limits().id_bytes;
        let check = |what: &str, length: usize| match length as u64 > limit {
            true => Err(CallError::not_enough_resources(format!(
                "{what} has {length} bytes, and mediaServer.limits.idBytes is {limit}"
            ))),
            false => Ok(()),
        };
        if let Some(Value::String(id)) = &request.id {
            check("The id of the request", id.len())?;
        }
        let named = request::session_id(request.params.as_ref())?;
        if let Some(id) = &named {
            check("'sessionId'", id.len())?;
        }
        Ok(named)
    }

    /// A ping is repeated as any request, but never kept.
    fn ping(&self, session: Option<Arc<Session>>, origin: &Origin, request: &Request) -> Begun {
        if let (Some(session), Some(id)) = (&session, self.cached_id(request)) {
            let mut replies = session.replies().lock();
            let known = replies.look_up(&id, &origin.outbox, Instant::now());
            if let Some(begun) = known_already(known, &session.id, request) {
                return begun;
            }
        }
        let session = session.map(|session| session.id.clone());
        let pong = Ok(Answer::Value(session, Value::from("pong")));
        done(response::reply(request.id.as_ref(), &pong))
    }

    /// The right to carry a request out, unless it has been already.
    fn ticket(
        &self,
        session: &Arc<Session>,
        has_session: bool,
        origin: &Origin,
        request: &Request,
    ) -> Result<Option<Ticket>, Begun> {
        let Some(id) = self.cached_id(request) else {
            return Ok(None);
        };
        // The id of a session that is made up for the request is known to nobody else yet; its
        // client may come back with it.
        if has_session {
            let mut replies = session.replies().lock();
            let known = replies.begin(&id, &origin.outbox, Instant::now());
            drop(replies);
            if let Some(begun) = known_already(known, &session.id, request) {
                return Err(begun);
            }
        }
        Ok(Some(Ticket {
            session: session.clone(),
            id,
            finished: false,
        }))
    }

    /// The id under which the reply is kept, if it is.
    fn cached_id(&self, request: &Request) -> Option<Arc<str>> {
        let id = request.id.as_ref()?;
        if !self.caches_replies.load(Ordering::Relaxed) {
            return None;
        }
        request::as_text(id.clone()).map(Arc::from)
    }

    /// Lets the connection belong to a session: its events come here now.
    pub fn bind(&self, peer: &mut Peer, id: &Arc<str>) {
        let Origin {
            bound,
            outbox,
            caller,
        } = &mut peer.origin;
        let is_bound = |bound: &&Arc<Session>| bound.id == *id && bound.is_known();
        if let Some(bound) = bound.as_ref().filter(is_bound) {
            // Another connection may have taken it over meanwhile.
            bound.bind(outbox);
            return;
        }
        let session = self.core.registry.view(caller).session(id);
        if let Some(old) = bound.replace(session.clone()) {
            old.unbind(outbox);
        }
        session.bind(outbox);
    }

    /// The session of a request: the one it names, or the connection's.
    fn session(&self, named: Option<Arc<str>>, origin: &Origin) -> Option<Arc<Session>> {
        let view = self.core.registry.view(&origin.caller);
        let session = match (named, &origin.bound) {
            (Some(id), Some(bound)) if bound.id == id && bound.is_known() => bound.clone(),
            (None, Some(bound)) if bound.is_known() => bound.clone(),
            (Some(id), _) => view.session(&id),
            // Ended meanwhile, or not known yet: its id may have become known elsewhere.
            (None, Some(bound)) => view.session(&bound.id),
            (None, None) => return None,
        };
        session.keep_alive();
        Some(session)
    }

    /// Whether a request is carried out while the server is going down: a new session's is not,
    /// and at the end only what ends something.
    fn admit(
        &self,
        origin: &Origin,
        session: Option<&Arc<Session>>,
        method: &str,
    ) -> Result<(), CallError> {
        let lifecycle = &self.core.lifecycle;
        if lifecycle.phase() == Phase::Running || ENDS_SOMETHING.contains(&method) {
            return Ok(());
        }
        let is_bound = |session: &Arc<Session>| {
            let bound = origin.bound.as_ref();
            bound.is_some_and(|bound| bound.id == session.id)
        };
        match session.is_some_and(|session| session.is_known() || is_bound(session)) {
            true => lifecycle.admit(),
            false => lifecycle.admit_session(),
        }
    }

    /// Carries a method out. Without `has_session` the session is made up for this request.
    fn dispatch(
        self: &Arc<Self>,
        caller: &Caller,
        session: Arc<Session>,
        has_session: bool,
        method: &str,
        params: Option<Params>,
    ) -> Execution<Answer> {
        match method {
            // Within a transaction.
            "ping" => {
                let pong = Answer::Value(Some(session.id.clone()), Value::from("pong"));
                return Execution::Done(Ok(pong));
            }
            "connect" => return Execution::Done(self.connect(&session, has_session)),
            _ => {}
        }
        let Some(run) = method_named(method) else {
            return CallError::method_not_found("Method not found.").into();
        };
        // A bound connection's session counts as a parameter, so that there always are some.
        let Some(params) = params.or_else(|| has_session.then(Map::new)) else {
            return CallError::invalid_params("'params' is required").into();
        };
        match run(
            self,
            Arguments {
                caller: caller.clone(),
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
    caller: Caller,
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

type Run = fn(&Arc<Methods>, Arguments) -> Result<Execution<Answer>, CallError>;

fn method_named(name: &str) -> Option<Run> {
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
    pub fn new(outbox: Arc<Outbox>, caller: Caller) -> Peer {
        Peer {
            origin: Origin {
                bound: None,
                outbox,
                caller,
            },
        }
    }

    /// Where its requests come from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Counts a request, and looks at what the caller's credential permits; before anything is done, of
/// requests in transactions as well.
///
/// # Errors
/// 40009 when too many come, 40111 for what is not permitted, 40007 when the credential has expired
/// and the request would begin something new.
fn authorize(
    caller: &Caller,
    session: Option<&Arc<Session>>,
    method: &str,
) -> Result<(), CallError> {
    caller.account().count_request(Instant::now())?;
    caller.check_method(method)?;
    let goes_on = session.is_some_and(|session| session.is_known());
    let begins = matches!(method, "connect" | "create") || !goes_on;
    if caller.principal().has_expired() && begins && !ENDS_SOMETHING.contains(&method) {
        let credential = caller.principal().credential();
        return Err(CallError::invalid_session(format!(
            "The {credential} has expired: connect anew, with a new one"
        )));
    }
    Ok(())
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(session) = &self.origin.bound {
            session.unbind(&self.origin.outbox);
        }
    }
}

fn done(text: String) -> Begun {
    Begun::Done(Reply {
        text: text.into(),
        session: None,
    })
}

/// The reply, where the request has been carried out already or is about to.
fn known_already(known: Known, session: &Arc<str>, request: &Request) -> Option<Begun> {
    match known {
        Known::No => None,
        Known::Running => Some(Begun::Repeated {
            session: session.clone(),
        }),
        Known::Reply(text) => Some(Begun::Done(Reply {
            text,
            session: Some(session.clone()),
        })),
        Known::TooLong => {
            let error = CallError::not_enough_resources(
                "The request has been carried out; its reply was longer than mediaServer.limits.reply.bytes and is not repeated",
            );
            let text = response::reply(request.id.as_ref(), &Err(error)).into();
            let session = Some(session.clone());
            Some(Begun::Done(Reply { text, session }))
        }
    }
}

/// What is left to do for a request that has been carried out.
struct Finish {
    methods: Arc<Methods>,
    account: Arc<Account>,
    id: Option<Value>,
    ticket: Option<Ticket>,
    /// Events of the account before the request began.
    raised: u64,
    /// What it is counted as.
    method: Method,
    /// When it came.
    since: Instant,
}

impl Finish {
    /// Whether the reply is short and nothing has to go before it.
    fn is_quick(&self, outcome: &Result<Answer, CallError>) -> bool {
        !self.has_raised_events() && !is_large(outcome)
    }

    /// Events that the request raised reach their connections before its reply.
    fn has_raised_events(&self) -> bool {
        let events = self.account.events();
        events.count() != self.raised && events.are_waiting()
    }

    /// Writes the reply when its time has come, and where it holds up nobody.
    async fn slowly(self, outcome: Result<Answer, CallError>) -> Reply {
        if self.has_raised_events() {
            self.methods.core.events.settled(&self.account).await;
        }
        if !is_large(&outcome) {
            return self.reply(&outcome);
        }
        let aside = self.methods.core.aside.clone();
        let id = self.id.clone();
        match aside.run(move || self.reply(&outcome)).await {
            Ok(reply) => reply,
            Err(error) => Reply {
                text: response::reply(id.as_ref(), &Err(error)).into(),
                session: None,
            },
        }
    }

    fn reply(self, outcome: &Result<Answer, CallError>) -> Reply {
        let session = outcome.as_ref().ok().and_then(Answer::session).cloned();
        let text = Utf8Bytes::from(response::reply(self.id.as_ref(), outcome));
        if let Some(ticket) = self.ticket {
            ticket.finish(&text);
        }
        let error = outcome.as_ref().err().map(|error| error.code);
        self.methods.answered(self.method, error, self.since);
        Reply { text, session }
    }
}

fn is_large(outcome: &Result<Answer, CallError>) -> bool {
    let value = match outcome {
        Ok(Answer::Value(_, value)) => value,
        _ => return false,
    };
    match value {
        Value::String(text) => text.len() > LARGE,
        Value::Array(_) | Value::Object(_) => weight(value) > LARGE as u64,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
