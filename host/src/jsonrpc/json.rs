//! JSON as clients of the protocol may write it.
//!
//! More is accepted than RFC 8259 allows, because the servers that clients were
//! written for accept it too: `//` and `/* */` comments, text after the value and
//! duplicate keys (the last one counts). Nesting is limited to 128 levels.
//!
//! A text of 30 MB may hold ten million values, each of which takes many times its text in
//! memory: [`Extent`] says how many there are before any of them is made.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
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

/// The scalar member `name` of the object that `text` is, without a value made of anything else:
/// for texts that hold too much to be parsed. Null if there is none before what cannot be read.
#[must_use]
pub fn scalar_member(text: &str, name: &str) -> Value {
    let mut found = Value::Null;
    let mut parser = serde_json::Deserializer::from_str(text);
    // Whatever is wrong with the rest, what came before it is known.
    let _ = parser.deserialize_map(Member(name, &mut found));
    found
}

/// Looks for the member of that name, of which the last one counts.
struct Member<'a>(&'a str, &'a mut Value);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<Cow<'de, str>>()? {
            if key == self.0 {
                let Scalar(value) = members.next_value()?;
                *self.1 = value;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A scalar; null in place of arrays and objects.
struct Scalar(Value);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(ScalarVisitor).map(Scalar)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }
}

/// How much a JSON text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Bytes of text.
    pub bytes: u64,
    /// Values at most, those in arrays and objects included.
    pub values: u64,
    /// Objects that are not empty.
    pub objects: u64,
}

/// What a value takes beside its text.
const VALUE_COST: u64 = size_of::<Value>() as u64;
/// What an object takes as soon as it has one member: a node of a B-tree has room for eleven.
const OBJECT_COST: u64 = 12 * (size_of::<String>() + size_of::<Value>()) as u64;

impl Extent {
    /// Counts what the first value of `text` holds, in one pass and without recursion.
    #[must_use]
    pub fn of(text: &str) -> Extent {
        let mut extent = Extent {
            bytes: text.len() as u64,
            values: 1,
            objects: 0,
        };
        let mut inside = Inside::Nothing;
        let mut depth = 0_u32;
        // Whether the container that was opened last may still be empty.
        let mut opened = None;
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let comment = byte == b'/' && matches!(bytes.peek(), Some(b'/' | b'*'));
            match (inside, byte) {
                (Inside::Line, b'\n') => inside = Inside::Nothing,
                (Inside::Block, b'*') if bytes.peek() == Some(&b'/') => {
                    bytes.next();
                    inside = Inside::Nothing;
                }
                (Inside::Line | Inside::Block, _) => {}
                (Inside::Text | Inside::Escape, _) => inside = after(inside, byte.into()),
                (Inside::Nothing, b'/') if comment => {
                    let line = bytes.next() == Some(b'/');
                    inside = if line { Inside::Line } else { Inside::Block };
                }
                (Inside::Nothing, b' ' | b'\t' | b'\r' | b'\n') => {}
                (Inside::Nothing, b']' | b'}') => {
                    opened = None;
                    depth = depth.saturating_sub(1);
                    // What follows is not looked at by the parser either.
                    if depth == 0 {
                        break;
                    }
                }
                (Inside::Nothing, _) => {
                    extent.values += u64::from(opened.is_some() || byte == b',');
                    extent.objects += u64::from(opened == Some(b'{'));
                    opened = matches!(byte, b'[' | b'{').then_some(byte);
                    depth += u32::from(opened.is_some());
                    inside = after(inside, byte.into());
                }
            }
        }
        extent
    }

    /// Bytes of memory that the text takes while it is worked on, with the values made of it.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.bytes + VALUE_COST * self.values + OBJECT_COST * self.objects
    }
}

/// Bytes of memory that a value takes, about.
#[must_use]
pub fn weight(value: &Value) -> u64 {
    VALUE_COST
        + match value {
            Value::String(text) => text.len() as u64,
            Value::Array(items) => items.iter().map(weight).sum(),
            Value::Object(members) => {
                let of_member = |(key, value): (&String, &Value)| key.len() as u64 + weight(value);
                let node = if members.is_empty() { 0 } else { OBJECT_COST };
                node + members.iter().map(of_member).sum::<u64>()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
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
    fn a_member_is_found_without_the_others() {
        let id = |text: &str| scalar_member(text, "id");
        for (text, expected) in [
            (r#"{"id":7,"a":[0,{"id":8}]}"#, json!(7)),
            (r#"{"a":[0,{"id":8}],"id":"x\u0041"}"#, json!("xA")),
            (r#"{"id":1,"\u0069d":2} {"id":3}"#, json!(2)),
            (r#"{"id":-1.5,"a":"#, json!(-1.5)),
            (r#"{"id":true,'"#, json!(true)),
            (r#"{"id":[1]}"#, Value::Null),
            (r#"{"id":{"id":1}}"#, Value::Null),
            (r#"[{"id":1}]"#, Value::Null),
            ("", Value::Null),
        ] {
            assert_eq!(id(text), expected, "{text}");
        }
        let deep = format!(r#"{{"id":5,"a":{}"#, "[".repeat(1_000_000));
        assert_eq!(id(&deep), json!(5));
    }

    #[test]
    fn values_are_counted_before_they_are_made() {
        let count = |text: &str| {
            let Extent {
                values, objects, ..
            } = Extent::of(text);
            (values, objects)
        };
        for (text, values, objects) in [
            ("0", 1, 0),
            ("[]", 1, 0),
            (" [ ] ", 1, 0),
            ("{}", 1, 0),
            ("[0,0,0]", 4, 0),
            (r#"[{"":0},{"":0}]"#, 5, 2),
            (r#"{"a":[1,{}],"b":"x,[{\",y"}"#, 5, 1),
            (r#"{"a":1} [1,2,3]"#, 2, 1),
            ("/* [\"[,, */ [0, // ,,,\n 0]", 3, 0),
            ("[[[[]]]]", 4, 0),
        ] {
            assert_eq!(count(text), (values, objects), "{text}");
        }
        let many = format!("[{}0]", "0,".repeat(1_000_000));
        assert_eq!(count(&many).0, 1_000_002);
        assert_eq!(count(&"[".repeat(1_000_000)).0, 1_000_000);
    }

    #[test]
    fn the_count_is_never_less_than_what_the_parser_makes() {
        fn made(value: &Value) -> u64 {
            1 + match value {
                Value::Array(items) => items.iter().map(made).sum(),
                Value::Object(members) => members.values().map(made).sum(),
                _ => 0,
            }
        }
        // Pieces that are put together at random make comments, strings and containers of all kinds.
        let pieces = [
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "\"",
            "\\",
            "0",
            " ",
            "/*",
            "*/",
            "//",
            "\n",
            "\"a\"",
            "[0,1]",
            "{\"k\":[]}",
        ];
        let mut seed = 1_u64;
        for _ in 0..200_000 {
            let mut text = String::from("[");
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[usize::try_from(seed >> 33).unwrap() % pieces.len()]);
            }
            text.push(']');
            if let Ok(value) = parse(&text) {
                assert!(Extent::of(&text).values >= made(&value), "{text}");
            }
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
