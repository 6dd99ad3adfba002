//! AV1 (RTP payload format for AV1, version 1.0).

use rivero_codec::av1::{HAS_SIZE, Obu, SEQUENCE_HEADER, TEMPORAL_DELIMITER, obus};
use rivero_codec::leb128;

use super::{Assemble, Assembled, Cut, Damaged, Packets};
use crate::cursor::Cursor;

/// A temporal delimiter without content, with its size.
const DELIMITER: [u8; 2] = [TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];

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

    /// Appends a whole OBU, which is an element or several fragments. It may have a size though
    /// senders are asked to leave it out (§5); what follows it then belongs to nothing.
    fn obu(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        let obu = Obu::parse(bytes).ok_or(Damaged)?;
        let first = *obu.header.first().ok_or(Damaged)?;
        if obu.obu_type() == TEMPORAL_DELIMITER {
            return Ok(());
        }
        self.keyframe |= obu.obu_type() == SEQUENCE_HEADER;
        if self.unit.is_empty() {
            self.unit.extend_from_slice(&DELIMITER);
        }
        self.unit.push(first | HAS_SIZE);
        self.unit.extend(obu.header.get(1));
        leb128::write(&mut self.unit, obu.payload.len());
        self.unit.extend_from_slice(obu.payload);
        Ok(())
    }
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
                cursor.leb128().and_then(|length| cursor.take(length))
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
        let keyframe = obus(frame).any(|obu| obu.obu_type() == SEQUENCE_HEADER);
        let mut packet = Packet::default();
        let mut begins_sequence = keyframe;
        for Obu {
            header, payload, ..
        } in obus(frame).filter(|obu| !obu.is_dispensable())
        {
            let mut element = Vec::with_capacity(header.len() + payload.len());
            element.extend(header.iter().take(1).map(|first| first & !HAS_SIZE));
            element.extend(header.get(1));
            element.extend_from_slice(payload);
            let mut rest = element.as_slice();
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
            leb128::write(&mut length, element.len());
            packets.write(&length);
            packets.write(&element);
        }
        self.continues = goes_on;
    }
}
