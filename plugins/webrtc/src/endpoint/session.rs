//! How far an endpoint's negotiation is.

use std::sync::Arc;

use rivero_endpoint::Exchange;
use rivero_plugin_api::{Error, MediaKind, Result, SinkPad, SourcePad};
use rivero_sdp::{Candidate, LocalConfig, Negotiated, SessionDescription};

use super::{candidates, observer::LegState};
use crate::{api::IceCandidate, shard::Token};

/// What was said so far, by either side.
#[derive(Default)]
pub(super) struct Session {
    pub(super) exchange: Exchange<LocalConfig, Negotiated>,
    pub(super) legs: Vec<Leg>,
    pub(super) pads: Vec<Pads>,
    /// Candidates that came before anything was negotiated.
    pub(super) early_candidates: Vec<IceCandidate>,
}

/// One transport, by its sections.
#[derive(Clone)]
pub(super) struct Leg {
    pub(super) token: Token,
    /// From 0; events count streams from 1.
    pub(super) number: usize,
    /// Position in [`Negotiated::transports`].
    pub(super) transport: usize,
    pub(super) sections: Vec<Section>,
    /// Ours, as announced.
    pub(super) candidates: Vec<Candidate>,
    /// It is gathering, or has gathered.
    pub(super) gathers: bool,
    pub(super) gathered: bool,
}

#[derive(Clone)]
pub(super) struct Section {
    pub(super) mid: String,
    pub(super) index: usize,
}

/// The pads of a kind of media; they stay open through all negotiations on one transport.
pub(super) struct Pads {
    pub(super) kind: MediaKind,
    pub(super) token: Token,
    pub(super) source: Option<Arc<SourcePad>>,
    pub(super) sink: Option<Arc<SinkPad>>,
}

impl Session {
    /// Whether the peer's offer is one that says something new.
    pub(super) fn may_take(&self, offer: &SessionDescription) -> Result<()> {
        self.exchange.may_take(offer, without_candidates)
    }

    /// The transport that a candidate is for; 40401 for a section that there is not, as in Kurento.
    pub(super) fn leg_of(&self, candidate: &IceCandidate) -> Result<Leg> {
        let refused = || Error::new(40401, "ICE_ADD_CANDIDATE_ERROR", "Error adding candidate");
        let local = self.exchange.local.as_ref().ok_or_else(refused)?;
        let index = candidates::section_of(local, candidate).ok_or_else(refused)?;
        let has = |leg: &&Leg| leg.sections.iter().any(|section| section.index == index);
        // A rejected section's candidates are for nothing, but harmless.
        self.legs
            .iter()
            .find(has)
            .or(self.legs.first())
            .cloned()
            .ok_or_else(refused)
    }

    /// What a later description goes on from: the last negotiation, with what the transports have
    /// told since.
    pub(super) fn before(&self, states: &[LegState]) -> Option<Negotiated> {
        let mut before = self.exchange.negotiated.clone()?;
        for leg in &self.legs {
            let mut states = states.iter();
            let ended = states.any(|state| state.token == leg.token && state.has_ended());
            if let Some(transport) = before.transports.get_mut(leg.transport) {
                transport.ended |= ended;
            }
        }
        Some(before)
    }

    pub(super) fn leg(&mut self, token: Token) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.token == token)
    }

    /// `description` with the candidates that were gathered for it so far.
    pub(super) fn described(&self, mut description: SessionDescription) -> SessionDescription {
        for leg in &self.legs {
            let indexes: Vec<usize> = leg.sections.iter().map(|section| section.index).collect();
            for candidate in &leg.candidates {
                description.add_candidate(&indexes, candidate);
            }
        }
        description
    }
}

/// Candidates come, and with them default addresses, without an offer being another one.
fn without_candidates(description: &SessionDescription) -> SessionDescription {
    const DISCARD_PORT: u16 = 9;
    let mut description = description.clone();
    description.connection = None;
    for section in &mut description.media {
        section.candidates.clear();
        section.end_of_candidates = false;
        section.connection = None;
        section.rtcp = None;
        if section.port != 0 {
            section.port = DISCARD_PORT;
        }
    }
    description
}

