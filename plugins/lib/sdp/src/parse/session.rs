//! The session level, and the hand-over to sections.

use super::{Parsed, line::Line, media::SectionParser, number, shortened};
use crate::{
    Attribute, Connection, Group, Origin, SessionDescription, Timing, limits::MAX_SECTIONS,
};

/// Reads line by line; after the first m= everything belongs to the newest section.
#[derive(Default)]
pub(super) struct SessionParser {
    version_seen: bool,
    origin: Option<Origin>,
    session_name: Option<String>,
    timing: Option<Timing>,
    /// Collects the session level; its origin, name and timing are filled in at the end.
    body: Body,
    /// Session-level attributes that are defaults of every section.
    defaults: super::media::SectionDefaults,
    sections: Vec<SectionParser>,
}

#[derive(Default)]
struct Body {
    connection: Option<Connection>,
    bandwidths: Vec<crate::Bandwidth>,
    groups: Vec<Group>,
    ice_lite: bool,
    extmap_allow_mixed: bool,
    attributes: Vec<Attribute>,
}

impl SessionParser {
    /// Reads one line.
    pub(super) fn read(&mut self, line: &Line<'_>) -> Parsed<()> {
        if !self.version_seen {
            return self.read_version(line);
        }
        if line.kind == 'm' {
            return self.start_section(line.value);
        }
        match self.sections.last_mut() {
            Some(section) => section.read(line),
            None => self.read_session_line(line),
        }
    }

    /// The whole description, once all lines are read.
    pub(super) fn finish(self) -> Parsed<SessionDescription> {
        let body = self.body;
        Ok(SessionDescription {
            origin: self.origin.ok_or("the o= line is missing")?,
            session_name: self.session_name.ok_or("the s= line is missing")?,
            connection: body.connection,
            bandwidths: body.bandwidths,
            timing: self.timing.unwrap_or_default(),
            groups: body.groups,
            ice_lite: body.ice_lite,
            extmap_allow_mixed: body.extmap_allow_mixed,
            attributes: body.attributes,
            media: self
                .sections
                .into_iter()
                .map(|section| section.finish(&self.defaults))
                .collect(),
        })
    }

    fn read_version(&mut self, line: &Line<'_>) -> Parsed<()> {
        if (line.kind, line.value.trim()) != ('v', "0") {
            return Err("a session description starts with v=0".to_owned());
        }
        self.version_seen = true;
        Ok(())
    }

    fn start_section(&mut self, value: &str) -> Parsed<()> {
        if self.sections.len() >= MAX_SECTIONS {
            return Err(format!("more than {MAX_SECTIONS} media sections"));
        }
        self.sections.push(SectionParser::start(value)?);
        Ok(())
    }

    fn read_session_line(&mut self, line: &Line<'_>) -> Parsed<()> {
        match line.kind {
            'o' => self.origin = Some(origin(line.value)?),
            // RFC 8866 §5.3: the name is not empty, a single blank or dash stands for none.
            's' => {
                self.session_name = Some(
                    Some(line.value)
                        .filter(|s| !s.is_empty())
                        .unwrap_or("-")
                        .to_owned(),
                )
            }
            't' => {
                let timing = timing(line.value)?;
                self.timing.get_or_insert(timing);
            }
            'c' => self.body.connection = Some(line.value.parse().map_err(str::to_owned)?),
            'b' => self
                .body
                .bandwidths
                .push(line.value.parse().map_err(str::to_owned)?),
            'a' => self.read_attribute(line.value)?,
            'i' | 'u' | 'e' | 'p' | 'r' | 'z' | 'k' => {}
            'v' => return Err("a second v= line".to_owned()),
            other => return Err(format!("unknown line type '{other}='")),
        }
        Ok(())
    }

    fn read_attribute(&mut self, text: &str) -> Parsed<()> {
        let attribute = attribute(text)?;
        let value = attribute.value.as_deref().unwrap_or_default();
        match attribute.name.as_str() {
            "group" => self.body.groups.push(group(value)?),
            "ice-lite" => self.body.ice_lite = true,
            "extmap-allow-mixed" => self.body.extmap_allow_mixed = true,
            _ => {
                if !self.defaults.read(&attribute)? {
                    self.body.attributes.push(attribute);
                }
            }
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

fn origin(value: &str) -> Parsed<Origin> {
    let mut fields = value.splitn(4, ' ');
    let mut field = || fields.next().filter(|field| !field.is_empty());
    let (Some(username), Some(id), Some(version), Some(address)) =
        (field(), field(), field(), field())
    else {
        return Err(format!("o= needs six fields, got '{}'", shortened(value)));
    };
    Ok(Origin {
        username: username.to_owned(),
        session_id: number(id, "session id")?,
        session_version: number(version, "session version")?,
        address: address.parse().map_err(|reason| format!("o=: {reason}"))?,
    })
}

fn timing(value: &str) -> Parsed<Timing> {
    let (start, stop) = value.trim().split_once(' ').ok_or("t= needs two numbers")?;
    Ok(Timing {
        start: number(start, "start time")?,
        stop: number(stop, "stop time")?,
    })
}

fn group(value: &str) -> Parsed<Group> {
    let mut words = value.split_ascii_whitespace();
    let semantics = words.next().ok_or("group without semantics")?;
    Ok(Group {
        semantics: semantics.to_owned(),
        mids: words.map(str::to_owned).collect(),
    })
}
