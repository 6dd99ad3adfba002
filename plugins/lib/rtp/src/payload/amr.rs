//! AMR and AMR-WB (RFC 4867). A frame is as files have it (§5.3): a byte that says what it is, then its bits in
//! whole bytes. Packets have those of several frames one after the other, each beginning with a byte
//! (octet-aligned, §4.4) or where the one before ends (bandwidth-efficient, §4.3).

use std::collections::VecDeque;

use rivero_codec::bits::BitReader;

use super::{Assemble, Assembled, Cut, Damaged, Packets};

/// Nobody is asked for another mode (§4.3.1).
const NO_REQUEST: u32 = 15;
/// Frames in a packet: two seconds, far more than anybody sends.
const MOST: usize = 100;

/// Which of the two codecs, and how its packets are filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) wide_band: bool,
    pub(super) octet_align: bool,
}

impl Layout {
    /// Bits of a frame of this type; `None` for types that there are not (3GPP TS 26.101 table 1a, TS 26.201
    /// table 1a). Those without bits say that speech was lost, or that there is none.
    fn bits(self, kind: u32) -> Option<u32> {
        const NARROW: [u32; 9] = [95, 103, 118, 134, 148, 159, 204, 244, 39];
        const WIDE: [u32; 10] = [132, 177, 253, 285, 317, 365, 397, 461, 477, 40];
        let sizes = if self.wide_band { &WIDE[..] } else { &NARROW };
        let size = usize::try_from(kind).ok().and_then(|kind| sizes.get(kind));
        match kind {
            15 => Some(0),
            14 if self.wide_band => Some(0),
            _ => size.copied(),
        }
    }

    /// Samples of a frame, of 20 ms.
    fn samples(self) -> u32 {
        if self.wide_band { 320 } else { 160 }
    }
}

pub(super) struct Assembler {
    layout: Layout,
    frames: VecDeque<Assembled>,
}

impl Assembler {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            frames: VecDeque::new(),
        }
    }

    /// `None` where the payload ends too early, or says what cannot be.
    fn read(&mut self, payload: &[u8]) -> Option<()> {
        let Layout { octet_align, .. } = self.layout;
        let mut bits = BitReader::new(payload);
        bits.skip(if octet_align { 8 } else { 4 })?;
        let mut contents = Vec::new();
        loop {
            let (more, kind, quality) = (bits.flag()?, bits.read(4)?, bits.read(1)?);
            bits.skip(if octet_align { 2 } else { 0 })?;
            contents.push((kind, quality));
            if !more {
                break;
            }
            if contents.len() >= MOST {
                return None;
            }
        }
        for (index, (kind, quality)) in (0..).zip(contents) {
            let mut left = self.layout.bits(kind)?;
            let mut data = vec![u8::try_from(kind << 3 | quality << 2).ok()?];
            while left > 0 {
                let count = left.min(8);
                let value = bits.read(count)? << (8 - count);
                data.push(u8::try_from(value).ok()?);
                if octet_align {
                    bits.skip(usize::try_from(8 - count).ok()?)?;
                }
                left -= count;
            }
            self.frames.push_back(Assembled {
                data,
                keyframe: true,
                offset: index * self.layout.samples(),
            });
        }
        Some(())
    }
}

impl Assemble for Assembler {
    fn begins_frame(&self, _: &[u8]) -> bool {
        true
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        self.read(payload).ok_or(Damaged)
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        Ok(self.frames.pop_front())
    }

    fn abandon(&mut self) {
        self.frames.clear();
    }
}

