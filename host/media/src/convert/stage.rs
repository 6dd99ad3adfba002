//! A running conversion in the graph.

use std::sync::{Arc, Mutex, OnceLock, Weak, atomic::AtomicU64};

use abi_stable::{sabi_trait::TD_Opaque, std_types::RArc};
use rivero_plugin_api::{
    Error, Format, MediaKind, Packaging,
    abi::traits::{
        ANY_FORMAT, AbiConverterOutput_TO, AbiSinkHandler_TO, AbiSourceHandler_TO, ConverterOutput,
    },
};

use super::{
    bitrate::{EncoderBitrate, SharedRates},
    heritage::Heritage,
    output::{Downstream, Intake, IntakeHandler, Output, OutputHandle},
    route::Step,
    runner::{Recipe, Runner},
    worth::Course,
};
use crate::{
    connection::{Connection, PadKey},
    consumer::Opening,
    converters::{ConverterSettings, Converters},
    flow::{Direction, Unobserved},
    latency::Measuring,
    link::Link,
    plane::Plane,
    sink::{Accepted, Sink},
    source::Source,
};

/// Hears of conversions that cannot begin or go on, and finds other ways: the graph.
pub(crate) trait FailureObserver: Send + Sync {
    /// The last step of `path`, at this source pad of this element, failed.
    fn conversion_failed(&self, element: &Arc<str>, key: &PadKey, path: &[Step], error: &Error);
}

/// The source pad whose media is converted.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) failures: Weak<dyn FailureObserver>,
    pub(crate) element: Arc<str>,
    pub(crate) key: PadKey,
    pub(crate) rates: Arc<SharedRates>,
    pub(crate) measuring: Arc<Measuring>,
}

/// Seconds between keyframes of what is recorded: where a player can begin.
const KEYFRAME_INTERVAL: f64 = 2.0;

/// One conversion: a consumer of what feeds it, a source for what comes after it.
pub(crate) struct Stage {
    /// Its own consumption of what feeds it.
    pub(crate) link: Arc<Link>,
    pub(crate) input: Arc<Sink>,
    pub(crate) output: Arc<Source>,
    pub(crate) step: Step,
    runner: Arc<Runner>,
    /// Bit/s that the encoder on the way would give out if no path limited it, 0 while unknown.
    wanted: Option<Arc<AtomicU64>>,
}

impl Stage {
    /// A conversion that starts with the first media. `path`: all steps up to this one; `before`: the
    /// conversion that feeds it.
    pub(crate) fn new(
        plane: &Arc<Plane>,
        converters: Arc<dyn Converters>,
        place: &Place,
        path: &[Step],
        before: Option<&Self>,
    ) -> Option<Self> {
        let step = path.last()?.clone();
        let kind = place.key.kind;
        let counters = plane
            .conversions()
            .counters(converters.conversions().get(step.conversion)?);
        let format = plane.formats().get(step.output.number())?;
        let stamps_format = format.packaging == Packaging::Rtp;
        let output = |runner: &Weak<Runner>| {
            Arc::new(Output {
                runner: runner.clone(),
                input: OnceLock::new(),
                source: OnceLock::new(),
                format: step.output.number(),
                stamps_format,
                heritage: Heritage::default(),
                order: Mutex::default(),
            })
        };
        let mut handle = None;
        let settings = settings(kind, &format, &step);
        let bitrate = step.encodes.then(|| {
            let size = settings.width.zip(settings.height);
            let course = Course::new(step.live, size, settings.frame_rate);
            let rates = match step.rates {
                Some(own) => Arc::new(SharedRates::of(own)),
                None => place.rates.clone(),
            };
            EncoderBitrate::new(kind, rates, step.bitrate, course)
        });
        let wanted = match &bitrate {
            Some(bitrate) => Some(bitrate.wanted().clone()),
            None => before.and_then(|before| before.wanted.clone()),
        };
        let runner = Runner::new(
            plane,
            kind,
            bitrate,
            counters,
            on_failure(place, path),
            |runner| {
                let output = handle.insert(output(runner)).clone();
                Recipe {
                    converters,
                    settings,
                    step: step.clone(),
                    sink: converter_output(output),
                }
            },
        );
        let output = handle?;
        let (input, intake) = input(plane, &place.key, &runner, &output);
        let _ = intake.sink.set(Arc::downgrade(&input));
        let source = source(plane, place, &runner, &input, &step, wanted.clone());
        let _ = output.input.set(Arc::downgrade(&input));
        let _ = output.source.set(Arc::downgrade(&source));
        Some(Self {
            link: Arc::new(Link::new(own_connection(place, source.id()))),
            input,
            output: source,
            step,
            runner,
            wanted,
        })
    }

    /// The element's encoder bitrates changed.
    pub(crate) fn retarget(&self) {
        self.runner.retarget();
    }

    /// The last consumer went. What is to be done is done on a worker.
    pub(crate) fn stop(&self) {
        self.runner.stop();
    }
}

