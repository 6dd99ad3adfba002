//! Codecs that the local side is able to send and receive.

use crate::{Codec, FormatParameters, MediaKind, RtcpFeedback, SdpError};

/// A codec and how it is offered.
///
/// An offered format is supported when name, clock rate and channels are equal and its profile is
/// one that decoders know. Which of those it is does not matter: media is forwarded as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecCapability {
    /// Encoding name, e.g. `opus`, `H264`.
    pub name: String,
    /// Hz.
    pub clock_rate: u32,
    /// Audio channels; `None` is one.
    pub channels: Option<u16>,
    /// Payload type in offers; one is assigned when it is `None` or already taken.
    pub payload_type: Option<u8>,
    /// `a=fmtp` in offers.
    pub parameters: FormatParameters,
    /// RTCP feedback to offer and accept. Transport-wide congestion control is added by
    /// [`Features::transport_cc`](crate::Features::transport_cc).
    pub feedback: Vec<RtcpFeedback>,
}

/// The encoding name of digits (RFC 4733 §7.1.1).
pub(super) const DIGITS: &str = "telephone-event";

/// Name, clock rate, channels, payload type in offers, parameters in offers.
type KnownCodec = (&'static str, u32, Option<u16>, Option<u8>, &'static str);

const AUDIO: [KnownCodec; 6] = [
    ("opus", 48000, Some(2), Some(96), ""),
    ("PCMU", 8000, None, Some(0), ""),
    ("PCMA", 8000, None, Some(8), ""),
    ("G722", 8000, None, Some(9), ""),
    ("AMR", 8000, None, Some(97), ""),
    ("AMR-WB", 16000, None, None, ""),
];

const VIDEO: [KnownCodec; 5] = [
    ("H265", 90000, None, Some(101), ""),
    (
        "AV1",
        90000,
        None,
        Some(102),
        "level-idx=5;profile=0;tier=0",
    ),
    ("VP9", 90000, None, Some(103), "profile-id=0"),
    ("VP8", 90000, None, Some(104), ""),
    (
        "H264",
        90000,
        None,
        Some(105),
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ),
];

impl CodecCapability {
    /// A known codec from a name as in `SdpEndpoint.conf.json`: `opus/48000/2`, `VP8/90000` or
    /// just `VP8`.
    ///
    /// # Errors
    /// [`SdpError::Configuration`] when the codec is unknown or has other numbers.
    pub fn from_config_name(kind: &MediaKind, text: &str) -> Result<Self, SdpError> {
        let mut fields = text.trim().split('/');
        let name = fields.next().unwrap_or_default();
        let known = known(kind)
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| SdpError::Configuration(format!("unknown {kind} codec '{text}'")))?;
        let capability = Self::from_known(kind, known);
        let rate_fits = fields
            .next()
            .is_none_or(|rate| rate.parse() == Ok(capability.clock_rate));
        let channels_fit = fields
            .next()
            .is_none_or(|channels| channels.parse() == Ok(capability.channels.unwrap_or(1)));
        if !rate_fits || !channels_fit || fields.next().is_some() {
            return Err(SdpError::Configuration(format!(
                "'{text}' is not available, {name} has {} Hz and {} channel(s)",
                capability.clock_rate,
                capability.channels.unwrap_or(1)
            )));
        }
        Ok(capability)
    }

    /// Digits (RFC 4733) beside sound of a clock rate, as offers have them.
    pub fn digits(clock_rate: u32, payload_type: Option<u8>) -> Self {
        Self {
            name: DIGITS.to_owned(),
            clock_rate,
            channels: None,
            payload_type,
            parameters: FormatParameters::new("0-15"),
            feedback: Vec::new(),
        }
    }

    /// Whether it is digits and not sound.
    pub fn is_event(&self) -> bool {
        self.name.eq_ignore_ascii_case(DIGITS)
    }

    /// Opus, PCMU, PCMA: what a WebRTC endpoint offers by default.
    pub fn webrtc_audio() -> Vec<Self> {
        Self::select(&MediaKind::Audio, &["opus", "PCMU", "PCMA"])
    }

    /// AV1, VP9, VP8, H264: what a WebRTC endpoint offers by default.
    pub fn webrtc_video() -> Vec<Self> {
        Self::select(&MediaKind::Video, &["AV1", "VP9", "VP8", "H264"])
    }

    fn select(kind: &MediaKind, names: &[&str]) -> Vec<Self> {
        let codec = |name: &&str| known(kind).iter().find(|(known, ..)| known == name);
        names
            .iter()
            .filter_map(codec)
            .map(|known| Self::from_known(kind, known))
            .collect()
    }

    fn from_known(kind: &MediaKind, known: &KnownCodec) -> Self {
        let (name, clock_rate, channels, payload_type, parameters) = *known;
        let feedback = match kind {
            MediaKind::Video => vec![
                RtcpFeedback::Nack,
                RtcpFeedback::NackPli,
                RtcpFeedback::GoogRemb,
                RtcpFeedback::CcmFir,
            ],
            _ => Vec::new(),
        };
        Self {
            name: name.to_owned(),
            clock_rate,
            channels,
            payload_type,
            parameters: FormatParameters::new(parameters),
            feedback,
        }
    }

    /// Whether a peer's format is this codec.
    pub fn supports(&self, codec: &Codec) -> bool {
        codec.is(&self.name)
            && codec.rtp_clock_rate() == self.clock_rate
            && codec.channels.unwrap_or(1) == self.channels.unwrap_or(1)
            && codec.match_parameters().is_some()
    }
}

fn known(kind: &MediaKind) -> &'static [KnownCodec] {
    match kind {
        MediaKind::Audio => &AUDIO,
        MediaKind::Video => &VIDEO,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_names() {
        let opus = CodecCapability::from_config_name(&MediaKind::Audio, "OPUS/48000/2").unwrap();
        assert_eq!((opus.clock_rate, opus.channels), (48000, Some(2)));
        let vp8 = CodecCapability::from_config_name(&MediaKind::Video, "VP8").unwrap();
        assert_eq!(vp8.payload_type, Some(104));
        for text in ["VP8/8000", "VP8/90000/2", "opus", "VP8/90000/1/1", ""] {
            let result = CodecCapability::from_config_name(&MediaKind::Video, text);
            assert!(
                matches!(result, Err(SdpError::Configuration(_))),
                "{text}: {result:?}"
            );
        }
    }

    #[test]
    fn opus_needs_two_channels() {
        let opus = &CodecCapability::webrtc_audio()[0];
        let mut codec = Codec::unmapped(111);
        codec.name = "OPUS".into();
        codec.clock_rate = 48000;
        assert!(!opus.supports(&codec));
        codec.channels = Some(2);
        assert!(opus.supports(&codec));
    }
}
