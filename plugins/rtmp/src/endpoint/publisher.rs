//! `RtmpPublisher`: the control side.

use std::sync::{Arc, Mutex, Weak, atomic::Ordering::Relaxed};

use rivero_codec::Codec;
use rivero_flv::Coding;
use rivero_plugin_api::{
    Answer, DEFAULT_DESCRIPTION, Element, ElementContext, Format, MediaKind, Packaging, Packet,
    Result, SinkHandler, SinkPad, Upstream, host, supervise::lock,
};
use rivero_uri::Access;
use serde_json::{Map, Value};

use super::{Ending, destination};
use crate::{
    api::{self, RtmpPublisherEvents, RtmpPublisherParams},
    attempts::Reports,
    failure::Failure,
    feed::Feed,
    figures::Figures,
    media::{Formats, Frame, Kind, coding},
    settings::{EnhancedRtmp, Settings},
    task::{self, Listener, Work},
};

/// A publisher of the server.
pub(crate) struct Publisher(Arc<Shared>);

/// What the publisher's parts have in common.
struct Shared {
    context: ElementContext,
    uri: String,
    feed: Arc<Feed>,
    figures: Arc<Figures>,
    pads: Mutex<Option<Pads>>,
    /// What the pads accept beside H.264 and AAC.
    taken: Mutex<Vec<Coding>>,
    ending: Ending,
}

#[derive(Clone)]
struct Pads {
    video: Arc<SinkPad>,
    audio: Arc<SinkPad>,
}

impl Element for Publisher {
    fn stats(&self, _: Option<MediaKind>) -> Result<Map<String, Value>> {
        Ok(self.0.figures.of_publication(self.0.context.id()))
    }

    fn released(&self) {
        // Not dropped under the lock: the host asks for formats meanwhile.
        let pads = lock(&self.0.pads).take();
        drop(pads);
        let answer = Answer::take();
        self.0.feed.release();
        self.0.ending.answer(answer);
    }
}

impl api::RtmpPublisher for Publisher {
    fn create(context: ElementContext, params: RtmpPublisherParams) -> Result<Self> {
        let (target, policy) = destination(&params.uri, Access::Write)?;
        let shared = Arc::new(Shared {
            context,
            uri: params.uri,
            feed: Arc::default(),
            figures: Arc::default(),
            pads: Mutex::default(),
            taken: Mutex::default(),
            ending: Ending::default(),
        });
        shared.open_pads()?;
        let settings = Settings::load()?;
        // What is known before there is a connection need not be converted until there is one.
        if settings.enhanced_rtmp == EnhancedRtmp::Always {
            shared.accept(&Coding::ALL);
        }
        let work = Work {
            target,
            policy,
            settings,
            sends_silence: params.silent_audio,
            feed: shared.feed.clone(),
            figures: shared.figures.clone(),
            listener: Arc::new(Told(Arc::downgrade(&shared), shared.context.clone())),
            formats: formats_of_host,
        };
        let over = shared.clone();
        task::start(work, move || over.ending.is_over())?;
        Ok(Self(shared))
    }

    fn uri(&self) -> Result<String> {
        Ok(self.0.uri.clone())
    }

    fn connected(&self) -> Result<bool> {
        Ok(self.0.figures.is_connected.load(Relaxed))
    }
}

fn formats_of_host() -> Formats {
    Box::new(|id| host().and_then(|host| host.format(id)))
}

impl Shared {
    fn open_pads(self: &Arc<Self>) -> Result<()> {
        let open = |kind: MediaKind, own: Kind, codec: Codec| -> Result<SinkPad> {
            let input = Input {
                publisher: Arc::downgrade(self),
                kind: own,
            };
            let pad = self.context.sink_pad(kind, DEFAULT_DESCRIPTION, input)?;
            accept(&pad, &[codec]);
            Ok(pad)
        };
        let audio = open(MediaKind::Audio, Kind::Audio, Codec::Aac)?;
        let video = open(MediaKind::Video, Kind::Video, Codec::H264)?;
        *lock(&self.pads) = Some(Pads {
            video: Arc::new(video),
            audio: Arc::new(audio),
        });
        Ok(())
    }

