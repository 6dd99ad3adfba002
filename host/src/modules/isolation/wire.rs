//! What the server and the child process of a module say to each other.
//!
//! One socket carries all of it in both directions, so that a pad's format, its packets and its end
//! arrive in the order in which they were said. A message is its length (u32, little-endian) and its
//! content, encoded by postcard: text and numbers, no pointers. The payload of packets does not pass
//! the socket, but the [ring](super::ring) of that direction.

use abi_stable::std_types::Tuple2;
use rivero_plugin_api::abi::types::{AbiEncoding, AbiError, AbiFormat, AbiUpstream};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::packets::Burst;

/// Bytes of a message at most. More is refused where it is said, and ends the child where it is heard.
pub(super) const LONGEST: usize = 16 << 20;
/// Bytes that hold the length of a message.
const PREFIX: usize = 4;

/// From the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToChild {
    /// The first message.
    Start(Start),
    /// A call of the module, answered by [`ToHost::Returned`] with the same number.
    Call {
        number: u64,
        /// See [`rivero_media::depth`].
        depth: u32,
        call: Call,
    },
    /// The answer to [`ToHost::Ask`] with this number.
    Answer {
        number: u64,
        answer: Result<Answer, Failure>,
    },
    /// The server has no use for it any more.
    Drop(Remains),
}

/// What a child is told at its beginning.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    /// The operator's file, of which the child gets a copy.
    pub(super) file: String,
    pub(super) data_directory: String,
    pub(super) log_level: u8,
    /// What the clock of the pipelines is ahead of `CLOCK_MONOTONIC`, ns.
    pub(super) clock_offset: i64,
    pub(super) limits: ChildLimits,
}

/// What the system lets a child have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChildLimits {
    /// Bytes of data.
    pub(super) memory: u64,
    pub(super) files: u64,
    /// Seconds of a processor in all, if there is a limit.
    pub(super) cpu: Option<u64>,
}

/// A call of the module. Objects, converters and responders have the numbers that the server gave them,
/// handlers those of the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    Create {
        object: u64,
        element: Element,
        class: String,
        parameters: String,
    },
    Invoke {
        object: u64,
        operation: String,
        parameters: String,
        responder: u64,
    },
    Stats {
        object: u64,
        kind: u8,
    },
    PortAdded {
        object: u64,
        port: String,
        element: Element,
    },
    PortRemoved {
        object: u64,
        port: String,
    },
    Release {
        object: u64,
        responder: u64,
    },
    Upstream {
        handler: u64,
        message: Upstream,
    },
    Consumers {
        handler: u64,
        count: u32,
    },
    Packets {
        handler: u64,
        burst: Burst,
    },
    Format {
        handler: u64,
        format: u32,
    },
    CreateConverter {
        converter: u64,
        conversion: u32,
        formats: (u32, u32),
        settings: String,
    },
    ConverterPackets {
        converter: u64,
        burst: Burst,
    },
    ConverterUpstream {
        converter: u64,
        message: Upstream,
    },
    ConverterStop {
        converter: u64,
    },
}

/// An object's connection to the server, or that of a port of a hub.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Element {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) pipeline: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Remains {
    Object(u64),
    Handler(u64),
    Converter(u64),
}

/// What the child says, and how deep in elements that hand on what they get.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FromChild {
    pub(super) depth: u32,
    pub(super) message: ToHost,
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToHost {
    /// The module runs; what it converts, as JSON.
    Started {
        conversions: String,
    },
    /// The module does not run, and why.
    Refused(String),
    Returned {
        number: u64,
        outcome: Result<String, Failure>,
    },
    /// Nothing where the module dropped the responder.
    Reply {
        responder: u64,
        result: Option<Result<String, Failure>>,
    },
    Ask {
        number: u64,
        question: Question,
    },
    Emit {
        element: u64,
        event: String,
        data: String,
    },
    Error {
        element: u64,
        failure: Failure,
    },
    Panicked {
        element: u64,
        place: String,
        message: String,
    },
    DropElement {
        element: u64,
    },
    Log {
        level: u8,
        target: String,
        message: String,
        fields: String,
    },
    Metric {
        kind: u8,
        name: String,
        labels: String,
        value: f64,
    },
    Push {
        pad: u64,
        burst: Burst,
    },
    SetFormat {
        pad: u64,
        format: u32,
    },
    SetEncodings {
        pad: u64,
        encodings: Vec<Encoding>,
    },
    SetAccepted {
        pad: u64,
        formats: Vec<u32>,
    },
    SinkUpstream {
        pad: u64,
        message: Upstream,
    },
    ClosePad {
        pad: u64,
    },
    DropPad {
        pad: u64,
    },
    ConverterPush {
        converter: u64,
        burst: Burst,
    },
    SourceUpstream {
        converter: u64,
        message: Upstream,
    },
    ConverterFailed {
        converter: u64,
        failure: Failure,
    },
    /// Something that the server did not call does not return: a timer, a destructor.
    Hangs(String),
}

/// What a child has to wait for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    AddSource {
        element: u64,
        kind: u8,
        description: String,
        handler: u64,
    },
    AddSink {
        element: u64,
        kind: u8,
        description: String,
        handler: u64,
    },
    Show {
        pad: u64,
        other: u32,
    },
    History {
        pad: u64,
        ssrc: u32,
        sequence: u16,
    },
    NextBitrate {
        pad: u64,
    },
    ClassOf {
        element: u64,
        id: String,
    },
    Configuration {
        class: String,
    },
    FormatId(Format),
    Format(u32),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Nothing,
    /// A pad's number in messages, and its id (0 for sinks).
    Pad(u64, u32),
    Number(u64),
    Text(Option<String>),
    Format(Option<Format>),
    Packets(Burst),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    code: i32,
    kind: String,
    message: String,
}

