//! What a module is put through, as it is handed to the process that does it, and what that says of it.

use rivero_plugin_api::{Format, MediaKind, Upstream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::path::PathBuf;

/// One thing to do with a module, in a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) library: PathBuf,
    pub(crate) subject: Subject,
    pub(crate) plan: Plan,
}

/// What of the module is meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Subject {
    Class {
        /// Plain name.
        name: String,
        is_hub: bool,
        /// Of the constructor.
        parameters: Value,
    },
    Conversion {
        /// Its place among those of the module.
        index: u32,
        input: Format,
        output: Format,
    },
}

/// What is done with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Plan {
    /// Steps with one object, which is released then.
    Once(Vec<Step>),
    /// The same steps with so many objects, in each of so many rounds; what rounds leave behind is compared.
    Repeated {
        rounds: usize,
        objects: usize,
        steps: Vec<Step>,
    },
    /// Calls, media and time on threads of their own, for so many objects one after the other.
    AtOnce {
        objects: usize,
        calls: Vec<Step>,
        media: Vec<Step>,
    },
    /// The same media again and again, and how much memory that takes.
    Kept {
        media: Vec<Step>,
        times: usize,
        is_taken: bool,
    },
}

/// One step of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// An operation with its parameters.
    Call(String, Value),
    /// Statistics of everything.
    Stats,
    /// A source of this kind and format is connected, in place of the one before.
    Connect(Kind, Format),
    /// What was connected is no more.
    Disconnect(Kind),
    /// Packets come from the source of this kind.
    Push(Kind, Vec<Piece>),
    /// Somebody takes what the object gives out, or nobody does any more.
    Watch(bool),
    /// Whoever takes it asks for something.
    Ask(Wish),
    /// So many milliseconds pass.
    Pass(u32),
    /// A hub gets another port.
    AddPort,
    /// The latest port goes.
    RemovePort,
    /// The object is released.
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Kind {
    Video,
    Audio,
    Data,
}

impl Kind {
    pub(crate) fn media(self) -> MediaKind {
        match self {
            Self::Video => MediaKind::Video,
            Self::Audio => MediaKind::Audio,
            Self::Data => MediaKind::Data,
        }
    }
}

/// What a consumer may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Wish {
    Keyframe,
    Bitrate(u64),
    Layer(u8, u8, u8),
    Loss(f32),
}

impl Wish {
    pub(crate) fn message(self) -> Upstream {
        match self {
            Self::Keyframe => Upstream::KeyframeRequest,
            Self::Bitrate(bits_per_second) => Upstream::TargetBitrate { bits_per_second },
            Self::Loss(fraction) => Upstream::Loss { fraction },
            Self::Layer(encoding, spatial, temporal) => Upstream::LayerWish {
                encoding,
                spatial,
                temporal,
            },
        }
    }
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) content: Content,
    /// That of the source where it has none of its own.
    pub(crate) format: Option<Format>,
    pub(crate) flags: u8,
    /// Presentation time after the clock's, ns.
    pub(crate) time: i64,
    pub(crate) duration: i64,
    pub(crate) encoding: u8,
}

/// Its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// So many of one value.
    Same { length: usize, value: u8 },
    /// So many of a sequence that begins with this number.
    Noise { length: usize, seed: u64 },
    /// An RTP packet: its number, and a payload as `Noise` has it.
    Rtp {
        sequence: u16,
        length: usize,
        seed: u64,
    },
}

impl Content {
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Same { length, .. } | Self::Noise { length, .. } => *length,
            Self::Rtp { length, .. } => *length + 12,
        }
    }
}

/// What the process that runs a job writes, a line each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Line {
    /// What it does next.
    Doing(String),
    Found(Finding),
    Done,
}

/// What is wrong with a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) fault: Fault,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// It panicked, which a server contains.
    Panic,
    /// It ended the process, by whatever means.
    End,
    /// It did not return.
    Hang,
    /// A call was not answered.
    Unanswered,
    /// Something was left behind.
    Left,
    /// The process is not what it was.
    Changed,
    /// What has to return at once took long.
    Slow,
    /// It takes ever more memory.
    Growth,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(operation, parameters) => {
                write!(f, "call {operation} {}", short(parameters))
            }
            Self::Stats => f.write_str("ask for statistics"),
            Self::Connect(kind, format) => write!(f, "connect {kind} of {format}"),
            Self::Disconnect(kind) => write!(f, "disconnect {kind}"),
            Self::Push(kind, pieces) => {
                write!(f, "send {} packet(s) of {kind}:", pieces.len())?;
                let mut pieces = pieces.iter();
                for piece in pieces.by_ref().take(3) {
                    write!(f, " {piece};")?;
                }
                if pieces.len() > 0 {
                    f.write_str(" …")
                } else {
                    Ok(())
                }
            }
            Self::Watch(true) => f.write_str("take what it gives out"),
            Self::Watch(false) => f.write_str("take nothing any more"),
            Self::Ask(wish) => write!(f, "ask for {wish:?}"),
            Self::Pass(time) => write!(f, "let {time} ms pass"),
            Self::AddPort => f.write_str("add a port"),
            Self::RemovePort => f.write_str("remove a port"),
            Self::Release => f.write_str("release it"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Data => "data",
        })
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.content.length();
        match &self.content {
            Content::Same { value, .. } => write!(f, "{length} bytes of {value}")?,
            Content::Noise { .. } => write!(f, "{length} bytes of noise")?,
            Content::Rtp { sequence, .. } => write!(f, "RTP packet {sequence} of {length} bytes")?,
        }
        if let Some(format) = &self.format {
            write!(f, " as {format}")?;
        }
        write!(f, " at {:+} ns", self.time)
    }
}

/// Characters of a value that are shown.
const SHOWN: usize = 120;

pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!(
            "{}… ({} bytes)",
            text.get(..end).unwrap_or_default(),
            text.len()
        ),
        None => text,
    }
}
