//! One connection of a client that publishes: handshake, commands (§7.2), and the messages about the connection.
//!
//! ```text
//! C0 C1 ─> S0 S1 S2 ─> C2 ─> connect ─> _result ─> releaseStream, FCPublish, createStream ─> _result ─> publish
//!                                                                  onStatus NetStream.Publish.Start <──┘
//! ```

use super::{
    Message, Target,
    amf0::{self, Value},
    chunk_reader::{self, ChunkReader},
    chunk_writer::ChunkWriter,
    handshake::{Handshake, RANDOM},
    login::{self, Login},
    message::{ACKNOWLEDGEMENT, COMMAND, COMMAND_3, PEER_BANDWIDTH, USER_CONTROL, WINDOW_SIZE},
};

/// Of what is sent, as OBS has it: small enough for servers that are careful, large enough for few headers.
const CHUNK_SIZE: usize = 4096;
/// Of a server's messages, which are commands and a few bytes about the connection.
const LONGEST: usize = 256 << 10;
/// A server asks for acknowledgements at least this far apart, or gets them so.
const SMALLEST_WINDOW: u32 = 1024;

// Transactions. The server's answers have the same numbers.
const CONNECT: f64 = 1.0;
const RELEASE: f64 = 2.0;
const PREPARE: f64 = 3.0;
const CREATE: f64 = 4.0;
const PUBLISH: f64 = 5.0;

// User Control (§7.1.7).
const PING_REQUEST: [u8; 2] = [0, 6];
const PING_RESPONSE: [u8; 2] = [0, 7];

/// What a server has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Media may come.
    Publishing,
    /// This connection is over, and another one is to be made: to there, with what a login asks for.
    Elsewhere(Box<Target>),
    /// This connection is over, and another one is to be made with this login.
    Again(Again),
}

/// A login that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Again {
    login: Login,
    /// Behind the name of the application.
    query: String,
}

/// Why a connection cannot go on. No text of it has the name of the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the server does not speak RTMP")]
    NotRtmp,
    #[error("the server sends {0}")]
    Malformed(#[from] chunk_reader::Error),
    /// Its code and its reason.
    #[error("the server refuses: {0}")]
    Refused(String),
}

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Creating,
    /// With the number of the message stream.
    Asking(u32),
    Publishing(u32),
}

/// See the head of this file.
pub(crate) struct Publisher {
    target: Target,
    again: Again,
    nonce: u32,
    handshake: Option<Handshake>,
    reader: ChunkReader,
    writer: ChunkWriter,
    state: State,
    window: Window,
    out: Vec<u8>,
}

/// What was received, for acknowledgements.
#[derive(Debug, Default)]
struct Window {
    size: u32,
    received: u32,
    acknowledged: u32,
}

impl Publisher {
    /// Begins a connection. `random` need not be unpredictable.
    pub(crate) fn new(target: Target, again: Again, random: &[u8; RANDOM]) -> Self {
        let mut out = Vec::new();
        let handshake = Handshake::begin(random, &mut out);
        let nonce = random
            .first_chunk::<4>()
            .map_or(0, |nonce| u32::from_be_bytes(*nonce));
        Self {
            target,
            again,
            nonce,
            handshake: Some(handshake),
            reader: ChunkReader::new(LONGEST),
            writer: ChunkWriter::new(),
            state: State::Connecting,
            window: Window::default(),
            out,
        }
    }

