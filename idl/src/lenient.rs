//! The JSON dialect of descriptors: `//` and `/* */` comments anywhere between tokens, and strings
//! that span lines.
//!
//! The text is rewritten to plain JSON, and positions in the result can be traced back, so that
//! error messages show what the author sees in the editor.

/// Plain JSON made from lenient text.
pub(crate) struct PlainJson {
    text: String,
    /// Offsets in `text` after which one byte more was written than read: each line break inside a
    /// string.
    widened_at: Vec<usize>,
    original: String,
}

/// A position an editor would show; both from 1, the column in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    InString,
    Escaped,
    LineComment,
    BlockComment,
}

impl PlainJson {
    /// Blanks out comments and escapes line breaks and tabs inside strings. Never fails: what is
    /// not JSON stays so.
    pub(crate) fn new(original: &str) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut widened_at = Vec::new();
        let mut state = State::Plain;
        let mut characters = original.chars().peekable();
        while let Some(c) = characters.next() {
            let next = characters.peek().copied();
            match (state, c, next) {
                (State::Plain, '/', Some('/')) => {
                    state = State::LineComment;
                    text.push(' ');
                }
                (State::Plain, '/', Some('*')) => {
                    state = State::BlockComment;
                    text.push_str("  ");
                    characters.next();
                }
                (State::LineComment, '\n', _) => {
                    state = State::Plain;
                    text.push('\n');
                }
                (State::BlockComment, '*', Some('/')) => {
                    state = State::Plain;
                    text.push_str("  ");
                    characters.next();
                }
                (State::LineComment | State::BlockComment, _, _) => blank_out(&mut text, c),
                (State::InString, '\n' | '\t' | '\r', _) => {
                    text.push_str(match c {
                        '\n' => "\\n",
                        '\t' => "\\t",
                        _ => "\\r",
                    });
                    widened_at.push(text.len());
                }
                _ => {
                    state = after(state, c);
                    text.push(c);
                }
            }
        }
        Self {
            text,
            widened_at,
            original: original.to_owned(),
        }
    }

    /// The plain JSON.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where a line and column of [`Self::as_str`], as serde_json counts them, lie in the original
    /// text.
    pub(crate) fn original_position(&self, line: usize, column: usize) -> Position {
        let line_start: usize = self
            .text
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let offset = line_start + column;
        let widened = self.widened_at.iter().filter(|at| **at <= offset).count();
        let before = self
            .original
            .as_bytes()
            .get(..offset.saturating_sub(widened).saturating_sub(1))
            .unwrap_or(self.original.as_bytes());
        let lines_before = before.iter().filter(|byte| **byte == b'\n').count();
        let in_line = before
            .iter()
            .rev()
            .take_while(|byte| **byte != b'\n')
            .count();
        Position {
            line: lines_before + 1,
            column: in_line + 1,
        }
    }
}

/// Keeps byte offsets: a comment's characters become as many blanks as they have bytes.
fn blank_out(text: &mut String, c: char) {
    if c == '\n' {
        text.push('\n');
    } else {
        for _ in 0..c.len_utf8() {
            text.push(' ');
        }
    }
}

fn after(state: State, c: char) -> State {
    match (state, c) {
        (State::Plain, '"') => State::InString,
        (State::InString, '"') => State::Plain,
        (State::InString, '\\') => State::Escaped,
        (State::Escaped, _) => State::InString,
        _ => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> serde_json::Value {
        serde_json::from_str(PlainJson::new(text).as_str()).unwrap()
    }

    #[test]
    fn comments_disappear_but_not_inside_strings() {
        let text = "{ // one\n \"a\": \"x // y /* z */\", /* two\n lines */ \"b\": 1 }";
        assert_eq!(
            value(text),
            serde_json::json!({"a": "x // y /* z */", "b": 1})
        );
    }

    #[test]
    fn strings_may_span_lines_and_hold_escapes() {
        let text = "[\"one\n\ttwo\", \"quote \\\" // still inside\"]";
        assert_eq!(
            value(text),
            serde_json::json!(["one\n\ttwo", "quote \" // still inside"])
        );
    }

    #[test]
    fn an_unfinished_comment_or_string_is_left_to_the_json_parser() {
        for text in ["{ \"a", "\"\\", "/", "{ /* open", "[1, // open"] {
            let plain = PlainJson::new(text);
            assert_eq!(plain.as_str().len(), text.len(), "{text}");
            let error = serde_json::from_str::<serde_json::Value>(plain.as_str()).unwrap_err();
            assert!(error.is_eof() || text == "/", "{text}: {error}");
        }
        // After the value an open comment is no mistake.
        assert_eq!(value("{} /* open"), serde_json::json!({}));
    }

    #[test]
    fn positions_are_those_of_the_original_text() {
        let text = "{\n  /* ü */ \"doc\": \"first\n  second\",\n  \"bad\": ?\n}";
        let plain = PlainJson::new(text);
        let error = serde_json::from_str::<serde_json::Value>(plain.as_str()).unwrap_err();
        let position = plain.original_position(error.line(), error.column());
        assert_eq!(
            position,
            Position {
                line: 4,
                column: 10
            }
        );
    }

    #[test]
    fn a_position_beyond_the_text_is_its_end() {
        let plain = PlainJson::new("{\n");
        assert_eq!(
            plain.original_position(9, 9),
            Position { line: 2, column: 1 }
        );
    }
}
