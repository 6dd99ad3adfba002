//! Elements that look at pictures.

use std::sync::Arc;

use rivero_filter::{
    Formats,
    base::{Behaviour, Instance, Pads, PictureView, class},
};
use rivero_plugin_api::{Class, DEFAULT_DESCRIPTION, Packet, Result, SinkHandler, SinkPad, host};

use super::{VIDEO, raw_pictures};

/// A class that takes pictures and gives out none.
pub trait PictureSink: Behaviour {
    /// Looks at a picture. What takes longer than until the next one loses pictures.
    fn see(&mut self, picture: &PictureView<'_>, properties: &Self::Properties);
}

/// The class of this name whose objects look at pictures, for `export_module!`.
pub fn picture_sink<S: PictureSink>(name: &'static str) -> Class {
    class::<S, SinkPads>(name)
}

struct SinkPads {
    /// Open until dropped.
    _pad: SinkPad,
}

impl<S: PictureSink> Pads<S> for SinkPads {
    fn open(instance: &Arc<Instance<S>>) -> Result<Self> {
        let eye = Eye {
            instance: instance.clone(),
            formats: Formats::default(),
        };
        let pad = instance
            .context()
            .sink_pad(VIDEO, DEFAULT_DESCRIPTION, eye)?;
        if let Some(host) = host() {
            pad.set_accepted(&[host.format_id(&raw_pictures())]);
        }
        Ok(Self { _pad: pad })
    }
}

struct Eye<S: Behaviour> {
    instance: Arc<Instance<S>>,
    formats: Formats,
}

impl<S: PictureSink> SinkHandler for Eye<S> {
    fn packets(&self, packets: &[Packet]) {
        for packet in packets {
            let format = self.formats.get(packet.format);
            let picture = format.and_then(|format| PictureView::new(format, packet));
            if let Some(picture) = picture {
                self.instance
                    .with(|sink, properties| sink.see(&picture, properties));
            }
        }
    }
}
