//! What this module converts.
//!
//! Costs are relative to each other; the host takes the cheapest path. They follow what the
//! conversions cost in time of a core, so that, say, H.264 is encoded rather than AV1 where a
//! consumer takes both; and in quality, so that Opus is encoded rather than PCMU.

use rivero_plugin_api::{Conversion, ConverterFactory, CreateConverter, Packaging};

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

fn factory(
    input: (&str, Packaging),
    output: (&str, Packaging),
    cost: u32,
    create: CreateConverter,
) -> ConverterFactory {
    let named = |(encoding, packaging): (&str, Packaging)| (encoding.to_owned(), packaging);
    ConverterFactory {
        conversion: Conversion {
            input: named(input),
            output: named(output),
            cost,
        },
        create,
    }
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
