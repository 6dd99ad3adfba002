//! `WebRtcEndpoint`: the control side of an endpoint.
//!
//! It negotiates, hands transports to a shard and tells the client what
//! happens to them; media never passes through here.

mod candidates;
mod methods;
mod negotiation;
mod observer;
mod properties;
mod session;
mod stats;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::time::Instant;

use rivero_plugin_api::{Element, ElementContext, Error, MediaKind, Result};
use rivero_sdp::{LocalConfig, Negotiated, OfferOptions};
use serde_json::{Map, Value};

use crate::{
    api::{SessionEndpointEvents, WebRtcEndpointParams},
    peer::{Certificate, DtlsRole, Peer, PeerConfig, RemoteParameters},
    shard::{Shard, Shards, Token},
    transport::{Track, Transport},
};
use candidates::add_described_candidates;
use negotiation::{TrackMaker, local_config, peer_credentials, sdp_error};
use observer::{Change, LegObserver, LegState, TrackSink, TrackSource};
use properties::Properties;
use session::{Leg, Section, Session};

/// A WebRTC peer of the server.
pub(crate) struct Endpoint(Arc<Shared>);

/// What an endpoint's parts have in common.
pub(crate) struct Shared {
    context: ElementContext,
    params: WebRtcEndpointParams,
    certificate: Arc<Certificate>,
    shard: Arc<Shard>,
    /// Keeps the threads running.
    _shards: Arc<Shards>,
    properties: Mutex<Properties>,
    session: Mutex<Session>,
    legs: Mutex<Vec<LegState>>,
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

    fn legs(&self) -> MutexGuard<'_, Vec<LegState>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something about one transport; gives what it means for all of them.
    fn change_leg(&self, leg: usize, change: impl FnOnce(&mut LegState)) -> Change {
        let mut legs = self.legs();
        let overall = |legs: &[LegState]| {
            let connected = !legs.is_empty() && legs.iter().all(|leg| leg.connected);
            (connected, legs.iter().any(|leg| leg.media))
        };
        let before = overall(&legs);
        if let Some(state) = legs.get_mut(leg) {
            change(state);
        }
        let after = overall(&legs);
        Change {
            connected: (before.0, after.0),
            media: (before.1, after.1),
        }
    }

    fn set_video_fed(&self, fed: bool) {
        self.video_fed.store(fed, Relaxed);
    }

    /// Makes an offer. The transport exists from here on, so that candidates can be gathered.
    fn offer(self: &Arc<Self>, options: OfferOptions) -> Result<String> {
        let mut session = self.session();
        session.must_be_new()?;
        let config = local_config(&self.params, &self.properties(), &self.certificate)?;
        let offer =
            rivero_sdp::offer(&config, options).map_err(|error| sdp_error(&error, false))?;
        let sections = offer.media.iter().enumerate();
        let sections = sections
            .map(|(index, media)| Section {
                mid: media.mid.clone().unwrap_or_default(),
                index,
            })
            .collect();
        let [first, ..] = &config.transport.ice;
        let peer = self.peer(first, true)?;
        let token = self.shard.reserve()?;
        self.open(&mut session, token, peer, sections, Vec::new());
        let text = offer.to_string();
        session.local = Some(offer.clone());
        session.offer = Some(offer);
        session.config = Some(config);
        Ok(text)
    }

    /// Answers an offer.
    fn answer(self: &Arc<Self>, text: &str) -> Result<String> {
        let mut session = self.session();
        session.must_be_new()?;
        if text.is_empty() {
            return Err(Error::new(
                40201,
                "SDP_PARSE_ERROR",
                "Empty offer not valid",
            ));
        }
        let offer = rivero_sdp::parse(text).map_err(|error| sdp_error(&error, false))?;
        let config = local_config(&self.params, &self.properties(), &self.certificate)?;
        let negotiated =
            rivero_sdp::answer(&config, &offer).map_err(|error| sdp_error(&error, false))?;
        // Everything that the offer can spoil comes before anything is opened.
        let peers = negotiated.transports.iter();
        let peers = peers.map(|transport| self.answering_peer(&negotiated, transport));
        let peers: Vec<Peer> = peers.collect::<Result<_>>()?;
        for (number, peer) in peers.into_iter().enumerate() {
            self.open_answered(&mut session, &config, &negotiated, number, peer)?;
        }
        let answer = negotiated.local.to_string();
        session.local = Some(negotiated.local.clone());
        session.remote = Some(text.to_owned());
        session.negotiated = Some(negotiated);
        session.config = Some(config);
        self.settle(session);
        Ok(answer)
    }

    fn answering_peer(
        &self,
        negotiated: &Negotiated,
        transport: &rivero_sdp::NegotiatedTransport,
    ) -> Result<Peer> {
        let mut peer = self.peer(&transport.local_ice, negotiated.remote_ice_lite)?;
        peer.set_remote(Instant::now(), remote_parameters(transport)?)
            .map_err(unusable)?;
        add_described_candidates(&mut peer, transport);
        Ok(peer)
    }

    fn open_answered(
        self: &Arc<Self>,
        session: &mut Session,
        config: &LocalConfig,
        negotiated: &Negotiated,
        number: usize,
        peer: Peer,
    ) -> Result<()> {
        let Some(transport) = negotiated.transports.get(number) else {
            return Ok(());
        };
        let token = self.shard.reserve()?;
        let tracks = self.tracks(config, negotiated, number, token)?;
        self.open(
            session,
            token,
            peer,
            sections(negotiated, transport),
            tracks,
        );
        Ok(())
    }

