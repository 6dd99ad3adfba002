//! Something for sound and something for pictures.

use rivero_plugin_api::MediaKind;

/// One value for each kind of media that can be recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PerKind<T> {
    pub(crate) audio: T,
    pub(crate) video: T,
}

impl<T> PerKind<T> {
    /// `None` for data.
    pub(crate) fn of(&self, kind: MediaKind) -> Option<&T> {
        match kind {
            MediaKind::Audio => Some(&self.audio),
            MediaKind::Video => Some(&self.video),
            _ => None,
        }
    }

    pub(crate) fn of_mut(&mut self, kind: MediaKind) -> Option<&mut T> {
        match kind {
            MediaKind::Audio => Some(&mut self.audio),
            MediaKind::Video => Some(&mut self.video),
            _ => None,
        }
    }
}
