//! `ZBarFilter`: tells what codes pictures show.

use std::sync::{Arc, Mutex, Weak};

use rivero_codes::{Reader, Sightings, crew};
use rivero_filter::{Crew, Formats, Lanes, Lookout, PictureFormat, Treatment};
use rivero_plugin_api::{Element, ElementContext, Packet, Result, supervise::lock};

use crate::api::{self, ZBarFilterParams};

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
    lookout: Lookout,
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
            lookout: Lookout::default(),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            lanes: Mutex::new(Some(lanes)),
        })
    }
}

/// Looks at a picture of a filter, which may be released meanwhile.
fn look(filter: &Weak<Shared>, reader: &mut Reader, picture: &Packet, format: PictureFormat) {
    let luma = picture.bytes.get(..format.luma_size()).unwrap_or_default();
    let found = reader.read(luma, format.width, format.height);
    let Some(filter) = filter.upgrade() else {
        return;
    };
    let news = lock(&filter.sightings).add(found, picture.presentation_time);
    for code in news {
        api::ZBarFilterEvents::code_found(&filter.context, code.kind.to_owned(), code.text);
    }
}

/// The filter as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    /// Events tell what it sees.
    fn is_watching(&self) -> bool {
        true
    }

    /// Pictures are read and stay as they are.
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let shared = &self.0;
        let format = shared.formats.get(picture.format)?;
        shared.lookout.look(&shared.crew, || {
            let (filter, picture) = (Arc::downgrade(shared), picture.clone());
            move |reader: &mut Reader| look(&filter, reader, &picture, format)
        });
        None
    }
}
