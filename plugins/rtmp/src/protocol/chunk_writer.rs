//! Messages into chunks (§5.3.1).

use std::collections::HashMap;

use super::message::{AUDIO, COMMAND, DATA, Message, SET_CHUNK_SIZE, VIDEO};

/// In the place of a stamp that needs more than 24 bits (§5.3.1.3).
const EXTENDED: u32 = 0xff_ffff;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    chunk_size: usize,
    /// Message stream and time of the latest message on each chunk stream: as many as [`chunk_stream`] has.
    latest: HashMap<u8, (u32, u32)>,
}

impl ChunkWriter {
    /// For a connection that just begins.
    pub(crate) fn new() -> Self {
        Self {
            chunk_size: 128,
            latest: HashMap::new(),
        }
    }

    /// Says, and heeds from now on, that chunks have `size` bytes, at least 1.
    pub(crate) fn set_chunk_size(&mut self, size: usize, out: &mut Vec<u8>) {
        let size = size.clamp(1, 0xff_ffff);
        let message = Message {
            kind: SET_CHUNK_SIZE,
            time: 0,
            stream: 0,
            body: u32::try_from(size).unwrap_or(1).to_be_bytes().to_vec(),
        };
        self.write(&message, out);
        self.chunk_size = size;
    }

    /// Appends a message.
    ///
    /// The first of a chunk stream has its time, all others how much later than the one before they are: so what comes
    /// after 4 h 39 min needs no stamp of 32 bits, which not every server reads. Where time goes back, the time is
    /// written as it is.
    pub(crate) fn write(&mut self, message: &Message, out: &mut Vec<u8>) {
        let id = chunk_stream(message.kind);
        let latest = self.latest.insert(id, (message.stream, message.time));
        let delta = latest
            .filter(|(stream, _)| *stream == message.stream)
            .map(|(_, time)| message.time.wrapping_sub(time))
            .filter(|delta| *delta < 1 << 31);
        let stamp = delta.unwrap_or(message.time);
        let format = u8::from(delta.is_some());
        out.push(format << 6 | id);
        append_short(stamp.min(EXTENDED), out);
        append_short(u32::try_from(message.body.len()).unwrap_or_default(), out);
        out.push(message.kind);
        if delta.is_none() {
            out.extend(message.stream.to_le_bytes());
        }
        let append_stamp = |out: &mut Vec<u8>| {
            if stamp >= EXTENDED {
                out.extend(stamp.to_be_bytes());
            }
        };
        append_stamp(out);
        for (index, piece) in message.body.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                out.push(3 << 6 | id);
                append_stamp(out);
            }
            out.extend_from_slice(piece);
        }
    }
}

/// Chunk streams by what they carry, as OBS and FFmpeg have them; 2 is for what is said about the connection.
fn chunk_stream(kind: u8) -> u8 {
    match kind {
        COMMAND => 3,
        AUDIO | DATA => 4,
        VIDEO => 6,
        _ => 2,
    }
}

fn append_short(number: u32, out: &mut Vec<u8>) {
    let [_, short @ ..] = number.to_be_bytes();
    out.extend(short);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_differences_behind_the_first() {
        let mut writer = ChunkWriter::new();
        let mut write = |time, length: usize| {
            let message = Message {
                kind: VIDEO,
                time,
                stream: 1,
                body: vec![7; length],
            };
            let mut out = Vec::new();
            writer.write(&message, &mut out);
            out
        };
        assert_eq!(
            write(0xff_ff00, 1),
            [6, 0xff, 0xff, 0, 0, 0, 1, VIDEO, 1, 0, 0, 0, 7]
        );
        assert_eq!(write(0x0100_0100, 1), [0x46, 0, 2, 0, 0, 0, 1, VIDEO, 7]);
        // Back again: a time of its own, in 32 bits, repeated before each piece.
        let back = write(0x0100_0000, 200);
        assert_eq!(
            back[..16],
            [
                6, 0xff, 0xff, 0xff, 0, 0, 200, VIDEO, 1, 0, 0, 0, 1, 0, 0, 0
            ]
        );
        assert_eq!(back[16 + 128..][..6], [0xc6, 1, 0, 0, 0, 7]);
    }
}
