//! Messages out of the chunks that a peer sends (§5.3.1).
//!
//! No crate is used for it: `rtmp-rs` 0.6.0 and `rml_rtmp` 0.8.0 reserve what headers announce or panic on interleaved
//! chunks, and both go wrong where stamps need more than 24 bits. What is held here is what has come, never more than
//! the longest message that may come, over all chunk streams together.

use std::collections::HashMap;

use super::message::{ABORT, Message, SET_CHUNK_SIZE};

/// Until a peer says otherwise (§5.4.1).
const FIRST_CHUNK_SIZE: usize = 128;
/// Chunk streams of a peer; those that are in use anywhere are fewer than ten.
const MOST_STREAMS: usize = 64;
/// In the place of a stamp that needs more than 24 bits (§5.3.1.3).
const EXTENDED: u32 = 0xff_ffff;

/// Why a connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("a chunk size of 0")]
    ChunkSize,
    #[error("a chunk that leaves out a header which was never sent")]
    Headless,
    #[error("more than {MOST_STREAMS} chunk streams")]
    Streams,
    #[error("messages of more than {0} bytes")]
    TooLong(usize),
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    /// Bytes that do not make up what they begin, and how many of them were taken.
    buffer: Vec<u8>,
    taken: usize,
    chunk_size: usize,
    streams: HashMap<u32, Stream>,
    /// The chunk whose payload is being read: its stream, and how much of it is to come.
    body: Option<(u32, usize)>,
    /// Bytes of unfinished messages.
    held: usize,
    most_held: usize,
}

/// What chunks with short headers refer to.
#[derive(Debug, Default, Clone, Copy)]
struct Header {
    /// What the latest header has in the place of a stamp, in 32 bits where it did not fit into 24.
    stamp: u32,
    is_extended: bool,
    /// A message of its own with no header at all comes so much later.
    delta: u32,
    time: u32,
    length: usize,
    kind: u8,
    message_stream: u32,
}

/// A chunk stream.
#[derive(Debug, Default)]
struct Stream {
    header: Header,
    body: Vec<u8>,
    /// A message has begun and is not complete.
    is_open: bool,
}

impl ChunkReader {
    /// For messages that have `most_held` bytes at most, all unfinished ones together.
    pub(crate) fn new(most_held: usize) -> Self {
        Self {
            buffer: Vec::new(),
            taken: 0,
            chunk_size: FIRST_CHUNK_SIZE,
            streams: HashMap::new(),
            body: None,
            held: 0,
            most_held,
        }
    }

    /// Messages may be longer from now on, or no longer so long.
    pub(crate) fn set_most_held(&mut self, most_held: usize) {
        self.most_held = most_held;
    }

