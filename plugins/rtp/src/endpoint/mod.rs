//! `RtpEndpoint`: the control side of an endpoint.
//!
//! It negotiates, hands sections to a shard and tells the client what happens to them; media never passes
//! through here.

mod config;
mod keys;
mod methods;
mod observer;
mod offer_answer;
mod sections;
mod stats;

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rivero_endpoint::{Exchange, Overall, Properties};
use rivero_plugin_api::{Element, ElementContext, Error, MediaKind, Result, SinkPad, SourcePad};
use rivero_sdp::{NegotiatedRtp, RtpConfig, RtpPorts, SessionDescription};
use serde_json::{Map, Value};

use crate::{
    ports::PortPair,
    settings::RtpSettings,
    shard::{Shard, Shards, Token},
};
use keys::Keys;

/// A peer of RTP.
pub(crate) struct Endpoint(Arc<Shared>);

/// What an endpoint's parts have in common.
pub(crate) struct Shared {
    context: ElementContext,
    keys: Keys,
    v6: bool,
    settings: RtpSettings,
    shard: Arc<Shard>,
    /// Keeps the threads running.
    _shards: Arc<Shards>,
    properties: Mutex<Properties>,
    /// Held for the whole of a negotiation; the session only for a moment, because shards take it, too.
    negotiating: Mutex<()>,
    session: Mutex<Session>,
    states: Mutex<States>,
    /// Why a section was lost, after which the endpoint does nothing any more.
    failure: OnceLock<String>,
    /// A source feeds the video that is sent.
    video_fed: AtomicBool,
}

/// How far the negotiation is.
#[derive(Default)]
struct Session {
    exchange: Exchange<RtpConfig, NegotiatedRtp>,
    /// Our offer that was answered, which another answer may be for: announcements come before who is called
    /// answers (183, then 200).
    answered: Option<SessionDescription>,
    sections: Vec<Section>,
}

/// One kind of media. It lasts as long as the endpoint: its ports, sources and counters are the same in all
/// negotiations.
struct Section {
    kind: MediaKind,
    /// Of its link, which the other section has as well where both share a port (BUNDLE).
    token: Token,
    ports: RtpPorts,
    /// Until the shard has it.
    sockets: Option<PortPair>,
    source: Option<Arc<SourcePad>>,
    sink: Option<Arc<SinkPad>>,
}

impl Session {
    /// The links of the sections, each once.
    fn links(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = Vec::new();
        for section in &self.sections {
            if !tokens.contains(&section.token) {
                tokens.push(section.token);
            }
        }
        tokens
    }

    /// Whether the sections share a port, or may still do so.
    fn may_bundle(&self) -> bool {
        self.sections.len() < 2 || self.links().len() < 2
    }
}

/// What is told of all sections together.
#[derive(Default)]
struct States {
    /// There has been a negotiation: packets may go both ways from then on, and nothing more is connected.
    negotiated: bool,
    /// Kinds of which media comes.
    active: Vec<MediaKind>,
}

impl States {
    fn overall(&self) -> Overall {
        Overall {
            connected: self.negotiated,
            media: !self.active.is_empty(),
        }
    }
}

impl Shared {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn properties(&self) -> MutexGuard<'_, Properties> {
        self.properties
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Negotiations come one after the other.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.negotiating
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn overall(&self) -> Overall {
        self.states().overall()
    }

    /// Notes something about the sections, and tells what it means for all of them.
    fn change_states(&self, change: impl FnOnce(&mut States)) {
        let mut states = self.states();
        let before = states.overall();
        change(&mut states);
        let after = states.overall();
        drop(states);
        methods::tell_overall(&self.context, before, after);
    }

    fn set_video_fed(&self, fed: bool) {
        self.video_fed.store(fed, Relaxed);
    }

    /// Whether the endpoint can do anything.
    ///
    /// # Errors
    /// 40003 once a section was lost.
    fn works(&self) -> Result<()> {
        match self.failure.get() {
            None => Ok(()),
            Some(text) => Err(Error::unexpected(format!(
                "this endpoint has failed and cannot be used any more, release it and create another one: {text}"
            ))),
        }
    }

    /// A section is lost, and the endpoint with it.
    fn fail(&self, text: &str) {
        if self.session().exchange.released || self.failure.set(text.to_owned()).is_err() {
            return;
        }
        self.end();
        let id = self.context.id();
        tracing::error!(endpoint = id, reason = text, "the endpoint has failed");
        let text = format!("the endpoint has failed, release it: {text}");
        self.context.error("UNEXPECTED_ELEMENT_ERROR", 40003, &text);
        self.change_states(|states| *states = States::default());
    }

    /// Ends all sections: their peers are told, their pads closed. Not with the session locked, which the
    /// shard takes, too.
    fn end(&self) {
        let mut session = self.session();
        let links = session.links();
        let sections = std::mem::take(&mut session.sections);
        drop(session);
        drop(sections);
        for token in links {
            self.shard.close(token);
        }
    }
}

impl Element for Endpoint {
    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>> {
        Ok(stats::collect(&self.0, kind))
    }

    fn released(&self) {
        self.0.session().exchange.released = true;
        self.0.end();
    }
}
