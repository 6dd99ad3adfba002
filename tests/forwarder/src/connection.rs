//! Peer connections of the crate: the publisher's, and those of the viewers it goes to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use rtc::{
    interceptor::Registry,
    media_stream::MediaStreamTrack,
    peer_connection::{
        configuration::{
            RTCConfigurationBuilder,
            interceptor_registry::register_default_interceptors,
            media_engine::{MIME_TYPE_VP8, MediaEngine},
        },
        sdp::RTCSessionDescription,
        transport::RTCIceCandidateInit,
    },
    rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication,
    rtp::Packet,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
    },
};
use tokio::sync::{broadcast, mpsc};
use webrtc::{
    media_stream::{
        track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
        track_remote::{TrackRemote, TrackRemoteEvent},
    },
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    },
    runtime::default_runtime,
};

use crate::Failure;

/// Packets that a viewer's task may be behind.
const BACKLOG: usize = 1024;
/// Between two requests for keyframes: the crate does not tell when a viewer needs one.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(3);

/// The publisher's packets on their way to the viewers.
pub(crate) struct Stream(broadcast::Sender<Packet>);

impl Default for Stream {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

/// A peer connection that has answered its offer.
pub(crate) struct Connection(Arc<dyn PeerConnection>);

impl Connection {
    /// Takes what this peer sends.
    pub(crate) async fn of_publisher(stream: &Stream, offer: &str) -> Result<Self, Failure> {
        Self::answer(Some(stream.0.clone()), None, offer).await
    }

    /// Sends to this peer what the publisher sends. `number` tells viewers apart.
    pub(crate) async fn of_viewer(
        stream: &Stream,
        number: u32,
        offer: &str,
    ) -> Result<Self, Failure> {
        static SSRC: AtomicU32 = AtomicU32::new(0x0001_0000);
        let ssrc = SSRC.fetch_add(1, Relaxed);
        let track = Arc::new(track(number, ssrc));
        let connection = Self::answer(None, Some(track.clone()), offer).await?;
        let mut packets = stream.0.subscribe();
        tokio::spawn(async move {
            // One that has fallen behind misses packets and goes on.
            loop {
                let mut packet = match packets.recv().await {
                    Ok(packet) => packet,
                    Err(broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                packet.header.ssrc = ssrc;
                // Not connected yet, say.
                let _ = track.write_rtp(packet).await;
            }
        });
        Ok(connection)
    }

    async fn answer(
        takes: Option<broadcast::Sender<Packet>>,
        gives: Option<Arc<TrackLocalStaticRTP>>,
        offer: &str,
    ) -> Result<Self, Failure> {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs()?;
        let registry = register_default_interceptors(Registry::new(), &mut engine)?;
        let (gathered, mut gathering) = mpsc::channel(1);
        let runtime = default_runtime().ok_or(Failure::Missing("no runtime"))?;
        let connection: Arc<dyn PeerConnection> = Arc::new(
            PeerConnectionBuilder::new()
                .with_configuration(RTCConfigurationBuilder::new().build())
                .with_media_engine(engine)
                .with_interceptor_registry(registry)
                .with_handler(Arc::new(Handler { takes, gathered }))
                .with_runtime(runtime)
                .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
                .build()
                .await?,
        );
        if let Some(track) = gives {
            connection.add_track(track as Arc<dyn TrackLocal>).await?;
        }
        let offer = RTCSessionDescription::offer(offer.to_owned())?;
        connection.set_remote_description(offer).await?;
        let answer = connection.create_answer(None).await?;
        connection.set_local_description(answer).await?;
        let _ = gathering.recv().await;
        Ok(Self(connection))
    }

    /// Our session description, with all candidates.
    pub(crate) async fn description(&self) -> Result<String, Failure> {
        let local = self.0.local_description().await;
        Ok(local.ok_or(Failure::Missing("no local description"))?.sdp)
    }

    /// A candidate of the peer.
    pub(crate) async fn add_candidate(&self, line: &str) -> Result<(), Failure> {
        let candidate = RTCIceCandidateInit {
            candidate: line.to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            ..Default::default()
        };
        Ok(self.0.add_ice_candidate(candidate).await?)
    }

    pub(crate) async fn close(self) -> Result<(), Failure> {
        Ok(self.0.close().await?)
    }
}

struct Handler {
    takes: Option<broadcast::Sender<Packet>>,
    gathered: mpsc::Sender<()>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let Some(packets) = self.takes.clone() else {
            return;
        };
        tokio::spawn(ask_for_keyframes(track.clone()));
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    // Nobody may be watching.
                    let _ = packets.send(packet);
                }
            }
        });
    }
}

async fn ask_for_keyframes(track: Arc<dyn TrackRemote>) {
    let Some(media_ssrc) = track.ssrcs().await.first().copied() else {
        return;
    };
    loop {
        let request = PictureLossIndication {
            sender_ssrc: 0,
            media_ssrc,
        };
        if track.write_rtcp(vec![Box::new(request)]).await.is_err() {
            return;
        }
        tokio::time::sleep(KEYFRAME_INTERVAL).await;
    }
}

fn track(number: u32, ssrc: u32) -> TrackLocalStaticRTP {
    let codec = RTCRtpCodec {
        mime_type: MIME_TYPE_VP8.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: Vec::new(),
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        },
        codec,
        ..Default::default()
    };
    let name = format!("viewer {number}");
    TrackLocalStaticRTP::new(MediaStreamTrack::new(
        name.clone(),
        name.clone(),
        name,
        RtpCodecKind::Video,
        vec![encoding],
    ))
}
