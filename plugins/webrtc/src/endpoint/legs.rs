//! From a negotiation to running transports: which go on, which begin, which end.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed, mpsc},
    time::{Duration, Instant},
};

use rivero_endpoint::tracks::kind;
use rivero_plugin_api::{Error, MediaKind, Result};
use rivero_rtp_session::Track;
use rivero_sdp::{LocalConfig, Negotiated, NegotiatedTransport};

use super::{
    Shared,
    candidates::add_described_candidates,
    negotiation::{TrackMaker, dtls_role, peer_credentials},
    observer::{LegObserver, LegState, TrackSink, TrackSource},
    session::{Leg, Pads, Section},
};
use crate::{
    data::DataTrack,
    link::Link,
    peer::{Fingerprint, Peer, PeerConfig, RemoteParameters},
    shard::{Command, Token},
};

/// How long a shard may take to close the pads of tracks that go on elsewhere.
const PATIENCE: Duration = Duration::from_secs(1);

/// What becomes of one negotiated transport.
enum Plan {
    /// The association that a leg has; `Some` with what the peer says anew.
    GoOn(Leg, Option<RemoteParameters>),
    /// A new association.
    Begin(Leg, Box<Peer>),
}

/// What a transport carries.
#[derive(Default)]
pub(super) struct Tracks {
    media: Vec<Track>,
    data: Option<DataTrack>,
}

impl Plan {
    fn leg(&self) -> &Leg {
        match self {
            Self::GoOn(leg, _) | Self::Begin(leg, _) => leg,
        }
    }
}

impl Shared {
    /// Makes the transports what a negotiation says; `offered` when we made the offer. Everything
    /// that the peer's description can spoil comes before anything is changed.
    pub(super) fn connect(
        self: &Arc<Self>,
        config: &LocalConfig,
        negotiated: &Negotiated,
        offered: bool,
    ) -> Result<()> {
        let plans = self.plans(negotiated, offered)?;
        let goes_on = plans.iter().any(|plan| matches!(plan, Plan::GoOn(..)));
        if !goes_on && !self.is_known_peer(negotiated) {
            // For another peer the client begins anew; candidates before that would overtake the
            // answer. One that had stopped all its media goes on, and nobody asks for candidates.
            self.gathering.store(false, Relaxed);
        }
        self.end_other_legs(&plans);
        self.free_moved_tracks(negotiated, &plans);
        let mut legs = Vec::new();
        for (number, plan) in plans.into_iter().enumerate() {
            let tracks = self.tracks(config, negotiated, number, plan.leg().token)?;
            let Some(transport) = negotiated.transports.get(number) else {
                continue;
            };
            let fragment = &transport.local_ice.ufrag;
            let mut others = negotiated
                .transports
                .iter()
                .filter(|other| !std::ptr::eq(*other, transport));
            let shares_name = others.any(|other| other.local_ice.ufrag == *fragment);
            legs.push(self.carry_out(plan, transport, shares_name, tracks));
        }
        let mut session = self.session();
        for leg in &mut legs {
            // Gathering goes on meanwhile.
            if let Some(known) = session.leg(leg.token) {
                leg.candidates = std::mem::take(&mut known.candidates);
                (leg.gathers, leg.gathered) = (known.gathers, known.gathered);
            }
        }
        self.install(legs, session)
    }

    /// Whether the description is of the session that the endpoint has with its peer.
    fn is_known_peer(&self, negotiated: &Negotiated) -> bool {
        let session = self.session();
        let before = session.exchange.negotiated.as_ref();
        before.is_some_and(|before| {
            before
                .remote_origin
                .is_same_session(&negotiated.remote_origin)
        })
    }

