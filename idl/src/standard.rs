//! The modules that every Kurento server has, embedded.

use crate::descriptor::Descriptor;
use crate::error::Error;
use crate::model::Model;

macro_rules! interface {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../interfaces/", $file)))),*]
    };
}

const CORE: &[(&str, &str)] = interface![
    "core.kmd.json",
    "core.media-object.kmd.json",
    "core.server.kmd.json",
    "core.media-element.kmd.json",
    "core.formats.kmd.json",
    "core.hub.kmd.json",
    "core.endpoint.kmd.json",
    "core.sdp.kmd.json",
    "core.rtp.kmd.json",
    "core.stats.kmd.json",
    "core.webrtc-stats.kmd.json",
];

const ELEMENTS: &[(&str, &str)] = interface![
    "elements.kmd.json",
    "elements.webrtc.kmd.json",
    "elements.rtp.kmd.json",
    "elements.player.kmd.json",
    "elements.recorder.kmd.json",
    "elements.http.kmd.json",
    "elements.hubs.kmd.json",
];

const FILTERS: &[(&str, &str)] = interface![
    "filters.kmd.json",
    "filters.overlay.kmd.json",
    "filters.gstreamer.kmd.json",
    "filters.zbar.kmd.json",
    "filters.opencv.kmd.json",
];

/// The merged descriptors of core, elements and filters.
///
/// # Errors
/// None that a user could cause: the files are part of the program, and a test reads them.
pub fn standard_descriptors() -> Result<Vec<Descriptor>, Error> {
    [CORE, ELEMENTS, FILTERS].into_iter().map(merged).collect()
}

fn merged(files: &[(&str, &str)]) -> Result<Descriptor, Error> {
    let parts: Result<Vec<_>, _> = files
        .iter()
        .map(|(name, text)| Descriptor::parse(name, text))
        .collect();
    Descriptor::merge(parts?)
}

impl Model {
    /// The modules core, elements and filters.
    ///
    /// # Errors
    /// None that a user could cause: the descriptors are part of the program, and a test resolves
    /// them.
    pub fn standard() -> Result<Self, Error> {
        Self::new(standard_descriptors()?)
    }

    /// The standard modules and these.
    ///
    /// # Errors
    /// See [`Model::new`].
    pub fn with_standard(descriptors: Vec<Descriptor>) -> Result<Self, Error> {
        let mut all = standard_descriptors()?;
        all.extend(descriptors);
        Self::new(all)
    }
}
