//! One RTP format of a section: rtpmap, fmtp and rtcp-fb of a payload type together.

use std::ops::RangeInclusive;

use super::{MatchParameters, RtcpFeedback};
use crate::text::from_base64;

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

/// Static assignments of RFC 3551 §6: payload type, name, clock rate. G722 has a clock of 8 kHz
/// although it samples at 16 (§4.5.2).
const STATIC_PAYLOAD_TYPES: [(u8, &str, u32); 24] = [
    (0, "PCMU", 8000),
    (3, "GSM", 8000),
    (4, "G723", 8000),
    (5, "DVI4", 8000),
    (6, "DVI4", 16000),
    (7, "LPC", 8000),
    (8, "PCMA", 8000),
    (9, "G722", 8000),
    (10, "L16", 44100),
    (11, "L16", 44100),
    (12, "QCELP", 8000),
    (13, "CN", 8000),
    (14, "MPA", 90000),
    (15, "G728", 8000),
    (16, "DVI4", 11025),
    (17, "DVI4", 22050),
    (18, "G729", 8000),
    (25, "CelB", 90000),
    (26, "JPEG", 90000),
    (28, "nv", 90000),
    (31, "H261", 90000),
    (32, "MPV", 90000),
    (33, "MP2T", 90000),
    (34, "H263", 90000),
];

/// The only static payload type with more than one channel: L16 in stereo.
const STATIC_STEREO: u8 = 10;

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
            channels: (payload_type == STATIC_STEREO).then_some(2),
            parameters: FormatParameters::default(),
            feedback: Vec::new(),
        }
    }

    /// The events that a receiver of `telephone-event` understands, 0–15 being the keys of a
    /// telephone (RFC 4733 §2.5.1.1); `None` for other formats. Ranges that are none are left out.
    pub fn telephone_events(&self) -> Option<Vec<RangeInclusive<u8>>> {
        /// What a format without `a=fmtp` stands for.
        const KEYS: RangeInclusive<u8> = 0..=15;
        if !self.is("telephone-event") {
            return None;
        }
        if self.parameters.is_empty() {
            return Some(vec![KEYS]);
        }
        // An event is a byte.
        const MAX_RANGES: usize = 256;
        let ranges = self.parameters.as_str().split([',', ';']);
        Some(ranges.filter_map(event_range).take(MAX_RANGES).collect())
    }

    /// Parameter sets that go before the first key frame, without start codes, in the order in
    /// which a decoder wants them: `sprop-parameter-sets` of H264 (RFC 6184 §8.1), `sprop-vps`,
    /// `sprop-sps` and `sprop-pps` of H265 (RFC 7798 §7.1). What is no base64 is left out.
    pub fn parameter_sets(&self) -> Vec<Vec<u8>> {
        parameter_sets(&self.name, &self.parameters)
    }

    /// Whether the encoding name is this one, ignoring case (RFC 4855 §3).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Timestamp units a second. G722 has 8,000 whatever its `a=rtpmap` says (RFC 3551 §4.5.2): there are
    /// senders that name the 16,000 samples a second, which it is made from.
    pub fn rtp_clock_rate(&self) -> u32 {
        match self.is("G722") && self.clock_rate == 16_000 {
            true => 8000,
            false => self.clock_rate,
        }
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

/// `<event>` or `<first>-<last>`.
fn event_range(text: &str) -> Option<RangeInclusive<u8>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
    (!range.is_empty()).then_some(range)
}

/// The parameter sets of a codec with this name and these parameters.
pub(crate) fn parameter_sets(name: &str, parameters: &FormatParameters) -> Vec<Vec<u8>> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let names: &[&str] = if is("H264") {
        &["sprop-parameter-sets"]
    } else if is("H265") {
        &["sprop-vps", "sprop-sps", "sprop-pps"]
    } else {
        &[]
    };
    let values = names.iter().filter_map(|name| parameters.get(name));
    let sets = values.flat_map(|value| value.split(','));
    sets.filter_map(|set| from_base64(set.trim()))
        .filter(|set| !set.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(name: &str, parameters: &str) -> Codec {
        Codec {
            name: name.to_owned(),
            parameters: FormatParameters::new(parameters),
            ..Codec::unmapped(100)
        }
    }

    #[test]
    fn telephone_events() {
        for (parameters, events) in [
            ("", vec![0..=15]),
            ("0-15", vec![0..=15]),
            ("0-16, 66,70 - 71", vec![0..=16, 66..=66, 70..=71]),
            ("15-0,x,-1,300,5", vec![5..=5]),
        ] {
            let codec = codec("Telephone-Event", parameters);
            assert_eq!(codec.telephone_events(), Some(events), "{parameters}");
        }
        assert_eq!(codec("PCMU", "0-15").telephone_events(), None);
    }

    #[test]
    fn parameter_sets() {
        let h264 = codec(
            "h264",
            "packetization-mode=1; sprop-parameter-sets=Z0IAH5Y=, aM48gA,,?",
        );
        let sets = h264.parameter_sets();
        assert_eq!(
            sets,
            [
                vec![0x67, 0x42, 0x00, 0x1F, 0x96],
                vec![0x68, 0xCE, 0x3C, 0x80]
            ]
        );
        let h265 = codec("H265", "sprop-sps=QgE=;sprop-vps=QAE=;sprop-pps=RAE=");
        assert_eq!(h265.parameter_sets(), [[0x40, 1], [0x42, 1], [0x44, 1]]);
        assert!(
            codec("VP8", "sprop-parameter-sets=Z0IAH5Y=")
                .parameter_sets()
                .is_empty()
        );
        assert!(codec("H264", "").parameter_sets().is_empty());
    }

    #[test]
    fn static_payload_types_are_in_order_and_once() {
        assert!(STATIC_PAYLOAD_TYPES.is_sorted_by(|one, other| one.0 < other.0));
        assert_eq!(Codec::unmapped(10).channels, Some(2));
        assert_eq!(Codec::unmapped(11).channels, None);
    }

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