impl From<AbiError> for Failure {
    fn from(error: AbiError) -> Self {
        Self {
            code: error.code,
            kind: error.kind.into(),
            message: error.message.into(),
        }
    }
}

impl From<Failure> for AbiError {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code,
            kind: failure.kind.into(),
            message: failure.message.into(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Format {
    encoding: String,
    packaging: u8,
    clock_rate: u32,
    channels: u8,
    parameters: Vec<(String, String)>,
}

impl From<&AbiFormat> for Format {
    fn from(format: &AbiFormat) -> Self {
        let parameters = format.parameters.iter();
        let parameters =
            parameters.map(|Tuple2(name, value)| (name.to_string(), value.to_string()));
        Self {
            encoding: format.encoding.to_string(),
            packaging: format.packaging,
            clock_rate: format.clock_rate,
            channels: format.channels,
            parameters: parameters.collect(),
        }
    }
}

impl From<Format> for AbiFormat {
    fn from(format: Format) -> Self {
        let parameters = format.parameters.into_iter();
        let parameters = parameters.map(|(name, value)| Tuple2(name.into(), value.into()));
        Self {
            encoding: format.encoding.into(),
            packaging: format.packaging,
            clock_rate: format.clock_rate,
            channels: format.channels,
            parameters: parameters.collect(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Encoding {
    rid: String,
    size: (u32, u32),
    bitrate: u64,
    frame_rate: f64,
    layers: (u8, u8),
}

impl From<&AbiEncoding> for Encoding {
    fn from(encoding: &AbiEncoding) -> Self {
        Self {
            rid: encoding.rid.to_string(),
            size: (encoding.width, encoding.height),
            bitrate: encoding.bitrate,
            frame_rate: encoding.frame_rate,
            layers: (encoding.spatial_layers, encoding.temporal_layers),
        }
    }
}

impl From<Encoding> for AbiEncoding {
    fn from(encoding: Encoding) -> Self {
        Self {
            rid: encoding.rid.into(),
            width: encoding.size.0,
            height: encoding.size.1,
            bitrate: encoding.bitrate,
            frame_rate: encoding.frame_rate,
            spatial_layers: encoding.layers.0,
            temporal_layers: encoding.layers.1,
        }
    }
}

/// Code and two numbers, as at the boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upstream(u32, u64, u64);

impl From<AbiUpstream> for Upstream {
    fn from(message: AbiUpstream) -> Self {
        Self(message.code, message.first, message.second)
    }
}

impl From<Upstream> for AbiUpstream {
    fn from(Upstream(code, first, second): Upstream) -> Self {
        Self {
            code,
            first,
            second,
        }
    }
}

/// Why a message cannot be said or understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("a message of more than {LONGEST} bytes")]
    Long,
    #[error("a message that means nothing: {0}")]
    Meaning(#[from] postcard::Error),
}

/// Adds a message to `buffer`, with its length before it. Where that fails, nothing is added.
pub(super) fn write(message: &impl Serialize, buffer: &mut Vec<u8>) -> Result<(), WireError> {
    let content = postcard::to_stdvec(message)?;
    let length = u32::try_from(content.len()).ok();
    let length = length
        .filter(|_| content.len() <= LONGEST)
        .ok_or(WireError::Long)?;
    buffer.extend(length.to_le_bytes());
    buffer.extend(content);
    Ok(())
}

/// The beginning of a stream of messages, of which some were taken.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Inbox {
    /// Adds what came. It never has more than a message and what came with it.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
        if self.bytes.capacity() > 4 * self.bytes.len() + (1 << 20) {
            self.bytes.shrink_to(1 << 16);
        }
    }

    /// The next message, if all of it is there.
    pub(super) fn next<M: DeserializeOwned>(&mut self) -> Result<Option<M>, WireError> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(WireError::Long);
        }
        let Some(content) = rest.get(..length) else {
            return Ok(None);
        };
        let message = postcard::from_bytes(content)?;
        self.taken += PREFIX + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_however_they_are_cut() {
        let mut sent = Vec::new();
        for number in 0..3 {
            let call = Call::Stats {
                object: 7,
                kind: 255,
            };
            write(
                &ToChild::Call {
                    number,
                    depth: 0,
                    call,
                },
                &mut sent,
            )
            .unwrap();
        }
        let mut inbox = Inbox::default();
        let mut numbers = Vec::new();
        for byte in sent {
            inbox.add(&[byte]);
            while let Some(message) = inbox.next().unwrap() {
                match message {
                    ToChild::Call { number, .. } => numbers.push(number),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(numbers, [0, 1, 2]);
    }

    #[test]
    fn lengths_and_contents_that_are_wrong_are_errors() {
        let mut inbox = Inbox::default();
        inbox.add(&u32::MAX.to_le_bytes());
        assert_eq!(inbox.next::<ToHost>().unwrap_err(), WireError::Long);
        let mut inbox = Inbox::default();
        inbox.add(&[2, 0, 0, 0, 200, 200]);
        assert!(matches!(inbox.next::<ToHost>(), Err(WireError::Meaning(_))));
        // A text that says to be longer than the message.
        let mut inbox = Inbox::default();
        inbox.add(&[7, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        assert!(matches!(inbox.next::<ToHost>(), Err(WireError::Meaning(_))));
        let long = ToHost::Refused("x".repeat(LONGEST));
        assert_eq!(write(&long, &mut Vec::new()), Err(WireError::Long));
    }
}
