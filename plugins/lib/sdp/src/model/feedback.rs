//! RTCP feedback messages as negotiated by `a=rtcp-fb` (RFC 4585 §4.2).

use std::fmt;

/// One kind of feedback that a receiver may send for a payload type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RtcpFeedback {
    /// Generic NACK, `nack` (RFC 4585 §6.2.1).
    Nack,
    /// Picture loss indication, `nack pli` (RFC 4585 §6.3.1).
    NackPli,
    /// Full intra request, `ccm fir` (RFC 5104 §4.3.1).
    CcmFir,
    /// Receiver-estimated maximum bitrate, `goog-remb` (draft-alvestrand-rmcat-remb).
    GoogRemb,
    /// Transport-wide congestion control feedback, `transport-cc`.
    TransportCc,
    /// Anything else, words separated by one blank.
    Other(String),
}

impl RtcpFeedback {
    /// From the text after the payload type. Words after a known message are kept, so that
    /// `ccm fir extra` is not taken for `ccm fir`.
    pub fn from_text(text: &str) -> Self {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["nack"] => Self::Nack,
            ["nack", "pli"] => Self::NackPli,
            ["ccm", "fir"] => Self::CcmFir,
            ["goog-remb"] => Self::GoogRemb,
            ["transport-cc"] => Self::TransportCc,
            words => Self::Other(words.join(" ")),
        }
    }

    /// The text after the payload type.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Nack => "nack",
            Self::NackPli => "nack pli",
            Self::CcmFir => "ccm fir",
            Self::GoogRemb => "goog-remb",
            Self::TransportCc => "transport-cc",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for RtcpFeedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_type_correspond() {
        for text in [
            "nack",
            "nack pli",
            "ccm fir",
            "goog-remb",
            "transport-cc",
            "nack rpsi",
        ] {
            assert_eq!(RtcpFeedback::from_text(text).to_string(), text);
        }
        assert_eq!(
            RtcpFeedback::from_text("ccm  fir x"),
            RtcpFeedback::Other("ccm fir x".into())
        );
    }
}