    fn plans(&self, negotiated: &Negotiated, offered: bool) -> Result<Vec<Plan>> {
        let session = self.session();
        let goes_on = |leg: &&Leg| {
            let mut transports = negotiated.transports.iter();
            transports.any(|transport| transport.continues == Some(leg.transport))
        };
        let kept = session.legs.iter().filter(goes_on);
        let mut numbers: Vec<usize> = match session.exchange.negotiated {
            Some(_) => kept.map(|leg| leg.number).collect(),
            None => session.legs.iter().map(|leg| leg.number).collect(),
        };
        let mut plans: Vec<Plan> = Vec::new();
        for (position, transport) in negotiated.transports.iter().enumerate() {
            // Our first offer has opened a transport that nobody has answered yet.
            let before = match session.exchange.negotiated {
                Some(_) => transport.continues,
                None => Some(position),
            };
            let leg = before.and_then(|before| {
                let mut legs = session.legs.iter();
                legs.find(|leg| leg.transport == before).cloned()
            });
            let sections = sections(negotiated, transport);
            let plan = match leg {
                Some(leg) => {
                    let says_anew = session.exchange.negotiated.is_none() || transport.restarts_ice;
                    let remote = says_anew.then(|| remote_parameters(transport));
                    let leg = Leg {
                        transport: position,
                        sections,
                        ..leg
                    };
                    Plan::GoOn(leg, remote.transpose()?)
                }
                None => {
                    let peer = self.connecting_peer(negotiated, transport, offered)?;
                    let number = free_number(&numbers);
                    numbers.push(number);
                    let leg = Leg {
                        token: self.shard.reserve()?,
                        number,
                        transport: position,
                        sections,
                        candidates: Vec::new(),
                        gathers: false,
                        gathered: false,
                    };
                    Plan::Begin(leg, Box::new(peer))
                }
            };
            plans.push(plan);
        }
        Ok(plans)
    }

    fn connecting_peer(
        &self,
        negotiated: &Negotiated,
        transport: &NegotiatedTransport,
        offered: bool,
    ) -> Result<Peer> {
        let controlling = offered || negotiated.remote_ice_lite;
        let mut peer = self.peer(&transport.local_ice, controlling)?;
        peer.set_remote(Instant::now(), remote_parameters(transport)?)
            .map_err(unusable)?;
        add_described_candidates(&mut peer, transport);
        Ok(peer)
    }

    pub(super) fn peer(
        &self,
        credentials: &rivero_sdp::IceCredentials,
        controlling: bool,
    ) -> Result<Peer> {
        let certificate = self.certificate.clone();
        let config = PeerConfig::new(peer_credentials(credentials), controlling, certificate);
        Peer::new(config, Instant::now()).map_err(unusable)
    }

    /// Ends the transports that the negotiation does not go on with.
    fn end_other_legs(&self, plans: &[Plan]) {
        let legs = self.session().legs.clone();
        let ended = legs
            .iter()
            .filter(|leg| !plans.iter().any(|plan| plan.leg().token == leg.token));
        for leg in ended {
            self.remove_tracks(leg.token, MediaKind::ALL.to_vec());
            self.change_legs(|legs| legs.retain(|state| state.token != leg.token));
            self.shard.close(leg.token);
        }
    }

    /// A kind of media has one pad in each direction, which names its transport: before it moves
    /// to another one the former's are closed.
    fn free_moved_tracks(&self, negotiated: &Negotiated, plans: &[Plan]) {
        let carried_by = |wanted: MediaKind| {
            let mut media = negotiated.media.iter();
            let media = media.find(|media| kind(&media.kind) == Some(wanted))?;
            Some(plans.get(media.transport)?.leg().token)
        };
        let pads: Vec<(MediaKind, Token)> = self
            .session()
            .pads
            .iter()
            .map(|pads| (pads.kind, pads.token))
            .collect();
        for (kind, token) in pads {
            if carried_by(kind).is_some_and(|carrier| carrier != token) {
                self.remove_tracks(token, vec![kind]);
            }
        }
    }

    /// Takes tracks from a transport and closes their pads.
    fn remove_tracks(&self, token: Token, kinds: Vec<MediaKind>) {
        let closed = |pads: &Pads| pads.token == token && kinds.contains(&pads.kind);
        let gone: Vec<Pads> = self
            .session()
            .pads
            .extract_if(.., |pads| closed(pads))
            .collect();
        drop(gone);
        let (sender, receiver) = mpsc::sync_channel(1);
        self.shard.with(token, move |transport, _| {
            transport.remove_tracks(&kinds);
            // Nobody waits any more after the patience is over.
            let _ = sender.try_send(());
        });
        if receiver.recv_timeout(PATIENCE).is_err() {
            tracing::warn!(
                endpoint = self.context.id(),
                "a shard is late to close pads"
            );
        }
    }

    fn carry_out(
        self: &Arc<Self>,
        plan: Plan,
        transport: &NegotiatedTransport,
        shares_name: bool,
        tracks: Tracks,
    ) -> Leg {
        let leg = match plan {
            Plan::GoOn(leg, remote) => {
                self.go_on(&leg, remote, transport, tracks);
                leg
            }
            Plan::Begin(leg, peer) => {
                let with = shares_name.then(|| transport.remote_ice.ufrag.clone());
                self.open(leg.number, leg.token, *peer, tracks, with);
                leg
            }
        };
        self.resolve_described(leg.token, transport);
        leg
    }

