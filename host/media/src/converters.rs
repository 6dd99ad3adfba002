//! What converts media: the part of the installed modules that the plane plans with and starts.

use rivero_plugin_api::{
    Conversion, Error,
    abi::traits::{Converter, ConverterOutput},
};

/// The converters of the installed modules.
pub trait Converters: Send + Sync {
    /// What they do. The position in this list is the number of a conversion, for good, also when
    /// other converters take their place ([`Plane::set_converters`](crate::Plane::set_converters)).
    fn conversions(&self) -> &[Conversion];

    /// Parameters of formats that belong to the packaging, not to the media.
    fn packaging_parameters(&self) -> &[String];

    /// Starts one between two formats; loads its module first if need be, so it may take
    /// its time.
    ///
    /// # Errors
    /// What the module answers, or why it cannot be loaded.
    fn create(
        &self,
        conversion: usize,
        formats: (u32, u32),
        settings: &ConverterSettings,
        sink: ConverterOutput,
    ) -> Result<Converter, Error>;
}

/// What a converter is asked to produce; `None` leaves it to the converter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ConverterSettings {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Of sound.
    pub channels: Option<u8>,
    /// Of sound, Hz.
    pub sample_rate: Option<u32>,
    /// Pictures a second.
    pub frame_rate: Option<f64>,
    /// Seconds between keyframes, where the consumers cannot ask for them.
    pub keyframe_interval: Option<f64>,
    /// Bit/s that an encoder begins with; later ones reach it as messages.
    pub bitrate: Option<u64>,
}
