//! Configuration files as JSON trees: `.conf.json`, `.conf.ini`, `.conf.info`, `.conf.xml`.

use std::path::Path;

use serde_json::{Map, Value};

use crate::jsonrpc::json::without_comments;
use crate::regular_file;

/// Bytes of a file at most.
const FILE_LIMIT: u64 = 4 << 20;
/// Levels of nesting at most, in formats where nesting is free.
const MAX_DEPTH: usize = 64;

/// Something wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Neither of the four kinds.
    #[error(
        "not a configuration file: its name should end in .conf.json, .conf.ini, .conf.info or .conf.xml"
    )]
    Kind,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The file does not follow its format.
    #[error("line {line}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// A parsed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// File name without directory and `.conf.*`.
    pub name: String,
    /// An object; leaves of INI, INFO and XML files are strings.
    pub tree: Value,
}

impl Document {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// See [`Problem`].
    pub fn read(file: &Path) -> Result<Document, Problem> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format_of(&name)?;
        let text = regular_file::read_to_string(file, FILE_LIMIT)
            .map_err(|error| Problem::Unreadable(error.to_string()))?;
        Document::parse(&name, &text)
    }

    /// Parses the text of a file of this name.
    ///
    /// # Errors
    /// See [`Problem`].
    pub fn parse(file_name: &str, text: &str) -> Result<Document, Problem> {
        let name = file_name.split_once(".conf.").map(|(name, _)| name);
        Ok(Document {
            name: name.unwrap_or_default().to_owned(),
            tree: format_of(file_name)?(text)?,
        })
    }
}

type Parser = fn(&str) -> Result<Value, Problem>;

/// The parser for files of this name.
fn format_of(file_name: &str) -> Result<Parser, Problem> {
    match file_name.rsplit_once(".conf.") {
        Some((_, "json")) => Ok(json),
        Some((_, "ini")) => Ok(ini),
        Some((_, "info")) => Ok(info),
        Some((_, "xml")) => Ok(xml),
        _ => Err(Problem::Kind),
    }
}

/// JSON with `//` and `/* */` comments.
fn json(text: &str) -> Result<Value, Problem> {
    let value: Value = serde_json::from_str(&without_comments(text)).map_err(|error| {
        let text = error.to_string();
        let message = text.split(" at line").next().unwrap_or(&text).to_owned();
        Problem::Syntax {
            line: error.line(),
            message,
        }
    })?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Problem::Syntax {
            line: 1,
            message: "expected an object".into(),
        }),
    }
}

/// `key=value` lines, `[section]` headers (dots lead deeper), comments after `;` or `#`.
fn ini(text: &str) -> Result<Value, Problem> {
    let mut root = Map::new();
    let mut section: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = Some(name.trim().to_owned());
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            let message = "expected 'key=value' or '[section]'".into();
            return Err(Problem::Syntax {
                line: index + 1,
                message,
            });
        };
        let members = section.as_deref().map(|name| name.split('.'));
        if let Some(members) = nested(&mut root, members.into_iter().flatten()) {
            members.insert(key.trim().to_owned(), Value::from(value.trim()));
        }
    }
    Ok(Value::Object(root))
}

/// The object at a path, made where nothing is; `None` where something else is.
fn nested<'a, 'b>(
    root: &'a mut Map<String, Value>,
    mut path: impl Iterator<Item = &'b str>,
) -> Option<&'a mut Map<String, Value>> {
    path.try_fold(root, |object, name| {
        object
            .entry(name)
            .or_insert_with(|| Map::new().into())
            .as_object_mut()
    })
}

/// Boost's INFO format: `key value` lines, nested with braces, comments after `;`.
fn info(text: &str) -> Result<Value, Problem> {
    let mut stack: Vec<(String, Map<String, Value>)> = vec![(String::new(), Map::new())];
    let mut last_key: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let fail = |message: &str| Problem::Syntax {
            line: index + 1,
            message: message.into(),
        };
        for word in words(line)
            .map_err(|message| fail(&message))?
            .chunk_by(|a, b| !is_brace(a) && !is_brace(b))
        {
            match word {
                [brace] if brace == "{" => {
                    let key = last_key
                        .take()
                        .ok_or_else(|| fail("'{' without a key before it"))?;
                    if stack.len() >= MAX_DEPTH {
                        return Err(fail("nested too deeply"));
                    }
                    stack.push((key, Map::new()));
                }
                [brace] if brace == "}" => {
                    let (key, members) = stack.pop().ok_or_else(|| fail("'}' without '{'"))?;
                    let (_, parent) = stack.last_mut().ok_or_else(|| fail("'}' without '{'"))?;
                    parent.insert(key, Value::Object(members));
                }
                [key, rest @ ..] => {
                    if let Some((_, members)) = stack.last_mut() {
                        members.insert(key.clone(), Value::from(rest.join(" ")));
                    }
                    last_key = Some(key.clone());
                }
                [] => {}
            }
        }
    }
    match (stack.pop(), stack.is_empty()) {
        (Some((_, root)), true) => Ok(Value::Object(root)),
        _ => Err(Problem::Syntax {
            line: text.lines().count(),
            message: "'}' is missing".into(),
        }),
    }
}

