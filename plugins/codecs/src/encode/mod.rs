//! Pictures and samples into frames.

mod audio;
mod encoder;
mod video;

use rivero_plugin_api::{Converter, ConverterOutput, Result};
use serde_json::Value;

use crate::conversions::is_pictures;
use crate::formats;
use crate::settings::Settings;

/// An encoder. That its plugin is installed shows at once.
pub(crate) fn create(
    input: u32,
    output: u32,
    settings: Value,
    sink: ConverterOutput,
) -> Result<Box<dyn Converter>> {
    let settings = Settings::parse(settings)?;
    let target = formats::format(output)?;
    if is_pictures(&formats::format(input)?.encoding) {
        Ok(Box::new(video::VideoEncode::new(
            output, target, settings, sink,
        )?))
    } else {
        Ok(Box::new(audio::AudioEncode::new(
            output, target, settings, sink,
        )?))
    }
}
