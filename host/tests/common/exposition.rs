//! A strict reader of Prometheus' text format, version 0.0.4.

use std::collections::{BTreeMap, HashSet};

/// A family with its series.
#[derive(Debug, Default, PartialEq)]
pub struct Family {
    pub kind: String,
    pub help: String,
    /// By labels, sorted by name.
    pub series: BTreeMap<Vec<(String, String)>, f64>,
}

/// The families of a page by name.
///
/// # Errors
/// The line that breaks a rule, and which.
pub fn parse(page: &str) -> Result<BTreeMap<String, Family>, String> {
    if !page.is_empty() && !page.ends_with('\n') {
        return Err("the last line does not end".into());
    }
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut done = HashSet::new();
    for line in page.lines() {
        parse_line(line, &mut families, &mut current, &mut done)
            .map_err(|rule| format!("{rule}: {line:?}"))?;
    }
    for (name, family) in &families {
        let lacks = family.kind.is_empty() || family.help.is_empty() || family.series.is_empty();
        let counter = family.kind == "counter";
        if lacks || counter != name.ends_with("_total") {
            return Err(format!("{name} lacks something: {family:?}"));
        }
    }
    Ok(families)
}

fn parse_line(
    line: &str,
    families: &mut BTreeMap<String, Family>,
    current: &mut String,
    done: &mut HashSet<String>,
) -> Result<(), String> {
    if let Some(comment) = line.strip_prefix("# ") {
        let mut parts = comment.splitn(3, ' ');
        let (Some(word), Some(name), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("an incomplete comment".into());
        };
        check_name(name)?;
        begin(name, current, done)?;
        let family = families.entry(name.to_owned()).or_default();
        if !family.series.is_empty() {
            return Err("help and type come first".into());
        }
        let place = match word {
            "HELP" => &mut family.help,
            "TYPE" if ["counter", "gauge", "histogram"].contains(&rest) => &mut family.kind,
            _ => return Err("neither help nor a known type".into()),
        };
        if !place.is_empty() {
            return Err("twice".into());
        }
        *place = rest.to_owned();
        return Ok(());
    }
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    check_name(name)?;
    let (name, part) = family_of(name, families);
    begin(name, current, done)?;
    let (mut labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    if value.contains(' ') {
        return Err("more than a value".into());
    }
    let value: f64 = value.parse().map_err(|_| "no number".to_owned())?;
    let family = families.get_mut(name).ok_or("no type before it")?;
    // What a histogram consists of is told apart by a label that no page has.
    labels.extend(part.map(|part| (PART.to_owned(), part.to_owned())));
    if family.kind == "counter" && !(value >= 0.0 && value.is_finite()) {
        return Err("no count".into());
    }
    match family.series.insert(labels, value) {
        Some(_) => Err("the same series twice".into()),
        None => Ok(()),
    }
}

/// Stands among the labels for the part of a histogram that a line is.
pub const PART: &str = "";

/// The family of a line, and which part of a histogram it is.
fn family_of<'n>(
    name: &'n str,
    families: &BTreeMap<String, Family>,
) -> (&'n str, Option<&'static str>) {
    for part in ["bucket", "sum", "count"] {
        let base = name
            .strip_suffix(part)
            .and_then(|base| base.strip_suffix('_'));
        let family = base.and_then(|base| families.get(base));
        if let Some(base) = base.filter(|_| family.is_some_and(|f| f.kind == "histogram")) {
            return (base, Some(part));
        }
    }
    (name, None)
}

/// All lines of a family stand together.
fn begin(name: &str, current: &mut String, done: &mut HashSet<String>) -> Result<(), String> {
    if current != name {
        done.insert(std::mem::replace(current, name.to_owned()));
    }
    match done.contains(name) {
        true => Err("lines of one family apart".into()),
        false => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match begins && name.chars().all(legal) {
        true => Ok(()),
        false => Err(format!("no name: {name:?}")),
    }
}

type Labels = Vec<(String, String)>;

fn parse_labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("no label")?;
        check_name(name)?;
        if name.starts_with("__") || labels.iter().any(|(known, _)| known == name) {
            return Err("a label that must not be".into());
        }
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().ok_or("no end of a label")? {
                (end, '"') => break end,
                (_, '\\') => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c @ ('\\' | '"'))) => value.push(c),
                    _ => return Err("an unknown escape".into()),
                },
                (_, c) if c.is_control() => return Err("a control character".into()),
                (_, c) => value.push(c),
            }
        };
        labels.push((name.to_owned(), value));
        let after = after.get(end + 1..).unwrap_or_default();
        if let Some(after) = after.strip_prefix('}') {
            labels.sort();
            return Ok((labels, after));
        }
        rest = after.strip_prefix(',').ok_or("no comma")?;
    }
}
