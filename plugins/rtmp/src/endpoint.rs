//! `RtmpPublisher`: the control side.

use std::sync::{Arc, Mutex, Weak, atomic::Ordering::Relaxed};

use rivero_codec::Codec;
use rivero_plugin_api::{
    Answer, DEFAULT_DESCRIPTION, Element, ElementContext, Error, Format, MediaKind, Packaging,
    Packet, Result, SinkHandler, SinkPad, Upstream, host, supervise::lock,
};
use rivero_uri::{Access, Location, Policy, UriSettings};
use serde_json::{Map, Value};

use crate::{
    api::{self, RtmpPublisherEvents, RtmpPublisherParams},
    failure::Failure,
    feed::Feed,
    figures::Figures,
    media::{Formats, Frame, Kind},
    protocol::Target,
    settings::Settings,
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
    /// Sent when the task is over, if somebody waits for that; `true` when it is.
    end: Mutex<(bool, Option<Answer>)>,
}

struct Pads {
    video: Arc<SinkPad>,
    /// Open as long as it is kept.
    _audio: SinkPad,
}

impl Element for Publisher {
    fn stats(&self, _: Option<MediaKind>) -> Result<Map<String, Value>> {
        Ok(self.0.figures.collect(self.0.context.id()))
    }

    fn released(&self) {
        // Not dropped under the lock: the host asks for formats meanwhile.
        let pads = lock(&self.0.pads).take();
        drop(pads);
        let answer = Answer::take();
        self.0.feed.release();
        let mut end = lock(&self.0.end);
        match &mut *end {
            (true, _) => {
                drop(end);
                answer.send(Ok(Value::Null));
            }
            (false, place) => *place = Some(answer),
        }
    }
}

impl api::RtmpPublisher for Publisher {
    fn create(context: ElementContext, params: RtmpPublisherParams) -> Result<Self> {
        let (target, policy) = destination(&params.uri)?;
        let shared = Arc::new(Shared {
            context,
            uri: params.uri,
            feed: Arc::default(),
            figures: Arc::default(),
            pads: Mutex::default(),
            end: Mutex::default(),
        });
        shared.open_pads()?;
        let work = Work {
            target,
            policy,
            settings: Settings::load()?,
            sends_silence: params.silent_audio,
            feed: shared.feed.clone(),
            figures: shared.figures.clone(),
            listener: Arc::new(Reports(Arc::downgrade(&shared), shared.context.clone())),
            formats: formats_of_host,
        };
        let over = shared.clone();
        task::start(work, move || over.is_over())?;
        Ok(Self(shared))
    }

    fn uri(&self) -> Result<String> {
        Ok(self.0.uri.clone())
    }

    fn connected(&self) -> Result<bool> {
        Ok(self.0.figures.is_connected.load(Relaxed))
    }
}

/// Where a URI leads, if the server may go there.
fn destination(uri: &str) -> Result<(Target, Policy)> {
    let settings: UriSettings = match host() {
        Some(host) => host.configuration("UriEndpoint")?,
        None => UriSettings::default(),
    };
    let location = Location::parse(uri, &settings.default_path)?;
    let policy = Policy::new(&settings);
    policy.check(&location, Access::Write)?;
    let target = match &location {
        Location::Remote(url) => Target::parse(url),
        Location::File(_) => None,
    };
    let target = target.ok_or_else(|| {
        Error::illegal_parameter(
            "Media is published to rtmp and rtmps URIs only: rtmp://host/application/stream",
        )
    })?;
    Ok((target, policy))
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
            accept(&pad, codec);
            Ok(pad)
        };
        let audio = open(MediaKind::Audio, Kind::Audio, Codec::Aac)?;
        let video = open(MediaKind::Video, Kind::Video, Codec::H264)?;
        *lock(&self.pads) = Some(Pads {
            video: Arc::new(video),
            _audio: audio,
        });
        Ok(())
    }

    fn upstream(&self, message: Upstream) {
        // Not sent under the lock: the host may ask for something meanwhile.
        let pad = lock(&self.pads).as_ref().map(|pads| pads.video.clone());
        if let Some(pad) = pad {
            pad.upstream(message);
        }
    }

    fn is_over(&self) {
        let answer = {
            let mut end = lock(&self.end);
            end.0 = true;
            end.1.take()
        };
        if let Some(answer) = answer {
            answer.send(Ok(Value::Null));
        }
    }
}

/// Frames of a codec at its usual rate, which is what is converted to; sound that is in it already stays as it is,
/// whatever its rate and channels.
fn accept(pad: &SinkPad, codec: Codec) {
    let (clock_rate, channels) = codec.default_rate();
    let frames = |clock_rate, channels| Format {
        packaging: Packaging::Frame,
        ..Format::rtp(codec.name(), clock_rate, channels)
    };
    let mut formats = vec![frames(clock_rate, channels)];
    if codec.is_audio() {
        formats.push(frames(0, 0));
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
            publisher.feed.expect(self.kind, format.is_some());
        }
    }
}

/// ns on the pipeline's clock.
fn now() -> i64 {
    host().map_or(0, rivero_plugin_api::Host::now)
}

/// What a task tells. The context outlives the publisher's release, the rest need not.
struct Reports(Weak<Shared>, ElementContext);

impl Reports {
    fn upstream(&self, message: Upstream) {
        if let Some(publisher) = self.0.upgrade() {
            publisher.upstream(message);
        }
    }
}

impl Listener for Reports {
    fn connected(&self) {
        self.1.connected();
    }

    fn disconnected(&self, failure: &Failure) {
        tracing::info!(publisher = self.1.id(), "disconnected: {failure}");
        self.1.disconnected(failure.to_string());
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

    fn request_keyframe(&self) {
        self.upstream(Upstream::KeyframeRequest);
    }

    fn ask_for(&self, bits_per_second: u64) {
        self.upstream(Upstream::BandwidthEstimate { bits_per_second });
    }

    fn now(&self) -> i64 {
        now()
    }
}
