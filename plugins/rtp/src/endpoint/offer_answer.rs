//! Offers and answers of an endpoint, the first ones and later ones.

use std::sync::{Arc, MutexGuard};

use rivero_endpoint::{
    error::{already_negotiated, answer_already_processed, of_description},
    exchange::read,
    tracks,
};
use rivero_plugin_api::{Error, MediaKind, Result};
use rivero_sdp::{
    MediaKind as SdpKind, MediaTarget, NegotiatedRtp, OfferOptions, RtpConfig, RtpPorts,
    SessionDescription,
};

use super::{Session, Shared};
use crate::api::SessionEndpointEvents;

/// Where ports are not known yet: any that is neither 0 nor 9 stands for an accepted section.
const PLACEHOLDER: RtpPorts = RtpPorts { rtp: 1, rtcp: 1 };

impl Shared {
    /// Makes an offer; a later one has the sections and formats of the session.
    pub(super) fn offer(self: &Arc<Self>, options: OfferOptions) -> Result<String> {
        let _turn = self.turn();
        let session = self.session();
        session.exchange.may_offer(true)?;
        let previous = session.exchange.local.clone();
        let config = session.exchange.config.clone();
        drop(session);
        let mut config = config.unwrap_or_else(|| self.first_config(None));
        config.session_version += 1;
        let offer = match &previous {
            Some(previous) => Ok(rivero_sdp::offer_rtp_again(&config, previous)),
            None => {
                let kinds = [
                    (SdpKind::Audio, options.audio),
                    (SdpKind::Video, options.video),
                ];
                for (kind, _) in kinds.iter().filter(|(_, wanted)| *wanted) {
                    self.place(&mut config, kind)?;
                }
                rivero_sdp::offer_rtp(&config, options)
            }
        };
        let offer = offer.map_err(|error| of_description(&error, false))?;
        let text = offer.to_string();
        let mut session = self.session();
        session.exchange.local = Some(offer.clone());
        session.exchange.offer = Some(offer);
        session.exchange.config = Some(config);
        Ok(text)
    }

    /// Answers an offer.
    pub(super) fn answer(self: &Arc<Self>, text: &str) -> Result<String> {
        let _turn = self.turn();
        let offer = read(text, "Empty offer not valid", false).map_err(as_kurento)?;
        let session = self.session();
        session
            .exchange
            .may_take(&offer, SessionDescription::clone)?;
        let config = session.exchange.config.clone();
        let may_bundle = session.may_bundle();
        drop(session);
        let is_first = config.is_none();
        let mut config = config.unwrap_or_else(|| self.first_config(peer_address(&offer)));
        config.session_version += 1;
        config.bundle = may_bundle;
        self.renew_keys(&mut config);
        let trial = self.trial(&config, &offer)?;
        if let Some(kind) = &trial.bundle {
            self.place(&mut config, kind)?;
        }
        for media in &trial.media {
            let shared = trial.bundle.as_ref().and_then(tracks::kind);
            self.place_beside(&mut config, &media.media.kind, shared)?;
        }
        let negotiated = rivero_sdp::answer_rtp(&config, &offer);
        let negotiated = negotiated.map_err(|error| of_description(&error, false))?;
        self.connect(&negotiated).inspect_err(|_| {
            // Of an endpoint that has no session yet the next offer decides anew which sections share a port.
            if is_first {
                self.end();
            }
        })?;
        let mut session = self.session();
        session.answered = None;
        session.exchange.offer = None;
        session.exchange.remote_offer = Some(offer);
        self.settle(session, config, negotiated, text);
        Ok(self.local_text())
    }

