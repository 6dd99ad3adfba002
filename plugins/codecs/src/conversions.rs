//! What this module converts.
//!
//! Costs are relative to each other; the host takes the cheapest path. They follow what the
//! conversions cost in time of a core, so that, say, H.264 is encoded rather than AV1 where a
//! consumer takes both; and in quality, so that Opus is encoded rather than PCMU.

use rivero_plugin_api::{
    Conversion, Converter, ConverterFactory, ConverterOutput, Packaging, Result,
};
use serde_json::Value;

use crate::{decode, depacketise, encode, packetise};

include!("table.rs");

/// Whether an encoding is raw video.
pub(crate) fn is_pictures(encoding: &str) -> bool {
    encoding == PICTURES
}

/// All converters.
pub fn all() -> Vec<ConverterFactory> {
    let mut all = Vec::new();
    for (rtp, content) in PAYLOADS {
        let (packets, frames) = ((rtp, Packaging::Rtp), (content, Packaging::Frame));
        all.push(factory(packets, frames, REPACKAGING, depacketise::create));
        all.push(factory(frames, packets, REPACKAGING, packetise::create));
    }
    for (encoding, raw, cost) in DECODED {
        let (frames, raw) = ((encoding, Packaging::Frame), (raw, Packaging::Raw));
        all.push(factory(frames, raw, cost, decode::create));
    }
    for (encoding, raw, cost) in ENCODED {
        let (frames, raw) = ((encoding, Packaging::Frame), (raw, Packaging::Raw));
        all.push(factory(raw, frames, cost, encode::create));
    }
    all
}

/// The constructor of a converter here: see [`ConverterFactory::create`].
type Create = fn(u32, u32, Value, ConverterOutput) -> Result<Box<dyn Converter>>;

fn factory(
    input: (&str, Packaging),
    output: (&str, Packaging),
    cost: u32,
    create: Create,
) -> ConverterFactory {
    let named = |(encoding, packaging): (&str, Packaging)| (encoding.to_owned(), packaging);
    let conversion = Conversion {
        input: named(input),
        output: named(output),
        cost,
    };
    ConverterFactory::new(conversion, create)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost_of_encoding(encoding: &str) -> u32 {
        let encoders = all().into_iter().map(|factory| factory.conversion);
        let mut encoders = encoders.filter(|conversion| conversion.input.1 == Packaging::Raw);
        let encoder = encoders.find(|conversion| conversion.output.0 == encoding);
        encoder.unwrap().cost
    }

    #[test]
    fn sound_is_made_narrow_only_where_nothing_wider_is_taken() {
        for narrow in ["PCMU", "PCMA", "G722", "AMR", "AMR-WB"] {
            for wide in ["OPUS", "AAC", "VORBIS", "L16"] {
                assert!(
                    cost_of_encoding(wide) < cost_of_encoding(narrow),
                    "{wide} {narrow}"
                );
            }
        }
    }
}
