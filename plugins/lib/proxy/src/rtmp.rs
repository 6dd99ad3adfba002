//! The client's half of an RTMP connection (Adobe's Real-Time Messaging Protocol 1.0). No I/O.
//!
//! A client tells the server in its first message, `connect`, which URL it asks for. It only knows that of the proxy, so
//! the message is written anew; and so is all that it sends, since later chunks refer to the lengths of earlier ones.
//! What the server sends needs no look: `rtmp2src` follows no redirection.

use std::collections::HashMap;

use crate::Failure;

/// C0, C1 and C2 (§5.2).
const HANDSHAKE: usize = 1 + 1536 + 1536;
/// Until a client says otherwise (§5.4.1).
const CHUNK: usize = 128;
/// A client that asks for media sends no longer messages.
const LONGEST: usize = 64 << 10;
/// Chunk streams of a client.
const MOST_STREAMS: usize = 16;
/// In the place of a time that needs more than 24 bits (§5.3.1.3).
const EXTENDED: u32 = 0xff_ffff;

const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;
const COMMAND: u8 = 20;

/// Names of a proxy and of what it stands for, in front of paths.
#[derive(Debug, Clone)]
pub struct Names {
    /// Scheme, address, port and token of the proxy, as the client was given them.
    pub own: String,
    /// The same of the server.
    pub public: String,
    /// The first part of the path in `own`, which the name of the application begins with.
    pub token: String,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Client {
    names: Names,
    /// Bytes of the handshake that are to come.
    handshake: usize,
    bytes: Vec<u8>,
    chunk: usize,
    streams: HashMap<u32, ChunkStream>,
    is_connected: bool,
}

/// What chunks with short headers refer to.
#[derive(Debug, Default)]
struct ChunkStream {
    time: u32,
    delta: u32,
    length: usize,
    kind: u8,
    message_stream: [u8; 4],
    is_extended: bool,
    payload: Vec<u8>,
}

impl Client {
    /// A connection that just begins.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            handshake: HANDSHAKE,
            bytes: Vec::new(),
            chunk: CHUNK,
            streams: HashMap::new(),
            is_connected: false,
        }
    }

    /// The client has sent something; `to_server` gets what the server is to get.
    ///
    /// # Errors
    /// [`Failure`]: both connections are to be closed
    pub fn on_client(&mut self, data: &[u8], to_server: &mut Vec<u8>) -> Result<(), Failure> {
        let (first, rest) = data.split_at(self.handshake.min(data.len()));
        self.handshake -= first.len();
        to_server.extend_from_slice(first);
        self.bytes.extend_from_slice(rest);
        let mut taken = 0;
        while let Some(length) = self.take_chunk(taken, to_server)? {
            taken += length;
        }
        self.bytes.drain(..taken);
        if self.bytes.len() > self.chunk.min(LONGEST) + 32 {
            return Err(Failure::TooLong("an RTMP message"));
        }
        Ok(())
    }

    /// Reads the chunk that begins at a place; its length, if it is complete.
    fn take_chunk(&mut self, at: usize, to_server: &mut Vec<u8>) -> Result<Option<usize>, Failure> {
        let mut reader = Reader(self.bytes.get(at..).unwrap_or_default());
        let available = reader.0.len();
        let Some((format, id)) = reader.basic_header() else {
            return Ok(None);
        };
        if self.streams.len() == MOST_STREAMS && !self.streams.contains_key(&id) {
            return Err(Failure::TooLong("the list of RTMP chunk streams"));
        }
        let stream = self.streams.entry(id).or_default();
        let Some(header) = reader.header(format, stream) else {
            return Ok(None);
        };
        if header.length > LONGEST {
            return Err(Failure::TooLong("an RTMP message"));
        }
        let wanted = (header.length - stream.payload.len().min(header.length)).min(self.chunk);
        let Some(piece) = reader.bytes(wanted) else {
            return Ok(None);
        };
        stream.apply(&header, format);
        stream.payload.extend_from_slice(piece);
        let length = available - reader.0.len();
        if stream.payload.len() >= stream.length {
            let payload = std::mem::take(&mut stream.payload);
            self.message(id, payload, to_server)?;
        }
        Ok(Some(length))
    }

    fn message(
        &mut self,
        id: u32,
        mut payload: Vec<u8>,
        to_server: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let Some(stream) = self.streams.get(&id) else {
            return Ok(());
        };
        let kind = stream.kind;
        if kind == ABORT {
            // Its chunks were kept here and never sent.
            let aborted = payload.first_chunk::<4>().map(|id| u32::from_be_bytes(*id));
            if let Some(stream) = aborted.and_then(|id| self.streams.get_mut(&id)) {
                stream.payload.clear();
            }
            return Ok(());
        }
        if kind == COMMAND && !self.is_connected {
            payload = connect(&payload, &self.names)
                .ok_or(Failure::Malformed("a client that is no player"))?;
            self.is_connected = true;
        }
        write(id, stream, &payload, self.chunk, to_server);
        if kind == SET_CHUNK_SIZE
            && let Some(size) = payload.first_chunk::<4>()
        {
            self.chunk = (u32::from_be_bytes(*size) as usize).clamp(1, 0xff_ffff);
        }
        Ok(())
    }
}

