//! One media section.

mod defaults;
mod formats;

pub(super) use defaults::SectionDefaults;

use super::{Parsed, line::Line, number, session::attribute};
use crate::{
    Attribute, IceCredentials, MediaKind, MediaSection, Protocol, RtcpFeedback, Source,
    SourceGroup,
    limits::{MAX_CANDIDATES, MAX_FORMATS, MAX_SOURCES},
    text::{first_word, words},
};

/// What is written for a field that an m= line lacks.
const MISSING_FIELD: &str = "-";

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
    /// From the value of m=: `<media> <port>[/<count>] <proto> <format> …`. Every m= line opens a
    /// section, whatever it lacks, since an answer has to have as many (RFC 3264 §6); one that
    /// cannot be used is then rejected.
    ///
    /// # Errors
    /// More than [`MAX_FORMATS`] formats, which refuses the description.
    pub(super) fn start(value: &str) -> Parsed<Self> {
        let mut fields = words(value);
        let mut field = || fields.next().unwrap_or(MISSING_FIELD);
        let (kind, port, protocol) = (field(), port(field()), field());
        let mut section = MediaSection::new(MediaKind::from(kind), port, Protocol::from(protocol));
        let formats: Vec<&str> = fields.collect();
        if formats.len() > MAX_FORMATS {
            return Err(format!("more than {MAX_FORMATS} formats"));
        }
        if section.protocol.is_rtp() {
            section.codecs = formats::payload_types(&formats);
        } else {
            section.formats = formats.into_iter().map(str::to_owned).collect();
        }
        Ok(Self {
            section,
            own: SectionDefaults::default(),
            feedback_for_all: Vec::new(),
        })
    }

    /// Reads one line below m= that is no attribute.
    pub(super) fn read(&mut self, line: &Line<'_>) -> Parsed<()> {
        let section = &mut self.section;
        match line.kind {
            'c' => {
                let connection = line.value.parse().map_err(str::to_owned)?;
                section.connection.get_or_insert(connection);
            }
            'b' => section
                .bandwidths
                .push(line.value.parse().map_err(str::to_owned)?),
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
        section.rtcp_mux = own.rtcp_mux;
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

    /// Reads an attribute. One that is ill-formed is an error and leaves what was read before.
    pub(super) fn read_attribute(&mut self, attribute: Attribute) -> Parsed<()> {
        let value = attribute.value.as_deref().unwrap_or_default();
        let section = &mut self.section;
        // Names are case-sensitive (RFC 8866 §5.13); nothing is known to differ by case alone.
        match attribute.name.to_ascii_lowercase().as_str() {
            "rtpmap" if section.protocol.is_rtp() => formats::rtpmap(&mut section.codecs, value)?,
            "fmtp" if section.protocol.is_rtp() => formats::fmtp(&mut section.codecs, value)?,
            "rtcp-fb" if section.protocol.is_rtp() => {
                formats::rtcp_fb(&mut section.codecs, &mut self.feedback_for_all, value)?;
            }
            // Of what can be said once only, the first counts, as for Kurento.
            "mid" => {
                let mid = mid(value)?;
                section.mid.get_or_insert(mid);
            }
            "rtcp" => {
                let rtcp = value.parse().map_err(str::to_owned)?;
                section.rtcp.get_or_insert(rtcp);
            }
            "rtcp-rsize" => section.rtcp_rsize = true,
            "bundle-only" => section.bundle_only = true,
            "end-of-candidates" => section.end_of_candidates = true,
            "sctpmap" if section.protocol == Protocol::DtlsSctp => {
                section.sctp_port = section.sctp_port.or(sctp_map(value));
            }
            "sctp-port" => {
                let port = number(value, "sctp-port")?;
                section.sctp_port.get_or_insert(port);
            }
            "max-message-size" => {
                let size = number(value, "max-message-size")?;
                section.max_message_size.get_or_insert(size);
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
        match attribute.name.to_ascii_lowercase().as_str() {
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

/// The port of m=, `<port>[/<count>]`. Media over ICE goes to candidates and not to this port, so
/// all that matters is whether it is 0; what is no port (99999, -1, a word) is taken for the
/// discard port, which means "not known yet" (RFC 8839 §4.3.1).
fn port(text: &str) -> u16 {
    const DISCARD: u16 = 9;
    let port = text.split_once('/').map_or(text, |(port, _count)| port);
    port.parse().unwrap_or(DISCARD)
}

/// `a=sctpmap:<port> webrtc-datachannel [<streams>]`: the port.
fn sctp_map(value: &str) -> Option<u16> {
    let mut words = words(value);
    let port = words.next()?.parse().ok()?;
    (words.next() == Some("webrtc-datachannel")).then_some(port)
}

fn mid(value: &str) -> Parsed<String> {
    match first_word(value) {
        (mid, "") if !mid.is_empty() => Ok(mid.to_owned()),
        _ => Err("mid is not a single word".to_owned()),
    }
}

/// `a=ssrc:<ssrc> <attribute>[:<value>]` (RFC 5576 §4.1).
fn read_source(sources: &mut Vec<Source>, value: &str) -> Option<()> {
    let (ssrc, text) = first_word(value);
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
    let mut words = words(value);
    let semantics = words.next()?.to_owned();
    let ssrcs = words
        .map(|word| word.parse().ok())
        .collect::<Option<Vec<u32>>>()
        .filter(|ssrcs| !ssrcs.is_empty() && ssrcs.len() <= MAX_SOURCES)?;
    Some(SourceGroup { semantics, ssrcs })
}
