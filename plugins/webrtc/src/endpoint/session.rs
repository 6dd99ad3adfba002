//! How far an endpoint's negotiation is.

use rivero_plugin_api::{Error, Result};
use rivero_sdp::{LocalConfig, Negotiated, SessionDescription};

use crate::{api::IceCandidate, shard::Token};

/// What was said so far, by either side.
#[derive(Default)]
pub(super) struct Session {
    pub(super) config: Option<LocalConfig>,
    /// Our offer, while no answer has come.
    pub(super) offer: Option<SessionDescription>,
    pub(super) local: Option<SessionDescription>,
    /// As the client gave it.
    pub(super) remote: Option<String>,
    pub(super) negotiated: Option<Negotiated>,
    pub(super) legs: Vec<Leg>,
    /// Candidates that came before anything was negotiated.
    pub(super) early_candidates: Vec<IceCandidate>,
    pub(super) gathered: usize,
    pub(super) released: bool,
}

/// One transport, by its sections.
#[derive(Clone)]
pub(super) struct Leg {
    pub(super) token: Token,
    pub(super) sections: Vec<Section>,
}

#[derive(Clone)]
pub(super) struct Section {
    pub(super) mid: String,
    pub(super) index: usize,
}

impl Session {
    pub(super) fn must_be_new(&self) -> Result<()> {
        if self.local.is_none() && !self.released {
            return Ok(());
        }
        Err(Error::new(
            40208,
            "SDP_END_POINT_ALREADY_NEGOTIATED",
            "Endpoint already negotiated",
        ))
    }

    /// The transport that a candidate is for: by its section's index, checked
    /// against the description as Kurento does.
    pub(super) fn leg_of(&self, candidate: &IceCandidate) -> Result<Leg> {
        let refused = || Error::new(40401, "ICE_ADD_CANDIDATE_ERROR", "Error adding candidate");
        let index = usize::try_from(candidate.sdp_m_line_index).map_err(|_| refused())?;
        let count = self.local.as_ref().map_or(0, |local| local.media.len());
        if index >= count {
            return Err(refused());
        }
        let has = |leg: &&Leg| leg.sections.iter().any(|section| section.index == index);
        // A rejected section's candidates are for nothing, but harmless.
        self.legs
            .iter()
            .find(has)
            .or(self.legs.first())
            .cloned()
            .ok_or_else(refused)
    }
}
