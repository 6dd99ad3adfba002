//! What happens to an endpoint's transports, as Kurento's events.

use std::sync::{Arc, Weak};

use rivero_endpoint::error;
use rivero_plugin_api::{MediaKind, SinkHandler, SourceHandler, Upstream, host};
use serde_json::json;

use super::Shared;
use crate::{
    api::{DtlsConnectionState, IceCandidatePair, IceComponentState, WebRtcEndpointEvents},
    data::DataEvent,
    link::LinkObserver,
    peer::{DtlsState, IceState, PeerEvent},
    shard::{Shard, Token},
};

/// The component that carries RTP and RTCP together.
pub(super) const COMPONENT: i32 = 1;

/// A connection with a peer could not be made, or is lost, in this `layer`.
fn count_failure(layer: &str) {
    if let Some(host) = host() {
        host.count("connection_failures_total", &json!({ "layer": layer }), 1.0);
    }
}

/// What one transport last told.
#[derive(Debug, Clone)]
pub(super) struct LegState {
    /// Its place among the endpoint's transports.
    pub(super) number: usize,
    pub(super) token: Token,
    pub(super) ice: Option<IceComponentState>,
    pub(super) dtls: Option<DtlsConnectionState>,
    pub(super) pair: Option<(String, String)>,
    pub(super) connected: bool,
    /// It has been connected at some time.
    pub(super) was_connected: bool,
    pub(super) media: bool,
    /// Checks run, which the client has not been told yet.
    pub(super) connects: bool,
}

impl LegState {
    pub(super) fn new(number: usize, token: Token) -> Self {
        Self {
            number,
            token,
            ice: None,
            dtls: None,
            pair: None,
            connected: false,
            was_connected: false,
            media: false,
            connects: false,
        }
    }

    /// Whether its DTLS association is over, so that nothing can go on with it.
    pub(super) fn has_ended(&self) -> bool {
        matches!(
            self.dtls,
            Some(DtlsConnectionState::Closed | DtlsConnectionState::Failed)
        )
    }
}

impl Shared {
    /// Tells a transport's new ICE state.
    pub(super) fn tell_ice_state(&self, token: Token, state: IceComponentState) {
        let mut number = None;
        self.change_leg(token, |leg| {
            let known = leg.ice.replace(state) == Some(state);
            number = (!known).then_some(leg.number);
        });
        if let Some(number) = number {
            self.context
                .ice_component_state_changed(stream_number(number), COMPONENT, state);
        }
    }

    /// Says that a handshake has failed. The state alone is easily overlooked: ICE stays ready, and
    /// nothing ever comes.
    fn dtls_trouble(&self, reason: &str) {
        let endpoint = self.context.id();
        tracing::warn!(endpoint, reason, "the DTLS handshake has failed");
        let text = format!("the DTLS handshake with the peer has failed: {reason}");
        self.context.error("STREAM_ERROR_DECRYPT", 12, &text);
    }

    /// Whether a transport is still one of the endpoint's.
    fn has_leg(&self, token: Token) -> bool {
        self.legs().iter().any(|leg| leg.token == token)
    }
}

/// One transport's reports to its endpoint.
pub(super) struct LegObserver {
    pub(super) endpoint: Weak<Shared>,
    pub(super) number: usize,
    pub(super) token: Token,
}

impl LegObserver {
    /// The endpoint, as long as it works: what has failed has told its last states.
    fn endpoint(&self) -> Option<Arc<Shared>> {
        let endpoint = self.endpoint.upgrade()?;
        (!endpoint.has_failed()).then_some(endpoint)
    }

    fn ice(&self, endpoint: &Shared, state: IceState) {
        let state = match state {
            IceState::Gathering => IceComponentState::Gathering,
            IceState::Connecting => IceComponentState::Connecting,
            IceState::Connected => IceComponentState::Connected,
            IceState::Ready => IceComponentState::Ready,
            IceState::Disconnected => IceComponentState::Disconnected,
            IceState::Failed => IceComponentState::Failed,
        };
        if state == IceComponentState::Connecting && !endpoint.has_gathered(self.token) {
            // Told once our own candidates are out.
            endpoint.change_leg(self.token, |leg| leg.connects = true);
            return;
        }
        if state == IceComponentState::Failed {
            count_failure("ice");
        }
        endpoint.tell_connecting(self.token);
        endpoint.tell_ice_state(self.token, state);
        match state {
            IceComponentState::Disconnected | IceComponentState::Failed => {
                self.connected(endpoint, false);
            }
            // It came back.
            IceComponentState::Connected | IceComponentState::Ready => {
                let secure = |leg: &LegState| {
                    leg.token == self.token && leg.dtls == Some(DtlsConnectionState::Connected)
                };
                let secure = endpoint.legs().iter().any(secure);
                if secure {
                    self.connected(endpoint, true);
                }
            }
            _ => {}
        }
    }

    fn dtls(&self, endpoint: &Shared, state: DtlsState) {
        let state = match state {
            DtlsState::New => DtlsConnectionState::New,
            DtlsState::Connecting => DtlsConnectionState::Connecting,
            DtlsState::Connected => DtlsConnectionState::Connected,
            DtlsState::Failed => DtlsConnectionState::Failed,
            DtlsState::Closed => DtlsConnectionState::Closed,
        };
        if state == DtlsConnectionState::Failed {
            count_failure("dtls");
        }
        if state == DtlsConnectionState::Connecting {
            self.tell_dtls(endpoint, DtlsConnectionState::New);
        }
        self.tell_dtls(endpoint, state);
    }

