//! Encoded pictures that are passed on as they are, unless browsers cannot take them.
//!
//! Calls have pictures in the order in which they are shown (RFC 6184 §1.2 allows others, WebRTC's receivers do not sort
//! them), upright, with eight bits and chroma at half of the resolution. A track that is otherwise is decoded.

use std::sync::Mutex;

use gstreamer as gst;
use gstreamer::prelude::*;
use rivero_codec::{h264, h265};
use rivero_plugin_api::supervise::lock;

use crate::{Error, element};

/// Pictures that are held back at the beginning of a track whose parameter sets do not tell its order. Encoders that
/// reorder do so within these.
const HELD: usize = 8;

/// Watches what `filter` gives. `decode` is called once, on the streaming thread, when the pictures are to be decoded: it
/// puts a decoder behind `filter`.
pub(crate) fn watch(
    filter: &gst::Element,
    decode: impl Fn() -> Result<(), Error> + Send + Sync + 'static,
    failed: impl Fn(Error) + Send + Sync + 'static,
) {
    let Some(pad) = filter.static_pad("src") else {
        return;
    };
    let watcher = Mutex::new(Watcher::default());
    let kinds = gst::PadProbeType::BUFFER
        | gst::PadProbeType::EVENT_DOWNSTREAM
        | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(kinds, move |pad, info| {
        let step = match &info.data {
            Some(gst::PadProbeData::Event(event)) => lock(&watcher).on_event(event),
            Some(gst::PadProbeData::Buffer(buffer)) => lock(&watcher).on_picture(pad, buffer),
            _ => Step::default(),
        };
        if step.decodes
            && let Err(error) = decode()
        {
            failed(error);
        }
        // They come through this probe again, which lets them pass by now.
        for held in step.released {
            if pad.push(held).is_err() {
                break;
            }
        }
        if step.passes {
            gst::PadProbeReturn::Ok
        } else {
            gst::PadProbeReturn::Drop
        }
    });
}

/// What decodes pictures with these caps, if it is to be found.
///
/// # Errors
/// [`Error::MissingElement`]
pub(crate) fn decoder(caps: &gst::CapsRef) -> Result<gst::Element, Error> {
    element::make_first(match name(caps) {
        "video/x-h264" => &["avdec_h264"],
        "video/x-h265" => &["avdec_h265", "libde265dec"],
        "video/x-vp8" => &["vp8dec"],
        "video/x-vp9" => &["vp9dec"],
        "video/x-av1" => &["dav1ddec", "av1dec"],
        _ => &["jpegdec"],
    })
}

fn name(caps: &gst::CapsRef) -> &str {
    caps.structure(0)
        .map_or("", |structure| structure.name().as_str())
}

/// What becomes of what came, in this order.
struct Step {
    decodes: bool,
    released: Vec<gst::Buffer>,
    passes: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            decodes: false,
            released: Vec::new(),
            passes: true,
        }
    }
}

/// What is known of a track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Order {
    /// So many pictures came as they are to be shown.
    Unknown(usize),
    /// Pictures come as they are shown.
    Shown,
    /// The first picture has not come.
    #[default]
    Unseen,
}

#[derive(Default)]
struct Watcher {
    order: Order,
    held: Vec<gst::Buffer>,
    /// When the picture before is shown.
    last: Option<gst::ClockTime>,
    is_decoded: bool,
    /// The decoder was put there in the middle: it begins with the next keyframe.
    waits: bool,
}

impl Watcher {
    fn on_event(&mut self, event: &gst::EventRef) -> Step {
        let mut step = Step::default();
        match event.view() {
            gst::EventView::Caps(caps)
                if !self.is_decoded && !is_shown_by_browsers(caps.caps()) =>
            {
                self.held.clear();
                self.decode(&mut step);
            }
            gst::EventView::Tag(tags) if !self.is_decoded && is_turned(tags.tag()) => {
                self.decode(&mut step);
            }
            gst::EventView::Eos(_) => step.released = std::mem::take(&mut self.held),
            gst::EventView::Segment(_) | gst::EventView::FlushStop(_) => {
                self.held.clear();
                self.last = None;
            }
            _ => {}
        }
        step
    }

    fn decode(&mut self, step: &mut Step) {
        self.is_decoded = true;
        // All pictures until now are held, or some have gone.
        self.waits = self.order == Order::Shown;
        step.decodes = true;
        step.released = std::mem::take(&mut self.held);
    }

    fn on_picture(&mut self, pad: &gst::Pad, buffer: &gst::Buffer) -> Step {
        let mut step = Step::default();
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if self.is_decoded {
            self.waits &= !is_key;
            step.passes = !self.waits;
            return step;
        }
        let caps = pad.current_caps();
        let told = buffer
            .map_readable()
            .ok()
            .and_then(|bytes| match name(caps.as_deref()?) {
                "video/x-h264" => h264::reordered_pictures(&bytes),
                "video/x-h265" => h265::reordered_pictures(&bytes),
                _ => Some(0),
            });
        let goes_back = self.last.is_some() && buffer.pts().is_some() && buffer.pts() < self.last;
        self.last = buffer.pts().or(self.last);
        self.order = match (told, self.order) {
            (Some(1..), _) => {
                self.decode(&mut step);
                return step;
            }
            _ if goes_back => {
                self.decode(&mut step);
                step.passes = !self.waits || is_key;
                self.waits &= !is_key;
                return step;
            }
            (Some(0), _) | (None, Order::Shown | Order::Unknown(HELD)) => Order::Shown,
            (None, Order::Unseen) => Order::Unknown(1),
            (None, Order::Unknown(seen)) => Order::Unknown(seen + 1),
        };
        if self.order == Order::Shown {
            step.released = std::mem::take(&mut self.held);
        } else {
            self.held.push(buffer.clone());
            step.passes = false;
        }
        step
    }
}

/// Whether browsers decode pictures with these caps, as far as those tell.
fn is_shown_by_browsers(caps: &gst::CapsRef) -> bool {
    let Some(structure) = caps.structure(0) else {
        return true;
    };
    let text = |field: &str| structure.get::<&str>(field).ok();
    let is_plain = text("chroma-format").is_none_or(|format| format == "4:2:0")
        && ["bit-depth-luma", "bit-depth-chroma"].iter().all(|field| {
            structure.get::<u32>(*field).is_ok_and(|depth| depth == 8)
                || !structure.has_field(*field)
        });
    match structure.name().as_str() {
        "video/x-h264" | "video/x-h265" => is_plain,
        "video/x-vp9" => text("profile").is_none_or(|profile| profile == "0"),
        "video/x-av1" => text("profile").is_none_or(|profile| profile == "main"),
        _ => true,
    }
}

/// Whether pictures are to be turned or mirrored to be seen.
fn is_turned(tags: &gst::TagListRef) -> bool {
    let orientation = tags.get::<gst::tags::ImageOrientation>();
    orientation.is_some_and(|orientation| orientation.get() != "rotate-0")
}

#[cfg(test)]
mod tests;
