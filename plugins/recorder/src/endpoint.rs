//! `RecorderEndpoint`: the control side.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use rivero_codec::Codec;
use rivero_plugin_api::{
    Answer, DEFAULT_DESCRIPTION, Element, ElementContext, Error, Format, Host, MediaKind,
    Packaging, Packet, Result, SinkHandler, SinkPad, Upstream, host, supervise::lock,
};
use rivero_uri::{Access, UriEndpoint as Base, UriState};
use serde_json::{Map, Value};

use crate::{
    api::{self, RecorderEndpointEvents, RecorderEndpointParams, UriEndpointState},
    intake::Command,
    kinds::PerKind,
    memory::Memory,
    output::{Failure, Target},
    profile::Profile,
    recording::{Notice, Plan, Recording},
    sample::Frame,
    settings::Settings,
    stats,
    track::kind_of,
    uploads::Uploads,
    writer::{Listener, Writer, totals},
};

/// `stopAndWait` answers within this, below the 10 s of Kurento's Java client.
const STOP_PATIENCE: Duration = Duration::from_millis(8500);
/// What a released endpoint still has to write is waited for as long as it comes forward. A server
/// that takes nothing for so long is not: it gets its time in the background, and the end of the
/// process does not wait for it.
const RELEASE_PATIENCE: Duration = Duration::from_secs(4);
/// When the process ends, sources go on for a moment: a recording that has just begun is a file that
/// plays when a keyframe has come. Longer than a kind of media is waited for that does not come.
const FIRST_MEDIA: Duration = Duration::from_millis(1500);
/// With `stopOnEndOfStream`: a source that comes back within this was only switched.
const SWITCHING: Duration = Duration::from_secs(1);

/// A recorder of the server.
pub(crate) struct Recorder(Arc<Shared>);

/// What the endpoint's parts have in common.
struct Shared {
    context: ElementContext,
    base: Base,
    profile: Profile,
    target: Target,
    settings: Settings,
    uploads: Uploads,
    stops_at_end: bool,
    pads: Mutex<PerKind<Option<Arc<SinkPad>>>>,
    /// What the tracks are; they stay so to the end of the file.
    settled: Mutex<PerKind<Option<Format>>>,
    /// The kinds whose format is known now.
    flows: Mutex<PerKind<bool>>,
    phase: Mutex<Phase>,
    /// The pads take what is recorded, not just anything.
    takes: AtomicBool,
}

/// The life of an endpoint.
#[derive(Clone, Default)]
enum Phase {
    #[default]
    New,
    Recording(Arc<Writer>),
    Over(Arc<Writer>),
}

impl Element for Recorder {
    fn stats(&self, _: Option<MediaKind>) -> Result<Map<String, Value>> {
        let phase = lock(&self.0.phase).clone();
        Ok(match phase {
            Phase::New => Map::new(),
            Phase::Recording(writer) | Phase::Over(writer) => {
                stats::collect(self.0.context.id(), self.0.base.state(), writer.figures())
            }
        })
    }

    fn released(&self) {
        let Some(writer) = self.0.any_writer() else {
            return self.0.close_pads();
        };
        let (answer, shared) = (Answer::take(), self.0.clone());
        let patience = if shared.expects_media() {
            FIRST_MEDIA
        } else {
            Duration::ZERO
        };
        writer.clone().when_begun(patience, move || {
            shared.end();
            let written = writer.clone();
            writer.when_over_or_stalled(RELEASE_PATIENCE, move |_| {
                shared.close_pads();
                written.after(shared.uploads.settled(), move || {
                    answer.send(Ok(Value::Null));
                });
            });
        });
    }
}

impl api::UriEndpoint for Recorder {
    fn uri(&self) -> Result<String> {
        Ok(self.0.base.uri().to_owned())
    }

    fn state(&self) -> Result<UriEndpointState> {
        Ok(match self.0.base.state() {
            UriState::Stop => UriEndpointState::Stop,
            UriState::Start => UriEndpointState::Start,
            UriState::Pause => UriEndpointState::Pause,
        })
    }

    fn pause(&self) -> Result<()> {
        self.0.pause();
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        self.0.end();
        Ok(())
    }
}

