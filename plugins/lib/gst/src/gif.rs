//! GIF, which GStreamer has no element for that ends: `avdemux_gif` begins anew at the end of the file.
//!
//! The element takes the whole file, and plays its pictures once, as those of a film, whatever it says of repetitions. A file is kept
//! as it is; of its pictures there are the current one, and one that is to come back.

mod film;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, OnceLock};

use gstreamer as gst;
use gstreamer::{glib, prelude::*, subclass::prelude::*};
use rivero_plugin_api::supervise::{contained, lock};

use film::{Fault, Film, Pictures};

/// The element's name.
pub(crate) const FACTORY: &str = "riverogifdec";
/// Larger files are refused: they are kept.
const LARGEST: usize = 64 << 20;

glib::wrapper! {
    /// See the head of this file.
    pub(crate) struct GifDecoder(ObjectSubclass<Imp>) @extends gst::Element, gst::Object;
}

/// Has GStreamer make it of whatever is GIF.
///
/// # Errors
/// What GStreamer says.
pub(crate) fn register() -> Result<(), glib::BoolError> {
    gst::Element::register(None, FACTORY, gst::Rank::PRIMARY, GifDecoder::static_type())
}

/// The element's own part. Locks are not held while something is pushed.
pub(crate) struct Imp {
    sink: gst::Pad,
    source: gst::Pad,
    /// What came of the file.
    file: Mutex<Vec<u8>>,
    /// Since the file is there.
    film: Mutex<Option<Film>>,
    /// Used by the task, and by others while that stands still.
    playing: Mutex<Option<Playing>>,
}

/// Where the task is.
struct Playing {
    pictures: Pictures,
    /// What is wanted of the film.
    segment: gst::FormattedSegment<gst::ClockTime>,
    /// The segment was not told yet.
    begins: bool,
}

/// What the task does next.
enum Step {
    Begin(gst::Event),
    Show(gst::Buffer),
    /// A picture that is not wanted.
    Skip,
    End,
}

impl Playing {
    fn new(film: &Film, segment: gst::FormattedSegment<gst::ClockTime>) -> Result<Self, Fault> {
        Ok(Self {
            pictures: film.pictures()?,
            segment,
            begins: true,
        })
    }

    fn step(&mut self) -> Result<Step, Fault> {
        if std::mem::take(&mut self.begins) {
            return Ok(Step::Begin(gst::event::Segment::new(&self.segment)));
        }
        let Some((start, duration)) = self.pictures.advance()? else {
            return Ok(Step::End);
        };
        let Some((from, to)) = self.segment.clip(start, start.saturating_add(duration)) else {
            let is_over = { self.segment.stop() }.is_some_and(|stop| start >= stop);
            return Ok(if is_over { Step::End } else { Step::Skip });
        };
        let mut buffer = gst::Buffer::from_mut_slice(self.pictures.canvas().to_vec());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(from);
            buffer.set_duration(to.zip(from).map(|(to, from)| to.saturating_sub(from)));
        }
        Ok(Step::Show(buffer))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Imp {
    const NAME: &'static str = "RiveroGifDecoder";
    // Each module that links this has it, and the types of one that was replaced stay.
    const ALLOW_NAME_CONFLICT: bool = true;
    type Type = GifDecoder;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let pad = |name| {
            let template = class.pad_template(name);
            template.map_or_else(
                || gst::Pad::builder(gst::PadDirection::Unknown),
                |template| gst::Pad::builder_from_template(&template),
            )
        };
        let sink = pad("sink")
            .chain_function(|_, parent, buffer| {
                let failed = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, failed, |own| own.keep(&buffer))
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |own| own.on_sink_event(pad, event),
                )
            })
            .build();
        let source = pad("src")
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |own| own.on_source_event(pad, event),
                )
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |own| own.on_query(pad, query))
            })
            .activatemode_function(|pad, _, _, is_active| {
                if !is_active {
                    pad.stop_task().map_err(gst::LoggableError::from)?;
                }
                Ok(())
            })
            .build();
        Self {
            sink,
            source,
            file: Mutex::default(),
            film: Mutex::default(),
            playing: Mutex::default(),
        }
    }
}

impl ObjectImpl for Imp {
    fn constructed(&self) {
        self.parent_constructed();
        for pad in [&self.sink, &self.source] {
            // A new element has no other pads of these names.
            let _ = self.obj().add_pad(pad);
        }
    }
}

impl GstObjectImpl for Imp {}

impl ElementImpl for Imp {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: OnceLock<gst::subclass::ElementMetadata> = OnceLock::new();
        Some(METADATA.get_or_init(|| {
            gst::subclass::ElementMetadata::new(
                "GIF decoder",
                "Codec/Decoder/Image",
                "Plays the pictures of a GIF once",
                "The authors of Rivero",
            )
        }))
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: OnceLock<Vec<gst::PadTemplate>> = OnceLock::new();
        TEMPLATES.get_or_init(|| {
            let template = |name, direction, caps: &gst::Caps| {
                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).ok()
            };
            let taken = gst::Caps::new_empty_simple("image/gif");
            let given = gst::Caps::builder("video/x-raw").field("format", "RGBx");
            [
                template("sink", gst::PadDirection::Sink, &taken),
                template("src", gst::PadDirection::Src, &given.build()),
            ]
            .into_iter()
            .flatten()
            .collect()
        })
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let success = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            *lock(&self.playing) = None;
            *lock(&self.film) = None;
            *lock(&self.file) = Vec::new();
        }
        Ok(success)
    }
}

