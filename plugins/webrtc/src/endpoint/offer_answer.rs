//! Offers and answers of an endpoint, the first ones and later ones.

use std::sync::{Arc, MutexGuard};

use rivero_endpoint::{error::of_description, exchange::read};
use rivero_plugin_api::Result;
use rivero_sdp::{LocalConfig, Negotiated, OfferOptions, SessionDescription};

use super::{
    Shared,
    legs::Tracks,
    negotiation::{local_config, offered, offered_again},
    session::{Leg, Section, Session},
};
use crate::api::{IceComponentState, SessionEndpointEvents};

impl Shared {
    /// Makes an offer. The transport of a first one exists from here on, so that candidates can be
    /// gathered. A later one restarts ICE where the connection was lost.
    pub(super) fn offer(self: &Arc<Self>, options: OfferOptions) -> Result<String> {
        let _turn = self.turn();
        let legs = self.legs().clone();
        let connected = legs.iter().any(|leg| leg.was_connected);
        let lost = legs.iter().any(|leg| {
            matches!(
                leg.ice,
                Some(IceComponentState::Disconnected | IceComponentState::Failed)
            )
        });
        let mut session = self.session();
        session.exchange.may_offer(connected)?;
        let config = self.next_config(&session)?;
        let before = session.before(&legs);
        let offer = match &before {
            None => rivero_sdp::offer(&offered(config.clone()), options),
            Some(before) => {
                let config = offered_again(config.clone());
                rivero_sdp::offer_again(&config, before, options, lost)
            }
        };
        let offer = offer.map_err(|error| of_description(&error, false))?;
        if before.is_none() {
            self.open_offered(&mut session, &config, &offer)?;
        }
        let local = session.described(offer.clone());
        let text = local.to_string();
        session.exchange.local = Some(local);
        session.exchange.offer = Some(offer);
        session.exchange.config = Some(config);
        Ok(text)
    }

    fn open_offered(
        self: &Arc<Self>,
        session: &mut Session,
        config: &LocalConfig,
        offer: &SessionDescription,
    ) -> Result<()> {
        let [first, ..] = &config.transport.ice;
        let peer = self.peer(first, true)?;
        let token = self.shard.reserve()?;
        let leg = Leg {
            token,
            number: 0,
            transport: 0,
            sections: described_sections(offer),
            candidates: Vec::new(),
            gathers: false,
            gathered: false,
        };
        self.open(leg.number, token, peer, Tracks::default(), None);
        session.legs.push(leg);
        Ok(())
    }

    /// Answers an offer.
    pub(super) fn answer(self: &Arc<Self>, text: &str) -> Result<String> {
        let _turn = self.turn();
        let offer = read(text, "Empty offer not valid", false)?;
        let legs = self.legs().clone();
        let session = self.session();
        session.may_take(&offer)?;
        let config = self.next_config(&session)?;
        let before = session.before(&legs);
        drop(session);
        let negotiated = match &before {
            None => rivero_sdp::answer(&config, &offer),
            Some(before) => rivero_sdp::answer_again(&config, before, &offer),
        };
        let negotiated = negotiated.map_err(|error| of_description(&error, false))?;
        self.connect(&config, &negotiated, false)?;
        let mut session = self.session();
        session.exchange.offer = None;
        session.exchange.remote_offer = Some(offer.clone());
        self.settle(session, config, negotiated, text, before.is_none());
        self.check_described(&offer);
        Ok(self.local_description())
    }

    /// Takes the answer to our offer; gives the resulting local description.
    pub(super) fn accept(self: &Arc<Self>, text: &str) -> Result<String> {
        let _turn = self.turn();
        let legs = self.legs().clone();
        let session = self.session();
        let (offer, config) = session.answered_offer()?;
        let before = session.before(&legs);
        drop(session);
        let answer = read(text, "Empty answer not valid", true)?;
        let negotiated = match &before {
            None => rivero_sdp::accept_answer(&offer, &answer),
            Some(before) => rivero_sdp::accept_answer_again(before, &offer, &answer),
        };
        let negotiated = negotiated.map_err(|error| of_description(&error, true))?;
        self.connect(&config, &negotiated, true)?;
        let mut session = self.session();
        session.exchange.offer = None;
        session.exchange.remote_offer = None;
        self.settle(session, config, negotiated, text, before.is_none());
        self.check_described(&answer);
        Ok(self.local_description())
    }

    /// What we are able and willing to do in the next description: the same as before with the
    /// present properties, and credentials for what begins anew.
    fn next_config(&self, session: &Session) -> Result<LocalConfig> {
        let fresh = local_config(&self.params, &self.rtp_properties(), &self.certificate)?;
        let Some(before) = &session.exchange.config else {
            return Ok(fresh);
        };
        let mut next = before.clone();
        next.session_version += 1;
        next.transport.ice = fresh.transport.ice;
        for (next, fresh) in [
            (&mut next.audio, &fresh.audio),
            (&mut next.video, &fresh.video),
        ] {
            if let (Some(next), Some(fresh)) = (next, fresh) {
                next.max_receive_bandwidth = fresh.max_receive_bandwidth;
            }
        }
        Ok(next)
    }

    /// After a negotiation: what waited for it happens now.
    fn settle(
        self: &Arc<Self>,
        mut session: MutexGuard<'_, Session>,
        config: LocalConfig,
        negotiated: Negotiated,
        remote: &str,
        first: bool,
    ) {
        let local = session.described(negotiated.local.clone());
        session.exchange.local = Some(local);
        session.exchange.remote = Some(remote.to_owned());
        session.exchange.negotiated = Some(negotiated);
        session.exchange.config = Some(config);
        let early = std::mem::take(&mut session.early_candidates);
        drop(session);
        if first {
            self.context.media_session_started();
        }
        for candidate in early {
            if let Err(error) = self.add_candidate(&candidate) {
                self.candidate_trouble(&candidate.candidate, &error.to_string());
            }
        }
        self.gather_new_legs();
    }

    fn local_description(&self) -> String {
        self.session()
            .exchange
            .local
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

impl Session {
    /// The offer that waits for an answer, and what it was made from.
    fn answered_offer(&self) -> Result<(SessionDescription, LocalConfig)> {
        match (&self.exchange.offer, &self.exchange.config) {
            (Some(offer), Some(config)) => Ok((offer.clone(), config.clone())),
            _ => Err(self.exchange.no_offer()),
        }
    }
}

fn described_sections(description: &SessionDescription) -> Vec<Section> {
    let sections = description.media.iter().enumerate();
    sections
        .map(|(index, media)| Section {
            mid: media.mid.clone().unwrap_or_default(),
            index,
        })
        .collect()
}