impl api::RecorderEndpoint for Recorder {
    fn create(context: ElementContext, params: RecorderEndpointParams) -> Result<Self> {
        let base = Base::new(context.clone(), params.uri, Access::Write)?;
        let profile = Profile::new(&params.media_profile);
        let settings = Settings::load()?;
        let uploads = Uploads::new(&context);
        let content_type = profile.content_type();
        let target = Target::new(
            base.location(),
            profile.is_split,
            content_type,
            uploads.events(),
        )
        .map_err(Error::illegal_parameter)?;
        if matches!(target, Target::Store { .. }) {
            // Told at once, not when the recording is over.
            let store = settings.store().map_err(Error::unexpected)?;
            store.check(base.policy())?;
        }
        Memory::of_process().set_limit(settings.memory());
        let shared = Arc::new(Shared {
            base,
            profile,
            target,
            settings,
            uploads,
            stops_at_end: params.stop_on_end_of_stream,
            pads: Mutex::default(),
            settled: Mutex::default(),
            flows: Mutex::default(),
            phase: Mutex::default(),
            takes: AtomicBool::new(false),
            context,
        });
        shared.open_pads()?;
        Ok(Self(shared))
    }

    fn record(&self) -> Result<()> {
        self.0.record()
    }

    fn stop_and_wait(&self) -> Result<()> {
        let Some(writer) = self.0.end() else {
            return Ok(());
        };
        let answer = Answer::take();
        writer.when_over(STOP_PATIENCE, move |is_over| {
            let complete = Ok(Value::Null);
            let text = "The recording is not complete yet; it is being finished, and Stopped is raised then";
            answer.send(if is_over { complete } else { Err(Error::unexpected(text)) });
        });
        Ok(())
    }
}

