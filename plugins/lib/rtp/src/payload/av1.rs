//! AV1 (RTP payload format for AV1, version 1.0).

use super::{Assemble, Assembled, Cut, Damaged, Packets};
use crate::cursor::Cursor;

/// OBU types (AV1 specification §6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

/// A temporal delimiter without content, with its size.
const DELIMITER: [u8; 2] = [TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];

/// Bits of an OBU header.
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;

fn kind(header: u8) -> u8 {
    (header >> 3) & 0x0f
}

/// A temporal unit in the low-overhead format: each OBU has its size.
#[derive(Default)]
pub(super) struct Assembler {
    unit: Vec<u8>,
    /// An OBU whose rest is in the next packet.
    open: Option<Vec<u8>>,
    keyframe: bool,
}

impl Assembler {
    fn element(&mut self, element: &[u8], continues: bool, goes_on: bool) -> Result<(), Damaged> {
        let mut obu = match (continues, self.open.take()) {
            (true, Some(open)) => open,
            (false, None) => Vec::new(),
            _ => return Err(Damaged),
        };
        obu.extend_from_slice(element);
        if goes_on {
            self.open = Some(obu);
            return Ok(());
        }
        self.obu(&obu)
    }

    fn obu(&mut self, obu: &[u8]) -> Result<(), Damaged> {
        let (header, content) = split(obu).ok_or(Damaged)?;
        let first = *header.first().ok_or(Damaged)?;
        if kind(first) == TEMPORAL_DELIMITER {
            return Ok(());
        }
        self.keyframe |= kind(first) == SEQUENCE_HEADER;
        if self.unit.is_empty() {
            self.unit.extend_from_slice(&DELIMITER);
        }
        self.unit.push(first | HAS_SIZE);
        self.unit.extend(header.get(1));
        write_leb128(&mut self.unit, content.len());
        self.unit.extend_from_slice(content);
        Ok(())
    }
}

/// Header (one or two bytes) and content of an OBU that fills `obu`.
fn split(obu: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *obu.first()?;
    let header = if first & HAS_EXTENSION != 0 { 2 } else { 1 };
    let (header, rest) = obu.split_at_checked(header)?;
    if first & HAS_SIZE == 0 {
        return Some((header, rest));
    }
    let mut cursor = Cursor::new(rest);
    let size = leb128(&mut cursor)?;
    Some((header, cursor.take(size)?))
}

impl Assemble for Assembler {
    fn begins_frame(&self, payload: &[u8]) -> bool {
        // Temporal units are not marked: a packet may begin one if it does not go on with an OBU.
        payload.first().is_some_and(|header| header & 0x80 == 0)
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let mut cursor = Cursor::new(payload);
        let header = cursor.u8().ok_or(Damaged)?;
        let (mut continues, goes_on) = (header & 0x80 != 0, header & 0x40 != 0);
        let count = usize::from((header >> 4) & 3);
        let mut index = 0;
        while !cursor.rest().is_empty() {
            index += 1;
            let element = if index == count {
                cursor.take(cursor.rest().len())
            } else {
                leb128(&mut cursor).and_then(|length| cursor.take(length))
            };
            let element = element.ok_or(Damaged)?;
            let last = cursor.rest().is_empty();
            self.element(element, continues, last && goes_on)?;
            continues = false;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        if self.open.is_some() {
            return Err(Damaged);
        }
        let keyframe = std::mem::take(&mut self.keyframe);
        let data = std::mem::take(&mut self.unit);
        Ok((!data.is_empty()).then_some(Assembled {
            data,
            keyframe,
            offset: 0,
        }))
    }

    fn abandon(&mut self) {
        *self = Self::default();
    }
}

/// Cuts a temporal unit in the low-overhead format. Sizes are left out, delimiters too.
pub(super) struct Cutter;

/// Aggregation header and the longest length of an element.
const OVERHEAD: usize = 1 + 2;

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let obus = obus(frame);
        let keyframe = obus.iter().any(|(header, _)| {
            header
                .first()
                .is_some_and(|first| kind(*first) == SEQUENCE_HEADER)
        });
        let mut packet = Packet::default();
        let mut begins_sequence = keyframe;
        for (header, content) in obus {
            let mut obu = Vec::with_capacity(header.len() + content.len());
            obu.extend(header.iter().take(1).map(|first| first & !HAS_SIZE));
            obu.extend(header.get(1));
            obu.extend_from_slice(content);
            let mut rest = obu.as_slice();
            while !rest.is_empty() {
                let room = limit.saturating_sub(packet.size() + OVERHEAD);
                if room < 8 && packet.size() > 0 {
                    packet.write(packets, &mut begins_sequence, false);
                    continue;
                }
                let (piece, after) = rest.split_at(rest.len().min(room.max(1)));
                packet.elements.push(piece.to_vec());
                rest = after;
                if !rest.is_empty() {
                    packet.write(packets, &mut begins_sequence, true);
                }
            }
        }
        packet.write(packets, &mut begins_sequence, false);
        keyframe
    }
}

/// A packet that is being filled; all its elements have their lengths (W = 0).
#[derive(Default)]
struct Packet {
    elements: Vec<Vec<u8>>,
    /// The first element goes on with an OBU of the packet before.
    continues: bool,
}

impl Packet {
    fn size(&self) -> usize {
        self.elements.iter().map(|element| element.len() + 2).sum()
    }

    fn write(&mut self, packets: &mut Packets, begins_sequence: &mut bool, goes_on: bool) {
        if self.elements.is_empty() {
            return;
        }
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        packets.begin(0);
        packets.write(&[bit(self.continues, 0x80)
            | bit(goes_on, 0x40)
            | bit(std::mem::take(begins_sequence), 0x08)]);
        for element in self.elements.drain(..) {
            let mut length = Vec::with_capacity(2);
            write_leb128(&mut length, element.len());
            packets.write(&length);
            packets.write(&element);
        }
        self.continues = goes_on;
    }
}

/// Header and content of the OBUs that travel.
fn obus(unit: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = unit;
    let mut obus = Vec::new();
    while let Some((header, content)) = split(rest) {
        let end = content.as_ptr().addr() + content.len() - rest.as_ptr().addr();
        let Some(after) = rest.get(end..) else { break };
        rest = after;
        let kind = header.first().map_or(0, |first| kind(*first));
        if !matches!(kind, TEMPORAL_DELIMITER | TILE_LIST | PADDING) {
            obus.push((header, content));
        }
    }
    obus
}

/// A length (AV1 specification §4.10.5).
fn leb128(cursor: &mut Cursor<'_>) -> Option<usize> {
    let mut value = 0;
    for shift in 0..8 {
        let byte = cursor.u8()?;
        value |= u64::from(byte & 0x7f) << (shift * 7);
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

fn write_leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}
