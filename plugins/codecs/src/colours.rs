//! What the values of a picture stand for: range, matrix, transfer and primaries (ITU-T H.273).
//!
//! Some bitstreams say it themselves. Beside those, browsers say it in a header extension
//! (`http://www.webrtc.org/experiments/rtp-hdrext/color-space`), which has the last word. Between
//! depacketiser and decoder it is a parameter of the frames' format, and of raw pictures always.

use rivero_gst::caps;
use rivero_plugin_api::{ExtensionKind, Format, Packet};

use crate::formats;

/// GStreamer's words: `range:matrix:transfer:primaries`, or a name.
pub(crate) const PARAMETER: &str = "colorimetry";
/// Of television with lines of the standard definition. VP8 can say nothing else, and whoever decodes
/// it takes it for this.
pub(crate) const BT601: &str = "bt601";
/// All values, as pictures in JPEG files have them (ITU-T T.871).
const JFIF: &str = "1:4:0:0";

/// The bytes of the extension that are read: primaries, transfer, matrix, range and siting.
const LENGTH: usize = 4;

/// What a sender said last: it holds until the next keyframe, or something else that is said.
#[derive(Default)]
pub(crate) struct Stated {
    latest: Option<String>,
    /// A keyframe is coming in, of which nothing was said yet.
    silent_keyframe: bool,
    /// The format that results, for an output.
    format: Option<(u32, Format)>,
}

impl Stated {
    /// Reads the extension, which comes with the last packet of a frame.
    pub(crate) fn note(&mut self, packet: &Packet) {
        self.silent_keyframe |= packet.is_keyframe();
        let extensions = &packet.rtp.extensions;
        let stated = extensions
            .iter()
            .find(|extension| extension.kind == ExtensionKind::COLOR_SPACE)
            .and_then(|extension| {
                let start = usize::from(extension.offset);
                packet.bytes.get(start..start + LENGTH)?.try_into().ok()
            });
        if let Some(bytes) = stated {
            self.silent_keyframe = false;
            self.set(in_words(bytes));
        } else if packet.rtp.marker && std::mem::take(&mut self.silent_keyframe) {
            self.set(None);
        }
    }

    fn set(&mut self, stated: Option<String>) {
        if self.latest != stated {
            self.latest = stated;
            self.format = None;
        }
    }

    /// The number of `output` with what was said.
    pub(crate) fn format(&mut self, output: u32) -> u32 {
        let Some(stated) = &self.latest else {
            return output;
        };
        if self.format.as_ref().is_none_or(|(of, _)| *of != output) {
            let format = formats::format(output).ok();
            let format = format.map(|format| format.with(PARAMETER, stated.clone()));
            self.format = format.map(|format| (output, format));
        }
        // No pad has it, so each packet asks for it.
        let coloured = self.format.as_ref();
        coloured.map_or(output, |(_, format)| formats::id(format))
    }
}

/// The numbers of H.273 in those of GStreamer; `None` where range or matrix are not said, without
/// which the rest is of no use.
fn in_words([primaries, transfer, matrix, range]: [u8; LENGTH]) -> Option<String> {
    let range = match range >> 4 & 0b11 {
        1 => 2,
        2 => 1,
        _ => return None,
    };
    let matrix = match matrix {
        0 => 1,
        1 => 3,
        4 => 2,
        5 | 6 => 4,
        7 => 5,
        9 => 6,
        _ => return None,
    };
    let transfer = match transfer {
        1 => 5,
        4 => 4,
        5 => 8,
        6 => 16,
        7 => 6,
        8 => 1,
        13 => 7,
        14 => 13,
        15 => 11,
        16 => 14,
        18 => 15,
        _ => 0,
    };
    let primaries = match primaries {
        1 => 1,
        4 => 2,
        5 => 3,
        6 => 4,
        7 => 5,
        9 => 7,
        _ => 0,
    };
    Some(format!("{range}:{matrix}:{transfer}:{primaries}"))
}

/// What the pictures of encoded frames are, where it is not left to the bitstream.
pub(crate) fn of_frames(format: &Format) -> Option<String> {
    let stated = caps::parameter(format, PARAMETER);
    let silent = (format.encoding == "VP8").then_some(BT601);
    stated.or(silent).map(str::to_owned)
}

/// What pictures have to be for an encoder whose bitstream says nothing about it.
pub(crate) fn taken_for(encoding: &str) -> Option<&'static str> {
    match encoding {
        "VP8" | "VP9" | "AV1" => Some(BT601),
        "JPEG" => Some(JFIF),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_standard_are_those_of_gstreamer() {
        // sRGB primaries, BT.709, full range; and limited BT.601 with siting.
        assert_eq!(in_words([1, 1, 1, 0x20]).as_deref(), Some("1:3:5:1"));
        assert_eq!(in_words([6, 6, 6, 0x15]).as_deref(), Some("2:4:16:4"));
        assert_eq!(in_words([9, 16, 9, 0x10]).as_deref(), Some("2:6:14:7"));
        assert_eq!(in_words([1, 1, 2, 0x20]), None, "no matrix");
        assert_eq!(in_words([1, 1, 1, 0x00]), None, "no range");
        assert_eq!(
            in_words([77, 99, 1, 0xf0 & 0x2f]).as_deref(),
            Some("1:3:0:0")
        );
    }
}
