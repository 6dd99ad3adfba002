//! One media section.

mod defaults;
mod formats;

pub(super) use defaults::SectionDefaults;

use super::{Parsed, line::Line, number, session::attribute, shortened};
use crate::{
    Attribute, IceCredentials, MediaKind, MediaSection, Protocol, RtcpFeedback, Source,
    SourceGroup,
    limits::{MAX_CANDIDATES, MAX_FORMATS, MAX_SOURCES},
};

/// Reads the lines of a section; what several lines contribute to is completed in [`finish`].
///
/// [`finish`]: SectionParser::finish
pub(super) struct SectionParser {
    section: MediaSection,
    /// Attributes that the session level may give instead.
    own: SectionDefaults,
    /// `a=rtcp-fb:* …`, for every format of the section (RFC 4585 §4.2).
    feedback_for_all: Vec<RtcpFeedback>,
}

impl SectionParser {
    /// From the value of m=: `<media> <port>[/<count>] <proto> <format> …`.
    pub(super) fn start(value: &str) -> Parsed<Self> {
        let mut fields = value.split_ascii_whitespace();
        let (Some(kind), Some(port), Some(protocol)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err(format!(
                "m= needs media, port, protocol and formats, got '{}'",
                shortened(value)
            ));
        };
        let port = port.split_once('/').map_or(port, |(port, _count)| port);
        let port = number(port, "port")?;
        let mut section = MediaSection::new(MediaKind::from(kind), port, Protocol::from(protocol));
        let formats: Vec<&str> = fields.collect();
        if formats.is_empty() {
            return Err("m= without a format".to_owned());
        }
        if formats.len() > MAX_FORMATS {
            return Err(format!("more than {MAX_FORMATS} formats"));
        }
        if section.protocol.is_rtp() {
            section.codecs = formats::payload_types(&formats)?;
        } else {
            section.formats = formats.into_iter().map(str::to_owned).collect();
        }
        Ok(Self {
            section,
            own: SectionDefaults::default(),
            feedback_for_all: Vec::new(),
        })
    }

    /// Reads one line below m=.
    pub(super) fn read(&mut self, line: &Line<'_>) -> Parsed<()> {
        let section = &mut self.section;
        match line.kind {
            'c' => section.connection = Some(line.value.parse().map_err(str::to_owned)?),
            'b' => section
                .bandwidths
                .push(line.value.parse().map_err(str::to_owned)?),
            'a' => self.read_attribute(attribute(line.value)?)?,
            'i' | 'k' => {}
            other => return Err(format!("'{other}=' inside a media section")),
        }
        Ok(())
    }

    /// The section with the session's defaults and wildcards filled in.
    pub(super) fn finish(mut self, session: &SectionDefaults) -> MediaSection {
        for codec in &mut self.section.codecs {
            formats::add_feedback(codec, &self.feedback_for_all);
        }
        let mut section = self.section;
        let own = self.own.or(session);
        section.direction = own.direction.unwrap_or_default();
        section.setup = own.setup;
        section.fingerprints = own.fingerprints;
        section.ice_options = own.ice_options;
        section.extmaps = own.extmaps;
        section.ice = match (own.ice_ufrag, own.ice_password) {
            (Some(ufrag), Some(password)) => Some(IceCredentials { ufrag, password }),
            _ => None,
        };
        section
    }