impl ChunkStream {
    fn apply(&mut self, header: &Header, format: u8) {
        let begins = self.payload.is_empty();
        self.is_extended = header.is_extended;
        match format {
            0 => (self.time, self.delta) = (header.time, 0),
            1 | 2 => {
                self.delta = header.time;
                self.time = self.time.wrapping_add(self.delta);
            }
            // A message of its own with the same header, or a piece of the one that has begun.
            _ if begins => self.time = self.time.wrapping_add(self.delta),
            _ => {}
        }
        self.length = header.length;
        self.kind = header.kind;
        self.message_stream = header.message_stream;
    }
}

/// A chunk's header, with what it leaves out (§5.3.1.2).
struct Header {
    time: u32,
    is_extended: bool,
    length: usize,
    kind: u8,
    message_stream: [u8; 4],
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// A number of 24 bits.
    fn short(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    /// Format, and number of the chunk stream (§5.3.1.1).
    fn basic_header(&mut self) -> Option<(u8, u32)> {
        let [first] = self.array()?;
        let id = match first & 0x3f {
            0 => 64 + self.array::<1>().map(|[id]| u32::from(id))?,
            1 => 64 + u32::from(u16::from_le_bytes(self.array()?)),
            id => u32::from(id),
        };
        Some((first >> 6, id))
    }

    fn header(&mut self, format: u8, before: &ChunkStream) -> Option<Header> {
        let mut header = Header {
            time: before.delta,
            is_extended: before.is_extended,
            length: before.length,
            kind: before.kind,
            message_stream: before.message_stream,
        };
        if format < 3 {
            header.time = self.short()?;
            header.is_extended = header.time == EXTENDED;
        }
        if format < 2 {
            header.length = usize::try_from(self.short()?).ok()?;
            [header.kind] = self.array()?;
        }
        if format == 0 {
            header.message_stream = self.array()?;
        }
        if header.is_extended {
            header.time = u32::from_be_bytes(self.array()?);
        }
        Some(header)
    }
}

/// Appends a message with a full header, in chunks.
fn write(id: u32, stream: &ChunkStream, payload: &[u8], chunk: usize, out: &mut Vec<u8>) {
    let is_extended = stream.time >= EXTENDED;
    let short = |number: u32| number.to_be_bytes().into_iter().skip(1);
    basic_header(0, id, out);
    out.extend(short(stream.time.min(EXTENDED)));
    out.extend(short(u32::try_from(payload.len()).unwrap_or(0)));
    out.push(stream.kind);
    out.extend(stream.message_stream);
    for (index, piece) in payload.chunks(chunk).enumerate() {
        if index > 0 {
            basic_header(3, id, out);
        }
        if is_extended {
            out.extend(stream.time.to_be_bytes());
        }
        out.extend_from_slice(piece);
    }
}

fn basic_header(format: u8, id: u32, out: &mut Vec<u8>) {
    let first = format << 6;
    // The reader makes numbers of up to 64 + 65,535.
    match (u8::try_from(id), u8::try_from(id.wrapping_sub(64))) {
        (Ok(id @ 2..=63), _) => out.push(first | id),
        (_, Ok(id)) => out.extend([first, id]),
        _ => {
            out.push(first | 1);
            let [low, high, ..] = id.wrapping_sub(64).to_le_bytes();
            out.extend([low, high]);
        }
    }
}

/// The command `connect` (§7.2.1.1) with the names of the server in place of the proxy's; `None` if it is another one,
/// or does not know the proxy.
fn connect(payload: &[u8], names: &Names) -> Option<Vec<u8>> {
    let mut reader = Reader(payload);
    let mut out = Vec::with_capacity(payload.len());
    if reader.value()? != Value::Text(b"connect") || !matches!(reader.value()?, Value::Other) {
        return None;
    }
    if reader.array::<1>()? != [OBJECT] {
        return None;
    }
    out.extend_from_slice(payload.get(..payload.len() - reader.0.len())?);
    let mut found = 0;
    loop {
        let name = reader.text()?;
        text(name, &mut out);
        if name.is_empty() {
            break;
        }
        let before = reader.0;
        let value = reader.value()?;
        let replaced = match (name, value) {
            (b"app", Value::Text(app)) => Some(without_token(app, names)?),
            (b"tcUrl", Value::Text(url)) => Some(public(url, names)?),
            _ => None,
        };
        match replaced {
            Some(replaced) => {
                found += 1;
                out.push(TEXT);
                text(&replaced, &mut out);
            }
            None => out.extend_from_slice(before.get(..before.len() - reader.0.len())?),
        }
    }
    out.extend_from_slice(reader.0);
    (found == 2).then_some(out)
}

fn without_token(app: &[u8], names: &Names) -> Option<Vec<u8>> {
    let rest = app.strip_prefix(names.token.as_bytes())?;
    match rest.split_first() {
        Some((b'/', rest)) => Some(rest.to_vec()),
        Some((b'?', _)) | None => Some(rest.to_vec()),
        Some(_) => None,
    }
}

fn public(url: &[u8], names: &Names) -> Option<Vec<u8>> {
    let rest = url.strip_prefix(names.own.as_bytes())?;
    Some([names.public.as_bytes(), rest].concat())
}

/// Markers of AMF 0 (§2.1 of its specification).
const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const TEXT: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;

#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Text(&'a [u8]),
    Other,
}