    /// Takes the answer to our offer, or another answer to the same one, which replaces the first. Gives
    /// the resulting local description.
    pub(super) fn accept(self: &Arc<Self>, text: &str) -> Result<String> {
        let _turn = self.turn();
        let session = self.session();
        let (offer, config) = session.answered_offer(text)?;
        drop(session);
        let answer = read(text, "Empty answer not valid", true).map_err(as_kurento)?;
        let negotiated = rivero_sdp::accept_rtp_answer(&config, &offer, &answer);
        let negotiated = negotiated.map_err(|error| of_description(&error, true))?;
        self.connect(&negotiated)?;
        let mut session = self.session();
        session.answered = Some(offer);
        session.exchange.offer = None;
        session.exchange.remote_offer = None;
        self.settle(session, config, negotiated, text);
        Ok(self.local_text())
    }

    /// What of an offer would be accepted, so that only that gets ports.
    fn trial(&self, config: &RtpConfig, offer: &SessionDescription) -> Result<NegotiatedRtp> {
        let mut trial = config.clone();
        for kind in [SdpKind::Audio, SdpKind::Video] {
            if Self::has_media(&kind) {
                self.enter(&mut trial, &kind, PLACEHOLDER);
            }
        }
        let trial = rivero_sdp::answer_rtp(&trial, offer);
        trial.map_err(|error| of_description(&error, false))
    }

    /// Gives a kind of media its ports and enters it.
    fn place(&self, config: &mut RtpConfig, kind: &SdpKind) -> Result<()> {
        self.place_beside(config, kind, None)
    }

    /// The same; a section that there was not before shares the ports of another one.
    fn place_beside(
        &self,
        config: &mut RtpConfig,
        kind: &SdpKind,
        other: Option<MediaKind>,
    ) -> Result<()> {
        if let Some(of) = tracks::kind(kind).filter(|_| Self::has_media(kind)) {
            let ports = self.section_ports(of, other)?;
            self.enter(config, kind, ports);
        }
        Ok(())
    }

    /// After a negotiation.
    fn settle(
        &self,
        mut session: MutexGuard<'_, Session>,
        config: RtpConfig,
        negotiated: NegotiatedRtp,
        remote: &str,
    ) {
        session.exchange.local = Some(negotiated.local.clone());
        session.exchange.remote = Some(remote.to_owned());
        session.exchange.config = Some(config);
        let first = session.exchange.negotiated.replace(negotiated).is_none();
        drop(session);
        if first {
            self.context.media_session_started();
        }
    }

    fn local_text(&self) -> String {
        let session = self.session();
        let local = session.exchange.local.as_ref();
        local.map(ToString::to_string).unwrap_or_default()
    }
}

impl Session {
    /// The offer that an answer is for, and what it was made from: the one that waits, or the one that was
    /// answered otherwise before.
    fn answered_offer(&self, answer: &str) -> Result<(SessionDescription, RtpConfig)> {
        if self.exchange.released {
            return Err(already_negotiated());
        }
        let answered = self.answered.as_ref();
        if self.exchange.offer.is_none()
            && answered.is_some()
            && self.exchange.remote.as_deref() == Some(answer)
        {
            return Err(answer_already_processed());
        }
        match (
            self.exchange.offer.as_ref().or(answered),
            &self.exchange.config,
        ) {
            (Some(offer), Some(config)) => Ok((offer.clone(), config.clone())),
            _ => Err(self.exchange.no_offer()),
        }
    }
}

/// What is no description has Kurento's words; where it goes wrong is for the log.
fn as_kurento(error: Error) -> Error {
    if error.code != 40201 || !error.message.starts_with("Invalid SDP") {
        return error;
    }
    tracing::debug!(%error, "a description cannot be read");
    Error::new(40201, "SDP_PARSE_ERROR", "Invalid SDP")
}

/// An address of the peer, by which our own is chosen.
fn peer_address(offer: &SessionDescription) -> Option<std::net::IpAddr> {
    let mut sections = offer.media.iter();
    sections.find_map(|section| {
        let target = MediaTarget::of(offer, section);
        target.connection?.ip().filter(|ip| !ip.is_unspecified())
    })
}
