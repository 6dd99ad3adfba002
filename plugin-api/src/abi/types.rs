//! Plain values of the boundary, and their author-side counterparts.

use abi_stable::{
    StableAbi,
    std_types::{RString, RVec, Tuple2},
};

use crate::{
    Error,
    media::{Encoding, Format, Packaging, Upstream},
};

/// Kind of media of a pad; `Data` is messages of data channels.
///
/// An open number: a later version may know more of them, and one that is unknown here is no kind that a pad can
/// have, and equal to nothing but itself.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaKind(u8);

#[allow(
    non_upper_case_globals,
    reason = "they are read and matched as the names of an enum"
)]
impl MediaKind {
    /// Sound.
    pub const Audio: Self = Self(0);
    /// Pictures.
    pub const Video: Self = Self(1);
    /// Messages of data channels.
    pub const Data: Self = Self(2);
}

impl MediaKind {
    /// Every kind, in the order in which `connect` treats them.
    pub const ALL: [Self; 3] = [Self::Audio, Self::Video, Self::Data];

    /// The kind with this number, whether it is known or not.
    pub const fn from_number(number: u8) -> Self {
        Self(number)
    }

    /// Its number on the boundary.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether it is one of [`ALL`](Self::ALL).
    pub fn is_known(self) -> bool {
        Self::ALL.contains(&self)
    }

    /// The name on the wire: `AUDIO`, `VIDEO` or `DATA`.
    pub const fn as_str(&self) -> &'static str {
        match *self {
            Self::Audio => "AUDIO",
            Self::Video => "VIDEO",
            Self::Data => "DATA",
            _ => "UNKNOWN",
        }
    }
}

impl std::fmt::Debug for MediaKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Audio => formatter.write_str("Audio"),
            Self::Video => formatter.write_str("Video"),
            Self::Data => formatter.write_str("Data"),
            Self(number) => write!(formatter, "MediaKind({number})"),
        }
    }
}

/// A word that is no kind of media.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of AUDIO, VIDEO, DATA")]
pub struct UnknownMediaKind(String);

impl std::str::FromStr for MediaKind {
    type Err = UnknownMediaKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        kind.ok_or_else(|| UnknownMediaKind(name.to_owned()))
    }
}

impl std::fmt::Display for MediaKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct AbiError {
    pub code: i32,
    pub kind: RString,
    pub message: RString,
}

impl From<Error> for AbiError {
    fn from(error: Error) -> Self {
        Self {
            code: error.code,
            kind: error.kind.to_string().into(),
            message: error.message.into(),
        }
    }
}

impl From<AbiError> for Error {
    fn from(error: AbiError) -> Self {
        Self {
            code: error.code,
            kind: error.kind.into_string().into(),
            message: error.message.into_string(),
        }
    }
}

#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct AbiFormat {
    pub encoding: RString,
    pub packaging: u8,
    pub clock_rate: u32,
    pub channels: u8,
    pub parameters: RVec<Tuple2<RString, RString>>,
}

impl From<&Format> for AbiFormat {
    fn from(format: &Format) -> Self {
        Self {
            encoding: format.encoding.as_str().into(),
            packaging: format.packaging.number(),
            clock_rate: format.clock_rate,
            channels: format.channels,
            parameters: format
                .parameters
                .iter()
                .map(|(name, value)| Tuple2(name.as_str().into(), value.as_str().into()))
                .collect(),
        }
    }
}

impl From<AbiFormat> for Format {
    fn from(format: AbiFormat) -> Self {
        Self {
            encoding: format.encoding.into_string(),
            packaging: Packaging::from_number(format.packaging),
            clock_rate: format.clock_rate,
            channels: format.channels,
            parameters: format
                .parameters
                .into_iter()
                .map(|Tuple2(name, value)| (name.into_string(), value.into_string()))
                .collect(),
        }
    }
}

#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct AbiEncoding {
    pub rid: RString,
    pub width: u32,
    pub height: u32,
    pub bitrate: u64,
    pub frame_rate: f64,
    pub spatial_layers: u8,
    pub temporal_layers: u8,
}

