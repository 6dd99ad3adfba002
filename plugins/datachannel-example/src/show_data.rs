//! `KmsShowData`: draws the text that comes as data.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rivero_filter::{
    Crew, Formats, Image, Lanes, Lookout, Patch, PictureFormat, Place, Treatment, draw,
};
use rivero_plugin_api::{Element, ElementContext, MediaKind, Packet, Result, supervise::lock};

use crate::api::{self, KmsShowDataParams};

/// Of the picture's height, the bar with the text at its lower edge.
const BAR: f64 = 0.1;
/// Bytes of a message that are looked at: more than a picture has room for.
const LONGEST: usize = 2048;

/// An element of the server.
pub(crate) struct ShowData {
    /// Open until the element is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads and the crew have in common.
struct Shared {
    context: ElementContext,
    crew: Arc<Crew<()>>,
    lookout: Lookout,
    formats: Formats,
    text: Mutex<Arc<str>>,
    drawing: Mutex<Option<Arc<Drawing>>>,
    /// There is no font, and the client knows.
    has_failed: AtomicBool,
}

/// A text as pictures of a format show it.
struct Drawing {
    text: Arc<str>,
    format: PictureFormat,
    patch: Option<Patch>,
}

impl Element for ShowData {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::KmsShowData for ShowData {
    fn create(context: ElementContext, _: KmsShowDataParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            context: context.clone(),
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            text: Mutex::new("".into()),
            drawing: Mutex::default(),
            has_failed: AtomicBool::new(false),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            lanes: Mutex::new(Some(lanes)),
        })
    }
}

/// The threads on which texts are drawn, the same for all elements.
fn crew() -> Result<Arc<Crew<()>>> {
    static CREW: Mutex<Weak<Crew<()>>> = Mutex::new(Weak::new());
    Crew::join(&CREW, "texts", || Ok(()))
}

impl Shared {
    /// Makes what pictures of this format show of a text.
    fn make(&self, text: Arc<str>, format: PictureFormat) {
        let (width, height) = (format.width as f64, format.height as f64);
        let bar = (height * BAR).max(1.0);
        let place = Place {
            x: 0.0,
            y: height - bar,
            width,
            height: bar,
        };
        let patch = match text.trim().is_empty() {
            true => None,
            false => match Image::label(&text, (width / bar) as f32) {
                Ok(label) => Patch::new(&label, place, &format),
                Err(error) => {
                    self.fails(&error.to_string());
                    None
                }
            },
        };
        *lock(&self.drawing) = Some(Arc::new(Drawing {
            text,
            format,
            patch,
        }));
    }

    /// Once is enough to know.
    fn fails(&self, error: &str) {
        if !self.has_failed.swap(true, Relaxed) {
            let text = format!("a text is not drawn: {error}");
            self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
        }
    }
}

/// The text of a message: what a picture may have room for.
fn text(message: &Packet) -> Option<Arc<str>> {
    let bytes = message.payload();
    let bytes = bytes.get(..bytes.len().min(LONGEST))?;
    let is_text = message.flags & Packet::TEXT != 0;
    is_text.then(|| String::from_utf8_lossy(bytes).into())
}

/// The element as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    fn passes(&self, kind: MediaKind, media: &[Packet]) {
        if kind != MediaKind::Data {
            return;
        }
        if let Some(text) = media.iter().rev().find_map(text) {
            *lock(&self.0.text) = text;
        }
    }

    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let shared = &self.0;
        let format = shared.formats.get(picture.format)?;
        let text = lock(&shared.text).clone();
        let drawing = lock(&shared.drawing).clone();
        let is_made = |drawing: &Arc<Drawing>| drawing.text == text && drawing.format == format;
        if !drawing.as_ref().is_some_and(is_made) {
            shared.lookout.look(&shared.crew, || {
                let element = Arc::downgrade(shared);
                move |(): &mut ()| {
                    if let Some(element) = element.upgrade() {
                        element.make(text, format);
                    }
                }
            });
        }
        // Until the new text is made the one before is shown.
        let drawing = drawing.filter(|drawing| drawing.format == format)?;
        draw(picture, &format, [drawing.patch.as_ref()?])
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::Bytes;

    use super::*;

    #[test]
    fn texts_are_those_of_text_messages() {
        let message = |bytes: &[u8], flags| Packet {
            bytes: Bytes::copy_from(bytes),
            flags,
            ..Packet::default()
        };
        let shown = |bytes: &[u8]| text(&message(bytes, Packet::TEXT)).unwrap();
        assert_eq!(&*shown("Grüße".as_bytes()), "Grüße");
        assert_eq!(&*shown(b""), "");
        assert_eq!(&*shown(&[b'a', 0xff]), "a\u{fffd}");
        assert_eq!(shown(&[b'x'; 100_000]).len(), LONGEST);
        assert!(text(&message(b"bytes", 0)).is_none());
    }
}
