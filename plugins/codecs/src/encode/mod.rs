//! Pictures and samples into frames.

mod audio;
mod budget;
mod encoder;
mod rate;
mod scale;
mod video;

use rivero_plugin_api::{Converter, ConverterOutput, Packet, Result};
use serde_json::Value;

use crate::conversions::is_pictures;
use crate::formats;
use crate::passage::Passage;
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

/// Hands packets to `encode` until the conversion is stopped. One that fails ends the chain, which may
/// be in any state then: `encode` forgets what it told that chain, and the next packet makes a new one.
fn encode_each(
    packets: &[Packet],
    passage: &Passage,
    mut encode: impl FnMut(&Packet) -> Result<()>,
) {
    for packet in packets {
        if passage.is_stopped() {
            return;
        }
        if let Err(error) = encode(packet) {
            passage.end_chain();
            passage.fail(error);
        }
    }
}