impl Shared {
    fn open_pads(self: &Arc<Self>) -> Result<()> {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if self.profile.codecs(kind).is_empty() {
                continue;
            }
            let input = Input {
                endpoint: Arc::downgrade(self),
                kind,
            };
            let pad = self.context.sink_pad(kind, DEFAULT_DESCRIPTION, input)?;
            if let Some(place) = lock(&self.pads).of_mut(kind) {
                *place = Some(Arc::new(pad));
            }
        }
        self.take_media(false);
        Ok(())
    }

    fn close_pads(&self) {
        // Not dropped under the lock: the host asks for formats meanwhile.
        let pads = std::mem::take(&mut *lock(&self.pads));
        drop(pads);
    }

    /// The pad of a kind. Not to be used under a lock: formats are told from within.
    fn pad(&self, kind: MediaKind) -> Option<Arc<SinkPad>> {
        lock(&self.pads).of(kind)?.clone()
    }

    /// Lets media in for a recording, or, before one and while it is on hold,
    /// lets it pass by: anything, so that nothing is converted, but media is
    /// seen to flow.
    fn take_media(&self, takes: bool) {
        self.takes.store(takes, Relaxed);
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let Some(pad) = self.pad(kind) else { continue };
            match host() {
                Some(host) if takes => self.accept(kind, &pad, host),
                _ => pad.accept_any(),
            }
        }
        if takes {
            self.request_keyframe();
        }
    }

    fn accept(&self, kind: MediaKind, pad: &SinkPad, host: &Host) {
        let formats = self.formats(kind);
        let numbers: Vec<u32> = formats
            .iter()
            .map(|format| host.format_id(format))
            .collect();
        pad.set_accepted(&numbers);
    }

    /// What may be recorded of a kind now, best first.
    fn formats(&self, kind: MediaKind) -> Vec<Format> {
        let settled = lock(&self.settled).of(kind).cloned().flatten();
        // Where a recording is several files, the next may have another codec.
        if let Some(settled) = settled.as_ref().filter(|_| !self.profile.is_split) {
            return vec![settled.clone()];
        }
        let codecs = self.profile.codecs(kind);
        // Sound that is in such a codec already stays as it is, whatever its rate and channels.
        let any = codecs.iter().filter(|codec| codec.is_audio());
        let any = any.map(|codec| frames_of(*codec, 0, 0));
        let preferred = codecs.iter().map(|codec| preferred(*codec));
        settled.into_iter().chain(preferred).chain(any).collect()
    }

    fn request_keyframe(&self) {
        if let Some(pad) = self.pad(MediaKind::Video) {
            pad.upstream(Upstream::KeyframeRequest);
        }
    }

    fn record(self: &Arc<Self>) -> Result<()> {
        let mut phase = lock(&self.phase);
        match &*phase {
            Phase::Recording(writer) => {
                if self.enter(UriState::Start) {
                    writer.intake().control(now(), Command::Begin);
                    self.context.recording();
                }
            }
            Phase::Over(_) => {
                return Err(Error::not_supported(
                    "The recording is over: a RecorderEndpoint records once, create another one",
                ));
            }
            Phase::New => {
                let writer = Arc::new(self.start()?);
                *phase = Phase::Recording(writer);
                self.enter(UriState::Start);
                self.context.recording();
            }
        }
        drop(phase);
        self.take_media(true);
        Ok(())
    }

    fn start(self: &Arc<Self>) -> Result<Writer> {
        let seconds = |seconds: u32| i64::from(seconds) * 1_000_000_000;
        let plan = Plan {
            profile: self.profile,
            gaps: self.settings.gaps(),
            keyframe_interval: seconds(self.settings.keyframe_interval),
            split: seconds(self.settings.split_duration),
            asked: SystemTime::now(),
            sync_interval: seconds(self.settings.sync_interval),
        };
        let formats = Box::new(|id| host().and_then(|host| host.format(id)));
        let recording = Recording::new(plan, formats);
        let listener = Arc::new(Reports(self.clone()));
        let writer = Writer::start(
            recording,
            self.target.clone(),
            self.base.policy().clone(),
            listener,
        )?;
        let flows = *lock(&self.flows);
        for (kind, flows) in [
            (MediaKind::Audio, flows.audio),
            (MediaKind::Video, flows.video),
        ] {
            writer.intake().control(now(), Command::Expect(kind, flows));
        }
        writer.intake().control(now(), Command::Begin);
        Ok(writer)
    }

    /// Changes the state, and counts those that are on hold; `false` when it is the state already. Under the
    /// lock of the phase, so that nobody changes it meanwhile.
    fn enter(&self, state: UriState) -> bool {
        let was_paused = self.base.state() == UriState::Pause;
        let changes = self.base.enter(state);
        if changes && was_paused != (state == UriState::Pause) {
            totals::paused(!was_paused);
        }
        changes
    }

    fn pause(&self) {
        let phase = lock(&self.phase);
        let Phase::Recording(writer) = &*phase else {
            return;
        };
        if !self.enter(UriState::Pause) {
            return;
        }
        writer.intake().control(now(), Command::Pause);
        self.context.paused();
        drop(phase);
        self.take_media(false);
    }

    /// Ends the recording if there is one; gives what is to be waited for.
    fn end(&self) -> Option<Arc<Writer>> {
        let mut phase = lock(&self.phase);
        let writer = match std::mem::take(&mut *phase) {
            Phase::New => return None,
            Phase::Over(writer) => writer,
            Phase::Recording(writer) => {
                writer.intake().control(now(), Command::Finish);
                writer
            }
        };
        *phase = Phase::Over(writer.clone());
        Some(writer)
    }

    /// What comes in another format from now on is converted, unless it may begin another file.
    fn settle(&self, codec: Codec, clock_rate: u32, channels: u8) {
        let kind = kind_of(codec);
        let format = match kind {
            MediaKind::Audio => frames_of(codec, clock_rate, channels),
            _ => preferred(codec),
        };
        if let Some(place) = lock(&self.settled).of_mut(kind) {
            *place = Some(format.clone());
        }
        let pad = self.pad(kind).filter(|_| self.takes.load(Relaxed));
        if let (Some(pad), Some(host)) = (pad, host()) {
            self.accept(kind, &pad, host);
        }
    }

    /// That of the recording that runs, or ran.
    fn any_writer(&self) -> Option<Arc<Writer>> {
        match &*lock(&self.phase) {
            Phase::Recording(writer) | Phase::Over(writer) => Some(writer.clone()),
            Phase::New => None,
        }
    }

    /// Whether media comes, or is about to: not when the endpoint was taken out of its links
    /// before it was released, as clients do.
    fn expects_media(&self) -> bool {
        let flows = *lock(&self.flows);
        self.takes.load(Relaxed) && (flows.audio || flows.video)
    }

    fn writer(&self) -> Option<Arc<Writer>> {
        match &*lock(&self.phase) {
            Phase::Recording(writer) => Some(writer.clone()),
            Phase::New | Phase::Over(_) => None,
        }
    }

    /// The format of what comes became known, or nothing comes any more.
    fn flows(self: &Arc<Self>, kind: MediaKind, flows: bool) {
        let any = {
            let mut all = lock(&self.flows);
            if let Some(place) = all.of_mut(kind) {
                *place = flows;
            }
            all.audio || all.video
        };
        let Some(writer) = self.writer() else { return };
        writer.intake().control(now(), Command::Expect(kind, flows));
        if self.stops_at_end && !any {
            self.end_unless_it_goes_on();
        }
    }

    fn end_unless_it_goes_on(self: &Arc<Self>) {
        let Some(host) = host() else { return };
        let endpoint = Arc::downgrade(self);
        host.after(SWITCHING, move || {
            let Some(endpoint) = endpoint.upgrade() else {
                return;
            };
            let flows = *lock(&endpoint.flows);
            if !flows.audio && !flows.video {
                endpoint.end();
            }
        });
    }
}