impl<'a> Reader<'a> {
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.bytes(length.into())
    }

    /// What the properties of `connect` may be.
    fn value(&mut self) -> Option<Value<'a>> {
        let [marker] = self.array()?;
        let length = match marker {
            TEXT => return self.text().map(Value::Text),
            NUMBER => 8,
            BOOLEAN => 1,
            NULL | UNDEFINED => 0,
            _ => return None,
        };
        self.bytes(length).map(|_| Value::Other)
    }
}

fn text(text: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(text.get(..length.into()).unwrap_or(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        Names {
            own: "rtmp://127.0.0.1:9/token".to_owned(),
            public: "rtmp://media.example.org:1936".to_owned(),
            token: "token".to_owned(),
        }
    }

    fn command(app: &str, url: &str) -> Vec<u8> {
        let mut bytes = vec![TEXT];
        text(b"connect", &mut bytes);
        bytes.extend([NUMBER, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, OBJECT]);
        for (name, value) in [("app", app), ("flashVer", "LNX"), ("tcUrl", url)] {
            text(name.as_bytes(), &mut bytes);
            bytes.push(TEXT);
            text(value.as_bytes(), &mut bytes);
        }
        text(b"fpad", &mut bytes);
        bytes.extend([BOOLEAN, 0, 0, 0, 9]);
        bytes
    }

    fn stream(kind: u8, time: u32, length: usize) -> ChunkStream {
        ChunkStream {
            time,
            kind,
            length,
            ..ChunkStream::default()
        }
    }

    fn message(id: u32, kind: u8, time: u32, payload: &[u8], chunk: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(
            id,
            &stream(kind, time, payload.len()),
            payload,
            chunk,
            &mut bytes,
        );
        bytes
    }

    fn proxied(pieces: &[&[u8]]) -> Result<Vec<u8>, Failure> {
        let mut client = Client::new(names());
        let mut out = Vec::new();
        client.on_client(&[7; HANDSHAKE], &mut out)?;
        for piece in pieces {
            client.on_client(piece, &mut out)?;
        }
        assert_eq!(out.drain(..HANDSHAKE).collect::<Vec<_>>(), [7; HANDSHAKE]);
        Ok(out)
    }

    #[test]
    fn the_server_is_told_its_own_url() {
        let sent = message(
            3,
            COMMAND,
            0,
            &command("token/live", "rtmp://127.0.0.1:9/token/live"),
            CHUNK,
        );
        let expected = message(
            3,
            COMMAND,
            0,
            &command("live", "rtmp://media.example.org:1936/live"),
            CHUNK,
        );
        assert_eq!(proxied(&[&sent]).unwrap(), expected);
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(proxied(&bytes).unwrap(), expected);
    }

    #[test]
    fn nobody_but_the_player_is_served() {
        for (app, url) in [
            ("live", "rtmp://127.0.0.1:9/live"),
            ("token2/live", "rtmp://127.0.0.1:9/token2/live"),
            ("token/live", "rtmp://127.0.0.1:9/other/live"),
        ] {
            let sent = message(3, COMMAND, 0, &command(app, url), CHUNK);
            assert!(proxied(&[&sent]).is_err(), "{app} {url}");
        }
    }

    #[test]
    fn chunks_grow_and_headers_shrink() {
        let connect = message(
            3,
            COMMAND,
            0,
            &command("token/a", "rtmp://127.0.0.1:9/token/a"),
            CHUNK,
        );
        let grown = message(2, SET_CHUNK_SIZE, 0, &[0, 0, 1, 0], CHUNK);
        let long = message(3, COMMAND, 5, &[9; 300], 256);
        // The same again, 7 ms later, of the same length: format 2, then the rest in format 3.
        let mut short = vec![0x83, 0, 0, 7];
        short.extend([8; 256]);
        short.push(0xc3);
        short.extend([8; 44]);
        let out = proxied(&[&connect, &grown, &long, &short]).unwrap();
        let mut expected = message(
            3,
            COMMAND,
            0,
            &command("a", "rtmp://media.example.org:1936/a"),
            CHUNK,
        );
        expected.extend(&grown);
        expected.extend(&long);
        expected.extend(message(3, COMMAND, 12, &[8; 300], 256));
        assert_eq!(out, expected);
    }

    #[test]
    fn times_beyond_24_bits_stay() {
        let connect = message(
            3,
            COMMAND,
            0,
            &command("token/a", "rtmp://127.0.0.1:9/token/a"),
            CHUNK,
        );
        let late = message(70, COMMAND, 0x0123_4567, &[1; 200], CHUNK);
        let out = proxied(&[&connect, &late]).unwrap();
        assert!(out.ends_with(&late));
    }

    proptest! {
        #[test]
        fn any_bytes_are_passed_on_or_refused(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut client = Client::new(names());
            let mut out = Vec::new();
            client.handshake = 0;
            for piece in data.chunks(7) {
                if client.on_client(piece, &mut out).is_err() {
                    break;
                }
            }
            prop_assert!(client.streams.len() <= MOST_STREAMS);
        }
    }
}
