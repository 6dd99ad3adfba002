//! Graphs of pipelines in the language of Graphviz: elements as boxes, links as arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use rivero_media::{Connection, MediaKind, Way};

use crate::registry::Object;

/// What a graph shows beside elements, links, conversions and kinds of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Details {
    formats: bool,
    states: bool,
    parameters: bool,
}

impl Details {
    /// By a name of `GstreamerDotDetails`.
    pub(super) fn named(name: &str) -> Details {
        let all = matches!(name, "SHOW_ALL" | "SHOW_VERBOSE");
        Details {
            formats: all || name == "SHOW_CAPS_DETAILS",
            states: all || name == "SHOW_STATES",
            parameters: all || name == "SHOW_FULL_PARAMS" || name == "SHOW_NON_DEFAULT_PARAMS",
        }
    }
}

/// The graph of an object with its descendants and their links.
#[must_use]
pub(super) fn graph(object: &Arc<Object>, details: Details) -> String {
    let mut drawing = Drawing {
        out: String::from(
            "digraph pipeline {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=sans];\n",
        ),
        arrows: BTreeMap::new(),
        conversions: BTreeMap::new(),
        details,
    };
    let _ = writeln!(drawing.out, "  label={};", quoted(&object.name()));
    drawing.object(object, 1);
    drawing.finish()
}

/// Writes the graph to `<milliseconds>-<id>.dot` in `directory`.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn dump(
    object: &Arc<Object>,
    details: Details,
    directory: &Path,
) -> std::io::Result<()> {
    let id = object.id.replace('/', "_");
    let file = directory.join(format!("{}-{id}.dot", crate::events::now_millis()));
    std::fs::write(file, graph(object, details))
}

struct Drawing {
    out: String,
    /// Labels by both ends: links between the same two share an arrow.
    arrows: BTreeMap<(String, String), BTreeSet<String>>,
    /// What comes out of each, by name.
    conversions: BTreeMap<String, String>,
    details: Details,
}

impl Drawing {
    fn object(&mut self, object: &Arc<Object>, depth: usize) {
        let indent = "  ".repeat(depth);
        let label = quoted(&self.label(object));
        if let Some(node) = object.node() {
            let _ = writeln!(self.out, "{indent}{} [label={label}];", quoted(&object.id));
            node.ways().iter().for_each(|way| self.way(way));
            return;
        }
        let _ = writeln!(
            self.out,
            "{indent}subgraph {} {{\n{indent}  label={label};",
            quoted(&format!("cluster_{}", object.id))
        );
        for child in object.children() {
            self.object(&child, depth + 1);
        }
        let _ = writeln!(self.out, "{indent}}}");
    }

    fn label(&self, object: &Object) -> String {
        let mut label = format!("{}\n{}", object.class.name, object.name());
        let Some(node) = object.node() else {
            return label;
        };
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let (comes, goes) = (
                node.flowing_in(kind, "default"),
                node.flowing_out(kind, "default"),
            );
            if self.details.states && (comes || goes) {
                let what = match (comes, goes) {
                    (true, true) => "in, out",
                    (true, false) => "in",
                    _ => "out",
                };
                let _ = write!(label, "\n{} {what}", kind.as_str());
            }
        }
        if self.details.parameters {
            let settings = object.settings.lock();
            let _ = write!(
                label,
                "\nencoderBitrate={}",
                settings.shown_encoder_bitrate()
            );
        }
        label
    }

    /// A link, through its conversions.
    fn way(&mut self, way: &Way) {
        let connection = &way.connection;
        let mut from = connection.source.to_string();
        let mut label = link_label(connection);
        for (index, (pad, format)) in way.hops.iter().enumerate() {
            if index > 0 {
                let name = format!("conversion {pad}");
                self.conversions.insert(name.clone(), format.clone());
                self.arrow(&from, &name, label);
                from = name;
                label = connection.kind.as_str().to_owned();
            }
            if self.details.formats {
                let _ = write!(label, " {format}");
            }
        }
        if way.hops.is_empty() && self.details.states {
            label.push_str(" (waiting)");
        }
        self.arrow(&from, &connection.sink, label);
    }

    fn arrow(&mut self, from: &str, to: &str, label: String) {
        let ends = (from.to_owned(), to.to_owned());
        self.arrows.entry(ends).or_default().insert(label);
    }

    fn finish(mut self) -> String {
        for (name, format) in &self.conversions {
            let (id, label) = (quoted(name), quoted(&format!("to {format}")));
            let _ = writeln!(self.out, "  {id} [label={label}, style=dashed];");
        }
        for ((from, to), labels) in &self.arrows {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let (from, to, label) = (quoted(from), quoted(to), quoted(&labels.join("\n")));
            let _ = writeln!(self.out, "  {from} -> {to} [label={label}];");
        }
        self.out.push_str("}\n");
        self.out
    }
}