    fn tell_dtls(&self, endpoint: &Shared, state: DtlsConnectionState) {
        endpoint.change_leg(self.token, |leg| leg.dtls = Some(state));
        let (stream, connection) = (stream_id(self.number), connection_id(self.number));
        let component = COMPONENT.to_string();
        endpoint
            .context
            .dtls_connection_state_change(stream, component, connection, state);
    }

    fn connected(&self, endpoint: &Shared, connected: bool) {
        endpoint.change_leg(self.token, |leg| {
            leg.connected = connected;
            leg.was_connected |= connected;
        });
    }
}

impl LinkObserver for LegObserver {
    fn peer_event(&self, event: PeerEvent) {
        let Some(endpoint) = self.endpoint() else {
            return;
        };
        if !endpoint.has_leg(self.token) {
            return; // replaced by a later negotiation, or released
        }
        match event {
            PeerEvent::LocalCandidate(line) => endpoint.announce(self.token, &line),
            PeerEvent::GatheringDone => endpoint.gathered(self.token),
            PeerEvent::ServerTrouble(text) => endpoint.server_trouble(&text),
            PeerEvent::IceState(state) => self.ice(&endpoint, state),
            PeerEvent::SelectedPair { local, remote, .. } => {
                let pair = (format!("candidate:{local}"), format!("candidate:{remote}"));
                endpoint.change_leg(self.token, |leg| leg.pair = Some(pair.clone()));
                let pair = candidate_pair(self.number, pair);
                endpoint.context.new_candidate_pair_selected(pair);
            }
            PeerEvent::DtlsState(state) => self.dtls(&endpoint, state),
            PeerEvent::DtlsTrouble(reason) => endpoint.dtls_trouble(&reason),
            PeerEvent::Connected { profile } => {
                tracing::debug!(
                    endpoint = endpoint.context.id(),
                    ?profile,
                    "transport connected"
                );
                self.connected(&endpoint, true);
            }
            PeerEvent::Closed => self.connected(&endpoint, false),
            PeerEvent::ApplicationData(_) => {}
        }
    }

    fn media_active(&self, active: bool) {
        let Some(endpoint) = self.endpoint() else {
            return;
        };
        endpoint.change_leg(self.token, |leg| leg.media = active);
    }

    fn keyframe_missing(&self) {
        if let Some(endpoint) = self.endpoint() {
            error::keyframe_missing(&endpoint.context);
        }
    }

    fn data_event(&self, event: DataEvent) {
        let Some(endpoint) = self.endpoint() else {
            return;
        };
        match event {
            DataEvent::Opened(id) => endpoint.context.data_channel_opened(i32::from(id)),
            DataEvent::Closed(id) => endpoint.context.data_channel_closed(i32::from(id)),
            DataEvent::Up | DataEvent::Down | DataEvent::Message { .. } => {}
        }
    }

    fn failed(&self, text: &str) {
        // One that a later negotiation has replaced is no loss.
        if let Some(endpoint) = self.endpoint()
            && endpoint.has_leg(self.token)
        {
            endpoint.fail(text);
        }
    }
}

/// Streams count from 1.
pub(super) fn stream_number(leg: usize) -> i32 {
    i32::try_from(leg).unwrap_or(0) + 1
}

pub(super) fn stream_id(leg: usize) -> String {
    stream_number(leg).to_string()
}

pub(super) fn connection_id(leg: usize) -> String {
    format!("{}-{COMPONENT}", stream_number(leg))
}

pub(super) fn candidate_pair(leg: usize, (local, remote): (String, String)) -> IceCandidatePair {
    IceCandidatePair {
        stream_id: stream_id(leg),
        component_id: COMPONENT,
        local_candidate: local,
        remote_candidate: remote,
    }
}

/// Hears what the consumers of a received track want.
pub(super) struct TrackSource {
    pub(super) shard: Arc<Shard>,
    pub(super) token: Token,
    pub(super) track: u8,
}

impl SourceHandler for TrackSource {
    fn upstream(&self, message: Upstream) {
        let track = self.track;
        match message {
            Upstream::KeyframeRequest => {
                self.shard.with(self.token, move |link, now| {
                    link.keyframe_requested(now, track);
                });
            }
            Upstream::BandwidthEstimate { bits_per_second }
            | Upstream::TargetBitrate { bits_per_second } => {
                self.shard.with(self.token, move |link, now| {
                    link.set_viewers_limit(now, bits_per_second);
                });
            }
            Upstream::LayerWish { .. } | Upstream::Loss { .. } | Upstream::StartBitrate { .. } => {}
        }
    }
}

/// Notes whether a sent track is fed.
pub(super) struct TrackSink {
    pub(super) endpoint: Weak<Shared>,
    pub(super) kind: MediaKind,
}

impl SinkHandler for TrackSink {
    fn format(&self, format: Option<u32>) {
        if let (Some(endpoint), MediaKind::Video) = (self.endpoint.upgrade(), self.kind) {
            endpoint.set_video_fed(format.is_some());
        }
    }
}