/// ns on the pipeline's clock.
fn now() -> i64 {
    host().map_or(0, rivero_plugin_api::Host::now)
}

/// What is asked for where a conversion has the choice.
fn preferred(codec: Codec) -> Format {
    let (clock_rate, channels) = codec.default_rate();
    frames_of(codec, clock_rate, channels)
}

/// Frames of a codec, of whatever profile; 0 is any rate, or any number of channels.
fn frames_of(codec: Codec, clock_rate: u32, channels: u8) -> Format {
    Format {
        packaging: Packaging::Frame,
        ..Format::rtp(codec.name(), clock_rate, channels)
    }
}

/// A sink pad's end at the endpoint.
struct Input {
    endpoint: Weak<Shared>,
    kind: MediaKind,
}

impl SinkHandler for Input {
    fn packets(&self, packets: &[Packet]) {
        let Some(endpoint) = self.endpoint.upgrade() else {
            return;
        };
        if !endpoint.takes.load(Relaxed) || endpoint.base.state() != UriState::Start {
            return;
        }
        let Some(writer) = endpoint.writer() else {
            return;
        };
        let frames = packets.iter().map(|packet| Frame {
            format: packet.format,
            presentation_time: packet.presentation_time,
            duration: packet.duration,
            keyframe: packet.is_keyframe(),
            discontinuity: packet.flags & Packet::DISCONTINUITY != 0,
            data: packet.bytes.clone(),
        });
        writer.intake().frames(now(), self.kind, frames.collect());
    }

    fn format(&self, format: Option<u32>) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            endpoint.flows(self.kind, format.is_some());
        }
    }
}

/// What a writer tells; it keeps the endpoint until the file is complete.
struct Reports(Arc<Shared>);

impl Listener for Reports {
    fn notice(&self, notice: Notice) {
        match notice {
            Notice::WantsKeyframe => self.0.request_keyframe(),
            Notice::Settled(codec, rate, channels) => self.0.settle(codec, rate, channels),
            Notice::TooLate(kind) => {
                let text = format!(
                    "{} came after the recording to {} had begun, and cannot join it any more",
                    kind.as_str(),
                    self.0.target
                );
                self.0.context.error("STREAM_ERROR_FAILED", 0, &text);
            }
        }
    }

    fn failed(&self, failure: &Failure) {
        let (kind, code) = failure.event();
        totals::failed(failure.reason());
        tracing::warn!(recorder = self.0.context.id(), "{failure}");
        self.0.context.error(kind, code, &failure.to_string());
    }

    fn over(&self, opened: bool) {
        // Before another recording may begin.
        self.0.take_media(false);
        let mut phase = lock(&self.0.phase);
        let (next, was_stopped) = match std::mem::take(&mut *phase) {
            Phase::Recording(writer) if opened => (Phase::Over(writer), false),
            Phase::Over(writer) if opened => (Phase::Over(writer), true),
            // Nothing was recorded: it may be tried again.
            former => (Phase::New, matches!(former, Phase::Over(_))),
        };
        *phase = next;
        self.0.enter(UriState::Stop);
        drop(phase);
        if opened || was_stopped {
            self.0.context.stopped();
        }
    }

    fn now(&self) -> i64 {
        now()
    }
}
