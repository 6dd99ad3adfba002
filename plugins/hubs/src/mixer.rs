//! `Mixer`: who gets whose video, and who hears whom, is up to the client.

use std::sync::Arc;

use rivero_plugin_api::{Element, ElementContext, Error, MediaKind, ObjectRef, Result};

use crate::{
    api::{self, MediaType, MixerParams},
    sound::{Hearing, SoundMix},
    switch::Switch,
};

pub(crate) struct Mixer {
    video: Arc<Switch>,
    sound: Arc<SoundMix>,
}

impl Element for Mixer {
    fn released(&self) {
        self.video.close();
        self.sound.close();
    }

    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        let opened = self
            .video
            .add_port(id, &port)
            .and_then(|()| self.sound.add_port(id, &port, Arc::default()));
        // A port that is refused is not removed by the host.
        opened.inspect_err(|_| self.port_removed(id))
    }

    fn port_removed(&self, id: &str) {
        self.video.remove_port(id);
        self.sound.remove_port(id);
    }
}

impl api::Mixer for Mixer {
    fn create(context: ElementContext, _: MixerParams) -> Result<Self> {
        Ok(Self {
            video: Switch::new(MediaKind::Video),
            sound: SoundMix::new(Hearing::Chosen, &context)?,
        })
    }

    fn connect(&self, media: MediaType, source: ObjectRef, sink: ObjectRef) -> Result<()> {
        match media {
            MediaType::Audio => self.sound.connect(&source.0, &sink.0),
            MediaType::Video => self.video.connect(&source.0, &sink.0),
            MediaType::Data => Err(no_data()),
        }
    }

    fn disconnect(&self, media: MediaType, source: ObjectRef, sink: ObjectRef) -> Result<()> {
        match media {
            MediaType::Audio => self.sound.disconnect(&source.0, &sink.0),
            MediaType::Video => self.video.disconnect(&source.0, &sink.0),
            MediaType::Data => Err(no_data()),
        }
    }
}

fn no_data() -> Error {
    let text = "a Mixer has AUDIO and VIDEO only; Composite and Dispatcher pass DATA";
    Error::new(40005, "UNSUPPORTED_MEDIA_TYPE", text)
}
