//! What happens to an endpoint's transports, as Kurento's events.

use std::sync::{Arc, Weak};

use rivero_plugin_api::{MediaKind, SinkHandler, SourceHandler, Upstream};

use super::Shared;
use crate::{
    api::{
        BaseRtpEndpointEvents, ConnectionState, DtlsConnectionState, IceCandidatePair,
        IceComponentState, MediaState, WebRtcEndpointEvents,
    },
    peer::{DtlsState, IceState, PeerEvent},
    shard::{Shard, Token},
    transport::TransportObserver,
};

/// The component that carries RTP and RTCP together.
pub(super) const COMPONENT: i32 = 1;

/// What one transport last told.
#[derive(Debug, Default, Clone)]
pub(super) struct LegState {
    pub(super) ice: Option<IceComponentState>,
    pub(super) dtls: Option<DtlsConnectionState>,
    pub(super) pair: Option<(String, String)>,
    pub(super) connected: bool,
    pub(super) media: bool,
    /// Checks run, which the client has not been told yet.
    pub(super) connects: bool,
}

impl Shared {
    /// Tells a transport's new ICE state.
    pub(super) fn tell_ice_state(&self, leg: usize, state: IceComponentState) {
        self.change_leg(leg, |leg| leg.ice = Some(state));
        self.context
            .ice_component_state_changed(stream_number(leg), COMPONENT, state);
    }
}

/// One transport's reports to its endpoint.
pub(super) struct LegObserver {
    pub(super) endpoint: Weak<Shared>,
    /// Position among the endpoint's transports.
    pub(super) leg: usize,
}

impl LegObserver {
    fn ice(&self, endpoint: &Shared, state: IceState) {
        let state = match state {
            IceState::Gathering => IceComponentState::Gathering,
            IceState::Connecting => IceComponentState::Connecting,
            IceState::Connected => IceComponentState::Connected,
            IceState::Ready => IceComponentState::Ready,
            IceState::Disconnected => IceComponentState::Disconnected,
            IceState::Failed => IceComponentState::Failed,
        };
        if state == IceComponentState::Connecting && !endpoint.is_gathering() {
            // Told once our own candidates are out.
            endpoint.change_leg(self.leg, |leg| leg.connects = true);
            return;
        }
        endpoint.tell_ice_state(self.leg, state);
        if matches!(
            state,
            IceComponentState::Disconnected | IceComponentState::Failed
        ) {
            self.connected(endpoint, false);
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
        if state == DtlsConnectionState::Connecting {
            self.tell_dtls(endpoint, DtlsConnectionState::New);
        }
        self.tell_dtls(endpoint, state);
    }

    fn tell_dtls(&self, endpoint: &Shared, state: DtlsConnectionState) {
        endpoint.change_leg(self.leg, |leg| leg.dtls = Some(state));
        let (stream, connection) = (stream_id(self.leg), connection_id(self.leg));
        let component = COMPONENT.to_string();
        endpoint
            .context
            .dtls_connection_state_change(stream, component, connection, state);
    }

    fn connected(&self, endpoint: &Shared, connected: bool) {
        let change = endpoint.change_leg(self.leg, |leg| leg.connected = connected);
        if let Some((before, after)) = change.connection() {
            endpoint.context.connection_state_changed(before, after);
        }
    }
}

impl TransportObserver for LegObserver {
    fn peer_event(&self, event: PeerEvent) {
        let Some(endpoint) = self.endpoint.upgrade() else {
            return;
        };
        match event {
            PeerEvent::IceState(state) => self.ice(&endpoint, state),
            PeerEvent::SelectedPair { local, remote, .. } => {
                let pair = (format!("candidate:{local}"), format!("candidate:{remote}"));
                endpoint.change_leg(self.leg, |leg| leg.pair = Some(pair.clone()));
                let pair = candidate_pair(self.leg, pair);
                endpoint.context.new_candidate_pair_selected(pair);
            }
            PeerEvent::DtlsState(state) => self.dtls(&endpoint, state),
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
        let Some(endpoint) = self.endpoint.upgrade() else {
            return;
        };
        let change = endpoint.change_leg(self.leg, |leg| leg.media = active);
        if let Some((before, after)) = change.media() {
            endpoint.context.media_state_changed(before, after);
        }
    }
}

/// The state of all transports before and after something happened to one.
pub(super) struct Change {
    pub(super) connected: (bool, bool),
    pub(super) media: (bool, bool),
}

impl Change {
    fn connection(&self) -> Option<(ConnectionState, ConnectionState)> {
        let (before, after) = self.connected;
        (before != after).then(|| (connection_state(before), connection_state(after)))
    }

    fn media(&self) -> Option<(MediaState, MediaState)> {
        let (before, after) = self.media;
        (before != after).then(|| (media_state(before), media_state(after)))
    }
}

pub(super) fn connection_state(connected: bool) -> ConnectionState {
    if connected {
        ConnectionState::Connected
    } else {
        ConnectionState::Disconnected
    }
}

pub(super) fn media_state(active: bool) -> MediaState {
    if active {
        MediaState::Connected
    } else {
        MediaState::Disconnected
    }
}

/// Streams count from 1.
fn stream_number(leg: usize) -> i32 {
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
    pub(super) track: usize,
}

impl SourceHandler for TrackSource {
    fn upstream(&self, message: Upstream) {
        let track = self.track;
        match message {
            Upstream::KeyframeRequest => {
                self.shard.with(self.token, move |transport, _| {
                    transport.request_keyframe(track)
                });
            }
            Upstream::BandwidthEstimate { bits_per_second }
            | Upstream::TargetBitrate { bits_per_second } => {
                self.shard.with(self.token, move |transport, _| {
                    transport.limit_bitrate(bits_per_second);
                });
            }
            Upstream::LayerWish { .. } | Upstream::Loss { .. } => {}
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
