//! `WebRtcEndpoint`: the control side of an endpoint.
//!
//! It negotiates, hands transports to a shard and tells the client what
//! happens to them; media never passes through here.

mod methods;
mod negotiation;
mod observer;
mod properties;
mod stats;

use std::net::IpAddr;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::time::Instant;

use rivero_plugin_api::{Element, ElementContext, Error, MediaKind, Result};
use rivero_sdp::{
    Candidate, CandidateAddress, LocalConfig, Negotiated, OfferOptions, SessionDescription,
};
use serde_json::{Map, Value};

use crate::{
    api::{IceCandidate, SessionEndpointEvents, WebRtcEndpointEvents, WebRtcEndpointParams},
    interfaces,
    peer::{
        Certificate, DtlsRole, IceError, LocalCandidate, Peer, PeerConfig, PeerError,
        RemoteParameters,
    },
    shard::{Shard, Shards, Token},
    transport::{Track, Transport},
};
use negotiation::{TrackMaker, local_config, peer_credentials, sdp_error};
use observer::{Change, LegObserver, LegState, TrackSink, TrackSource};
use properties::Properties;

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
    /// A source feeds the video that is sent.
    video_fed: AtomicBool,
}

/// How far the negotiation is.
#[derive(Default)]
struct Session {
    config: Option<LocalConfig>,
    /// Our offer, while no answer has come.
    offer: Option<SessionDescription>,
    local: Option<SessionDescription>,
    /// As the client gave it.
    remote: Option<String>,
    negotiated: Option<Negotiated>,
    legs: Vec<Leg>,
    /// Candidates that came before anything was negotiated.
    early_candidates: Vec<IceCandidate>,
    gathering: bool,
    gathered: usize,
    released: bool,
}

/// One transport, by its sections.
#[derive(Clone)]
struct Leg {
    token: Token,
    sections: Vec<Section>,
}

