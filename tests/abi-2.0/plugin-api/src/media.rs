//! Formats, encodings and the messages that travel against the media.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How media of an encoding is cut into packets.
///
/// An open number: a later version may know more of them. One that is unknown here is equal to nothing but itself,
/// so that media passes between those who know it and is never converted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Packaging(u8);

#[allow(
    non_upper_case_globals,
    reason = "they are read and matched as the names of an enum"
)]
impl Packaging {
    /// RTP packets as they arrived (RFC 3550), gaps and late ones included.
    pub const Rtp: Self = Self(0);
    /// One encoded frame (access unit, Opus packet, message) a packet.
    pub const Frame: Self = Self(1);
    /// Raw pictures (I420) or samples (interleaved S16LE).
    pub const Raw: Self = Self(2);
}

impl Packaging {
    const NAMES: [&str; 3] = ["Rtp", "Frame", "Raw"];

    /// The packaging with this number, whether it is known or not.
    pub const fn from_number(number: u8) -> Self {
        Self(number)
    }

    /// Its number on the boundary.
    pub const fn number(self) -> u8 {
        self.0
    }

    fn name(self) -> Option<&'static str> {
        Self::NAMES.get(usize::from(self.0)).copied()
    }
}

impl fmt::Debug for Packaging {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "Packaging({})", self.0),
        }
    }
}

/// Its name, or its number where it has none here.
impl Serialize for Packaging {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_u8(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Packaging {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Name(String),
            Number(u8),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Name(name) => {
                let numbers = (0_u8..).zip(Self::NAMES);
                let known = numbers.filter(|(_, known)| *known == name);
                let number = known.map(|(number, _)| number).next();
                number.map(Self).ok_or_else(|| {
                    de::Error::custom(format!("{name:?} is none of Rtp, Frame, Raw"))
                })
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packagings_are_written_by_name_and_unknown_ones_by_number() {
        for (packaging, text) in [
            (Packaging::Rtp, r#""Rtp""#),
            (Packaging::Raw, r#""Raw""#),
            (Packaging::from_number(9), "9"),
        ] {
            assert_eq!(serde_json::to_string(&packaging).unwrap(), text);
            assert_eq!(serde_json::from_str::<Packaging>(text).unwrap(), packaging);
        }
        assert!(serde_json::from_str::<Packaging>(r#""Box""#).is_err());
        assert_eq!(format!("{:?}", Packaging::from_number(9)), "Packaging(9)");
    }
}
