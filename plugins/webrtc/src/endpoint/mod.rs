//! `WebRtcEndpoint`: the control side of an endpoint.
//!
//! It negotiates, hands transports to a shard and tells the client what
//! happens to them; media never passes through here.

mod candidates;
mod channels;
mod failure;
mod legs;
mod methods;
mod negotiation;
mod observer;
mod offer_answer;
mod properties;
mod servers;
mod session;
mod stats;

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rivero_net::Mark;
use rivero_plugin_api::{Element, ElementContext, MediaKind, Result};
use serde_json::{Map, Value};

use crate::{
    api::WebRtcEndpointParams,
    peer::Certificate,
    shard::{Shard, Shards, Token},
};
use observer::LegState;
use properties::Properties;
use session::Session;

/// A WebRTC peer of the server.
pub(crate) struct Endpoint(Arc<Shared>);

/// What an endpoint's parts have in common.
pub(crate) struct Shared {
    context: ElementContext,
    params: WebRtcEndpointParams,
    certificate: Arc<Certificate>,
    mark: Mark,
    shard: Arc<Shard>,
    /// Keeps the threads running.
    _shards: Arc<Shards>,
    /// What all endpoints have that negotiate RTP.
    rtp_properties: Mutex<rivero_endpoint::Properties>,
    properties: Mutex<Properties>,
    /// Held for the whole of a negotiation; the session only for a moment, because shards take
    /// it, too.
    negotiating: Mutex<()>,
    session: Mutex<Session>,
    legs: Mutex<Vec<LegState>>,
    /// Why a transport was lost, after which the endpoint does nothing any more. Set with the
    /// session locked, whose legs and pads go at the same time.
    failure: OnceLock<String>,
    /// `gatherCandidates` has had its effect.
    gathering: AtomicBool,
    /// A source feeds the video that is sent.
    video_fed: AtomicBool,
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

    fn rtp_properties(&self) -> MutexGuard<'_, rivero_endpoint::Properties> {
        self.rtp_properties
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn legs(&self) -> MutexGuard<'_, Vec<LegState>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Negotiations come one after the other.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.negotiating
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something about one transport, if it is still there.
    fn change_leg(&self, token: Token, change: impl FnOnce(&mut LegState)) {
        self.change_legs(|legs| {
            if let Some(state) = legs.iter_mut().find(|leg| leg.token == token) {
                change(state);
            }
        });
    }

    /// Notes something about the transports, and tells what it means for all of them.
    fn change_legs(&self, change: impl FnOnce(&mut Vec<LegState>)) {
        let mut legs = self.legs();
        let before = methods::overall(&legs);
        change(&mut legs);
        let after = methods::overall(&legs);
        drop(legs);
        methods::tell_overall(&self.context, before, after);
    }

    fn set_video_fed(&self, fed: bool) {
        self.video_fed.store(fed, Relaxed);
    }

    fn release(&self) {
        let mut session = self.session();
        session.exchange.released = true;
        self.end(std::mem::take(&mut session.legs), session);
    }
}

impl Element for Endpoint {
    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>> {
        Ok(stats::collect(&self.0, kind))
    }

    fn released(&self) {
        self.0.release();
    }
}