    /// Has the pads accept the codecs of a server: what is converted becomes H.264 and AAC, which are the first.
    fn accept(&self, codings: &[Coding]) {
        // Media goes on as it does where a server says the same again.
        if std::mem::replace(&mut *lock(&self.taken), codings.to_vec()) == codings {
            return;
        }
        let Some(pads) = lock(&self.pads).clone() else {
            return;
        };
        let taken = |first: Codec| {
            let codecs = [Codec::H265, Codec::Av1, Codec::Vp9, Codec::Vp8, Codec::Opus];
            let further = codecs.into_iter().filter(move |codec| {
                let coding = coding(*codec);
                let is_taken = coding.is_some_and(|coding| codings.contains(&coding));
                is_taken && codec.is_audio() == first.is_audio()
            });
            [first].into_iter().chain(further).collect::<Vec<_>>()
        };
        accept(&pads.video, &taken(Codec::H264));
        accept(&pads.audio, &taken(Codec::Aac));
    }

    fn upstream(&self, message: Upstream) {
        // Not sent under the lock: the host may ask for something meanwhile.
        let pad = lock(&self.pads).as_ref().map(|pads| pads.video.clone());
        if let Some(pad) = pad {
            pad.upstream(message);
        }
    }
}

/// Frames of codecs at their usual rate, which is what is converted to; sound that is in it already stays as it is,
/// whatever its rate and channels.
fn accept(pad: &SinkPad, codecs: &[Codec]) {
    let mut formats = Vec::new();
    for codec in codecs {
        let (clock_rate, channels) = codec.default_rate();
        let frames = |clock_rate, channels| Format {
            packaging: Packaging::Frame,
            ..Format::rtp(codec.name(), clock_rate, channels)
        };
        formats.push(frames(clock_rate, channels));
        if codec.is_audio() {
            formats.push(frames(0, 0));
        }
    }
    if let Some(host) = host() {
        let numbers: Vec<u32> = formats
            .iter()
            .map(|format| host.format_id(format))
            .collect();
        pad.set_accepted(&numbers);
    }
}

/// A sink pad's end at the publisher.
struct Input {
    publisher: Weak<Shared>,
    kind: Kind,
}

impl SinkHandler for Input {
    fn packets(&self, packets: &[Packet]) {
        let Some(publisher) = self.publisher.upgrade() else {
            return;
        };
        let frames = packets.iter().map(|packet| Frame {
            kind: self.kind,
            format: packet.format,
            presentation_time: packet.presentation_time,
            is_keyframe: packet.is_keyframe(),
            data: packet.bytes.clone(),
        });
        publisher.feed.push(now(), frames);
    }

    fn format(&self, format: Option<u32>) {
        if let Some(publisher) = self.publisher.upgrade() {
            publisher.feed.expect(self.kind, format);
        }
    }
}

/// ns on the pipeline's clock.
fn now() -> i64 {
    host().map_or(0, rivero_plugin_api::Host::now)
}

/// What a task tells. The context outlives the publisher's release, the rest need not.
struct Told(Weak<Shared>, ElementContext);

impl Told {
    fn upstream(&self, message: Upstream) {
        if let Some(publisher) = self.0.upgrade() {
            publisher.upstream(message);
        }
    }
}

impl Reports for Told {
    fn connected(&self) {
        self.1.connected();
    }

    fn disconnected(&self, reason: &str) {
        tracing::info!(publisher = self.1.id(), "disconnected: {reason}");
        self.1.disconnected(reason.to_owned());
    }

    fn reconnecting(&self, attempt: u32) {
        self.1
            .reconnecting(i32::try_from(attempt).unwrap_or(i32::MAX));
    }

    fn gave_up(&self, failure: &Failure) {
        self.1.error("RESOURCE_ERROR_OPEN", 0, &failure.to_string());
    }

    fn panicked(&self, text: &str) {
        self.1.panicked("a publisher", text);
    }
}

impl Listener for Told {
    fn request_keyframe(&self) {
        self.upstream(Upstream::KeyframeRequest);
    }

    fn takes(&self, codings: &[Coding]) {
        if let Some(publisher) = self.0.upgrade() {
            publisher.accept(codings);
        }
    }

    fn ask_for(&self, bits_per_second: u64) {
        self.upstream(Upstream::BandwidthEstimate { bits_per_second });
    }

    fn now(&self) -> i64 {
        now()
    }
}