impl Imp {
    fn keep(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let bytes = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        let mut file = lock(&self.file);
        if file.len() + bytes.len() > LARGEST {
            drop(file);
            self.fail(&format!("a GIF of more than {LARGEST} bytes"));
            return Err(gst::FlowError::Error);
        }
        file.extend_from_slice(&bytes);
        Ok(gst::FlowSuccess::Ok)
    }

    fn on_sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::Eos => match self.begin() {
                Ok(()) => true,
                Err(fault) => {
                    self.fail(&fault.to_string());
                    self.source.push_event(event)
                }
            },
            // They tell of bytes. What comes out has its own.
            gst::EventType::Caps | gst::EventType::Segment => true,
            _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
    }

    /// The file is there.
    fn begin(&self) -> Result<(), Fault> {
        let file = std::mem::take(&mut *lock(&self.file));
        let film = Film::read(glib::Bytes::from_owned(file))?;
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "RGBx")
            .field("width", i32::try_from(film.width).unwrap_or(i32::MAX))
            .field("height", i32::try_from(film.height).unwrap_or(i32::MAX))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("framerate", gst::Fraction::new(0, 1))
            .build();
        let mut segment = gst::FormattedSegment::new();
        segment.set_duration(film.length);
        *lock(&self.playing) = Some(Playing::new(&film, segment)?);
        *lock(&self.film) = Some(film);
        self.source.push_event(gst::event::Caps::new(&caps));
        self.start();
        Ok(())
    }

    fn start(&self) {
        let weak = self.downgrade();
        // It fails only where the pad is not active: then nothing is to be played.
        let _ = self.source.start_task(move || {
            if let Some(own) = weak.upgrade()
                && contained("a GIF's pictures", || own.go_on()).is_none()
            {
                own.fail("its decoder panicked");
                own.pause();
            }
        });
    }

    fn pause(&self) {
        // It fails only where there is no task any more.
        let _ = self.source.pause_task();
    }

    /// One step of the task.
    fn go_on(&self) {
        let step = { lock(&self.playing) }.as_mut().map(Playing::step);
        match step {
            Some(Ok(Step::Begin(segment))) => {
                self.source.push_event(segment);
            }
            Some(Ok(Step::Show(buffer))) => self.show(buffer),
            Some(Ok(Step::Skip)) => {}
            Some(Ok(Step::End)) | None => self.end(),
            Some(Err(fault)) => {
                self.fail(&fault.to_string());
                self.end();
            }
        }
    }

    fn show(&self, buffer: gst::Buffer) {
        match self.source.push(buffer) {
            Ok(_) => {}
            Err(gst::FlowError::Flushing) => self.pause(),
            Err(gst::FlowError::Eos) => self.end(),
            Err(error) => {
                self.fail(&format!("what takes its pictures: {error}"));
                self.end();
            }
        }
    }

    fn end(&self) {
        self.source.push_event(gst::event::Eos::new());
        self.pause();
    }

    fn fail(&self, text: &str) {
        gst::element_imp_error!(self, gst::StreamError::Decode, ("{text}"));
    }

    fn on_source_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Seek(seek) => self.seek(seek) == Some(true),
            _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
    }

    /// Goes on from another place. Of what others ask for there is nothing that plays backwards, or does not flush.
    fn seek(&self, seek: &gst::event::Seek) -> Option<bool> {
        let (rate, flags, start_type, start, stop_type, stop) = seek.get();
        let (gst::GenericFormattedValue::Time(start), gst::GenericFormattedValue::Time(stop)) =
            (start, stop)
        else {
            return None;
        };
        if rate <= 0.0 || !flags.contains(gst::SeekFlags::FLUSH) || lock(&self.film).is_none() {
            return None;
        }
        let number = seek.seqnum();
        let flush = gst::event::FlushStart::builder().seqnum(number).build();
        self.source.push_event(flush);
        self.pause();
        // From here on the task stands still.
        let stands_still = self.source.stream_lock();
        let flushed = gst::event::FlushStop::builder(true).seqnum(number).build();
        self.source.push_event(flushed);
        let film = lock(&self.film);
        let film = film.as_ref()?;
        let mut segment = gst::FormattedSegment::new();
        segment.set_duration(film.length);
        let _ = segment.do_seek(rate, flags, start_type, start, stop_type, stop);
        *lock(&self.playing) = Playing::new(film, segment).ok();
        drop(stands_still);
        self.start();
        Some(true)
    }

    fn on_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        let length = lock(&self.film).as_ref().map(|film| film.length);
        match query.view_mut() {
            gst::QueryViewMut::Duration(query) if query.format() == gst::Format::Time => {
                query.set(length);
                length.is_some()
            }
            gst::QueryViewMut::Seeking(query) if query.format() == gst::Format::Time => {
                query.set(length.is_some(), gst::ClockTime::ZERO, length);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }
}
