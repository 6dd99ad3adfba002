//! The session level, and the hand-over to sections.

use super::{
    Parsed,
    line::Line,
    media::{SectionDefaults, SectionParser},
};
use crate::{
    Attribute, Bandwidth, Connection, Group, Origin, SessionDescription, Timing,
    limits::{MAX_GROUPS, MAX_SECTIONS},
    text::words,
};

/// Why a line was not read, and what follows from it.
pub(super) enum Unread {
    /// The line is ignored.
    Line(String),
    /// The whole description is refused.
    Description(String),
}

/// Reads line by line; after the first m= everything belongs to the newest section.
#[derive(Default)]
pub(super) struct SessionParser {
    /// A text with neither v= nor m= is no description.
    version_seen: bool,
    origin: Option<Origin>,
    session_name: Option<String>,
    timing: Option<Timing>,
    connection: Option<Connection>,
    bandwidths: Vec<Bandwidth>,
    groups: Vec<Group>,
    ice_lite: bool,
    extmap_allow_mixed: bool,
    attributes: Vec<Attribute>,
    /// Session-level attributes that are defaults of every section.
    defaults: SectionDefaults,
    sections: Vec<SectionParser>,
}

impl SessionParser {
    /// Reads one line.
    pub(super) fn read(&mut self, line: &Line<'_>) -> Result<(), Unread> {
        let read = match (line.kind, self.sections.last_mut()) {
            ('m', _) => return self.start_section(line.value),
            ('a', _) => attribute(line.value).and_then(|attribute| self.read_attribute(attribute)),
            (_, Some(section)) => section.read(line),
            (_, None) => self.read_session_line(line),
        };
        read.map_err(Unread::Line)
    }

    /// The whole description, once all lines are read; `None` for a text that is none.
    pub(super) fn finish(self) -> Option<SessionDescription> {
        if !self.version_seen && self.sections.is_empty() {
            return None;
        }
        Some(SessionDescription {
            origin: self.origin.unwrap_or_default(),
            // RFC 8866 §5.3: a dash stands for no name.
            session_name: self.session_name.unwrap_or_else(|| "-".to_owned()),
            connection: self.connection,
            bandwidths: self.bandwidths,
            timing: self.timing.unwrap_or_default(),
            groups: self.groups,
            ice_lite: self.ice_lite,
            extmap_allow_mixed: self.extmap_allow_mixed,
            attributes: self.attributes,
            media: self
                .sections
                .into_iter()
                .map(|section| section.finish(&self.defaults))
                .collect(),
        })
    }

    fn start_section(&mut self, value: &str) -> Result<(), Unread> {
        if self.sections.len() >= MAX_SECTIONS {
            let reason = format!("more than {MAX_SECTIONS} media sections");
            return Err(Unread::Description(reason));
        }
        let section = SectionParser::start(value).map_err(Unread::Description)?;
        self.sections.push(section);
        Ok(())
    }

    /// Of lines that are repeated the first counts, but for b=, of which there may be several.
    fn read_session_line(&mut self, line: &Line<'_>) -> Parsed<()> {
        match line.kind {
            // There is no other version than 0, so the number decides nothing.
            'v' => self.version_seen = true,
            'o' => {
                self.origin.get_or_insert_with(|| Origin::read(line.value));
            }
            's' if line.value.is_empty() => {}
            's' => {
                self.session_name
                    .get_or_insert_with(|| line.value.to_owned());
            }
            't' => {
                let timing = line.value.parse().map_err(str::to_owned)?;
                self.timing.get_or_insert(timing);
            }
            'c' => {
                let connection = line.value.parse().map_err(str::to_owned)?;
                self.connection.get_or_insert(connection);
            }
            'b' => self
                .bandwidths
                .push(line.value.parse().map_err(str::to_owned)?),
            // Nothing that a media server acts on (RFC 8866 §5.4–5.6, §5.10–5.12).
            'i' | 'u' | 'e' | 'p' | 'r' | 'z' | 'k' => {}
            other => return Err(format!("unknown line type '{other}='")),
        }
        Ok(())
    }

    fn read_attribute(&mut self, attribute: Attribute) -> Parsed<()> {
        let value = attribute.value.as_deref().unwrap_or_default();
        // A group stands at the session level (RFC 5888 §5). It names sections wherever it stands,
        // so one that slipped below an m= line can only mean the same.
        if attribute.is("group") {
            if self.groups.len() >= MAX_GROUPS {
                return Err("too many groups".to_owned());
            }
            self.groups.push(group(value)?);
            return Ok(());
        }
        if let Some(section) = self.sections.last_mut() {
            return section.read_attribute(attribute);
        }
        if attribute.is("ice-lite") {
            self.ice_lite = true;
        } else if attribute.is("extmap-allow-mixed") {
            self.extmap_allow_mixed = true;
        } else if !self.defaults.read(&attribute)? {
            self.attributes.push(attribute);
        }
        Ok(())
    }
}

/// `a=` line: name, or name and value.
pub(super) fn attribute(text: &str) -> Parsed<Attribute> {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let name = name.trim();
    if name.is_empty() {
        return Err("an attribute without a name".to_owned());
    }
    Ok(Attribute {
        name: name.to_owned(),
        value,
    })
}

fn group(value: &str) -> Parsed<Group> {
    let mut words = words(value);
    let semantics = words.next().ok_or("group without semantics")?;
    Ok(Group {
        semantics: semantics.to_owned(),
        mids: words.take(MAX_SECTIONS).map(str::to_owned).collect(),
    })
}
