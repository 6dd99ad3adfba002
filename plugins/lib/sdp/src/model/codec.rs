//! One RTP format of a section: rtpmap, fmtp and rtcp-fb of a payload type together.

use super::{MatchParameters, RtcpFeedback};

/// The value of an `a=fmtp` line, kept as written and read by parameter.
///
/// Answers repeat it verbatim; looking a parameter up ignores case and the order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormatParameters(String);

impl FormatParameters {
    /// The text after the payload type, e.g. `minptime=10;useinbandfec=1`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as written, empty when there is no `a=fmtp`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no `a=fmtp` line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the parameter, `""` for one without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The parameter as a number.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Adds the parameters of a further `a=fmtp` line of the same payload type.
    pub(crate) fn append(&mut self, text: &str) {
        if !self.0.is_empty() && !text.is_empty() {
            self.0.push(';');
        }
        self.0.push_str(text);
    }
}

/// A payload type and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// 0–127.
    pub payload_type: u8,
    /// Encoding name as written (compare ignoring case). Empty for a dynamic payload type that has
    /// no `a=rtpmap`: its meaning is unknown.
    pub name: String,
    /// Hz; 0 exactly when the name is empty.
    pub clock_rate: u32,
    /// Audio channels as written; an audio format without them has one (RFC 8866 §6.6).
    pub channels: Option<u16>,
    /// `a=fmtp`.
    pub parameters: FormatParameters,
    /// `a=rtcp-fb`, in the order written, without repetition.
    pub feedback: Vec<RtcpFeedback>,
}

/// Static assignments of RFC 3551 §6 that still occur: payload type, name, clock rate.
const STATIC_PAYLOAD_TYPES: [(u8, &str, u32); 10] = [
    (0, "PCMU", 8000),
    (3, "GSM", 8000),
    (4, "G723", 8000),
    (8, "PCMA", 8000),
    (9, "G722", 8000),
    (13, "CN", 8000),
    (18, "G729", 8000),
    (26, "JPEG", 90000),
    (31, "H261", 90000),
    (34, "H263", 90000),
];

impl Codec {
    /// What the payload type means before any `a=rtpmap`: its static assignment or nothing.
    pub(crate) fn unmapped(payload_type: u8) -> Self {
        let assigned = STATIC_PAYLOAD_TYPES
            .iter()
            .find(|(number, ..)| *number == payload_type);
        let (name, clock_rate) = assigned.map_or(("", 0), |(_, name, rate)| (*name, *rate));
        Self {
            payload_type,
            name: name.to_owned(),
            clock_rate,
            channels: None,
            parameters: FormatParameters::default(),
            feedback: Vec::new(),
        }
    }

    /// Whether the encoding name is this one, ignoring case (RFC 4855 §3).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The payload type that this retransmission format repairs (RFC 4588 §8.6).
    pub fn rtx_apt(&self) -> Option<u8> {
        self.is("rtx")
            .then(|| self.parameters.number("apt"))
            .flatten()
    }

    /// What has to be equal for two streams of this codec to be the same format; `None` for a
    /// profile that no decoder knows.
    pub fn match_parameters(&self) -> Option<MatchParameters> {
        MatchParameters::of(&self.name, &self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_ignore_case_and_blanks() {
        let parameters = FormatParameters::new("Profile-Level-ID=42e01f; packetization-mode=1;x");
        assert_eq!(parameters.get("profile-level-id"), Some("42e01f"));
        assert_eq!(parameters.number::<u8>("packetization-mode"), Some(1));
        assert_eq!(parameters.get("x"), Some(""));
        assert_eq!(parameters.get("y"), None);
    }

    #[test]
    fn static_payload_types_need_no_rtpmap() {
        assert!(Codec::unmapped(8).is("pcma"));
        assert_eq!(Codec::unmapped(100).name, "");
    }

    #[test]
    fn only_rtx_has_an_associated_payload_type() {
        let mut codec = Codec::unmapped(97);
        codec.parameters = FormatParameters::new("apt=96");
        assert_eq!(codec.rtx_apt(), None);
        codec.name = "RTX".into();
        assert_eq!(codec.rtx_apt(), Some(96));
    }
}
