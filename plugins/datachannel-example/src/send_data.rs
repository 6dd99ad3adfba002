//! `KmsSendData`: sends what codes say.

use std::sync::{Arc, Mutex, OnceLock};

use rivero_codes::{Reader, Sightings, crew};
use rivero_filter::{Crew, Formats, Lanes, Lookout, Outlet, PictureFormat, Treatment};
use rivero_plugin_api::{
    Bytes, Element, ElementContext, Format, MediaKind, Packaging, Packet, Result, host,
    supervise::lock,
};

use crate::api::{self, KmsSendDataParams};

/// An element of the server.
pub(crate) struct SendData {
    /// Open until the element is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads and the crew have in common.
struct Shared {
    crew: Arc<Crew<Reader>>,
    lookout: Lookout,
    formats: Formats,
    sightings: Mutex<Sightings>,
    /// Of messages. A picture is read when the one before it has been, so they go out one after the other.
    outlet: OnceLock<Outlet>,
}

impl Element for SendData {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::KmsSendData for SendData {
    fn create(context: ElementContext, _: KmsSendDataParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            sightings: Mutex::default(),
            outlet: OnceLock::new(),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        if let Some(outlet) = lanes.outlet(MediaKind::Data) {
            shared.outlet.get_or_init(|| outlet);
        }
        Ok(Self {
            lanes: Mutex::new(Some(lanes)),
        })
    }
}

/// As data channels have them: a message in each packet.
fn messages() -> Format {
    Format {
        packaging: Packaging::Frame,
        ..Format::rtp("MESSAGE", 0, 0)
    }
}

impl Shared {
    fn look(&self, reader: &mut Reader, picture: &Packet, format: &PictureFormat) {
        let luma = picture.bytes.get(..format.luma_size()).unwrap_or_default();
        let found = reader.read(luma, format.width, format.height);
        let news = lock(&self.sightings).add(found, picture.presentation_time);
        let (Some(outlet), Some(host)) = (self.outlet.get(), host()) else {
            return;
        };
        for code in news {
            outlet.push(&[Packet {
                bytes: Bytes::copy_from(code.text.as_bytes()),
                format: host.format_id(&messages()),
                kind: MediaKind::Data,
                flags: Packet::KEYFRAME | Packet::TEXT,
                presentation_time: picture.presentation_time,
                ingress_time: picture.ingress_time,
                ..Packet::default()
            }]);
        }
    }
}

/// The element as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    /// Messages tell what it sees.
    fn is_watching(&self) -> bool {
        true
    }

    fn gives(&self, kind: MediaKind) -> Option<Format> {
        (kind == MediaKind::Data).then(messages)
    }

    /// Pictures are read and stay as they are.
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let shared = &self.0;
        let format = shared.formats.get(picture.format)?;
        shared.lookout.look(&shared.crew, || {
            let (element, picture) = (Arc::downgrade(shared), picture.clone());
            move |reader: &mut Reader| {
                if let Some(element) = element.upgrade() {
                    element.look(reader, &picture, &format);
                }
            }
        });
        None
    }
}