    /// Takes the answer to our offer; gives the resulting local description.
    fn accept(self: &Arc<Self>, text: &str) -> Result<String> {
        let mut session = self.session();
        if session.negotiated.is_some() && session.offer.is_none() {
            return Err(Error::new(
                40210,
                "SDP_END_POINT_ANSWER_ALREADY_PROCCESED",
                "Sdp Answer already processed",
            ));
        }
        let (Some(offer), Some(config)) = (session.offer.clone(), session.config.clone()) else {
            return Err(Error::new(
                40209,
                "SDP_END_POINT_NOT_OFFER_GENERATED",
                "Offer not generated. It is not possible to process an answer.",
            ));
        };
        if text.is_empty() {
            return Err(Error::new(
                40201,
                "SDP_PARSE_ERROR",
                "Empty answer not valid",
            ));
        }
        let answer = rivero_sdp::parse(text).map_err(|error| sdp_error(&error, true))?;
        let negotiated =
            rivero_sdp::accept_answer(&offer, &answer).map_err(|error| sdp_error(&error, true))?;
        if negotiated.transports.len() > 1 {
            return Err(Error::new(
                40206,
                "SDP_END_POINT_PROCESS_ANSWER_ERROR",
                "the answer takes our bundle apart; answer with the BUNDLE group of the offer",
            ));
        }
        self.connect_offered(&session, &config, &negotiated)?;
        session.offer = None;
        session.remote = Some(text.to_owned());
        session.negotiated = Some(negotiated);
        self.settle(session);
        Ok(self.local_description())
    }

    fn connect_offered(
        self: &Arc<Self>,
        session: &Session,
        config: &LocalConfig,
        negotiated: &Negotiated,
    ) -> Result<()> {
        let (Some(leg), Some(transport)) = (session.legs.first(), negotiated.transports.first())
        else {
            return Ok(());
        };
        let remote = remote_parameters(transport)?;
        let tracks = self.tracks(config, negotiated, 0, leg.token)?;
        let transport = transport.clone();
        self.shard.with(leg.token, move |opened, now| {
            opened.set_tracks(tracks);
            if let Err(error) = opened.peer().set_remote(now, remote) {
                tracing::warn!(%error, "the answer's transport is not usable");
            }
            add_described_candidates(opened.peer(), &transport);
        });
        Ok(())
    }

    fn peer(&self, credentials: &rivero_sdp::IceCredentials, controlling: bool) -> Result<Peer> {
        let certificate = self.certificate.clone();
        let config = PeerConfig::new(peer_credentials(credentials), controlling, certificate);
        Peer::new(config, Instant::now()).map_err(unusable)
    }

    fn tracks(
        self: &Arc<Self>,
        config: &LocalConfig,
        negotiated: &Negotiated,
        number: usize,
        token: Token,
    ) -> Result<Vec<Track>> {
        let cname = config.audio.as_ref().or(config.video.as_ref());
        let maker = TrackMaker {
            context: &self.context,
            shard: &self.shard,
            token,
            properties: &self.properties(),
            cname: cname.map_or("rivero", |media| media.cname.as_str()).into(),
        };
        maker.tracks(
            negotiated,
            number,
            |track, _| TrackSource {
                shard: self.shard.clone(),
                token,
                track,
            },
            |kind| TrackSink {
                endpoint: Arc::downgrade(self),
                kind,
            },
        )
    }

    /// Hands a transport to the shard.
    fn open(
        self: &Arc<Self>,
        session: &mut Session,
        token: Token,
        peer: Peer,
        sections: Vec<Section>,
        tracks: Vec<Track>,
    ) {
        let leg = session.legs.len();
        self.legs().push(LegState::default());
        let observer = Arc::new(LegObserver {
            endpoint: Arc::downgrade(self),
            leg,
        });
        let transport = Transport::new(peer, observer, tracks, rand::random());
        self.shard
            .send(crate::shard::Command::Open(token, Box::new(transport)));
        session.legs.push(Leg { token, sections });
    }

    /// After a negotiation: what waited for it happens now.
    fn settle(self: &Arc<Self>, mut session: MutexGuard<'_, Session>) {
        let early = std::mem::take(&mut session.early_candidates);
        drop(session);
        self.context.media_session_started();
        for candidate in early {
            if let Err(error) = self.add_candidate(&candidate) {
                tracing::debug!(%error, "a candidate that came before the description");
            }
        }
    }

    fn local_description(&self) -> String {
        self.session()
            .local
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    fn release(&self) {
        let mut session = self.session();
        session.released = true;
        let legs = std::mem::take(&mut session.legs);
        drop(session);
        legs.iter().for_each(|leg| self.shard.close(leg.token));
    }
}

fn unusable(error: impl std::fmt::Display) -> Error {
    Error::new(
        40205,
        "SDP_END_POINT_PROCESS_OFFER_ERROR",
        format!("the description is not usable: {error}"),
    )
}

fn sections(negotiated: &Negotiated, transport: &rivero_sdp::NegotiatedTransport) -> Vec<Section> {
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

fn remote_parameters(transport: &rivero_sdp::NegotiatedTransport) -> Result<RemoteParameters> {
    let fingerprints = transport.remote_fingerprints.iter();
    let fingerprint = fingerprints
        .filter_map(|fingerprint| fingerprint.to_string().parse().ok())
        .next()
        .ok_or_else(|| unusable("no certificate fingerprint with a known hash function"))?;
    Ok(RemoteParameters {
        credentials: peer_credentials(&transport.remote_ice),
        fingerprint,
        dtls_role: match transport.role {
            rivero_sdp::DtlsRole::Active => DtlsRole::Client,
            rivero_sdp::DtlsRole::Passive => DtlsRole::Server,
        },
    })
}

impl Element for Endpoint {
    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>> {
        Ok(stats::collect(&self.0, kind))
    }

    fn released(&self) {
        self.0.release();
    }
}
