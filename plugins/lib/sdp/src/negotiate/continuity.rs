//! Which transports of a new negotiation are those of the one before.

use super::{Negotiated, NegotiatedMedia, NegotiatedTransport};
use crate::{Origin, SdpError};

/// The transports of the negotiation before; each is continued at most once.
pub(super) struct Continuity<'a> {
    previous: Option<&'a Negotiated>,
    /// The new description comes from another session of the peer's than the one before.
    is_other_session: bool,
    taken: Vec<usize>,
}

impl<'a> Continuity<'a> {
    /// `origin`: of the peer's new description.
    pub(super) fn of(previous: Option<&'a Negotiated>, origin: &Origin) -> Self {
        let is_other = |before: &Negotiated| !before.remote_origin.is_same_session(origin);
        Self {
            previous,
            is_other_session: previous.is_some_and(is_other),
            taken: Vec::new(),
        }
    }

    /// A transport of an answer that we make: new credentials of the peer ask for new ones of
    /// ours, unchanged ones for none.
    pub(super) fn answered(
        &mut self,
        mut transport: NegotiatedTransport,
        media: &[NegotiatedMedia],
    ) -> NegotiatedTransport {
        if let Some((position, before)) = self.find(&transport, media) {
            transport.continues = Some(position);
            transport.role = before.role;
            transport.restarts_ice = transport.remote_ice != before.remote_ice;
            if !transport.restarts_ice {
                transport.local_ice = before.local_ice.clone();
            }
        }
        transport
    }

    /// A transport of an answer to our offer, which has said whether ICE restarts.
    pub(super) fn accepted(
        &mut self,
        mut transport: NegotiatedTransport,
        media: &[NegotiatedMedia],
    ) -> Result<NegotiatedTransport, SdpError> {
        if let Some((position, before)) = self.find(&transport, media) {
            transport.continues = Some(position);
            transport.role = before.role;
            transport.restarts_ice = transport.local_ice != before.local_ice;
            if transport.restarts_ice == (transport.remote_ice == before.remote_ice) {
                return Err(SdpError::NoCommonTransport {
                    mline_index: transport.mline_indexes.first().copied().unwrap_or_default(),
                    reason: if transport.restarts_ice {
                        "the offer restarts ICE, the answer keeps its ICE credentials"
                    } else {
                        "new ICE credentials, although the offer does not restart ICE"
                    },
                });
            }
        }
        Ok(transport)
    }

    /// The transport that carried one of the sections, or has the same credentials, to the same
    /// peer: a certificate that changed, or a change of the role that the peer insists on, means a
    /// new association (RFC 8842 §5.1). So does an association that is over: a peer may use its
    /// certificate again. And so do new credentials on both sides from another session: a page that
    /// keeps its certificate has made itself another connection, which knows nothing of the keys of
    /// the first, and would wait for a handshake for ever. A session alone says nothing, since some
    /// stacks number each description anew, and credentials alone are an ICE restart.
    fn find(
        &mut self,
        transport: &NegotiatedTransport,
        media: &[NegotiatedMedia],
    ) -> Option<(usize, &'a NegotiatedTransport)> {
        let previous = self.previous?;
        let free = |position: &usize| !self.taken.contains(position);
        let carried = media
            .iter()
            .filter(|media| transport.mline_indexes.contains(&media.mline_index))
            .filter_map(|media| previous.section_like(media))
            .map(|media| media.transport)
            .find(free);
        // In a bundle every section may give way to a new one while the transport stays. Its
        // credentials say so: a transport that begins anew has others (RFC 8839 §4.4.1.1.1).
        let by_credentials = || {
            let transports = previous.transports.iter();
            let same = transports
                .enumerate()
                .filter(|(_, known)| known.bundled && known.remote_ice == transport.remote_ice);
            same.map(|(position, _)| position).find(free)
        };
        let carried = match carried {
            None if transport.bundled => by_credentials(),
            carried => carried,
        }?;
        let before = previous.transports.get(carried)?;
        let same_peer = before
            .remote_fingerprints
            .iter()
            .any(|known| transport.remote_fingerprints.contains(known));
        let new_credentials =
            before.remote_ice != transport.remote_ice && before.local_ice != transport.local_ice;
        if !same_peer || before.ended || (self.is_other_session && new_credentials) {
            return None;
        }
        self.taken.push(carried);
        Some((carried, before))
    }
}
