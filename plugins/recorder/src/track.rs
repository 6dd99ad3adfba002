//! Tracks of a file out of what the host knows: its formats and its bytes, which
//! `rivero-codec` knows nothing of.

use rivero_codec::{AudioParameters, Codec, ContainerForm, Track, hex};
use rivero_plugin_api::{Bytes, Format, MediaKind};

use crate::colorimetry;

/// The kind of media that a codec is of.
pub(crate) fn kind_of(codec: Codec) -> MediaKind {
    if codec.is_audio() {
        MediaKind::Audio
    } else {
        MediaKind::Video
    }
}

/// Parameter of a format: by how many degrees clockwise its pictures are to be turned.
const ORIENTATION: &str = "orientation";
/// Parameter of a format: what the values of its pictures stand for.
const COLORIMETRY: &str = "colorimetry";

/// Reads what is to be known of a track from a frame, for video a keyframe. `None` when that frame is not what the format says.
pub(crate) fn track_of(format: &Format, frame: &[u8]) -> Option<Track> {
    let codec = Codec::from_name(&format.encoding)?;
    // AudioSpecificConfig, in hexadecimal as all parameters of formats are text.
    let configuration = parameter(format, "config").and_then(hex::decode);
    let audio = AudioParameters {
        rate: format.clock_rate,
        channels: format.channels,
        configuration: configuration.as_deref(),
    };
    Some(as_stated(format, Track::of(codec, audio, frame)?))
}

/// A track with what its format says beside the frames, which has the last word.
pub(crate) fn as_stated(format: &Format, mut track: Track) -> Track {
    if kind_of(track.codec) == MediaKind::Video {
        track.quarter_turns = quarter_turns(format);
        if let Some(colour) = parameter(format, COLORIMETRY).and_then(colorimetry::colour) {
            track.set_colour(colour);
        }
    }
    track
}

fn parameter<'a>(format: &'a Format, name: &str) -> Option<&'a str> {
    let mut parameters = format.parameters.iter();
    let found = parameters.find(|(of, _)| of == name);
    found.map(|(_, value)| value.as_str())
}

fn quarter_turns(format: &Format) -> u8 {
    match parameter(format, ORIENTATION) {
        Some("90") => 1,
        Some("180") => 2,
        Some("270") => 3,
        _ => 0,
    }
}

/// A frame as the containers here have it. It shares the memory of `frame`
/// where nothing but its ends is left out.
pub(crate) fn container_form(track: &Track, frame: &Bytes) -> Bytes {
    match track.container_form(frame) {
        ContainerForm::Part(range) => frame.slice(range),
        ContainerForm::Copy(bytes) => bytes.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_codec::Shape;

    #[test]
    fn the_configuration_of_aac_is_a_parameter_of_its_format() {
        let format = Format::rtp("AAC", 48_000, 2).with("config", "1210");
        let track = track_of(&format, &[]).unwrap();
        let sound = Shape::Audio {
            rate: 44_100,
            channels: 2,
        };
        assert_eq!(
            (track.shape, track.configuration),
            (sound, vec![0x12, 0x10])
        );
    }

    #[test]
    fn the_format_says_how_pictures_are_turned() {
        let picture = [0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0, 9, 9];
        let format = Format::rtp("VP8", 90_000, 0);
        for (degrees, turns) in [("90", 1), ("180", 2), ("270", 3), ("45", 0)] {
            let turned = format.clone().with("orientation", degrees);
            assert_eq!(track_of(&turned, &picture).unwrap().quarter_turns, turns);
        }
        assert_eq!(track_of(&format, &picture).unwrap().quarter_turns, 0);
    }

    #[test]
    fn the_format_has_the_last_word_of_colours() {
        use rivero_codec::Colour;
        let vp9 = [0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0, 0];
        let format = Format::rtp("VP9", 90_000, 0);
        let own = track_of(&format, &vp9).unwrap();
        assert_eq!(own.colour, Colour::known(5, 6, 5, false));
        let stated = track_of(&format.with("colorimetry", "1:3:5:1"), &vp9).unwrap();
        assert_eq!(stated.colour, Colour::known(1, 1, 1, true));
        // Range and code points of vpcC, too.
        assert_eq!(stated.configuration[6..10], [0x83, 1, 1, 1]);
    }

    #[test]
    fn one_that_is_not_hexadecimal_is_replaced() {
        for format in [
            Format::rtp("AAC", 0, 0),
            Format::rtp("AAC", 0, 0).with("config", "xyz"),
        ] {
            let track = track_of(&format, &[]).unwrap();
            assert_eq!(track.configuration, [0x11, 0x90]);
        }
    }

    #[test]
    fn a_frame_that_stays_as_it_is_keeps_its_memory() {
        let track = track_of(&Format::rtp("OPUS", 48_000, 2), &[0xfc]).unwrap();
        let frame = Bytes::copy_from(&[0xfc, 1, 2]);
        let stored = container_form(&track, &frame);
        assert_eq!(stored.as_ptr(), frame.as_ptr());
        assert_eq!(stored[..], [0xfc, 1, 2]);
    }
}