fn on_failure(place: &Place, path: &[Step]) -> super::runner::OnFailure {
    let (place, path) = (place.clone(), path.to_vec());
    Box::new(move |error: Error| {
        if let Some(graph) = place.failures.upgrade() {
            graph.conversion_failed(&place.element, &place.key, &path, &error);
        }
    })
}

fn converter_output(output: Arc<Output>) -> ConverterOutput {
    AbiConverterOutput_TO::from_ptr(RArc::new(OutputHandle(output)), TD_Opaque)
}

fn input(
    plane: &Plane,
    key: &PadKey,
    runner: &Arc<Runner>,
    output: &Arc<Output>,
) -> (Arc<Sink>, Arc<Intake>) {
    let intake = Arc::new(Intake {
        runner: runner.clone(),
        sink: OnceLock::new(),
        output: Arc::downgrade(output),
    });
    let handler = RArc::new(IntakeHandler(intake.clone()));
    let handler = AbiSinkHandler_TO::from_ptr(handler, TD_Opaque);
    let flow = plane
        .flow()
        .open(key.clone(), Direction::In, Arc::new(Unobserved));
    let opening = Opening {
        handler,
        group: None,
        token: 0,
        owner: None,
    };
    let sink = Sink::new(key.kind, opening, flow);
    // Events of whatever format: who consumes what comes out says which.
    sink.set_accepted(Accepted::new(plane.formats(), &[ANY_FORMAT]));
    (sink, intake)
}

fn source(
    plane: &Arc<Plane>,
    place: &Place,
    runner: &Arc<Runner>,
    input: &Arc<Sink>,
    step: &Step,
    wanted: Option<Arc<AtomicU64>>,
) -> Arc<Source> {
    let key = &place.key;
    let downstream = Downstream {
        runner: runner.clone(),
        input: input.clone(),
        encodes: step.encodes,
    };
    let handler = AbiSourceHandler_TO::from_ptr(RArc::new(downstream), TD_Opaque);
    let flow = plane
        .flow()
        .open(key.clone(), Direction::Out, Arc::new(Unobserved));
    let source = Source::converted(plane, key.kind, handler, flow, wanted);
    let source = source.measuring(&place.measuring);
    source.set_format(Some(step.output.clone()), plane);
    Arc::new(source)
}

/// The link by which a stage consumes: it belongs to no connection of a client.
fn own_connection(place: &Place, number: u32) -> Connection {
    Connection {
        source: place.element.clone(),
        sink: format!("conversion {number}").into(),
        kind: place.key.kind,
        source_description: place.key.description.clone(),
        sink_description: place.key.description.clone(),
    }
}

/// What the output's format and the consumer's element ask for.
fn settings(kind: MediaKind, format: &Format, step: &Step) -> ConverterSettings {
    let pixels = |name: &str| {
        let given = format.parameters.iter().find(|(known, _)| known == name);
        given.and_then(|(_, value)| value.parse::<u32>().ok())
    };
    let is_sound = format.channels > 0;
    let rate =
        |(numerator, denominator): (u32, u32)| f64::from(numerator) / f64::from(denominator.max(1));
    ConverterSettings {
        width: pixels("width"),
        height: pixels("height"),
        channels: is_sound.then_some(format.channels),
        sample_rate: (is_sound && format.clock_rate > 0).then_some(format.clock_rate),
        frame_rate: step.frame_rate.map(rate),
        keyframe_interval: (kind == MediaKind::Video && step.encodes && !step.live)
            .then_some(KEYFRAME_INTERVAL),
        bitrate: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Formats;

    #[test]
    fn settings_hold_what_is_asked_for_and_nothing_else() {
        let formats = Formats::default();
        let format = formats.hold(Format::rtp("VP8", 90_000, 0)).unwrap();
        let step = Step {
            conversion: 0,
            input: format.clone(),
            output: format,
            frame_rate: Some((30_000, 1001)),
            bitrate: None,
            rates: None,
            transcodes: true,
            encodes: true,
            live: true,
        };
        let video = Format::rtp("VP8", 90_000, 0);
        let rate = ConverterSettings {
            frame_rate: Some(30_000.0 / 1001.0),
            ..ConverterSettings::default()
        };
        assert_eq!(settings(MediaKind::Video, &video, &step), rate);
        let recorded = Step {
            live: false,
            ..step.clone()
        };
        let with_keyframes = settings(MediaKind::Video, &video, &recorded);
        assert_eq!(with_keyframes.keyframe_interval, Some(KEYFRAME_INTERVAL));
        let raw = video.with("width", "640").with("height", "480");
        let size = ConverterSettings {
            width: Some(640),
            height: Some(480),
            ..rate
        };
        assert_eq!(settings(MediaKind::Video, &raw, &step), size);
        let opus = Format::rtp("OPUS", 48_000, 2);
        let audio = settings(MediaKind::Audio, &opus, &recorded);
        assert_eq!((audio.sample_rate, audio.channels), (Some(48_000), Some(2)));
        assert_eq!(audio.keyframe_interval, None);
    }
}