    /// What is to be sent; whoever sends it takes it out from the front.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Takes what has come from the server.
    ///
    /// # Errors
    /// [`Failure`]: the connection is to be closed
    pub(crate) fn on_data(&mut self, data: &[u8]) -> Result<Option<Said>, Failure> {
        let data = match &mut self.handshake {
            None => data,
            Some(handshake) => {
                let rest = handshake.on_data(data, &mut self.out);
                let Some(rest) = rest.map_err(|_| Failure::NotRtmp)? else {
                    return Ok(None);
                };
                self.handshake = None;
                self.connect();
                rest
            }
        };
        self.count(data.len());
        self.reader.push(data);
        while let Some(message) = self.reader.next()? {
            if let Some(said) = self.on_message(&message)? {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// Sends media or metadata. Before the server lets it in nothing is sent.
    pub(crate) fn send(&mut self, kind: u8, time: u32, body: Vec<u8>) {
        if let State::Publishing(stream) = self.state {
            self.write(&Message {
                kind,
                time,
                stream,
                body,
            });
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&mut self) {
        if let State::Publishing(stream) = self.state {
            let name = Value::text(&self.target.name);
            self.command(0, "FCUnpublish", 6.0, [Value::Null, name]);
            let number = Value::Number(f64::from(stream));
            self.command(0, "deleteStream", 7.0, [Value::Null, number]);
        }
    }

    fn connect(&mut self) {
        self.writer.set_chunk_size(CHUNK_SIZE, &mut self.out);
        let entry = |name: &str, value: Value| (name.to_owned(), value);
        let (app, query) = (&self.target.app, &self.again.query);
        let properties = Value::Object(vec![
            entry("app", Value::Text(format!("{app}{query}"))),
            entry("type", Value::text("nonprivate")),
            // What servers look for in encoders rather than in players.
            entry("flashVer", Value::text("FMLE/3.0 (compatible; Rivero)")),
            entry(
                "tcUrl",
                Value::Text(format!("{}{query}", self.target.tc_url())),
            ),
        ]);
        self.command(0, "connect", CONNECT, [properties]);
    }

    fn create(&mut self) {
        let name = Value::text(&self.target.name);
        // Some servers want the first two, none answers them in a way that matters.
        self.command(0, "releaseStream", RELEASE, [Value::Null, name.clone()]);
        self.command(0, "FCPublish", PREPARE, [Value::Null, name]);
        self.command(0, "createStream", CREATE, [Value::Null]);
        self.state = State::Creating;
    }

    fn publish(&mut self, stream: u32) {
        let name = Value::text(&self.target.name);
        let values = [Value::Null, name, Value::text("live")];
        self.command(stream, "publish", PUBLISH, values);
        self.state = State::Asking(stream);
    }

    fn command<const N: usize>(
        &mut self,
        stream: u32,
        name: &str,
        transaction: f64,
        values: [Value; N],
    ) {
        let mut all = vec![Value::text(name), Value::Number(transaction)];
        all.extend(values);
        self.write(&Message {
            kind: COMMAND,
            time: 0,
            stream,
            body: amf0::write(&all),
        });
    }

    fn control(&mut self, kind: u8, body: Vec<u8>) {
        self.write(&Message {
            kind,
            time: 0,
            stream: 0,
            body,
        });
    }

    fn write(&mut self, message: &Message) {
        self.writer.write(message, &mut self.out);
    }

    /// Acknowledges what was received, where the server asks for that. What it acknowledges itself is of no interest:
    /// some count otherwise, and nothing waits for it.
    fn count(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let window = &mut self.window;
        window.received = window.received.wrapping_add(length);
        let since = window.received.wrapping_sub(window.acknowledged);
        if window.size > 0 && since >= window.size {
            window.acknowledged = window.received;
            let received = window.received.to_be_bytes().to_vec();
            self.control(ACKNOWLEDGEMENT, received);
        }
    }

    fn on_message(&mut self, message: &Message) -> Result<Option<Said>, Failure> {
        let body = message.body.as_slice();
        match message.kind {
            COMMAND => return self.on_command(&amf0::read(body)),
            COMMAND_3 => return self.on_command(&amf0::read(body.get(1..).unwrap_or_default())),
            WINDOW_SIZE => {
                if let Some(size) = body.first_chunk::<4>() {
                    self.window.size = u32::from_be_bytes(*size).max(SMALLEST_WINDOW);
                }
            }
            PEER_BANDWIDTH => {
                // The answer is how far apart we want acknowledgements: as far as the server does.
                if let Some(size) = body.first_chunk::<4>() {
                    self.control(WINDOW_SIZE, size.to_vec());
                }
            }
            USER_CONTROL => {
                if let Some(time) = body.strip_prefix(&PING_REQUEST) {
                    let time = time.get(..4).unwrap_or(time);
                    self.control(USER_CONTROL, [&PING_RESPONSE[..], time].concat());
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn on_command(&mut self, values: &[Value]) -> Result<Option<Said>, Failure> {
        let [name, transaction, ..] = values else {
            return Ok(None);
        };
        let transaction = transaction.as_number().unwrap_or_default();
        let information = values.get(3).unwrap_or(&Value::Null);
        match name.as_text() {
            Some("_result") if transaction == CONNECT && self.state == State::Connecting => {
                self.create();
            }
            Some("_result") if transaction == CREATE && self.state == State::Creating => {
                let stream = information.as_number().unwrap_or_default();
                if !(0.0..=f64::from(u32::MAX)).contains(&stream) {
                    return Err(Failure::Refused("createStream".to_owned()));
                }
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "in range"
                )]
                self.publish(stream as u32);
            }
            // What releaseStream and FCPublish are answered does not matter.
            Some("_error") if ![RELEASE, PREPARE].contains(&transaction) => {
                return self.refused(information).map(Some);
            }
            Some("onStatus") => return self.on_status(information),
            _ => {}
        }
        Ok(None)
    }

    fn on_status(&mut self, information: &Value) -> Result<Option<Said>, Failure> {
        let code = information.get("code").and_then(Value::as_text);
        if code == Some("NetStream.Publish.Start") {
            if let State::Asking(stream) = self.state {
                self.state = State::Publishing(stream);
                return Ok(Some(Said::Publishing));
            }
            return Ok(None);
        }
        let level = information.get("level").and_then(Value::as_text);
        let is_end = matches!(
            code,
            Some(
                "NetStream.Publish.BadName"
                    | "NetConnection.Connect.Rejected"
                    | "NetConnection.Connect.Closed"
            )
        );
        if level == Some("error") || is_end {
            return self.refused(information).map(Some);
        }
        Ok(None)
    }

    /// What to do about a refusal.
    fn refused(&self, information: &Value) -> Result<Said, Failure> {
        let text =
            |value: &Value, name| value.get(name).and_then(Value::as_text).map(str::to_owned);
        let redirection = information
            .get("ex")
            .and_then(|more| text(more, "redirect"));
        if let Some(target) = redirection.and_then(|url| self.target.redirected(&url)) {
            return Ok(Said::Elsewhere(Box::new(target)));
        }
        let description = text(information, "description").unwrap_or_default();
        let next = login::next(&description, &self.again.login, &self.target, self.nonce);
        if let Some((login, query)) = next {
            return Ok(Said::Again(Again { login, query }));
        }
        let code = text(information, "code").unwrap_or_else(|| "without a code".to_owned());
        let reason = format!("{code} {description}");
        Err(Failure::Refused(self.without_secrets(&reason)))
    }

    /// A server's text without what it may repeat of the stream's name, cut to a length for logs and events.
    fn without_secrets(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in [&self.target.name, &self.target.password] {
            if secret.len() > 1 {
                shown = shown.replace(secret.as_str(), "***");
            }
        }
        let printable = shown.chars().filter(|character| !character.is_control());
        printable.take(200).collect::<String>().trim().to_owned()
    }
}

#[cfg(test)]
mod tests;
