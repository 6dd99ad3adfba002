//! Which way up a picture is to be shown (3GPP TS 26.114 §7.4.5): phones send pictures as their
//! sensor lies, and say by how much the receiver has to turn them.
//!
//! Between depacketiser and decoder it is a parameter of the frames' format, so that it changes with
//! the very frame of which it was said.

use rivero_gst::caps;
use rivero_plugin_api::{ExtensionKind, Format, Packet};

use crate::formats;

/// Degrees clockwise; absent where nothing is to be turned.
const PARAMETER: &str = "orientation";
/// The bits of the extension's byte that say how far, in quarters clockwise.
const ROTATION: u8 = 0b11;

/// What a sender said last, which holds until it says something else.
#[derive(Default)]
pub(crate) struct Stated {
    quarters: u8,
    /// The format that results, for an output.
    format: Option<(u32, Format)>,
}

impl Stated {
    /// Reads the extension, which comes with the last packet of a frame.
    pub(crate) fn note(&mut self, packet: &Packet) {
        let extensions = &packet.rtp.extensions;
        let stated = extensions
            .iter()
            .find(|extension| extension.kind == ExtensionKind::VIDEO_ORIENTATION)
            .and_then(|extension| packet.bytes.get(usize::from(extension.offset)));
        if let Some(byte) = stated
            && byte & ROTATION != self.quarters
        {
            self.quarters = byte & ROTATION;
            self.format = None;
        }
    }

    /// The number of `output` with what was said.
    pub(crate) fn format(&mut self, output: u32) -> u32 {
        if self.quarters == 0 {
            return output;
        }
        if self.format.as_ref().is_none_or(|(of, _)| *of != output) {
            let degrees = u32::from(self.quarters) * 90;
            let format = formats::format(output).ok();
            let format = format.map(|format| format.with(PARAMETER, degrees.to_string()));
            self.format = format.map(|format| (output, format));
        }
        // No pad has it, so each packet asks for it.
        let turned = self.format.as_ref();
        turned.map_or(output, |(_, format)| formats::id(format))
    }
}

/// What `videoflip` has to do with pictures of this format.
pub(crate) fn direction(format: &Format) -> &'static str {
    match caps::parameter(format, PARAMETER) {
        Some("90") => "90r",
        Some("180") => "180",
        Some("270") => "90l",
        _ => "identity",
    }
}
