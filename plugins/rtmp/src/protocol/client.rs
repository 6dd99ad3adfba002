//! One connection to a server, to publish or to play: handshake, commands (§7.2), and the messages about the connection.
//!
//! ```text
//! C0 C1 ─> S0 S1 S2 ─> C2 ─> connect ─> _result ─> releaseStream, FCPublish, createStream ─> _result ─> publish
//!                                                                  onStatus NetStream.Publish.Start <──┘
//!                                              ─> FCSubscribe, createStream ─> _result ─> play
//!                                                        onStatus NetStream.Play.Start, media <──┘
//! ```

use rivero_flv::Coding;

use super::{
    Message, Target,
    amf0::{self, Value},
    chunk_reader::{self, ChunkReader},
    chunk_writer::ChunkWriter,
    enhanced,
    handshake::{Handshake, RANDOM},
    login::{self, Login},
    message::{
        ACKNOWLEDGEMENT, AUDIO, COMMAND, COMMAND_3, PEER_BANDWIDTH, USER_CONTROL, VIDEO,
        WINDOW_SIZE,
    },
    window::Window,
};

/// Of what is sent, as OBS has it: small enough for servers that are careful, large enough for few headers.
const CHUNK_SIZE: usize = 4096;
/// Of a server's messages to somebody who publishes, which are commands and a few bytes about the connection.
const LONGEST: usize = 256 << 10;
/// Of media: a keyframe of a large picture.
pub(super) const LONGEST_MEDIA: usize = 8 << 20;
/// ms of media that a server is told we keep: it sends at the pace of time, and at first so much at once.
const BUFFER: u32 = 500;

// Transactions. The server's answers have the same numbers.
const CONNECT: f64 = 1.0;
const RELEASE: f64 = 2.0;
const PREPARE: f64 = 3.0;
const CREATE: f64 = 4.0;
const PUBLISH: f64 = 5.0;
/// No answer: it is for networks that fetch a stream only then.
const SUBSCRIBE: f64 = PREPARE;

// User Control (§7.1.7).
const STREAM_EOF: [u8; 2] = [0, 1];
const SET_BUFFER_LENGTH: [u8; 2] = [0, 3];
const PING_REQUEST: [u8; 2] = [0, 6];
const PING_RESPONSE: [u8; 2] = [0, 7];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Media goes to the server.
    Publish {
        /// Whether the server is told that there may be more than H.264 and AAC (Enhanced RTMP).
        is_enhanced: bool,
    },
    /// Media comes from it.
    Play,
}

/// What a server has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Media may go, or comes.
    Open,
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
    #[error("the stream has ended")]
    Ended,
}

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Creating,
    /// With the number of the message stream.
    Asking(u32),
    Open(u32),
}

/// See the head of this file.
pub(crate) struct Client {
    role: Role,
    target: Target,
    again: Again,
    nonce: u32,
    handshake: Option<Handshake>,
    reader: ChunkReader,
    writer: ChunkWriter,
    state: State,
    window: Window,
    /// What the server says that it takes beyond H.264 and AAC.
    offered: Vec<Coding>,
    /// What has come of the media that is played.
    media: Vec<Message>,
    out: Vec<u8>,
}

impl Client {
    /// Begins a connection. `random` need not be unpredictable.
    pub(crate) fn new(role: Role, target: Target, again: Again, random: &[u8; RANDOM]) -> Self {
        let mut out = Vec::new();
        let handshake = Handshake::begin(random, &mut out);
        let nonce = random
            .first_chunk::<4>()
            .map_or(0, |nonce| u32::from_be_bytes(*nonce));
        let longest = match role {
            Role::Publish { .. } => LONGEST,
            Role::Play => LONGEST_MEDIA,
        };
        Self {
            role,
            target,
            again,
            nonce,
            handshake: Some(handshake),
            reader: ChunkReader::new(longest),
            writer: ChunkWriter::new(),
            state: State::Connecting,
            window: Window::default(),
            offered: Vec::new(),
            media: Vec::new(),
            out,
        }
    }

    /// What is to be sent; whoever sends it takes it out from the front.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// The encodings of Enhanced RTMP that the server has said it takes.
    pub(crate) fn offered(&self) -> &[Coding] {
        &self.offered
    }

