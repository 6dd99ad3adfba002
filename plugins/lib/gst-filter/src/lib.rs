//! Media on its way through elements of GStreamer, for the filters that have some treat it.

use std::sync::{Arc, Mutex, MutexGuard};

use rivero_filter::Treatment;
use rivero_gst::{
    Error as GstError,
    caps::{from_format, to_format},
    chain::{Chain, ChainOutput},
    element::{make, set},
    gst,
    picture::{self, Layout},
    time::RunningTime,
};
use rivero_plugin_api::{ElementContext, Error, MediaKind, Packet, Result, host, supervise::lock};

/// A gap in the media that elements which keep a frame rate fill with repetitions, ns: 1 s.
const LONGEST_REPETITION: &str = "1000000000";

/// Elements in a row between two that convert to what the first takes, and back to what packets carry.
pub struct Media {
    context: ElementContext,
    kind: MediaKind,
    state: Mutex<State>,
    came_out: CameOut,
}

struct State {
    /// None at the end, and after a failure.
    chain: Option<Chain>,
    /// Number of the format that the chain has been told of, and what that is.
    format: Option<(u32, Shape)>,
    /// Begins with the first packet.
    time: Option<RunningTime>,
}

/// How the bytes of a packet become a buffer.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Picture(Layout),
    Samples,
}

/// What the chain gave out, to be taken when the push returns.
#[derive(Clone, Default)]
struct CameOut(Arc<Mutex<Vec<Given>>>);

/// A buffer, what it is, and the time of its presentation.
type Given = (gst::Buffer, gst::Caps, Option<gst::ClockTime>);

impl ChainOutput for CameOut {
    fn buffer(&self, buffer: gst::Buffer, caps: &gst::Caps, running: Option<gst::ClockTime>) {
        lock(&self.0).push((buffer, caps.clone(), running));
    }
}

impl Media {
    /// Puts the elements to work.
    ///
    /// # Errors
    /// 40001 where they do not start
    pub fn new(
        context: ElementContext,
        elements: &[gst::Element],
        kind: MediaKind,
    ) -> Result<Self> {
        let came_out = CameOut::default();
        let chain = chain(elements, kind, came_out.clone()).map_err(|error| {
            Error::marshall(format!("GStreamer element cannot be created: {error}"))
        })?;
        Ok(Self {
            context,
            kind,
            state: Mutex::new(State {
                chain: Some(chain),
                format: None,
                time: None,
            }),
            came_out,
        })
    }

    /// Stops the elements.
    pub fn end(&self) {
        let chain = self.state().chain.take();
        drop(chain);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn push(&self, media: &Packet, out: &mut Vec<Packet>) -> std::result::Result<(), GstError> {
        let mut state = self.state();
        let State {
            chain: Some(chain),
            format,
            time,
        } = &mut *state
        else {
            return Ok(());
        };
        let shape = match format {
            Some((id, shape)) if *id == media.format => *shape,
            _ => {
                let shape = tell(chain, media.format)?;
                *format = Some((media.format, shape));
                shape
            }
        };
        let mut buffer = match shape {
            Shape::Picture(layout) => picture::to_buffer(media.bytes.clone(), layout)?,
            Shape::Samples => rivero_gst::buffer::from_bytes(media.bytes.clone()),
        };
        let began = *time.get_or_insert(RunningTime::starting_at(media.presentation_time));
        let duration = u64::try_from(media.duration).unwrap_or(0);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(began.to_running(media.presentation_time));
            buffer.set_duration((duration > 0).then(|| gst::ClockTime::from_nseconds(duration)));
        }
        let pushed = chain.push(buffer);
        for (buffer, caps, running) in std::mem::take(&mut *lock(&self.came_out.0)) {
            let of = |time| began.from_running(time);
            let presentation_time = running.map_or(media.presentation_time, of);
            out.push(self.packet(media, buffer, &caps, presentation_time)?);
        }
        pushed
    }

    /// What came out while `media` was pushed.
    fn packet(
        &self,
        media: &Packet,
        buffer: gst::Buffer,
        caps: &gst::Caps,
        presentation_time: i64,
    ) -> std::result::Result<Packet, GstError> {
        let format = to_format(caps)
            .ok_or_else(|| GstError::Media(format!("an element gave out {caps}")))?;
        let duration = buffer.duration().map(gst::ClockTime::nseconds);
        let bytes = match self.kind {
            MediaKind::Video => picture::to_bytes(buffer, caps)?,
            _ => rivero_gst::buffer::to_bytes(buffer)?,
        };
        Ok(Packet {
            bytes,
            format: host().map_or(media.format, |host| host.format_id(&format)),
            presentation_time,
            duration: duration.map_or(media.duration, |ns| ns.try_into().unwrap_or(media.duration)),
            ..media.clone()
        })
    }
}

impl Treatment for Media {
    fn kind(&self) -> MediaKind {
        self.kind
    }

    /// After a failure nothing comes out any more: what was to be changed is not shown unchanged.
    fn treat(&self, media: Packet, out: &mut Vec<Packet>) {
        if let Err(error) = self.push(&media, out) {
            self.end();
            tracing::warn!(%error, object = self.context.id(), "a filter has failed");
            let text = format!("the element of the filter failed: {error}");
            self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
        }
    }
}

/// Tells the elements what comes.
fn tell(chain: &Chain, format: u32) -> std::result::Result<Shape, GstError> {
    let unknown = || GstError::Media("media of no known format".to_owned());
    let format = host()
        .and_then(|host| host.format(format))
        .ok_or_else(unknown)?;
    let mut caps = from_format(&format).ok_or_else(unknown)?;
    let is_video = format.encoding == "I420";
    if is_video {
        // Elements that keep a rate want to know that there is none.
        let caps = caps.make_mut();
        caps.set("framerate", gst::Fraction::new(0, 1));
        caps.set("pixel-aspect-ratio", gst::Fraction::new(1, 1));
    }
    let shape = match is_video {
        true => {
            let side = |name| {
                let text = rivero_gst::caps::parameter(&format, name)?;
                text.parse().ok()
            };
            let sides = side("width").zip(side("height"));
            let layout = sides.and_then(|(width, height)| Layout::new(width, height));
            Shape::Picture(layout.ok_or_else(unknown)?)
        }
        false => Shape::Samples,
    };
    chain.set_caps(&caps);
    Ok(shape)
}

fn chain(
    elements: &[gst::Element],
    kind: MediaKind,
    output: CameOut,
) -> std::result::Result<Chain, GstError> {
    let (before, after, caps): (&[&str], &[&str], _) = match kind {
        MediaKind::Audio => (
            &["audioconvert", "audioresample"],
            &["audioconvert", "audioresample"],
            "audio/x-raw,format=S16LE,layout=interleaved",
        ),
        _ => (
            // What an element of caps asks for: colours, size, rate.
            &["videoconvert", "videoscale", "videorate"],
            &["videoconvert"],
            "video/x-raw,format=I420,pixel-aspect-ratio=1/1",
        ),
    };
    let made = |names: &[&str]| {
        let elements = names.iter().map(|name| make(name));
        elements.collect::<std::result::Result<Vec<_>, _>>()
    };
    let (before, after) = (made(before)?, made(after)?);
    for rate in &before {
        set(rate, "max-duplication-time", LONGEST_REPETITION);
    }
    let filter = make("capsfilter")?;
    set(&filter, "caps", caps);
    let row = before.iter().chain(elements).chain(&after).chain([&filter]);
    Chain::new(&row.collect::<Vec<_>>(), output)
}
