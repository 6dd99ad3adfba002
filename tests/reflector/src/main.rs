//! A peer of the `webrtc` crate that sends back the pictures and messages it gets. It has no sound.
//!
//! Speaks JSON lines with the test: reads `{"offer": sdp}`, which has all candidates, writes
//! `{"answer": sdp}` likewise, and `{"state": name}` for every change of the connection. Ends when
//! its standard input is closed.

use std::{sync::Arc, time::Duration};

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
    },
    rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
        RtpCodecKind,
    },
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent},
    media_stream::{
        track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
        track_remote::{TrackRemote, TrackRemoteEvent},
    },
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
        RTCPeerConnectionState,
    },
    runtime::default_runtime,
};

const VIDEO_SSRC: u32 = 0x7265_666c;
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the webrtc crate: {0}")]
    WebRtc(#[from] webrtc::error::Error),
    #[error("standard input: {0}")]
    Input(#[from] std::io::Error),
    #[error("no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Missing(&'static str),
}

fn say(message: &Value) {
    println!("{message}");
}

/// Sends back what comes.
struct Reflector {
    video: Arc<TrackLocalStaticRTP>,
    gathered: tokio::sync::mpsc::Sender<()>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Reflector {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        say(&json!({ "state": state.to_string() }));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let back = self.video.clone();
        tokio::spawn(ask_for_keyframes(track.clone()));
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(mut packet) = event {
                    packet.header.ssrc = VIDEO_SSRC;
                    if back.write_rtp(packet).await.is_err() {
                        return;
                    }
                }
            }
        });
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        tokio::spawn(async move {
            while let Some(event) = channel.poll().await {
                let DataChannelEvent::OnMessage(message) = event else {
                    continue;
                };
                let text = String::from_utf8(message.data.to_vec()).unwrap_or_default();
                if channel.send_text(text.as_str()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// The crate does not tell when the receiver of what is sent back needs a keyframe.
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

fn codec(mime_type: &str, clock_rate: u32, channels: u16) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: Vec::new(),
    }
}

fn track(kind: RtpCodecKind, ssrc: u32, codec: &RTCRtpCodec) -> Arc<TrackLocalStaticRTP> {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        },
        codec: codec.clone(),
        ..Default::default()
    };
    let name = format!("reflected {kind}");
    let track = MediaStreamTrack::new(
        "reflected".to_owned(),
        name.clone(),
        name,
        kind,
        vec![encoding],
    );
    Arc::new(TrackLocalStaticRTP::new(track))
}

async fn run() -> Result<(), Failure> {
    let vp8 = codec(MIME_TYPE_VP8, 90_000, 0);
    let mut engine = MediaEngine::default();
    let parameters = RTCRtpCodecParameters {
        rtp_codec: vp8.clone(),
        // The number of Rivero's offers: the crate looks codecs up by its own.
        payload_type: 104,
    };
    engine.register_codec(parameters, RtpCodecKind::Video)?;
    let registry = register_default_interceptors(Registry::new(), &mut engine)?;
    let video = track(RtpCodecKind::Video, VIDEO_SSRC, &vp8);
    let (gathered, mut gathering) = tokio::sync::mpsc::channel(1);
    let reflector = Reflector {
        video: video.clone(),
        gathered,
    };
    let address = std::env::args()
        .nth(1)
        .ok_or(Failure::Missing("usage: rivero-reflector ADDRESS"))?;
    let runtime = default_runtime().ok_or(Failure::Missing("no runtime"))?;
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(reflector))
        .with_runtime(runtime)
        .with_udp_addrs(vec![format!("{address}:0")])
        .build()
        .await?;
    connection.add_track(video as Arc<dyn TrackLocal>).await?;

    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let offer = offer(&mut input).await?;
    connection
        .set_remote_description(RTCSessionDescription::offer(offer)?)
        .await?;
    let answer = connection.create_answer(None).await?;
    connection.set_local_description(answer).await?;
    let _ = gathering.recv().await;
    let local = connection.local_description().await;
    let local = local.ok_or(Failure::Missing("no local description"))?;
    say(&json!({ "answer": local.sdp }));
    while input.next_line().await?.is_some() {}
    connection.close().await?;
    Ok(())
}

async fn offer(input: &mut Lines<BufReader<Stdin>>) -> Result<String, Failure> {
    let line = input.next_line().await?;
    let message: Value = serde_json::from_str(&line.ok_or(Failure::Missing("no offer"))?)?;
    let offer = message.get("offer").and_then(Value::as_str);
    Ok(offer.ok_or(Failure::Missing("no offer"))?.to_owned())
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