/// One frame a packet.
pub(super) struct Cutter(pub(super) Layout);

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], _: usize, packets: &mut Packets) -> bool {
        let Self(layout) = self;
        let Some((header, data)) = frame.split_first() else {
            return true;
        };
        let (kind, quality) = (u32::from(header >> 3 & 15), u32::from(header >> 2 & 1));
        let Some(size) = layout.bits(kind) else {
            return true;
        };
        let mut bits = BitWriter::default();
        bits.write(NO_REQUEST, 4);
        bits.write(0, if layout.octet_align { 4 } else { 0 });
        bits.write(kind << 1 | quality, 6);
        bits.write(0, if layout.octet_align { 2 } else { 0 });
        let mut source = BitReader::new(data);
        for _ in 0..size {
            // What is too short is no frame.
            let Some(bit) = source.read(1) else {
                return true;
            };
            bits.write(bit, 1);
        }
        packets.begin(0);
        packets.write(&bits.bytes);
        true
    }

    fn marks_last(&self) -> bool {
        false
    }
}

/// Bits one after the other; the last byte is filled up with zeros.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    /// In the last byte, 0 for all.
    used: u32,
}

impl BitWriter {
    /// Appends the lowest `count` bits of a value.
    fn write(&mut self, value: u32, count: u32) {
        for place in (0..count).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let bit = u8::from(value >> place & 1 == 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layouts() -> impl Iterator<Item = Layout> {
        let pairs = [(false, false), (false, true), (true, false), (true, true)];
        pairs.into_iter().map(|(wide_band, octet_align)| Layout {
            wide_band,
            octet_align,
        })
    }

    fn frames(layout: Layout, payload: &[u8]) -> Option<Vec<(Vec<u8>, u32)>> {
        let mut assembler = Assembler::new(layout);
        assembler.append(payload).ok()?;
        let next = || assembler.finish().ok().flatten();
        let frames = std::iter::from_fn(next);
        Some(frames.map(|frame| (frame.data, frame.offset)).collect())
    }

    #[test]
    fn each_frame_comes_back_as_it_was() {
        for layout in layouts() {
            for kind in 0..16 {
                let Some(size) = layout.bits(kind) else {
                    continue;
                };
                let bytes = size.div_ceil(8) as usize;
                let mut frame = vec![(kind << 3 | 4) as u8];
                frame.extend((0..bytes).map(|byte| (byte * 37 + 11) as u8));
                if let (Some(last), 1..) = (frame.last_mut(), size % 8) {
                    *last &= 0xff << (8 - size % 8);
                }
                let mut packets = Packets::default();
                Cutter(layout).cut(&frame, 1140, &mut packets);
                let payload = &packets.bytes()[12..];
                let expected = if layout.octet_align {
                    2 + bytes
                } else {
                    (10 + size as usize).div_ceil(8)
                };
                assert_eq!(payload.len(), expected, "{layout:?} {kind}");
                assert_eq!(frames(layout, payload), Some(vec![(frame, 0)]));
            }
        }
    }

    #[test]
    fn frames_that_travel_together_are_told_apart() {
        let layout = Layout {
            wide_band: false,
            octet_align: true,
        };
        // Comfort noise of 39 bits, and a frame without any.
        let payload = [0xf0, 0xc4, 0x7c, 1, 2, 3, 4, 6];
        let noise = vec![0x44, 1, 2, 3, 4, 6];
        assert_eq!(
            frames(layout, &payload),
            Some(vec![(noise, 0), (vec![0x7c], 160)])
        );
        let efficient = Layout {
            octet_align: false,
            ..layout
        };
        // 1111, 1 1000 1, 0 1111 1, 39 bits of noise.
        let payload = [0b1111_1100, 0b0101_1111, 1, 2, 3, 4, 6];
        let told = frames(efficient, &payload).unwrap();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].0[..5], [0x44, 1, 2, 3, 4]);
    }

    #[test]
    fn what_ends_too_early_or_cannot_be_is_damage() {
        for layout in layouts() {
            for payload in [
                &[][..],
                &[0xf0],
                &[0xf0, 0x3c],
                &[0xff; 300],
                &[0xf0, 0x68, 0, 0, 0],
            ] {
                assert_eq!(frames(layout, payload), None, "{layout:?} {payload:?}");
            }
        }
    }
}