fn link_label(connection: &Connection) -> String {
    let kind = connection.kind.as_str();
    let (source, sink) = (
        &*connection.source_description,
        &*connection.sink_description,
    );
    if (source, sink) == ("default", "default") {
        kind.to_owned()
    } else {
        format!("{kind} {source} → {sink}")
    }
}

/// A quoted string of the language that shows `text` as it is.
///
/// In labels a backslash begins escapes (`\N`, `\l`), `&` an entity of HTML, and in records braces,
/// bars and angle brackets divide fields. Control characters are shown as their pictures: whoever
/// reads the file on a terminal or makes SVG of it must not get them.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' | '{' | '}' | '|' | '<' | '>' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '&' => out.push_str("&amp;"),
            character => out.push(visible(character)),
        }
    }
    out.push('"');
    out
}

/// The picture of a control character, and a replacement for what no text of XML may contain.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        // U+2400 and so on, in the order of the characters that they stand for.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or(' '),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_what_their_names_say() {
        assert_eq!(Details::named("SHOW_ALL"), Details::named("SHOW_VERBOSE"));
        let states = Details::named("SHOW_STATES");
        assert!(states.states && !states.formats && !states.parameters);
        assert!(!Details::named("SHOW_MEDIA_TYPE").formats);
    }

    #[test]
    fn a_converted_link_leads_through_its_conversions() {
        let connection = Connection {
            source: "camera".into(),
            sink: "viewer".into(),
            kind: MediaKind::Video,
            source_description: "default".into(),
            sink_description: "default".into(),
        };
        let hops = [(1, "VP8"), (7, "I420"), (9, "H264")];
        let way = Way {
            connection,
            hops: hops.map(|(pad, format)| (pad, format.to_owned())).to_vec(),
        };
        let mut drawing = Drawing {
            out: String::new(),
            arrows: BTreeMap::new(),
            conversions: BTreeMap::new(),
            details: Details::named("SHOW_CAPS_DETAILS"),
        };
        drawing.way(&way);
        let text = drawing.finish();
        for line in [
            r#""conversion 7" [label="to I420", style=dashed];"#,
            r#""camera" -> "conversion 7" [label="VIDEO VP8"];"#,
            r#""conversion 7" -> "conversion 9" [label="VIDEO I420"];"#,
            r#""conversion 9" -> "viewer" [label="VIDEO H264"];"#,
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"]; evil \\ \n"), r#""a\"]; evil \\ \n""#);
        assert_eq!(quoted("trailing \\"), r#""trailing \\""#);
        assert_eq!(
            quoted("{a|b} <c> &#27; \\N"),
            r#""\{a\|b\} \<c\> &amp;#27; \\N""#
        );
    }

    #[test]
    fn control_characters_are_shown_as_pictures() {
        let hostile = "a\0b\u{1b}[31m\r\t\u{7f}\u{9b}\u{ffff}é→";
        assert_eq!(quoted(hostile), "\"a␀b␛[31m␍ ␡\u{fffd}\u{fffd}é→\"");
    }
}