    /// Media that has come since.
    pub(crate) fn take_media(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.media)
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
        if let Some(received) = self.window.count(data.len()) {
            self.control(ACKNOWLEDGEMENT, received.to_be_bytes().to_vec());
        }
        self.reader.push(data);
        while let Some(message) = self.reader.next()? {
            if let Some(said) = self.on_message(message)? {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// Sends media or metadata. Before the server lets it in nothing is sent.
    pub(crate) fn send(&mut self, kind: u8, time: u32, body: Vec<u8>) {
        if let State::Open(stream) = self.state {
            self.write(&Message {
                kind,
                time,
                stream,
                body,
            });
        }
    }

    /// Says that nothing more comes, or is wanted.
    pub(crate) fn close(&mut self) {
        if let State::Open(stream) = self.state {
            if matches!(self.role, Role::Publish { .. }) {
                let name = Value::text(&self.target.name);
                self.command(0, "FCUnpublish", 6.0, [Value::Null, name]);
            }
            let number = Value::Number(f64::from(stream));
            self.command(0, "deleteStream", 7.0, [Value::Null, number]);
        }
    }

    fn connect(&mut self) {
        self.writer.set_chunk_size(CHUNK_SIZE, &mut self.out);
        let entry = |name: &str, value: Value| (name.to_owned(), value);
        let (app, query) = (&self.target.app, &self.again.query);
        let mut properties = vec![
            entry("app", Value::Text(format!("{app}{query}"))),
            entry("type", Value::text("nonprivate")),
            // What servers look for in encoders rather than in players.
            entry("flashVer", Value::text("FMLE/3.0 (compatible; Rivero)")),
            entry(
                "tcUrl",
                Value::Text(format!("{}{query}", self.target.tc_url())),
            ),
        ];
        match self.role {
            Role::Publish { is_enhanced: false } => {}
            Role::Publish { is_enhanced: true } => {
                properties.extend(enhanced::entries(enhanced::CAN_ENCODE));
            }
            Role::Play => properties.extend(enhanced::entries(enhanced::CAN_DECODE)),
        }
        self.command(0, "connect", CONNECT, [Value::Object(properties)]);
    }

    fn create(&mut self) {
        let name = Value::text(&self.target.name);
        // Some servers want what comes before createStream, none answers it in a way that matters.
        match self.role {
            Role::Publish { .. } => {
                self.command(0, "releaseStream", RELEASE, [Value::Null, name.clone()]);
                self.command(0, "FCPublish", PREPARE, [Value::Null, name]);
            }
            Role::Play => self.command(0, "FCSubscribe", SUBSCRIBE, [Value::Null, name]),
        }
        self.command(0, "createStream", CREATE, [Value::Null]);
        self.state = State::Creating;
    }

    fn ask(&mut self, stream: u32) {
        let name = Value::text(&self.target.name);
        match self.role {
            Role::Publish { .. } => {
                let values = [Value::Null, name, Value::text("live")];
                self.command(stream, "publish", PUBLISH, values);
            }
            Role::Play => {
                // Live, and from its beginning what is not.
                self.command(stream, "play", PUBLISH, [Value::Null, name]);
                let (stream, length) = (stream.to_be_bytes(), BUFFER.to_be_bytes());
                let body = [&SET_BUFFER_LENGTH[..], &stream, &length].concat();
                self.control(USER_CONTROL, body);
            }
        }
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

    fn on_message(&mut self, message: Message) -> Result<Option<Said>, Failure> {
        let body = message.body.as_slice();
        match message.kind {
            AUDIO | VIDEO => return Ok(self.on_media(message)),
            COMMAND => return self.on_command(&amf0::read(body)),
            COMMAND_3 => return self.on_command(&amf0::read(body.get(1..).unwrap_or_default())),
            WINDOW_SIZE => {
                if let Some(size) = body.first_chunk::<4>() {
                    self.window.set_size(u32::from_be_bytes(*size));
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
                } else if body.starts_with(&STREAM_EOF) && self.is_played() {
                    return Err(Failure::Ended);
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Media comes, and the first says as well that it does: not every server says it otherwise.
    fn on_media(&mut self, message: Message) -> Option<Said> {
        if self.role != Role::Play {
            return None;
        }
        match self.state {
            State::Open(_) => {
                self.media.push(message);
                None
            }
            State::Asking(stream) => {
                self.state = State::Open(stream);
                self.media.push(message);
                Some(Said::Open)
            }
            State::Connecting | State::Creating => None,
        }
    }

    fn is_played(&self) -> bool {
        self.role == Role::Play && matches!(self.state, State::Open(_))
    }

    fn on_command(&mut self, values: &[Value]) -> Result<Option<Said>, Failure> {
        let [name, transaction, ..] = values else {
            return Ok(None);
        };
        let transaction = transaction.as_number().unwrap_or_default();
        let information = values.get(3).unwrap_or(&Value::Null);
        match name.as_text() {
            Some("_result") if transaction == CONNECT && self.state == State::Connecting => {
                self.offered = enhanced::taken(values);
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
                self.ask(stream as u32);
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
        let opens = match self.role {
            Role::Publish { .. } => "NetStream.Publish.Start",
            Role::Play => "NetStream.Play.Start",
        };
        if code == Some(opens) {
            if let State::Asking(stream) = self.state {
                self.state = State::Open(stream);
                return Ok(Some(Said::Open));
            }
            return Ok(None);
        }
        let ends = [
            "NetStream.Play.Stop",
            "NetStream.Play.Complete",
            "NetStream.Play.UnpublishNotify",
        ];
        if self.is_played() && code.is_some_and(|code| ends.contains(&code)) {
            return Err(Failure::Ended);
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
