//! How samples are encoded: entries of the sample description (ISO/IEC
//! 14496-12 §8.5.2 and the bindings of each codec).

use rivero_codec::{Codec, Colour, Shape, Track};

use super::boxes::Boxes;

/// Where decoders are to look for parameter sets (ISO/IEC 14496-15 §5.3.2, §8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterSets {
    /// All that the samples need are in the entry.
    InEntry,
    /// Samples bring others.
    InSamples,
}

/// The `stsd` box of a track. `entries`: what its samples are like, in the order of their numbers.
pub(super) fn descriptions<'a>(
    entries: impl ExactSizeIterator<Item = &'a Track>,
    sets: ParameterSets,
) -> Boxes {
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let entries = entries.fold(Boxes::new().u32(count), |boxes, track| {
        boxes.bytes(&entry(track, sets).into_bytes())
    });
    Boxes::new().full(b"stsd", 0, 0, entries)
}

fn entry(track: &Track, sets: ParameterSets) -> Boxes {
    match track.shape {
        Shape::Video { width, height } => video(track, width, height, sets),
        Shape::Audio { rate, channels } => audio(track, rate, channels),
    }
}

fn video(track: &Track, width: u16, height: u16, sets: ParameterSets) -> Boxes {
    const RESOLUTION: u32 = 0x48_0000; // 72 dpi
    let (kind, configuration): (&[u8; 4], &[u8; 4]) = match (track.codec, sets) {
        // What Apple's players take.
        (Codec::H265, ParameterSets::InEntry) => (b"hvc1", b"hvcC"),
        (Codec::H265, ParameterSets::InSamples) => (b"hev1", b"hvcC"),
        (Codec::Av1, _) => (b"av01", b"av1C"),
        (Codec::Vp9, _) => (b"vp09", b"vpcC"),
        (_, ParameterSets::InEntry) => (b"avc1", b"avcC"),
        (_, ParameterSets::InSamples) => (b"avc3", b"avcC"),
    };
    let content = Boxes::new()
        .zeros(6)
        .u16(1) // data_reference_index
        .zeros(16)
        .u16(width)
        .u16(height)
        .u32(RESOLUTION)
        .u32(RESOLUTION)
        .u32(0)
        .u16(1) // frame_count
        .zeros(32) // compressorname
        .u16(24) // depth
        .u16(0xffff)
        .child(configuration, Boxes::new().bytes(&record(track, sets)));
    let content = match track.colour {
        Some(known) => content.child(b"colr", colour(known)),
        None => content,
    };
    Boxes::new().child(kind, content)
}

/// The record that a decoder is set up with. That of `hvc1` has to say of each array of parameter sets that
/// there are no others (`array_completeness`, ISO/IEC 14496-15 §8.3.3.1.3, §8.4.1.1).
fn record(track: &Track, sets: ParameterSets) -> Vec<u8> {
    const ARRAYS: usize = 23;
    const COMPLETE: u8 = 0x80;
    let mut record = track.configuration.clone();
    if (track.codec, sets) != (Codec::H265, ParameterSets::InEntry) {
        return record;
    }
    let mut at = ARRAYS;
    // Type, number of units, and each unit behind its length.
    while let Some([kind, high, low]) = record.get_mut(at..at + 3) {
        *kind |= COMPLETE;
        let units = u16::from_be_bytes([*high, *low]);
        at += 3;
        for _ in 0..units {
            let Some([high, low]) = record.get(at..at + 2) else {
                return record;
            };
            at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
        }
    }
    record
}

/// ColourInformationBox with the code points of ITU-T H.273 (§12.1.5).
fn colour(colour: Colour) -> Boxes {
    let point = |boxes: Boxes, point: u8| boxes.u16(point.into());
    let points = [colour.primaries, colour.transfer, colour.matrix];
    points
        .into_iter()
        .fold(Boxes::new().bytes(b"nclx"), point)
        .u8(u8::from(colour.full_range) << 7)
}

fn audio(track: &Track, rate: u32, channels: u8) -> Boxes {
    let content = Boxes::new()
        .zeros(6)
        .u16(1) // data_reference_index
        .zeros(8)
        .u16(channels.into())
        .u16(16) // samplesize
        .zeros(4)
        .u32(rate.min(0xffff) << 16);
    match track.codec {
        Codec::Opus => Boxes::new().child(
            b"Opus",
            content.child(b"dOps", opus(channels, track.pre_skip)),
        ),
        _ => Boxes::new().child(
            b"mp4a",
            content.full(b"esds", 0, 0, descriptors(&track.configuration)),
        ),
    }
}

/// OpusSpecificBox (Encapsulation of Opus in ISO Base Media File Format §4.3.2):
/// version, channels, pre-skip, rate, no gain, mapping family 0.
fn opus(channels: u8, pre_skip: u16) -> Boxes {
    Boxes::new()
        .u8(0)
        .u8(channels.clamp(1, 2))
        .u16(pre_skip)
        .u32(48_000)
        .u16(0)
        .u8(0)
}

/// ES_Descriptor of AAC (ISO/IEC 14496-1 §7.2.6, 14496-14 §3.1).
fn descriptors(config: &[u8]) -> Boxes {
    const AAC: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5 << 2 | 1;
    let specific = descriptor(5, config);
    let mut decoder = vec![AAC, AUDIO_STREAM];
    decoder.extend([0; 11]); // buffer size and bitrates: unknown
    decoder.extend(specific);
    let mut stream = vec![0, 0, 0]; // ES_ID, no flags
    stream.extend(descriptor(4, &decoder));
    stream.extend(descriptor(6, &[2]));
    Boxes::new().bytes(&descriptor(3, &stream))
}

fn descriptor(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    for shift in [21, 14, 7] {
        bytes.push(0x80 | u8::try_from(length >> shift & 0x7f).unwrap_or_default());
    }
    bytes.push(u8::try_from(length & 0x7f).unwrap_or_default());
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::testing::picture_track;

    #[test]
    fn the_arrays_of_hvc1_are_complete() {
        let mut configuration = vec![0; 22];
        configuration.extend([2, 32, 0, 1, 0, 2, 0x40, 1, 33, 0, 2, 0, 1, 7, 0, 1, 9]);
        let track = Track {
            codec: Codec::H265,
            configuration: configuration.clone(),
            ..picture_track(320, 240, 0)
        };
        let complete = record(&track, ParameterSets::InEntry);
        configuration[23] = 0xa0;
        configuration[30] = 0xa1;
        assert_eq!(complete, configuration);
        assert_eq!(
            record(&track, ParameterSets::InSamples),
            track.configuration
        );
    }
}
