//! Graphs of pipelines in the language of Graphviz: elements as boxes, links as arrows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::media::Connection;
use crate::registry::Object;

/// The graph of an object with its descendants and their links.
#[must_use]
pub(super) fn graph(object: &Arc<Object>) -> String {
    let mut out = String::from(
        "digraph pipeline {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=sans];\n",
    );
    let _ = writeln!(out, "  label={};", quoted(&object.name()));
    let mut links = BTreeMap::new();
    write_object(&mut out, object, 1, &mut links);
    for ((source, sink), label) in links {
        let _ = writeln!(
            out,
            "  {} -> {} [label={}];",
            quoted(&source),
            quoted(&sink),
            quoted(&label)
        );
    }
    out.push_str("}\n");
    out
}

/// Writes the graph to `<milliseconds>-<id>.dot` in `directory`.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn dump(object: &Arc<Object>, directory: &Path) -> std::io::Result<()> {
    let id = object.id.replace('/', "_");
    let file = directory.join(format!("{}-{id}.dot", crate::events::now_millis()));
    std::fs::write(file, graph(object))
}

fn write_object(
    out: &mut String,
    object: &Arc<Object>,
    depth: usize,
    links: &mut BTreeMap<(String, String), String>,
) {
    let indent = "  ".repeat(depth);
    let label = quoted(&format!("{}\n{}", object.class.name, object.name()));
    if let Some(node) = object.node() {
        let _ = writeln!(out, "{indent}{} [label={label}];", quoted(&object.id));
        for connection in node.sink_connections(None, None) {
            add_link(links, &connection);
        }
        return;
    }
    let _ = writeln!(
        out,
        "{indent}subgraph {} {{\n{indent}  label={label};",
        quoted(&format!("cluster_{}", object.id))
    );
    for child in object.children() {
        write_object(out, &child, depth + 1, links);
    }
    let _ = writeln!(out, "{indent}}}");
}

/// Links between the same two elements share one arrow.
fn add_link(links: &mut BTreeMap<(String, String), String>, connection: &Connection) {
    let label = links
        .entry((connection.source.to_string(), connection.sink.to_string()))
        .or_default();
    if !label.is_empty() {
        label.push('\n');
    }
    label.push_str(connection.kind.as_str());
    if &*connection.source_description != "default" || &*connection.sink_description != "default" {
        let _ = write!(
            label,
            " {} → {}",
            connection.source_description, connection.sink_description
        );
    }
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"]; evil \\ \n"), r#""a\"]; evil \\ \n""#);
    }
}
