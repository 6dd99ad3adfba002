//! Attributes that several levels share: direction, header extensions, and those without a type.

use std::{fmt, str::FromStr};

use crate::text::first_word;

/// An attribute that this crate has no type for, kept verbatim: `a=<name>` or `a=<name>:<value>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Name before the colon, never empty.
    pub name: String,
    /// Text after the colon, if there is one.
    pub value: Option<String>,
}

impl Attribute {
    /// `a=<name>:<value>`.
    pub fn with_value(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
        }
    }

    /// Whether the name is this one, ignoring case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}:{}", self.name, value),
            None => f.write_str(&self.name),
        }
    }
}

/// Who sends, seen from the side that wrote the description (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both sides send; what a section without a direction means.
    #[default]
    SendRecv,
    /// Only the writer sends.
    SendOnly,
    /// Only the reader sends.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// The direction that sends and receives as told.
    pub fn new(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the writer of the description sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer of the description receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same fact seen from the other side: sendonly becomes recvonly.
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What both allow.
    pub fn and(self, other: Self) -> Self {
        Self::new(
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        )
    }

    /// The attribute name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Direction {
    type Err = ();

    /// Ignores case.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "sendrecv" => Ok(Self::SendRecv),
            "sendonly" => Ok(Self::SendOnly),
            "recvonly" => Ok(Self::RecvOnly),
            "inactive" => Ok(Self::Inactive),
            _ => Err(()),
        }
    }
}

/// The name of an RTP header extension, a URI (RFC 8285 §5).
pub type HeaderExtensionUri = String;

/// URIs of the header extensions that the server knows by name.
pub mod extension_uri {
    /// Absolute send time, 24 bits, used by receiver-side estimation (REMB).
    pub const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    /// Transport-wide sequence number, used by sender-side estimation.
    pub const TRANSPORT_CC: &str =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    /// The section's mid, for demultiplexing a bundle (RFC 9143 §15).
    pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    /// The simulcast encoding of a packet (RFC 8852).
    pub const RTP_STREAM_ID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    /// The simulcast encoding that a retransmission repairs (RFC 8852).
    pub const REPAIRED_RTP_STREAM_ID: &str =
        "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    /// Audio level of the client (RFC 6464).
    pub const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    /// Coordination of video orientation (3GPP TS 26.114).
    pub const VIDEO_ORIENTATION: &str = "urn:3gpp:video-orientation";
    /// What a frame depends on (RTP payload format of AV1, appendix A).
    pub const DEPENDENCY_DESCRIPTOR: &str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
}

/// `a=extmap:<id>[/<direction>] <uri> [<attributes>]` (RFC 8285 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtMap {
    /// Identifier on the wire, 1–255; offers may carry 4096–4351 as placeholders.
    pub id: u16,
    /// Restriction of the direction, seldom used.
    pub direction: Option<Direction>,
    /// Which extension.
    pub uri: HeaderExtensionUri,
    /// The extension's own parameters.
    pub attributes: Option<String>,
}

impl ExtMap {
    /// An extension without direction and attributes.
    pub fn new(id: u16, uri: impl Into<String>) -> Self {
        Self {
            id,
            direction: None,
            uri: uri.into(),
            attributes: None,
        }
    }
}

impl FromStr for ExtMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, rest) = first_word(text);
        let (uri, attributes) = first_word(rest);
        let (id, direction) = match number.split_once('/') {
            Some((id, direction)) => (id, Some(direction)),
            None => (number, None),
        };
        let id = id
            .parse::<u16>()
            .ok()
            .filter(|id| *id > 0)
            .ok_or("extmap identifier is not a number above 0")?;
        let direction = direction
            .map(Direction::from_str)
            .transpose()
            .map_err(|()| "extmap direction is unknown")?;
        if uri.is_empty() {
            return Err("extmap without a URI".to_owned());
        }
        Ok(Self {
            id,
            direction,
            uri: uri.to_owned(),
            attributes: Some(attributes.to_owned()).filter(|text| !text.is_empty()),
        })
    }
}

impl fmt::Display for ExtMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(direction) = self.direction {
            write!(f, "/{direction}")?;
        }
        write!(f, " {}", self.uri)?;
        match &self.attributes {
            Some(attributes) => write!(f, " {attributes}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversing_swaps_sender_and_receiver() {
        assert_eq!(Direction::SendOnly.reversed(), Direction::RecvOnly);
        assert_eq!(Direction::RecvOnly.reversed(), Direction::SendOnly);
        assert_eq!(Direction::SendRecv.reversed(), Direction::SendRecv);
        assert_eq!(Direction::Inactive.reversed(), Direction::Inactive);
    }

    #[test]
    fn intersection_sends_only_where_both_do() {
        assert_eq!(
            Direction::SendRecv.and(Direction::RecvOnly),
            Direction::RecvOnly
        );
        assert_eq!(
            Direction::SendOnly.and(Direction::RecvOnly),
            Direction::Inactive
        );
    }

    #[test]
    fn extmap_with_direction_and_attributes() {
        let extmap: ExtMap = "4/recvonly urn:x short=1 long=2".parse().unwrap();
        assert_eq!(extmap.direction, Some(Direction::RecvOnly));
        assert_eq!(extmap.attributes.as_deref(), Some("short=1 long=2"));
        assert_eq!(extmap.to_string(), "4/recvonly urn:x short=1 long=2");
        assert!("0 urn:x".parse::<ExtMap>().is_err());
        assert!("3".parse::<ExtMap>().is_err());
        assert!("3/upward urn:x".parse::<ExtMap>().is_err());
    }
}
