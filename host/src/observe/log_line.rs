//! One event as one line of bounded length, as text or as JSON.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use super::civil_time::CivilTime;
use crate::redact::redacted;

/// Bytes that message and fields of a line have together at most, before characters are escaped.
const LINE_LIMIT: usize = 4096;
/// Bytes of one field's value at most, so that a long one leaves room for the others.
const FIELD_LIMIT: usize = 1024;
/// Stands where the rest of a text was left out.
const CUT: char = '…';

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-20T10:29:29.123456Z  INFO target: message key=value`
    #[default]
    Text,
    /// An object: `timestamp`, `level`, `target`, `message`, and `fields` if there are any.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFormat, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("expected 'text' or 'json'".to_owned()),
        }
    }
}

/// What an event says, cut to a bounded size: values may come from clients, who may send
/// names of megabytes.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) level: Level,
    target: String,
    pub(super) message: String,
    fields: Vec<(&'static str, FieldValue)>,
    /// Bytes that may still be taken.
    left: usize,
}

#[derive(Debug)]
enum FieldValue {
    /// Text that is shown in quotes.
    Quoted(String),
    /// What a `Display` or `Debug` wrote.
    Plain(String),
    Number(serde_json::Number),
    Flag(bool),
}

impl Record {
    /// Of an event.
    pub(super) fn of(event: &Event<'_>) -> Record {
        let metadata = event.metadata();
        let mut record = Record::new(*metadata.level(), metadata.target(), String::new());
        event.record(&mut record);
        record
    }

    /// Of a message of the log itself.
    pub(super) fn new(level: Level, target: &str, message: String) -> Record {
        Record {
            level,
            target: target.to_owned(),
            message,
            fields: Vec::new(),
            left: LINE_LIMIT,
        }
    }

    /// The same with another field.
    pub(super) fn with(mut self, name: &'static str, number: u64) -> Record {
        self.fields.push((name, FieldValue::Number(number.into())));
        self
    }

    /// The value of a text field.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(known, _)| *known == name)?;
        match value {
            FieldValue::Quoted(text) | FieldValue::Plain(text) => Some(text),
            FieldValue::Number(_) | FieldValue::Flag(_) => None,
        }
    }

    /// The line with its line break. `colours`: of a terminal, for text alone.
    pub(super) fn line(&self, format: LogFormat, colours: bool) -> String {
        let mut line = match format {
            LogFormat::Text => self.as_text(&timestamp(), colours),
            LogFormat::Json => self.as_json(timestamp()),
        };
        line.push('\n');
        line
    }

    fn as_text(&self, timestamp: &str, colours: bool) -> String {
        let (dim, colour, reset) = match (colours, self.level) {
            (false, _) => ("", "", ""),
            (true, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
            (true, Level::INFO) => ("\x1b[2m", "\x1b[32m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[34m", "\x1b[0m"),
        };
        let mut line = format!("{dim}{timestamp}{reset} {colour}{:>5}{reset} ", self.level);
        // What comes from elsewhere could break the line, or speak to the terminal.
        let mut visible = Visible(&mut line);
        let _ = write!(visible, "{}:", self.target);
        if !self.message.is_empty() {
            let _ = write!(visible, " {}", self.message);
        }
        for (name, value) in &self.fields {
            let _ = match value {
                FieldValue::Quoted(text) => write!(visible, " {name}={text:?}"),
                FieldValue::Plain(text) => write!(visible, " {name}={text}"),
                FieldValue::Number(number) => write!(visible, " {name}={number}"),
                FieldValue::Flag(flag) => write!(visible, " {name}={flag}"),
            };
        }
        line
    }

    fn as_json(&self, timestamp: String) -> String {
        json!(self.as_object(timestamp)).to_string()
    }

    /// The members of the object that a line is in JSON.
    pub(super) fn as_object(&self, timestamp: String) -> Map<String, Value> {
        let mut object = Map::from_iter([
            ("timestamp".to_owned(), Value::from(timestamp)),
            ("level".to_owned(), self.level.as_str().into()),
            ("target".to_owned(), self.target.as_str().into()),
            ("message".to_owned(), self.message.as_str().into()),
        ]);
        let fields: Map<String, Value> = self
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_json()))
            .collect();
        if !fields.is_empty() {
            object.insert("fields".to_owned(), fields.into());
        }
        object
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        size_of::<Record>() + self.target.len() + LINE_LIMIT.saturating_sub(self.left)
    }

    /// Takes what fits of a value.
    fn take(&mut self, name: &'static str, value: fmt::Arguments<'_>) -> String {
        let limit = match name {
            "message" => self.left,
            _ => self.left.min(FIELD_LIMIT),
        };
        let mut cut = Cut {
            text: String::new(),
            left: limit,
        };
        // Ends early where the text is full: an error only says so.
        let _ = cut.write_fmt(value);
        self.left -= limit - cut.left;
        redacted(&cut.text).into_owned()
    }
}

impl FieldValue {
    fn as_json(&self) -> Value {
        match self {
            FieldValue::Quoted(text) | FieldValue::Plain(text) => text.as_str().into(),
            FieldValue::Number(number) => number.clone().into(),
            FieldValue::Flag(flag) => (*flag).into(),
        }
    }
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        let text = self.take(field.name(), format_args!("{value}"));
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, FieldValue::Quoted(text))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = self.take(field.name(), format_args!("{value:?}"));
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, FieldValue::Plain(text))),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), FieldValue::Flag(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields
            .push((field.name(), FieldValue::Number(value.into())));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields
            .push((field.name(), FieldValue::Number(value.into())));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.fields.push((field.name(), FieldValue::Number(number))),
            // JSON has no infinities.
            None => self.record_debug(field, &value),
        }
    }
}

/// Takes text up to a number of bytes, whole characters only.
struct Cut {
    text: String,
    left: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left {
            self.text.push_str(text);
            self.left -= text.len();
            return Ok(());
        }
        let end = text.floor_char_boundary(self.left);
        self.text.push_str(text.get(..end).unwrap_or_default());
        self.text.push(CUT);
        self.left = 0;
        Err(fmt::Error)
    }
}

/// Escapes what is not to be seen: control characters, and those that change the direction or
/// the order of what follows.
struct Visible<'s>(&'s mut String);

impl fmt::Write for Visible<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                character if is_hidden(character) => self.0.extend(character.escape_unicode()),
                character => self.0.push(character),
            }
        }
        Ok(())
    }
}

/// Control characters (C0, C1), the separators of lines and paragraphs, and formatting ones.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The time now in UTC, as in RFC 3339, with microseconds.
fn timestamp() -> String {
    timestamp_of(SystemTime::now())
}

/// A time in UTC, as in RFC 3339, with microseconds.
pub(super) fn timestamp_of(now: SystemTime) -> String {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_micros();
    let time = CivilTime::from(now);
    let (date, hour, minute, second) = (time.date(), time.hour, time.minute, time.second);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Where an event comes from: a place in the source, or in that of a module.
pub(super) fn origin<'r>(metadata: &'r Metadata<'_>, record: &'r Record) -> (&'r str, &'r str) {
    // All lines of modules pass through the same place of ours.
    let module = record.text("module").unwrap_or_default();
    let target = record.text("at").unwrap_or(metadata.target());
    (module, target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(message: &str, fields: &[(&'static str, &str)]) -> Record {
        let mut record = Record::new(Level::INFO, "rivero::test", String::new());
        record.message = record.take("message", format_args!("{message}"));
        for (name, value) in fields {
            let text = record.take(name, format_args!("{value}"));
            record.fields.push((name, FieldValue::Quoted(text)));
        }
        record
    }

    #[test]
    fn text_is_one_visible_line() {
        let hostile = "a\nb\r\u{1b}[31m\0\u{202e}\u{9b}é";
        let line = record(hostile, &[("name", hostile)]).line(LogFormat::Text, false);
        let (_, rest) = line.split_once("  INFO rivero::test: ").unwrap();
        assert_eq!(
            rest,
            "a\\nb\\r\\u{1b}[31m\\u{0}\\u{202e}\\u{9b}é \
             name=\"a\\nb\\r\\u{1b}[31m\\0\\u{202e}\\u{9b}é\"\n"
        );
    }

    #[test]
    fn json_is_one_object() {
        let record = record("quote \" and\nbreak", &[("name", "x\u{1b}")]).with("suppressed", 3);
        let line = record.line(LogFormat::Json, true);
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["message"], "quote \" and\nbreak");
        assert_eq!(object["level"], "INFO");
        assert_eq!(
            object["fields"],
            json!({"name": "x\u{1b}", "suppressed": 3})
        );
        assert!(object["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn lines_have_a_bounded_length() {
        let long = "é".repeat(1 << 20);
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = record("refused", &[("name", &long), ("from", "10.0.0.1")]);
            let line = line.line(format, false);
            assert!(line.len() < 1200, "{}", line.len());
            assert!(line.contains("10.0.0.1") && line.contains(CUT));
            let line = record(&long, &[("name", &long), ("from", &long)]);
            assert!(line.line(format, false).len() < 4400);
        }
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!("text".parse(), Ok(LogFormat::Text));
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