impl From<&Encoding> for AbiEncoding {
    fn from(encoding: &Encoding) -> Self {
        Self {
            rid: encoding.rid.as_str().into(),
            width: encoding.width,
            height: encoding.height,
            bitrate: encoding.bitrate,
            frame_rate: encoding.frame_rate,
            spatial_layers: encoding.spatial_layers,
            temporal_layers: encoding.temporal_layers,
        }
    }
}

impl From<AbiEncoding> for Encoding {
    fn from(encoding: AbiEncoding) -> Self {
        Self {
            rid: encoding.rid.into_string(),
            width: encoding.width,
            height: encoding.height,
            bitrate: encoding.bitrate,
            frame_rate: encoding.frame_rate,
            spatial_layers: encoding.spatial_layers,
            temporal_layers: encoding.temporal_layers,
        }
    }
}

/// An [`Upstream`] message in a form that older and newer sides can skip.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct AbiUpstream {
    pub code: u32,
    pub first: u64,
    pub second: u64,
}

impl From<Upstream> for AbiUpstream {
    fn from(message: Upstream) -> Self {
        let (code, first, second) = match message {
            Upstream::KeyframeRequest => (1, 0, 0),
            Upstream::BandwidthEstimate { bits_per_second } => (2, bits_per_second, 0),
            Upstream::TargetBitrate { bits_per_second } => (3, bits_per_second, 0),
            Upstream::LayerWish {
                encoding,
                spatial,
                temporal,
            } => (
                4,
                u64::from(encoding),
                u64::from(spatial) << 8 | u64::from(temporal),
            ),
            Upstream::Loss { fraction } => (5, u64::from(fraction.to_bits()), 0),
            Upstream::StartBitrate { bits_per_second } => (6, bits_per_second, 0),
        };
        Self {
            code,
            first,
            second,
        }
    }
}

impl AbiUpstream {
    /// `None` for a message of a newer minor version.
    pub fn message(self) -> Option<Upstream> {
        Some(match self.code {
            1 => Upstream::KeyframeRequest,
            2 => Upstream::BandwidthEstimate {
                bits_per_second: self.first,
            },
            3 => Upstream::TargetBitrate {
                bits_per_second: self.first,
            },
            4 => Upstream::LayerWish {
                encoding: self.first as u8,
                spatial: (self.second >> 8) as u8,
                temporal: self.second as u8,
            },
            5 => Upstream::Loss {
                fraction: f32::from_bits(self.first as u32),
            },
            6 => Upstream::StartBitrate {
                bits_per_second: self.first,
            },
            _ => return None,
        })
    }
}

/// Which packets of a burst go to one sink of a group.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkSelection {
    /// The number that the module gave the sink pad.
    pub token: u64,
    /// Bit n selects packet n of the burst; a burst has at most 64 packets.
    pub packets: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_known_pass_the_boundary_as_they_are() {
        let kind = MediaKind::from_number(9);
        assert!(!kind.is_known() && MediaKind::Data.is_known());
        assert_eq!(
            (kind.number(), format!("{kind:?}")),
            (9, "MediaKind(9)".to_owned())
        );
        let format = Format {
            packaging: Packaging::from_number(7),
            ..Format::rtp("VP8", 90_000, 0)
        };
        let passed = Format::from(AbiFormat::from(&format));
        assert_eq!(passed, format);
        assert_ne!(passed.packaging, Packaging::Raw);
    }

    #[test]
    fn upstream_messages_survive_the_boundary() {
        for message in [
            Upstream::KeyframeRequest,
            Upstream::BandwidthEstimate {
                bits_per_second: 300_000,
            },
            Upstream::TargetBitrate {
                bits_per_second: u64::MAX,
            },
            Upstream::LayerWish {
                encoding: 2,
                spatial: 1,
                temporal: 3,
            },
            Upstream::Loss { fraction: 0.25 },
            Upstream::StartBitrate {
                bits_per_second: 300_000,
            },
        ] {
            assert_eq!(AbiUpstream::from(message).message(), Some(message));
        }
        assert_eq!(
            AbiUpstream {
                code: 99,
                first: 0,
                second: 0
            }
            .message(),
            None
        );
    }
}
