//! What hubs mix of their ports: one picture, the sound of all others, and everybody's messages.

use std::sync::Arc;

use rivero_plugin_api::{ElementContext, Result};

use crate::{
    lag::Lag,
    messages::Messages,
    picture::{Arrange, PictureMix},
    sound::{Hearing, SoundMix},
};

/// All media of one hub.
pub(crate) struct Mixed {
    pub(crate) pictures: Arc<PictureMix>,
    pub(crate) sound: Arc<SoundMix>,
    messages: Arc<Messages>,
}

impl Mixed {
    /// `rate`: pictures a second.
    ///
    /// # Errors
    /// 40003 when there is no thread for it
    pub(crate) fn new(arrange: impl Arrange, rate: u32, context: &ElementContext) -> Result<Self> {
        Ok(Self {
            pictures: PictureMix::new(arrange, rate, context)?,
            sound: SoundMix::new(Hearing::Others, context)?,
            messages: Arc::default(),
        })
    }

    /// # Errors
    /// Why the port cannot have its pads; some of them may be there
    pub(crate) fn add_port(&self, id: &str, port: &ElementContext) -> Result<()> {
        let lag = Arc::new(Lag::default());
        self.pictures.add_port(id, port, lag.clone())?;
        self.sound.add_port(id, port, lag)?;
        self.messages.add_port(id, port)
    }

    pub(crate) fn remove_port(&self, id: &str) {
        self.pictures.remove_port(id);
        self.sound.remove_port(id);
        self.messages.remove_port(id);
    }

    /// The hub is released.
    pub(crate) fn close(&self) {
        self.pictures.close();
        self.sound.close();
        self.messages.close();
    }
}
