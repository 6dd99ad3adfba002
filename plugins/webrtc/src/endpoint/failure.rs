//! The failure of an endpoint: one of its transports is lost.

#[cfg(test)]
mod tests;

use std::sync::MutexGuard;

use rivero_plugin_api::{Error, Result};

use super::{
    Shared,
    observer::{COMPONENT, LegState, connection_id, stream_id, stream_number},
    session::{Leg, Session},
};
use crate::api::{DtlsConnectionState, IceComponentState, WebRtcEndpointEvents};

impl Shared {
    pub(super) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// Whether the endpoint can do anything.
    ///
    /// # Errors
    /// 40003 once a transport was lost.
    pub(super) fn works(&self) -> Result<()> {
        match self.failure.get() {
            None => Ok(()),
            Some(text) => Err(Error::unexpected(format!(
                "this endpoint has failed and cannot be used any more, release it and create another one: {text}"
            ))),
        }
    }

    /// A transport is lost, and the endpoint with it: its other transports say good-bye, its pads
    /// are closed, its states are FAILED and DISCONNECTED.
    pub(super) fn fail(&self, text: &str) {
        let mut session = self.session();
        if session.exchange.released || self.failure.set(text.to_owned()).is_err() {
            return;
        }
        self.end(std::mem::take(&mut session.legs), session);
        let id = self.context.id();
        tracing::error!(endpoint = id, reason = text, "the endpoint has failed");
        let text = format!("the endpoint has failed, release it: {text}");
        self.context.error("UNEXPECTED_ELEMENT_ERROR", 40003, &text);
        self.tell_failed();
    }

    /// Makes the transports of a negotiation the session's, unless the endpoint has ended since
    /// that began: then nothing else would end them.
    pub(super) fn install(
        &self,
        legs: Vec<Leg>,
        mut session: MutexGuard<'_, Session>,
    ) -> Result<()> {
        if session.exchange.released || self.has_failed() {
            self.end(legs, session);
            self.works()?;
            return Err(Error::unexpected("the endpoint was released meanwhile"));
        }
        session.legs = legs;
        Ok(())
    }

    /// Ends transports, and all pads. Neither with the session locked, which the shard takes, too.
    pub(super) fn end(&self, legs: Vec<Leg>, mut session: MutexGuard<'_, Session>) {
        let pads = std::mem::take(&mut session.pads);
        drop(session);
        drop(pads);
        legs.iter().for_each(|leg| self.shard.close(leg.token));
    }

    fn tell_failed(&self) {
        let mut numbers = Vec::new();
        self.change_legs(|legs| {
            for leg in legs {
                numbers.push(leg.number);
                *leg = LegState {
                    ice: Some(IceComponentState::Failed),
                    dtls: Some(DtlsConnectionState::Failed),
                    connected: false,
                    media: false,
                    connects: false,
                    ..leg.clone()
                };
            }
        });
        for number in numbers {
            let context = &self.context;
            context.ice_component_state_changed(
                stream_number(number),
                COMPONENT,
                IceComponentState::Failed,
            );
            context.dtls_connection_state_change(
                stream_id(number),
                COMPONENT.to_string(),
                connection_id(number),
                DtlsConnectionState::Failed,
            );
        }
    }
}
