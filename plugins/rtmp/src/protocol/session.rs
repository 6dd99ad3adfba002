//! One connection of somebody who publishes to us: the server's half of the handshake and of the commands (§7.2).
//!
//! ```text
//! C0 C1 ─> S0 S1 S2 ─> C2 ─> connect ─> _result ─> createStream ─> _result ─> publish ─> Request::Publish
//!                            accept: onStatus NetStream.Publish.Start, media; refuse: onStatus NetStream.Publish.BadName
//! ```

use super::{
    Message,
    amf0::{self, Value},
    chunk_reader::{self, ChunkReader},
    chunk_writer::ChunkWriter,
    client::LONGEST_MEDIA,
    enhanced,
    handshake::{RANDOM, Welcome},
    message::{
        ACKNOWLEDGEMENT, AUDIO, COMMAND, COMMAND_3, PEER_BANDWIDTH, USER_CONTROL, VIDEO,
        WINDOW_SIZE,
    },
    path,
    window::Window,
};

/// What somebody may send before the key is accepted. OBS needs 4 KB, most of them the handshake.
const MOST_UNKNOWN: usize = 64 << 10;
/// Of what is sent: a few commands.
const CHUNK_SIZE: usize = 4096;
/// Acknowledgements that a client is asked for, and that it is told to expect, are this far apart.
const WINDOW: u32 = 2_500_000;
/// The only message stream of a connection.
const STREAM: u32 = 1;

// User Control (§7.1.7).
const STREAM_BEGIN: [u8; 2] = [0, 0];
const PING_REQUEST: [u8; 2] = [0, 6];
const PING_RESPONSE: [u8; 2] = [0, 7];

/// `Dynamic`, the limit type of Set Peer Bandwidth that FMS sends (§5.4.5).
const DYNAMIC: u8 = 2;

/// What the client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// To publish to this path; [`Session::accept`] or [`Session::refuse`] answers.
    Publish(String),
    /// To end, without an error.
    End,
}

/// Why a connection is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("the client does not speak RTMP")]
    NotRtmp,
    #[error("the client sends {0}")]
    Malformed(#[from] chunk_reader::Error),
    #[error("the client has sent {MOST_UNKNOWN} bytes before it publishes")]
    TooMuch,
    #[error("the client wants to play, which nobody can here")]
    Plays,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before `publish`.
    Unknown,
    /// Somebody decides, about the stream of this number.
    Asking(u32),
    Publishing,
    Over,
}

/// See the head of this file.
pub(crate) struct Session {
    welcome: Option<Welcome>,
    random: [u8; RANDOM],
    reader: ChunkReader,
    writer: ChunkWriter,
    window: Window,
    state: State,
    app: String,
    /// Bytes before the key is accepted.
    unknown: usize,
    media: Vec<Message>,
    out: Vec<u8>,
}

impl Session {
    /// For a connection that just begins. `random` need not be unpredictable.
    pub(crate) fn new(random: [u8; RANDOM]) -> Self {
        Self {
            welcome: Some(Welcome::default()),
            random,
            reader: ChunkReader::new(MOST_UNKNOWN),
            writer: ChunkWriter::new(),
            window: Window::default(),
            state: State::Unknown,
            app: String::new(),
            unknown: 0,
            media: Vec::new(),
            out: Vec::new(),
        }
    }

    /// What is to be sent; whoever sends it takes it out from the front.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Whether the handshake is over.
    pub(crate) fn is_welcome(&self) -> bool {
        self.welcome.is_none()
    }