#[cfg(test)]
mod tests {
    use rivero_sdp::{DtlsRole, Fingerprint, IceCredentials, NegotiatedTransport};

    use super::*;
    use crate::api::DtlsConnectionState;

    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:abcd\r\n\
        a=ice-pwd:0123456789012345678901\r\n";

    fn read(text: &str) -> SessionDescription {
        rivero_sdp::parse(text).unwrap()
    }

    #[test]
    fn only_an_offer_that_says_something_new_is_taken_again() {
        let mut session = Session::default();
        session.may_take(&read(OFFER)).unwrap();
        session.exchange.remote_offer = Some(read(OFFER));
        assert_eq!(session.may_take(&read(OFFER)).unwrap_err().code, 40208);
        let candidate = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n";
        let with_candidate = read(&format!("{OFFER}{candidate}"));
        assert_eq!(session.may_take(&with_candidate).unwrap_err().code, 40208);
        let address = "c=IN IP4 192.0.2.1\r\na=rtcp:5000 IN IP4 192.0.2.1\r\n";
        let gathered = format!("{OFFER}{address}{candidate}").replace("audio 9", "audio 5000");
        assert_eq!(session.may_take(&read(&gathered)).unwrap_err().code, 40208);
        for (from, to) in [
            ("o=- 1 1", "o=- 1 2"),
            ("abcd", "efgh"),
            ("SAVPF 0\r\n", "SAVPF 0\r\na=inactive\r\n"),
        ] {
            session.may_take(&read(&OFFER.replace(from, to))).unwrap();
        }
    }

    /// A session with one transport.
    fn settled(token: Token) -> Session {
        let credentials = || IceCredentials {
            ufrag: "abcd".to_owned(),
            password: "0123456789012345678901".to_owned(),
        };
        let transport = NegotiatedTransport {
            mline_indexes: vec![0],
            bundled: false,
            continues: None,
            restarts_ice: false,
            ended: false,
            local_ice: credentials(),
            remote_ice: credentials(),
            remote_trickle: true,
            remote_candidates: Vec::new(),
            remote_end_of_candidates: false,
            remote_fingerprints: vec![Fingerprint::sha256([1; 32])],
            role: DtlsRole::Active,
        };
        let negotiated = Negotiated {
            local: read(OFFER),
            media: Vec::new(),
            transports: vec![transport],
            remote_ice_lite: false,
            remote_origin: rivero_sdp::Origin::default(),
        };
        let leg = Leg {
            token,
            number: 0,
            transport: 0,
            sections: Vec::new(),
            candidates: Vec::new(),
            gathers: false,
            gathered: false,
        };
        let mut session = Session {
            legs: vec![leg],
            ..Session::default()
        };
        session.exchange.negotiated = Some(negotiated);
        session
    }

    #[test]
    fn only_a_transport_whose_dtls_is_over_has_ended() {
        use DtlsConnectionState::{Closed, Connected, Connecting, Failed, New};
        let token = Token::new(1, 0);
        let session = settled(token);
        let has_ended = |states: &[LegState]| session.before(states).unwrap().transports[0].ended;
        assert!(!has_ended(&[]));
        for (dtls, ended) in [
            (None, false),
            (Some(New), false),
            (Some(Connecting), false),
            (Some(Connected), false),
            (Some(Failed), true),
            (Some(Closed), true),
        ] {
            let state = |token| LegState {
                dtls,
                ..LegState::new(0, token)
            };
            assert_eq!(has_ended(&[state(token)]), ended, "{dtls:?}");
            assert!(!has_ended(&[state(Token::new(2, 0))]), "another transport");
        }
        assert!(Session::default().before(&[]).is_none());
    }
}
