//! @module@.@class@ @purpose@.

use rivero_sdk::{
    Conversion, Converter, ConverterFactory, ConverterOutput, Format, Packaging, Packet, Upstream,
    host,
};

rivero_sdk::export_module! { converters: all }

fn all() -> Vec<ConverterFactory> {
    let conversion = Conversion {
        input: ("@encoding@".to_owned(), Packaging::Frame),
        output: ("I420".to_owned(), Packaging::Raw),
        cost: 20,
    };
    vec![ConverterFactory::new(conversion, |_, _, _, output| Ok(Box::new(Decoder(output))))]
}

struct Decoder(ConverterOutput);

impl Converter for Decoder {
    fn packets(&self, packets: &[Packet]) {
        let pictures: Vec<Packet> = packets.iter().filter_map(decoded).collect();
        self.0.push(&pictures);
    }

    fn upstream(&self, message: Upstream) {
        self.0.upstream(message);
    }

    fn stop(&self) {}
}

/// A frame is the picture's width and height, 16 bits each, and its planes. What is too short is left out.
fn decoded(frame: &Packet) -> Option<Packet> {
    let side = |at| Some(u16::from_be_bytes(*frame.bytes.get(at..)?.first_chunk()?));
    let (width, height) = (side(0)?, side(2)?);
    let format = Format { packaging: Packaging::Raw, ..Format::rtp("I420", 0, 0) };
    let format = format.with("width", width.to_string()).with("height", height.to_string());
    let half = |side: u16| usize::from(side).div_ceil(2);
    let size = usize::from(width) * usize::from(height) + 2 * half(width) * half(height);
    let bytes = (frame.bytes.len() == 4 + size).then(|| frame.bytes.slice(4..4 + size))?;
    Some(Packet { bytes, format: host()?.format_id(&format), flags: Packet::KEYFRAME, ..frame.clone() })
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{MediaKind, Module, Result};

    use super::*;

    #[test]
    fn a_frame_becomes_a_picture() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let formats = (
            &Format { packaging: Packaging::Frame, ..Format::rtp("@encoding@", 90_000, 0) },
            &Format { packaging: Packaging::Raw, ..Format::rtp("I420", 0, 0) },
        );
        let frame = |bytes: &[u8]| Packet {
            bytes: bytes.to_vec().into(),
            kind: MediaKind::Video,
            ..Packet::default()
        };
        let frames = [frame(&[0, 2, 0, 2, 1, 2, 3, 4, 128, 128]), frame(b"short")];
        let module = || Module { classes: vec![], converters: all() };
        let pictures = pipeline.convert(module, 0, formats, &frames)?;
        assert_eq!(pictures.len(), 1);
        assert_eq!(&*pictures[0].bytes, [1, 2, 3, 4, 128, 128]);
        Ok(())
    }
}
