//! What the control side sees of links.

use std::sync::Arc;

use rivero_plugin_api::MediaKind;

/// One end of a link within its node: a kind of media and a description.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PadKey {
    pub(crate) kind: MediaKind,
    pub(crate) description: Arc<str>,
}

impl PadKey {
    pub(crate) fn new(kind: MediaKind, description: &str) -> Self {
        Self {
            kind,
            description: description.into(),
        }
    }

    /// Whether a query by kind and description means this pad.
    pub(crate) fn fits(&self, kind: Option<MediaKind>, description: Option<&str>) -> bool {
        kind.is_none_or(|kind| kind == self.kind)
            && description.is_none_or(|description| *description == *self.description)
    }
}

/// A link, requested or active, by the ids of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Id of the element that media comes from.
    pub source: Arc<str>,
    /// Id of the element that media goes to.
    pub sink: Arc<str>,
    /// Kind of media.
    pub kind: MediaKind,
    /// Which of the source's pads of that kind.
    pub source_description: Arc<str>,
    /// Which of the sink's pads of that kind.
    pub sink_description: Arc<str>,
}

impl Connection {
    pub(crate) fn source_key(&self) -> PadKey {
        PadKey {
            kind: self.kind,
            description: self.source_description.clone(),
        }
    }

    pub(crate) fn sink_key(&self) -> PadKey {
        PadKey {
            kind: self.kind,
            description: self.sink_description.clone(),
        }
    }

    /// By kind, then by the elements' ids: the order in which connections are listed.
    pub(crate) fn rank(&self) -> (u8, &str, &str) {
        (self.kind.number(), &self.source, &self.sink)
    }
}

/// In the order of their ranks.
pub(crate) fn sorted(mut connections: Vec<Connection>) -> Vec<Connection> {
    connections.sort_by(|a, b| a.rank().cmp(&b.rank()));
    connections
}

/// By which way the media of a link comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The link.
    pub connection: Connection,
    /// The source pad, then each conversion: a number unique in the process, and the
    /// format there, in words. Empty while the link carries nothing.
    pub hops: Vec<(u32, String)>,
}

/// What came to one sink pad so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Kind of media.
    pub kind: MediaKind,
    /// The pad's description.
    pub description: Arc<str>,
    /// Whether media arrives now.
    pub flowing: bool,
    /// Packets that arrived.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that the module did not take fast enough.
    pub lost: u64,
}

/// Is told what happens to one node.
pub trait NodeObserver: Send + Sync {
    /// Must return quickly; may be called from any thread but a producer's.
    fn notify(&self, event: NodeEvent);
}

/// What an element tells its listeners about its media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// A link was made; told to the source.
    Connected(Connection),
    /// A link was cut; told to the source.
    Disconnected(Connection),
    /// Media began or ceased to arrive.
    FlowIn {
        /// Kind of media.
        kind: MediaKind,
        /// The pad's description.
        description: Arc<str>,
        /// Whether it flows now.
        flowing: bool,
    },
    /// Media began or ceased to leave.
    FlowOut {
        /// Kind of media.
        kind: MediaKind,
        /// The pad's description.
        description: Arc<str>,
        /// Whether it flows now.
        flowing: bool,
    },
    /// Conversion began or ended.
    Transcoding {
        /// Kind of media.
        kind: MediaKind,
        /// Whether this element's media is being converted now.
        active: bool,
        /// Whose connection decided it, and why, in words; nothing where nothing changed.
        reason: Option<String>,
    },
    /// A sink of this element was to accept more formats than one may.
    TooManyFormats {
        /// Kind of media.
        kind: MediaKind,
        /// How many of them, the last ones, are not accepted.
        surplus: usize,
    },
    /// A source and this sink share no format, and no module converts.
    Unconvertible {
        /// Kind of media.
        kind: MediaKind,
        /// What the source has, and what this sink accepts, in words.
        reason: String,
    },
}
