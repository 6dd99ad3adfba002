//! Values of the types of a descriptor: the usual ones, and those that somebody forgot.

use super::random::Random;
use rivero_idl::{ComplexType, Model, Param, Type};
use serde_json::{Map, Value, json};

/// How deep lists and registers lie in each other.
const DEPTH: usize = 4;

/// Texts that have been too much for somebody.
const TEXTS: [&str; 16] = [
    "",
    "a",
    "0",
    "-1",
    " ",
    "\0",
    "ü€😀",
    "../../../etc/passwd",
    "%s%n%d",
    "{}",
    "[1,2",
    "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 RTP/AVP 96\r\n",
    "file:///nonexistent-directory/x.webm",
    "http://127.0.0.1:9/",
    "rtsp://127.0.0.1:9/",
];

/// Makes values.
pub(crate) struct Values<'a> {
    pub(crate) model: &'a Model,
    pub(crate) random: &'a mut Random,
}

impl Values<'_> {
    /// Parameters as the server hands them over: checked, and with their defaults. Where `is_wild`, of any value that
    /// passes the check; else those without a default get a plain one.
    pub(crate) fn parameters(&mut self, parameters: &[Param], is_wild: bool) -> Value {
        let mut given = Map::new();
        for parameter in parameters {
            let value = self.parameter(parameter, is_wild);
            given.extend(value.map(|value| (parameter.name.clone(), value)));
        }
        Value::Object(given)
    }

    fn parameter(&mut self, parameter: &Param, is_wild: bool) -> Option<Value> {
        if parameter.ty.to_string() == "MediaPipeline" {
            return Some(json!("pipeline"));
        }
        let keeps_default = !is_wild || parameter.optional && self.random.one_in(3);
        match &parameter.default {
            Some(default) if keeps_default => Some(default.clone()),
            None if keeps_default && parameter.optional => None,
            _ if is_wild => Some(self.wild(&parameter.ty, &parameter.doc, DEPTH)),
            _ => Some(self.plain(&parameter.ty, DEPTH)),
        }
    }

    fn plain(&mut self, ty: &Type, depth: usize) -> Value {
        match ty {
            Type::String => json!("a"),
            Type::Boolean => json!(false),
            Type::Int | Type::Int64 => json!(1),
            Type::Float | Type::Double => json!(1.0),
            Type::Class(_) => json!("pipeline"),
            Type::List(_) => json!([]),
            Type::Map(_) => json!({}),
            Type::Complex(name) => match self.model.complex_type(name).map(|found| &**found) {
                Some(ComplexType::Enum(of)) => json!(of.values.first()),
                Some(ComplexType::Register(of)) if depth > 0 => {
                    let required = of.fields.iter().filter(|field| !field.optional);
                    let fields: Vec<Param> = required.cloned().collect();
                    let values = fields
                        .iter()
                        .map(|field| (field.name.clone(), self.plain(&field.ty, depth - 1)));
                    Value::Object(values.collect())
                }
                _ => json!({}),
            },
        }
    }

    fn wild(&mut self, ty: &Type, doc: &str, depth: usize) -> Value {
        match ty {
            Type::String => json!(self.text(doc)),
            Type::Boolean => json!(self.random.one_in(2)),
            Type::Int => {
                let some = i32::try_from(self.random.below(1000)).unwrap_or(0);
                let all = [0, 1, -1, i32::MAX, i32::MIN, some, -some];
                json!(self.random.choose(&all))
            }
            Type::Int64 => {
                let some = i64::try_from(self.random.below(100_000)).unwrap_or(0);
                let all = [0, 1, -1, i64::MAX, i64::MIN, some, -some];
                json!(self.random.choose(&all))
            }
            Type::Float => {
                let all = [0.0, -0.0, 0.5, 1.0, -1.0, 1e-45, 3.0e38, -3.0e38];
                json!(self.random.choose(&all))
            }
            Type::Double => {
                let all = [0.0, -0.0, 0.5, 1.0, -1.0, 5e-324, 1.7e308, -1.7e308];
                json!(self.random.choose(&all))
            }
            Type::Class(_) => json!("object-of-somebody"),
            Type::List(item) => {
                let count = self.count();
                json!(
                    (0..count)
                        .map(|_| self.wild(item, doc, depth.saturating_sub(1)))
                        .collect::<Vec<_>>()
                )
            }
            Type::Map(item) => {
                let count = self.count();
                let values = (0..count).map(|_| {
                    (
                        self.text(doc),
                        self.wild(item, doc, depth.saturating_sub(1)),
                    )
                });
                Value::Object(values.collect())
            }
            Type::Complex(name) => match self.model.complex_type(name).map(|found| &**found) {
                Some(ComplexType::Enum(of)) => json!(self.random.choose(&of.values)),
                Some(ComplexType::Register(of)) if depth > 0 => {
                    self.register(&of.fields, depth - 1)
                }
                _ => json!({}),
            },
        }
    }

    fn register(&mut self, fields: &[Param], depth: usize) -> Value {
        let mut values = Map::new();
        for field in fields {
            if field.optional && self.random.one_in(2) {
                continue;
            }
            let value = self.wild(&field.ty, &field.doc, depth);
            values.insert(field.name.clone(), value);
        }
        Value::Object(values)
    }

    fn count(&mut self) -> usize {
        if self.random.one_in(20) {
            300
        } else {
            self.random.below(4)
        }
    }

    /// One of the usual texts, or a word of what the descriptor says of the parameter, which often lists those that mean
    /// something.
    fn text(&mut self, doc: &str) -> String {
        let is_part = |letter: char| letter.is_alphanumeric() || "_-.#".contains(letter);
        let words: Vec<&str> = doc
            .split(|letter| !is_part(letter))
            .map(|word| word.trim_end_matches('.'))
            .filter(|word| !word.is_empty())
            .collect();
        if !words.is_empty() && !self.random.one_in(3) {
            return self
                .random
                .choose(&words)
                .copied()
                .unwrap_or_default()
                .to_owned();
        }
        match self.random.below(TEXTS.len() + 1) {
            long if long == TEXTS.len() => "x".repeat(70_000),
            number => TEXTS.get(number).copied().unwrap_or_default().to_owned(),
        }
    }
}
