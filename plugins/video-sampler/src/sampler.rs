//! `VideoSampler`: the control side, and pictures on their way.

use std::{
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use rivero_filter::{Crew, Formats, Lanes, Lookout, PictureFormat, Treatment};
use rivero_http::Dialer;
use rivero_plugin_api::{
    Element, ElementContext, Error, MediaKind, Packet, Result, host, supervise::lock,
};
use rivero_uri::{Policy, UriSettings};
use serde_json::{Map, Value};
use tokio::task::AbortHandle;

use crate::{
    api::{self, ImageDelivery, ImageEncoding, VideoSamplerParams},
    delivery::{Delivery, Sample},
    encode::{Encoder, Size},
    outbox::Outbox,
    runtime::Thread,
    schedule::Schedule,
    tally::{Due, Tally},
    target::Target,
};

/// Pixels of a side: a file of such a picture takes 50 MB while it is made.
const LARGEST: i32 = 4096;
/// Bytes of a text that goes with each picture.
const LONGEST_METADATA: usize = 64 << 10;

/// An element of the server.
pub(crate) struct VideoSampler {
    /// `None` where no pictures are sent.
    sampling: Option<Sampling>,
    /// Open until the element is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What there is while pictures are sent.
struct Sampling {
    id: String,
    tally: Arc<Tally>,
    task: AbortHandle,
    /// Keeps the task's thread.
    _thread: Arc<Thread>,
}

impl Element for VideoSampler {
    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>> {
        let is_asked = kind.is_none_or(|kind| kind == MediaKind::Video);
        let sampling = self.sampling.as_ref().filter(|_| is_asked);
        Ok(sampling.map_or_else(Map::new, |sampling| sampling.tally.stats(&sampling.id)))
    }

    fn released(&self) {
        let lanes = lock(&self.lanes).take();
        drop(lanes);
        if let Some(sampling) = &self.sampling {
            sampling.task.abort();
        }
    }
}

impl api::VideoSampler for VideoSampler {
    fn create(context: ElementContext, params: VideoSamplerParams) -> Result<Self> {
        let period = period(params.frame_period)?;
        let size = Size {
            width: side("width", params.width)?,
            height: side("height", params.height)?,
        };
        if params.metadata.len() > LONGEST_METADATA {
            return Err(Error::illegal_parameter(format!(
                "metadata has more than {LONGEST_METADATA} bytes"
            )));
        }
        let is_sent = params.image_delivery_method == ImageDelivery::Grpc;
        // What makes no sense is told also where it is not used.
        let destination = match is_sent || !params.endpoint_url.is_empty() {
            true => Some(destination(&params.endpoint_url)?),
            false => None,
        };
        let Some((target, policy)) = destination.filter(|_| is_sent) else {
            let treatment: Arc<dyn Treatment> = Arc::new(Rest);
            return Ok(Self {
                sampling: None,
                lanes: Mutex::new(Some(Lanes::open(&context, &treatment)?)),
            });
        };
        let tally = Tally::new(Some(context.clone()));
        let delivery = Arc::new(Delivery {
            context: context.clone(),
            target,
            dialer: Dialer::new(policy).with_protocol(b"h2"),
            encoding: params.image_encoding,
            metadata: params.metadata,
            outbox: Outbox::default(),
            gate: Mutex::default(),
            tally: tally.clone(),
        });
        let shared = Arc::new(Shared {
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            schedule: Mutex::new(Schedule::new(period)),
            size,
            encoding: params.image_encoding,
            delivery: delivery.clone(),
        });
        let thread = Thread::obtain()?;
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared));
        let lanes = Lanes::open(&context, &treatment)?;
        let sampling = Sampling {
            id: context.id().to_owned(),
            tally,
            task: thread.spawn(delivery.run())?,
            _thread: thread,
        };
        Ok(Self {
            sampling: Some(sampling),
            lanes: Mutex::new(Some(lanes)),
        })
    }
}

fn period(milliseconds: i32) -> Result<Duration> {
    let period = u64::try_from(milliseconds)
        .ok()
        .filter(|period| *period > 0);
    period.map(Duration::from_millis).ok_or_else(|| {
        Error::illegal_parameter(format!(
            "framePeriod is {milliseconds}, but has to be 1 ms at least"
        ))
    })
}

fn side(name: &str, pixels: i32) -> Result<usize> {
    let side = usize::try_from(pixels).ok().filter(|_| pixels <= LARGEST);
    side.ok_or_else(|| {
        Error::illegal_parameter(format!(
            "{name} is {pixels}, but has to be from 0 (as the video has it) to {LARGEST}"
        ))
    })
}

/// Where pictures go, and the rules that hold on the way.
fn destination(endpoint: &str) -> Result<(Target, Policy)> {
    let settings: UriSettings = match host() {
        Some(host) => host.configuration("UriEndpoint")?,
        None => UriSettings::default(),
    };
    let policy = Policy::new(&settings);
    Ok((Target::parse(endpoint, &policy)?, policy))
}

/// The threads on which files are made, the same for all samplers.
fn crew() -> Result<Arc<Crew<Encoder>>> {
    static CREW: Mutex<Weak<Crew<Encoder>>> = Mutex::new(Weak::new());
    Crew::join(&CREW, "samples", || Ok(Encoder::default()))
}

/// What the pads and the crew have in common.
struct Shared {
    crew: Arc<Crew<Encoder>>,
    lookout: Lookout,
    formats: Formats,
    schedule: Mutex<Schedule>,
    size: Size,
    encoding: ImageEncoding,
    delivery: Arc<Delivery>,
}

impl Shared {
    /// What the crew does with a picture.
    fn encode(&self, encoder: &mut Encoder, picture: &Packet, format: &PictureFormat, due: Due) {
        match encoder.encode(&picture.bytes, format, self.size, self.encoding) {
            Ok(file) => drop(self.delivery.outbox.put(Sample { due, file })),
            Err(error) => {
                self.delivery.unusable(&error.to_string());
                due.failed();
            }
        }
    }
}

/// An element that sends no pictures: all media passes as it comes.
struct Rest;

impl Treatment for Rest {
    fn is_needed(&self) -> bool {
        false
    }
}

/// An element that sends pictures, as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    /// Pictures are sent whoever consumes what goes on.
    fn is_watching(&self) -> bool {
        true
    }

    /// They stay as they are.
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let shared = &self.0;
        let format = shared.formats.get(picture.format)?;
        if !lock(&shared.schedule).is_due(picture.presentation_time) {
            return None;
        }
        let age = host()?.now().saturating_sub(picture.presentation_time);
        let due = shared.delivery.tally.due(age);
        if !lock(&shared.delivery.gate).is_open(Instant::now()) {
            return None;
        }
        shared.lookout.look(&shared.crew, || {
            let (sampler, picture) = (Arc::downgrade(shared), picture.clone());
            move |encoder: &mut Encoder| {
                if let Some(sampler) = sampler.upgrade() {
                    sampler.encode(encoder, &picture, &format, due);
                }
            }
        });
        None
    }
}