    fn read_attribute(&mut self, attribute: Attribute) -> Parsed<()> {
        let value = attribute.value.as_deref().unwrap_or_default();
        let section = &mut self.section;
        match attribute.name.as_str() {
            "rtpmap" if section.protocol.is_rtp() => formats::rtpmap(&mut section.codecs, value)?,
            "fmtp" if section.protocol.is_rtp() => formats::fmtp(&mut section.codecs, value)?,
            "rtcp-fb" if section.protocol.is_rtp() => {
                formats::rtcp_fb(&mut section.codecs, &mut self.feedback_for_all, value)?;
            }
            "mid" => section.mid = Some(mid(value)?),
            "rtcp" => section.rtcp = Some(value.parse().map_err(str::to_owned)?),
            "rtcp-mux" => section.rtcp_mux = true,
            "rtcp-rsize" => section.rtcp_rsize = true,
            "bundle-only" => section.bundle_only = true,
            "end-of-candidates" => section.end_of_candidates = true,
            "sctpmap" if section.protocol == Protocol::DtlsSctp => {
                section.sctp_port = sctp_map(value).or(section.sctp_port);
            }
            "sctp-port" => section.sctp_port = Some(number(value, "sctp-port")?),
            "max-message-size" => {
                section.max_message_size = Some(number(value, "max-message-size")?);
            }
            _ => {
                if !self.own.read(&attribute)? && !self.read_informative(&attribute) {
                    self.section.attributes.push(attribute);
                }
            }
        }
        Ok(())
    }

    /// Attributes that a session can do without. Returns false for those that are unknown or
    /// ill-formed or over the bound, which are then kept as text.
    fn read_informative(&mut self, attribute: &Attribute) -> bool {
        let section = &mut self.section;
        let value = attribute.value.as_deref().unwrap_or_default();
        match attribute.name.as_str() {
            "candidate" if section.candidates.len() < MAX_CANDIDATES => match value.parse() {
                Ok(candidate) => section.candidates.push(candidate),
                Err(_) => return false,
            },
            "ssrc" => return read_source(&mut section.sources, value).is_some(),
            "ssrc-group" => match source_group(value) {
                Some(group) if section.source_groups.len() < MAX_SOURCES => {
                    section.source_groups.push(group);
                }
                _ => return false,
            },
            "rid" if section.rids.len() < MAX_SOURCES => match value.parse() {
                Ok(rid) => section.rids.push(rid),
                Err(()) => return false,
            },
            "simulcast" => match value.parse() {
                Ok(simulcast) => section.simulcast = Some(simulcast),
                Err(()) => return false,
            },
            _ => return false,
        }
        true
    }
}

/// `a=sctpmap:<port> webrtc-datachannel [<streams>]`: the port.
fn sctp_map(value: &str) -> Option<u16> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    (words.next() == Some("webrtc-datachannel")).then_some(port)
}

fn mid(value: &str) -> Parsed<String> {
    let mid = value.trim();
    if mid.is_empty() || mid.contains(char::is_whitespace) {
        return Err("mid is not a single word".to_owned());
    }
    Ok(mid.to_owned())
}

/// `a=ssrc:<ssrc> <attribute>[:<value>]` (RFC 5576 §4.1).
fn read_source(sources: &mut Vec<Source>, value: &str) -> Option<()> {
    let (ssrc, text) = value.split_once(' ')?;
    let ssrc = ssrc.parse().ok()?;
    let attribute = attribute(text).ok()?;
    let position = match sources.iter().position(|source| source.ssrc == ssrc) {
        Some(position) => position,
        None if sources.len() < MAX_SOURCES => {
            sources.push(Source {
                ssrc,
                cname: None,
                attributes: Vec::new(),
            });
            sources.len() - 1
        }
        None => return None,
    };
    let source = sources.get_mut(position)?;
    match (attribute.name.as_str(), attribute.value) {
        ("cname", Some(cname)) => source.cname = Some(cname),
        (name, value) => source.attributes.push(Attribute {
            name: name.to_owned(),
            value,
        }),
    }
    Some(())
}

fn source_group(value: &str) -> Option<SourceGroup> {
    let mut words = value.split_ascii_whitespace();
    let semantics = words.next()?.to_owned();
    let ssrcs = words
        .map(|word| word.parse().ok())
        .collect::<Option<Vec<u32>>>()
        .filter(|ssrcs| !ssrcs.is_empty() && ssrcs.len() <= MAX_SOURCES)?;
    Some(SourceGroup { semantics, ssrcs })
}
