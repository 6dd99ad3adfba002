//! Types as descriptors write them: `int`, `MediaType`, `Tag[]`, `Stats<>`.

use std::fmt;
use std::str::FromStr;

/// The text of a type, parsed but not yet resolved against the classes and complex types of a
/// [`crate::Model`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeReference {
    String,
    Boolean,
    Int,
    Int64,
    Float,
    Double,
    /// A remote class or a complex type; which one only the model knows.
    Named(String),
    List(Box<TypeReference>),
    /// Keys are always strings.
    Map(Box<TypeReference>),
}

/// Nesting of `[]` and `<>` beyond this is refused; nothing sensible comes near it.
const MAX_NESTING: usize = 8;

impl TypeReference {
    /// The type without any `[]` and `<>`.
    pub(crate) fn innermost(&self) -> &Self {
        match self {
            Self::List(item) | Self::Map(item) => item.innermost(),
            other => other,
        }
    }
}

impl FromStr for TypeReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, text, 0)
    }
}

fn parse(text: &str, whole: &str, nesting: usize) -> Result<TypeReference, String> {
    if nesting > MAX_NESTING {
        return Err(format!("type '{whole}' is nested too deeply"));
    }
    if let Some(item) = text.strip_suffix("[]") {
        return Ok(TypeReference::List(Box::new(parse(
            item,
            whole,
            nesting + 1,
        )?)));
    }
    if let Some(item) = text.strip_suffix("<>") {
        return Ok(TypeReference::Map(Box::new(parse(
            item,
            whole,
            nesting + 1,
        )?)));
    }
    Ok(match text {
        "String" => TypeReference::String,
        "boolean" => TypeReference::Boolean,
        "int" => TypeReference::Int,
        "int64" => TypeReference::Int64,
        "float" => TypeReference::Float,
        "double" => TypeReference::Double,
        name if is_type_name(name) => TypeReference::Named(name.to_owned()),
        _ => {
            return Err(format!(
                "'{whole}' is not a type: expected String, boolean, int, int64, float, double, a class or a complex \
                 type, with [] for lists and <> for maps"
            ));
        }
    })
}

/// A name, perhaps with the namespace of its module before a dot.
fn is_type_name(name: &str) -> bool {
    name.split('.').count() <= 2 && name.split('.').all(is_identifier)
}

/// A letter, then letters, digits and underscores.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl fmt::Display for TypeReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("String"),
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::Int64 => f.write_str("int64"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Named(name) => f.write_str(name),
            Self::List(item) => write!(f, "{item}[]"),
            Self::Map(item) => write!(f, "{item}<>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for text in [
            "String",
            "int64",
            "Tag[]",
            "Stats<>",
            "String<>[]",
            "chroma.WindowParam",
        ] {
            let reference: TypeReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
        let map: TypeReference = "Tag[]<>".parse().unwrap();
        assert_eq!(map.innermost(), &TypeReference::Named("Tag".to_owned()));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "[]",
            "int [",
            "a b",
            "a.b.c",
            "1a",
            "Tag[][][][][][][][][][]",
        ] {
            assert!(text.parse::<TypeReference>().is_err(), "{text}");
        }
    }
}
