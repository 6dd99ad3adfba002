//! `ZBarFilter`: tells what codes pictures show.

mod reader;
mod sightings;

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, Ordering},
};

use rivero_filter::{Crew, Formats, Lanes, PictureFormat, Treatment};
use rivero_plugin_api::{Bytes, Element, ElementContext, Packet, Result, supervise::lock};

use crate::api::{self, ZBarFilterParams};
use reader::Reader;
use sightings::Sightings;

/// A filter of the server.
pub(crate) struct Codes {
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads and the crew have in common.
struct Shared {
    context: ElementContext,
    crew: Arc<Crew<Reader>>,
    formats: Formats,
    sightings: Mutex<Sightings>,
    /// A picture is being looked at: those that come meanwhile are not.
    is_looking: AtomicBool,
}

impl Element for Codes {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::ZBarFilter for Codes {
    fn create(context: ElementContext, _: ZBarFilterParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            context: context.clone(),
            crew: crew()?,
            formats: Formats::default(),
            sightings: Mutex::default(),
            is_looking: AtomicBool::new(false),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            lanes: Mutex::new(Some(lanes)),
        })
    }
}

/// The threads on which codes are read, the same for all filters.
fn crew() -> Result<Arc<Crew<Reader>>> {
    static CREW: Mutex<Weak<Crew<Reader>>> = Mutex::new(Weak::new());
    Crew::join(&CREW, "codes", || Ok(Reader::default()))
}

/// A filter whose picture is being looked at, until this is dropped.
struct Busy(Weak<Shared>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(filter) = self.0.upgrade() {
            filter.is_looking.store(false, Ordering::Release);
        }
    }
}

impl Busy {
    fn look(&self, reader: &mut Reader, bytes: &Bytes, format: PictureFormat, time: i64) {
        let luma = bytes.get(..format.luma_size()).unwrap_or_default();
        let found = reader.read(luma, format.width, format.height);
        let Some(filter) = self.0.upgrade() else {
            return;
        };
        let news = lock(&filter.sightings).add(found, time);
        for code in news {
            api::ZBarFilterEvents::code_found(&filter.context, code.kind.to_owned(), code.text);
        }
    }
}

/// The filter as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    fn treat(&self, picture: Packet, out: &mut Vec<Packet>) {
        let filter = &self.0;
        if let Some(format) = filter.formats.get(picture.format)
            && !filter.is_looking.swap(true, Ordering::AcqRel)
        {
            let busy = Busy(Arc::downgrade(filter));
            let (bytes, time) = (picture.bytes.clone(), picture.presentation_time);
            let look = move |reader: &mut Reader| busy.look(reader, &bytes, format, time);
            filter.crew.add(look);
        }
        out.push(picture);
    }
}