    /// Takes what has come; [`ChunkReader::next`] gives what is complete, and is to be called until there is nothing.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message. Those about chunks (Set Chunk Size, Abort) are obeyed and given out, too.
    ///
    /// # Errors
    /// [`Error`]: nothing that follows can be understood
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            let Some((id, left)) = self.body else {
                if !self.read_header()? {
                    return Ok(None);
                }
                continue;
            };
            let available = self.buffer.get(self.taken..).unwrap_or_default();
            let piece = available.get(..left.min(available.len()));
            let piece = piece.unwrap_or_default();
            if piece.is_empty() && left > 0 {
                return Ok(None);
            }
            let Some(stream) = self.streams.get_mut(&id) else {
                return Err(Error::Headless);
            };
            stream.body.extend_from_slice(piece);
            self.taken += piece.len();
            self.held += piece.len();
            if self.held > self.most_held {
                return Err(Error::TooLong(self.most_held));
            }
            let left = left - piece.len();
            self.body = (left > 0).then_some((id, left));
            if left == 0 && stream.body.len() >= stream.header.length {
                let message = stream.complete();
                self.held -= message.body.len();
                self.obey(&message)?;
                return Ok(Some(message));
            }
        }
    }

    /// Reads the header of a chunk, if all of it is there.
    fn read_header(&mut self) -> Result<bool, Error> {
        let mut bytes = HeaderBytes(self.buffer.get(self.taken..).unwrap_or_default());
        let available = bytes.0.len();
        let Some((format, id)) = bytes.basic() else {
            return Ok(false);
        };
        let known = self.streams.get(&id);
        if known.is_none() && self.streams.len() >= MOST_STREAMS {
            return Err(Error::Streams);
        }
        // A stream may begin with a stamp that counts from 0 (format 1), but not without a length.
        if known.is_none() && format > 1 {
            return Err(Error::Headless);
        }
        let mut header = known.map(|stream| stream.header).unwrap_or_default();
        if bytes.message(format, &mut header).is_none() {
            return Ok(false);
        }
        self.taken += available - bytes.0.len();
        self.begin_chunk(id, format, header);
        Ok(true)
    }

    fn begin_chunk(&mut self, id: u32, format: u8, header: Header) {
        let stream = self.streams.entry(id).or_default();
        if format < 3 {
            // Whoever begins another message on the same stream has given up the one before.
            self.held -= stream.give_up();
        }
        stream.header = header;
        if !stream.is_open {
            stream.header.advance(format);
            stream.is_open = true;
        }
        let missing = header.length.saturating_sub(stream.body.len());
        self.body = Some((id, missing.min(self.chunk_size)));
    }

    fn obey(&mut self, message: &Message) -> Result<(), Error> {
        let Some(number) = message.body.first_chunk::<4>() else {
            return Ok(());
        };
        let number = u32::from_be_bytes(*number);
        match message.kind {
            SET_CHUNK_SIZE => {
                // The highest bit is to be 0; it is no part of the size.
                let size = usize::try_from(number & 0x7fff_ffff).unwrap_or(usize::MAX);
                if size == 0 {
                    return Err(Error::ChunkSize);
                }
                self.chunk_size = size;
            }
            ABORT => {
                if let Some(stream) = self.streams.get_mut(&number) {
                    self.held -= stream.give_up();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Header {
    /// The time of a message that begins with a header of this format.
    fn advance(&mut self, format: u8) {
        match format {
            // §5.3.1.2.4 would have the next headless message as much later as the stamp says from 0 on, which no
            // sender means: those that leave the header out behind a full one repeat its time.
            0 => (self.time, self.delta) = (self.stamp, 0),
            1 | 2 => {
                self.delta = self.stamp;
                self.time = self.time.wrapping_add(self.delta);
            }
            _ => self.time = self.time.wrapping_add(self.delta),
        }
    }
}

impl Stream {
    fn complete(&mut self) -> Message {
        self.is_open = false;
        Message {
            kind: self.header.kind,
            time: self.header.time,
            stream: self.header.message_stream,
            body: std::mem::take(&mut self.body),
        }
    }

    /// Forgets an unfinished message; how many bytes of it there were.
    fn give_up(&mut self) -> usize {
        self.is_open = false;
        std::mem::take(&mut self.body).len()
    }
}

struct HeaderBytes<'a>(&'a [u8]);

impl HeaderBytes<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn short(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    /// Format, and number of the chunk stream in 1, 2 or 3 bytes (§5.3.1.1).
    fn basic(&mut self) -> Option<(u8, u32)> {
        let [first] = self.array()?;
        let id = match first & 0x3f {
            0 => 64 + self.array::<1>().map(|[id]| u32::from(id))?,
            1 => 64 + u32::from(u16::from_le_bytes(self.array()?)),
            id => u32::from(id),
        };
        Some((first >> 6, id))
    }

    /// The rest, into what the stream had before (§5.3.1.2). `None` while something is missing.
    fn message(&mut self, format: u8, header: &mut Header) -> Option<()> {
        if format < 3 {
            header.stamp = self.short()?;
            header.is_extended = header.stamp == EXTENDED;
        }
        if format < 2 {
            header.length = usize::try_from(self.short()?).ok()?;
            [header.kind] = self.array()?;
        }
        if format == 0 {
            header.message_stream = u32::from_le_bytes(self.array()?);
        }
        if !header.is_extended {
            return Some(());
        }
        if format < 3 {
            header.stamp = u32::from_be_bytes(self.array()?);
            return Some(());
        }
        self.repeated_stamp(header.stamp)
    }

    /// Headers of format 3 repeat a stamp of 32 bits; some senders leave it out, and what stands there is media.
    fn repeated_stamp(&mut self, stamp: u32) -> Option<()> {
        let expected = stamp.to_be_bytes();
        let there = self.0.get(..expected.len().min(self.0.len()))?;
        if !expected.starts_with(there) {
            return Some(()); // left out
        }
        if there.len() < expected.len() {
            return None;
        }
        self.0 = self.0.get(expected.len()..)?;
        Some(())
    }
}

// Named, because the fuzz targets take this file in from elsewhere.
#[cfg(test)]
#[path = "chunk_reader/tests.rs"]
mod tests;