    fn go_on(
        &self,
        leg: &Leg,
        remote: Option<RemoteParameters>,
        transport: &NegotiatedTransport,
        tracks: Tracks,
    ) {
        let transport = transport.clone();
        self.shard.with(leg.token, move |opened, now| {
            opened.set_tracks(now, tracks.media);
            opened.set_data(now, tracks.data);
            let Some(remote) = remote else {
                return add_described_candidates(opened.peer(), &transport);
            };
            if transport.restarts_ice
                && let Err(error) = opened.restart_ice(now, peer_credentials(&transport.local_ice))
            {
                tracing::warn!(%error, "ICE cannot be restarted");
            }
            if let Err(error) = opened.peer().set_remote(now, remote) {
                tracing::warn!(%error, "the peer's transport is not usable");
            }
            add_described_candidates(opened.peer(), &transport);
        });
    }

    fn tracks(
        self: &Arc<Self>,
        config: &LocalConfig,
        negotiated: &Negotiated,
        number: usize,
        token: Token,
    ) -> Result<Tracks> {
        let cname = config.audio.as_ref().or(config.video.as_ref());
        let properties = self.rtp_properties().clone();
        let mut session = self.session();
        let mut maker = TrackMaker {
            context: &self.context,
            shard: &self.shard,
            token,
            properties: &properties,
            cname: cname.map_or("rivero", |media| media.cname.as_str()).into(),
            pads: &mut session.pads,
        };
        let sink = |kind| TrackSink {
            endpoint: Arc::downgrade(self),
            kind,
        };
        let source = |track| TrackSource {
            shard: self.shard.clone(),
            token,
            track,
        };
        Ok(Tracks {
            data: maker.data(negotiated, number, sink(MediaKind::Data))?,
            media: maker.tracks(negotiated, number, source, sink)?,
        })
    }

    /// Hands a transport to the shard. `shared_with` is the peer's user fragment where several
    /// transports have ours.
    pub(super) fn open(
        self: &Arc<Self>,
        number: usize,
        token: Token,
        peer: Peer,
        tracks: Tracks,
        shared_with: Option<String>,
    ) {
        self.change_legs(|legs| {
            legs.push(LegState::new(number, token));
            legs.sort_by_key(|leg| leg.number);
        });
        let observer = Arc::new(LegObserver {
            endpoint: Arc::downgrade(self),
            number,
            token,
        });
        let feedback_ssrc = rand::random();
        let mut link = Link::new(peer, observer, tracks.media, feedback_ssrc, self.mark);
        link.set_data(Instant::now(), tracks.data);
        if let Some(remote_fragment) = shared_with {
            link.name_with(&remote_fragment);
        }
        self.shard.send(Command::Open(token, Box::new(link)));
    }
}

/// The lowest number that no transport has.
fn free_number(used: &[usize]) -> usize {
    let mut free = (0..).filter(|number| !used.contains(number));
    free.next().unwrap_or_default()
}

pub(super) fn unusable(error: impl std::fmt::Display) -> Error {
    Error::new(
        40205,
        "SDP_END_POINT_PROCESS_OFFER_ERROR",
        format!("the description is not usable: {error}"),
    )
}

fn sections(negotiated: &Negotiated, transport: &NegotiatedTransport) -> Vec<Section> {
    let mid = |index: usize| {
        let media = negotiated
            .media
            .iter()
            .find(|media| media.mline_index == index);
        media
            .and_then(|media| media.mid.clone())
            .unwrap_or_default()
    };
    transport
        .mline_indexes
        .iter()
        .map(|index| Section {
            mid: mid(*index),
            index: *index,
        })
        .collect()
}

fn remote_parameters(transport: &NegotiatedTransport) -> Result<RemoteParameters> {
    let fingerprints = transport.remote_fingerprints.iter();
    let known = fingerprints.filter_map(|fingerprint| fingerprint.to_string().parse().ok());
    let fingerprint = Fingerprint::best(known)
        .ok_or_else(|| unusable("no certificate fingerprint with a known hash function"))?;
    Ok(RemoteParameters {
        credentials: peer_credentials(&transport.remote_ice),
        fingerprint,
        dtls_role: dtls_role(transport.role),
    })
}
