//! What a connection carries: messages, and packets between them (RFC 2326 §10.12).

use crate::{Failure, rtsp::message::Message};

/// Bytes of a head at most.
const LONGEST_HEAD: usize = 64 << 10;
/// Bytes of a body at most: descriptions of a megabyte are none of cameras.
const LONGEST_BODY: usize = 1 << 20;
/// `$`, channel, length.
const PACKET_HEAD: usize = 4;

/// One thing of those that a connection carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message(Message),
    /// With its four bytes in front.
    Packet(Vec<u8>),
}

/// Cuts a stream of bytes into items. Keeps one unfinished item at most.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    bytes: Vec<u8>,
    /// Bytes at the beginning that were given out.
    taken: usize,
    /// A message whose body is on its way, and the body's length.
    unfinished: Option<(Message, usize)>,
}

impl Splitter {
    /// Adds what came.
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(data);
    }

    /// The next item, if it is complete.
    ///
    /// # Errors
    /// [`Failure::Malformed`], [`Failure::TooLong`]: nothing after it can be understood
    pub(crate) fn next(&mut self) -> Result<Option<Item>, Failure> {
        if let Some((mut message, length)) = self.unfinished.take() {
            let Some(body) = self.rest().get(..length).map(<[u8]>::to_vec) else {
                self.unfinished = Some((message, length));
                return Ok(None);
            };
            self.taken += length;
            message.body = body;
            return Ok(Some(Item::Message(message)));
        }
        // Some servers end a body with a line that its length does not count.
        while let Some(b'\r' | b'\n') = self.rest().first() {
            self.taken += 1;
        }
        match self.rest().first() {
            None => Ok(None),
            Some(b'$') => Ok(self.packet()),
            Some(_) => self.message(),
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    fn packet(&mut self) -> Option<Item> {
        let &[_, _, high, low] = self.rest().first_chunk::<PACKET_HEAD>()?;
        let length = PACKET_HEAD + usize::from(u16::from_be_bytes([high, low]));
        let packet = self.rest().get(..length)?.to_vec();
        self.taken += length;
        Some(Item::Packet(packet))
    }

    fn message(&mut self) -> Result<Option<Item>, Failure> {
        let Some((head, end)) = end_of_head(self.rest()) else {
            return if self.rest().len() > LONGEST_HEAD {
                Err(Failure::TooLong("the head of an RTSP message"))
            } else {
                Ok(None)
            };
        };
        let message = Message::parse(self.rest().get(..head).unwrap_or_default())?;
        let length = message.announced_length()?;
        if head > LONGEST_HEAD || length > LONGEST_BODY {
            return Err(Failure::TooLong("an RTSP message"));
        }
        self.taken += end;
        self.unfinished = Some((message, length));
        self.next()
    }
}

/// Where a head ends, and where what follows begins: after an empty line.
fn end_of_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut begin = 0;
    loop {
        let line = bytes.get(begin..)?.iter().position(|byte| *byte == b'\n')?;
        let next = begin + line + 1;
        let is_empty = matches!(bytes.get(begin..next)?, b"\n" | b"\r\n");
        if is_empty && begin > 0 {
            return Some((begin, next));
        }
        begin = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(pieces: &[&[u8]]) -> Vec<Item> {
        let mut splitter = Splitter::default();
        let mut items = Vec::new();
        for piece in pieces {
            splitter.push(piece);
            while let Some(item) = splitter.next().unwrap() {
                items.push(item);
            }
        }
        items
    }

    const STREAM: &[u8] = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nv=0\n\r\n$\x00\x00\x03\r\n$OPTIONS * RTSP/1.0\nCSeq: 2\n\n$\x01\x00\x00";

    #[test]
    fn messages_and_packets_are_told_apart() {
        let items = items(&[STREAM]);
        assert_eq!(items.len(), 4);
        assert!(matches!(&items[0], Item::Message(message) if message.body == b"v=0\n"));
        assert_eq!(items[1], Item::Packet(b"$\x00\x00\x03\r\n$".to_vec()));
        assert!(matches!(&items[2], Item::Message(message) if message.sequence() == Some(2)));
        assert_eq!(items[3], Item::Packet(b"$\x01\x00\x00".to_vec()));
    }

    #[test]
    fn what_never_ends_is_given_up() {
        for endless in [
            "RTSP/1.0 200 OK\r\nA: ",
            "RTSP/1.0 200 OK\r\nA: b\r\nContent-Length: 99999999\r\n\r\n",
        ] {
            let mut splitter = Splitter::default();
            splitter.push(endless.as_bytes());
            let filler = [b'x'; 4096];
            let ended = (0..1000).any(|_| {
                splitter.push(&filler);
                splitter.next().is_err()
            });
            assert!(ended, "{endless}");
            assert!(splitter.bytes.len() < 2 * LONGEST_HEAD);
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(cuts in proptest::collection::vec(0..STREAM.len(), 0..5)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &STREAM[pair[0]..pair[1]]).collect();
            prop_assert_eq!(items(&pieces), items(&[STREAM]));
        }

        #[test]
        fn any_bytes_are_cut_or_refused(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut splitter = Splitter::default();
            splitter.push(&data);
            while let Ok(Some(_)) = splitter.next() {}
        }
    }
}
