//! JSON as clients of the protocol may write it.
//!
//! More is accepted than RFC 8259 allows, because the servers that clients were
//! written for accept it too: `//` and `/* */` comments, text after the value and
//! duplicate keys (the last one counts). Nesting is limited to 128 levels.

use serde_json::Value;

/// Parses the first JSON value of `text`.
///
/// # Errors
/// The parser's complaint, when there is no value, or a malformed one.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    match first_value(text) {
        Err(error) if text.contains("//") || text.contains("/*") => {
            first_value(&without_comments(text)).map_err(|_| error)
        }
        other => other,
    }
}

fn first_value(text: &str) -> Result<Value, serde_json::Error> {
    match serde_json::Deserializer::from_str(text).into_iter().next() {
        Some(result) => result,
        None => serde_json::from_str(text),
    }
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Nothing,
    Text,
    Escape,
    Line,
    Block,
}

/// `text` with every comment outside strings replaced by one blank; line breaks stay, so that
/// line numbers in errors remain right.
#[must_use]
pub fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = Inside::Nothing;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        inside = match inside {
            Inside::Nothing if c == '/' && chars.peek() == Some(&'/') => {
                chars.next();
                Inside::Line
            }
            Inside::Nothing if c == '/' && chars.peek() == Some(&'*') => {
                chars.next();
                out.push(' ');
                Inside::Block
            }
            Inside::Block if c == '*' && chars.peek() == Some(&'/') => {
                chars.next();
                Inside::Nothing
            }
            Inside::Line if c == '\n' => {
                out.push(c);
                Inside::Nothing
            }
            Inside::Block if c == '\n' => {
                out.push(c);
                Inside::Block
            }
            Inside::Line | Inside::Block => inside,
            Inside::Nothing | Inside::Text | Inside::Escape => {
                out.push(c);
                after(inside, c)
            }
        };
    }
    out
}

/// The state after an ordinary character.
fn after(inside: Inside, c: char) -> Inside {
    match (inside, c) {
        (Inside::Nothing, '"') | (Inside::Escape, _) => Inside::Text,
        (Inside::Text, '"') => Inside::Nothing,
        (Inside::Text, '\\') => Inside::Escape,
        _ => inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn accepts_what_clients_send() {
        let expected = json!({"id": 1, "m": "a//b /* c */"});
        for text in [
            r#"{"id":1,"m":"a//b /* c */"}"#,
            r#"/* c */ {"id":1,/*x*/"m":"a//b /* c */"} // end"#,
            r#"{"id":1,"m":"a//b /* c */"} trailing"#,
            r#"{"id":0,"id":1,"m":"a//b /* c */"}"#,
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_json() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "  ",
            "{",
            "this is not json",
            "{'a':1}",
            "\u{feff}{}",
            "{\"a\":1,}",
            "// only",
            &deep,
        ] {
            assert!(parse(text).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn comments_keep_strings_and_lines() {
        assert_eq!(
            without_comments("a \"//\\\"/*\" // x\nb/*\n*/c"),
            "a \"//\\\"/*\" \nb \nc"
        );
    }
}