#[derive(Clone)]
struct Section {
    mid: String,
    index: usize,
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
        for number in 0..negotiated.transports.len() {
            self.open_answered(&mut session, &config, &negotiated, number)?;
        }
        let answer = negotiated.local.to_string();
        session.local = Some(negotiated.local.clone());
        session.remote = Some(text.to_owned());
        session.negotiated = Some(negotiated);
        session.config = Some(config);
        self.settle(session);
        Ok(answer)
    }

    fn open_answered(
        self: &Arc<Self>,
        session: &mut Session,
        config: &LocalConfig,
        negotiated: &Negotiated,
        number: usize,
    ) -> Result<()> {
        let Some(transport) = negotiated.transports.get(number) else {
            return Ok(());
        };
        let controlling = negotiated.remote_ice_lite;
        let mut peer = self.peer(&transport.local_ice, controlling)?;
        peer.set_remote(Instant::now(), remote_parameters(transport)?)
            .map_err(unusable)?;
        add_described_candidates(&mut peer, transport);
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

    /// Gathers candidates once. Before a negotiation nothing happens, as in Kurento.
    fn gather(self: &Arc<Self>) {
        let mut session = self.session();
        if !session.legs.is_empty() && !std::mem::replace(&mut session.gathering, true) {
            self.start_gathering(&session);
        }
    }

    fn start_gathering(self: &Arc<Self>, session: &Session) {
        let properties = self.properties().clone();
        if !properties.stun_server_address.is_empty() || !properties.turn_url.is_empty() {
            self.context.error(
                "RESOURCE_ERROR_OPEN",
                0,
                "this version gathers host candidates only: the STUN and TURN settings have no effect",
            );
        }
        let addresses = interfaces::host_addresses(&properties.interfaces());
        let sockets: Vec<_> = addresses
            .into_iter()
            .filter_map(|ip| self.shard.address(ip))
            .collect();
        for (number, leg) in session.legs.iter().enumerate() {
            let (endpoint, sockets) = (Arc::downgrade(self), sockets.clone());
            self.shard.with(leg.token, move |transport, now| {
                let add = |socket: &std::net::SocketAddr| {
                    let candidate = LocalCandidate::Host(*socket);
                    transport.peer().add_local_candidate(now, candidate).ok()
                };
                let lines = sockets.iter().filter_map(add).collect();
                gathered(&endpoint, number, lines);
            });
        }
    }

    /// Announces the candidates of a transport, once for each of its sections.
    fn announce(&self, number: usize, lines: &[String]) {
        let properties = self.properties().clone();
        let mut session = self.session();
        let Some(leg) = session.legs.get(number).cloned() else {
            return;
        };
        let parsed = lines
            .iter()
            .filter_map(|line| line.parse::<Candidate>().ok());
        let candidates: Vec<Candidate> = parsed
            .map(|candidate| announced(candidate, &properties))
            .collect();
        let indexes: Vec<usize> = leg.sections.iter().map(|section| section.index).collect();
        if let Some(local) = &mut session.local {
            for candidate in &candidates {
                local.add_candidate(&indexes, candidate);
            }
        }
        session.gathered += 1;
        let complete = session.gathered == session.legs.len();
        drop(session);
        for candidate in &candidates {
            for section in &leg.sections {
                self.context.ice_candidate_found(IceCandidate {
                    candidate: candidate.to_string(),
                    sdp_mid: section.mid.clone(),
                    sdp_m_line_index: i32::try_from(section.index).unwrap_or(0),
                });
            }
        }
        if complete {
            self.context.ice_gathering_done();
        }
    }

    fn add_candidate(self: &Arc<Self>, candidate: &IceCandidate) -> Result<()> {
        let mut session = self.session();
        if session.negotiated.is_none() {
            const LIMIT: usize = 256;
            if session.early_candidates.len() < LIMIT {
                session.early_candidates.push(candidate.clone());
            }
            return Ok(());
        }
        let text = candidate.candidate.trim();
        if text.is_empty() {
            // The end of the peer's candidates.
            return Ok(());
        }
        let leg = session.leg_of(candidate)?;
        drop(session);
        let line = text
            .trim_start_matches("a=")
            .trim_start_matches("candidate:")
            .to_owned();
        let endpoint = Arc::downgrade(self);
        self.shard.with(leg.token, move |transport, now| {
            let added = transport.peer().add_remote_candidate(now, &line);
            if let (Err(error), Some(endpoint)) = (added, endpoint.upgrade()) {
                endpoint.candidate_refused(&line, &error);
            }
        });
        Ok(())
    }

    /// Candidates that are of no use here are no errors: the peer has others.
    fn candidate_refused(&self, line: &str, error: &PeerError) {
        match error {
            PeerError::Ice(IceError::Candidate(_)) => {
                let text = format!("the ICE candidate {line:?} was refused: {error}");
                self.context.error("STREAM_ERROR_FAILED", 40401, &text);
            }
            _ => {
                tracing::debug!(endpoint = self.context.id(), line, %error, "candidate not used");
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

impl Session {
    fn must_be_new(&self) -> Result<()> {
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
    fn leg_of(&self, candidate: &IceCandidate) -> Result<Leg> {
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

fn gathered(endpoint: &Weak<Shared>, number: usize, lines: Vec<String>) {
    if let Some(endpoint) = endpoint.upgrade() {
        endpoint.announce(number, &lines);
    }
}

/// The candidate as the peer is to see it.
fn announced(mut candidate: Candidate, properties: &Properties) -> Candidate {
    let external = match candidate.address {
        CandidateAddress::Ip(IpAddr::V4(_)) => &properties.external_ipv4,
        CandidateAddress::Ip(IpAddr::V6(_)) => &properties.external_ipv6,
        _ => return candidate,
    };
    if let Ok(ip) = external.parse() {
        candidate.address = CandidateAddress::Ip(ip);
    }
    candidate
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

fn add_described_candidates(peer: &mut Peer, transport: &rivero_sdp::NegotiatedTransport) {
    for candidate in &transport.remote_candidates {
        let line = candidate.to_string();
        let line = line.trim_start_matches("candidate:");
        if let Err(error) = peer.add_remote_candidate(Instant::now(), line) {
            tracing::debug!(line, %error, "a candidate of the description is not used");
        }
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
