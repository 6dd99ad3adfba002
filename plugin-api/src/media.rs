//! Formats, encodings and the messages that travel against the media.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How media of an encoding is cut into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Packaging {
    /// RTP packets as they arrived (RFC 3550), gaps and late ones included.
    Rtp,
    /// One encoded frame (access unit, Opus packet, message) a packet.
    Frame,
    /// Raw pictures (I420) or samples (interleaved S16LE).
    Raw,
}

/// What flows through a pad. Two pads fit when their formats are equal.
///
/// Payload types and extension numbers belong to a peer, not to a format.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Format {
    /// Media subtype in upper case as registered with IANA: `VP8`, `H264`, `OPUS`.
    pub encoding: String,
    /// How it is packed.
    pub packaging: Packaging,
    /// RTP clock or sample rate in Hz, 0 where it does not matter.
    pub clock_rate: u32,
    /// Audio channels, 0 for video and data.
    pub channels: u8,
    /// What else must match, canonical and sorted by name
    /// (`packetization-mode=1`, `profile=42e0`).
    pub parameters: Vec<(String, String)>,
}

impl Format {
    /// An RTP format without further parameters.
    pub fn rtp(encoding: impl Into<String>, clock_rate: u32, channels: u8) -> Self {
        let encoding = encoding.into().to_ascii_uppercase();
        Self {
            encoding,
            packaging: Packaging::Rtp,
            clock_rate,
            channels,
            parameters: Vec::new(),
        }
    }

    /// Adds a parameter that must match.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self.parameters.sort();
        self
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.encoding, self.clock_rate)?;
        if self.channels > 0 {
            write!(formatter, "/{}", self.channels)?;
        }
        for (name, value) in &self.parameters {
            write!(formatter, ";{name}={value}")?;
        }
        write!(formatter, " ({:?})", self.packaging)
    }
}

/// One of the encodings that a source offers of the same picture (simulcast).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoding {
    /// RTP stream identifier (RFC 8852), empty without simulcast.
    pub rid: String,
    /// Pixels, 0 where unknown.
    pub width: u32,
    /// Pixels, 0 where unknown.
    pub height: u32,
    /// Bit/s, 0 where unknown.
    pub bitrate: u64,
    /// Frames a second, 0 where unknown.
    pub frame_rate: f64,
    /// At least 1.
    pub spatial_layers: u8,
    /// At least 1.
    pub temporal_layers: u8,
}

/// A message from a consumer towards its source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Upstream {
    /// A keyframe is needed; the host passes on what a source can bear.
    KeyframeRequest,
    /// What the path to the consumer carries.
    BandwidthEstimate {
        /// Bit/s; `u64::MAX` when nothing limits (any more).
        bits_per_second: u64,
    },
    /// What the path to the consumer is taken to carry as long as nothing has shown a limit. Of several
    /// encodings the consumer is given one that this is enough for; nothing else follows from it, and an
    /// estimate counts for more.
    StartBitrate {
        /// Bit/s; `u64::MAX` when nothing is assumed (any more).
        bits_per_second: u64,
    },
    /// What the source should send.
    TargetBitrate {
        /// Bit/s.
        bits_per_second: u64,
    },
    /// The layers that the consumer wants.
    LayerWish {
        /// Index into the encodings of the source.
        encoding: u8,
        /// Highest spatial layer.
        spatial: u8,
        /// Highest temporal layer.
        temporal: u8,
    },
    /// Loss on the way to the consumer.
    Loss {
        /// 0 to 1.
        fraction: f32,
    },
}