    /// Media that has come since.
    pub(crate) fn take_media(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.media)
    }

    /// Takes what has come from the client. After a request the next call goes on behind it, also with nothing new.
    ///
    /// # Errors
    /// [`Violation`]: the connection is to be closed
    pub(crate) fn on_data(&mut self, data: &[u8]) -> Result<Option<Request>, Violation> {
        if self.state != State::Publishing {
            self.unknown = self.unknown.saturating_add(data.len());
            if self.unknown > MOST_UNKNOWN {
                return Err(Violation::TooMuch);
            }
        }
        let data = match &mut self.welcome {
            None => data,
            Some(welcome) => {
                let rest = welcome.on_data(data, &self.random, &mut self.out);
                let Some(rest) = rest.map_err(|_| Violation::NotRtmp)? else {
                    return Ok(None);
                };
                self.welcome = None;
                rest
            }
        };
        if let Some(received) = self.window.count(data.len()) {
            self.control(ACKNOWLEDGEMENT, received.to_be_bytes().to_vec());
        }
        self.reader.push(data);
        while let Some(message) = self.reader.next()? {
            if let Some(request) = self.on_message(message)? {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    /// Lets media in.
    pub(crate) fn accept(&mut self) {
        let State::Asking(stream) = self.state else {
            return;
        };
        self.state = State::Publishing;
        self.reader.set_most_held(LONGEST_MEDIA);
        let begin = [&STREAM_BEGIN[..], &stream.to_be_bytes()].concat();
        self.control(USER_CONTROL, begin);
        self.status(
            stream,
            "status",
            "NetStream.Publish.Start",
            "Media comes in.",
        );
    }

    /// Lets nothing in. The connection is to be closed once this is sent: OBS waits for that.
    pub(crate) fn refuse(&mut self, why: &str) {
        if let State::Asking(stream) = self.state {
            self.state = State::Over;
            self.status(stream, "error", "NetStream.Publish.BadName", why);
        }
    }

    fn on_message(&mut self, message: Message) -> Result<Option<Request>, Violation> {
        let body = message.body.as_slice();
        match message.kind {
            AUDIO | VIDEO if self.state == State::Publishing => self.media.push(message),
            COMMAND => return self.on_command(message.stream, &amf0::read(body)),
            COMMAND_3 => {
                let values = amf0::read(body.get(1..).unwrap_or_default());
                return self.on_command(message.stream, &values);
            }
            WINDOW_SIZE => {
                if let Some(size) = body.first_chunk::<4>() {
                    self.window.set_size(u32::from_be_bytes(*size));
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

    fn on_command(&mut self, stream: u32, values: &[Value]) -> Result<Option<Request>, Violation> {
        let [name, rest @ ..] = values else {
            return Ok(None);
        };
        let transaction = rest.first().and_then(Value::as_number).unwrap_or_default();
        // What follows the transaction and null, or what stands for it.
        let argument = rest.get(2).and_then(Value::as_text).unwrap_or_default();
        match name.as_text().unwrap_or_default() {
            "connect" => self.connect(transaction, rest.get(1).unwrap_or(&Value::Null)),
            "createStream" => {
                let number = Value::Number(f64::from(STREAM));
                self.command(0, "_result", transaction, [Value::Null, number]);
            }
            "publish" => return Ok(self.publish(stream, argument)),
            "play" | "play2" => return Err(Violation::Plays),
            "FCPublish" => self.answer("onFCPublish", "NetStream.Publish.Start", argument),
            "FCUnpublish" => {
                self.answer("onFCUnpublish", "NetStream.Unpublish.Success", argument);
                return Ok(self.end());
            }
            "FCSubscribe" => self.answer("onFCSubscribe", "NetStream.Play.Start", argument),
            "releaseStream" | "_checkbw" => {
                self.command(0, "_result", transaction, [Value::Null, Value::Null]);
            }
            "deleteStream" | "closeStream" => return Ok(self.end()),
            _ => {}
        }
        Ok(None)
    }

    fn connect(&mut self, transaction: f64, properties: &Value) {
        let app = properties.get("app").and_then(Value::as_text);
        app.unwrap_or_default().clone_into(&mut self.app);
        self.control(WINDOW_SIZE, WINDOW.to_be_bytes().to_vec());
        let bandwidth = [&WINDOW.to_be_bytes()[..], &[DYNAMIC]].concat();
        self.control(PEER_BANDWIDTH, bandwidth);
        self.writer.set_chunk_size(CHUNK_SIZE, &mut self.out);
        let server = Value::Object(vec![
            // What encoders look for before they send anything but what FMS 3 knew.
            entry("fmsVer", Value::text("FMS/3,5,7,7009")),
            entry("capabilities", Value::Number(31.0)),
            entry("mode", Value::Number(1.0)),
        ]);
        let mut information = vec![
            entry("level", Value::text("status")),
            entry("code", Value::text("NetConnection.Connect.Success")),
            entry("description", Value::text("Connected.")),
            // AMF 0, whatever was asked for.
            entry("objectEncoding", Value::Number(0.0)),
        ];
        information.extend(enhanced::entries(enhanced::CAN_DECODE));
        let information = Value::Object(information);
        self.command(0, "_result", transaction, [server, information]);
    }

    fn publish(&mut self, stream: u32, name: &str) -> Option<Request> {
        if self.state != State::Unknown {
            return None;
        }
        self.state = State::Asking(stream);
        Some(Request::Publish(path(&self.app, name)))
    }

    fn end(&mut self) -> Option<Request> {
        let was_publishing = self.state == State::Publishing;
        if was_publishing {
            self.state = State::Over;
        }
        was_publishing.then_some(Request::End)
    }

    fn status(&mut self, stream: u32, level: &str, code: &str, description: &str) {
        let information = Value::Object(vec![
            entry("level", Value::text(level)),
            entry("code", Value::text(code)),
            entry("description", Value::text(description)),
        ]);
        self.command(stream, "onStatus", 0.0, [Value::Null, information]);
    }

    fn answer(&mut self, command: &str, code: &str, name: &str) {
        let information = Value::Object(vec![
            entry("code", Value::text(code)),
            entry("description", Value::text(name)),
        ]);
        self.command(0, command, 0.0, [Value::Null, information]);
    }

    fn command(&mut self, stream: u32, name: &str, transaction: f64, values: [Value; 2]) {
        let mut all = vec![Value::text(name), Value::Number(transaction)];
        all.extend(values);
        let message = Message {
            kind: COMMAND,
            time: 0,
            stream,
            body: amf0::write(&all),
        };
        self.writer.write(&message, &mut self.out);
    }

    fn control(&mut self, kind: u8, body: Vec<u8>) {
        let message = Message {
            kind,
            time: 0,
            stream: 0,
            body,
        };
        self.writer.write(&message, &mut self.out);
    }
}

fn entry(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

#[cfg(test)]
mod tests;