fn is_brace(word: &str) -> bool {
    word == "{" || word == "}"
}

/// The words of a line of INFO; quoted ones may contain blanks, braces and `\"`.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            ';' => break,
            '{' | '}' => {
                words.push(c.to_string());
                chars.next();
            }
            '"' => {
                chars.next();
                words.push(quoted(&mut chars)?);
            }
            c if c.is_whitespace() => {
                chars.next();
            }
            _ => {
                let mut word = String::new();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"{};\"".contains(*c)) {
                    word.push(c);
                }
                words.push(word);
            }
        }
    }
    Ok(words)
}

fn quoted(chars: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut word = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(word),
            '\\' => word.extend(chars.next()),
            c => word.push(c),
        }
    }
    Err("'\"' is missing".into())
}

/// Nested elements; an element with text is a string.
fn xml(text: &str) -> Result<Value, Problem> {
    let fail = |position: roxmltree::TextPos, message: String| Problem::Syntax {
        line: position.row as usize,
        message,
    };
    let document =
        roxmltree::Document::parse(text).map_err(|error| fail(error.pos(), error.to_string()))?;
    let mut root = Map::new();
    insert_element(&mut root, document.root_element(), 0);
    Ok(Value::Object(root))
}

fn insert_element(
    members: &mut Map<String, Value>,
    element: roxmltree::Node<'_, '_>,
    depth: usize,
) {
    let mut children = Map::new();
    for child in element
        .children()
        .filter(|child| child.is_element() && depth < MAX_DEPTH)
    {
        insert_element(&mut children, child, depth + 1);
    }
    let value = match children.is_empty() {
        true => Value::from(element.text().unwrap_or_default().trim()),
        false => Value::Object(children),
    };
    members.insert(element.tag_name().name().to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_settings_in_every_format() {
        let expected =
            json!({"mediaServer": {"net": {"websocket": {"port": "8888", "path": "a b"}}}});
        let json = json(
            r#"{"mediaServer": {"net": {/* x */"websocket": {"port": "8888", "path": "a b"}}}} // y"#,
        );
        let info =
            info("mediaServer { ; x\n net\n {\n websocket { port 8888\n path \"a b\" } } }\n");
        let xml = xml(
            "<mediaServer><net><websocket><port>8888</port><path>a b</path></websocket></net></mediaServer>",
        );
        for tree in [json, info, xml] {
            assert_eq!(tree.unwrap(), expected);
        }
        let sections = ini("[mediaServer.net.websocket]\nport=8888\npath = a b\n");
        assert_eq!(sections.unwrap(), expected);
        let ini = ini("; comment\nminPort = 5000\nempty=\n[s]\nurl=a=b\n");
        assert_eq!(
            ini.unwrap(),
            json!({"minPort": "5000", "empty": "", "s": {"url": "a=b"}})
        );
    }

    #[test]
    fn errors_name_the_line() {
        let line = |result: Result<Value, Problem>| match result.unwrap_err() {
            Problem::Syntax { line, .. } => line,
            other => panic!("{other}"),
        };
        assert_eq!(line(json("{\n// c\n\"a\": }")), 3);
        assert_eq!(line(ini("a=1\nnonsense\n")), 2);
        assert_eq!(line(info("a 1\n}\n")), 2);
        assert_eq!(line(info("a {\n b 1\n")), 2);
        assert_eq!(line(xml("<a>\n<b>\n</a>")), 3);
        assert_eq!(
            json("[]").unwrap_err().to_string(),
            "line 1: expected an object"
        );
    }

    #[test]
    fn only_configuration_files_are_read() {
        assert_eq!(
            Document::read(Path::new("/nowhere/a.json")),
            Err(Problem::Kind)
        );
        assert!(matches!(
            Document::read(Path::new("/nowhere/a.conf.json")),
            Err(Problem::Unreadable(_))
        ));
    }
}
