//! Values of a configuration as files have them.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, de};

/// A number, or text with one: the configuration may come from an INI file, where all values are text.
/// For `deserialize_with` of a field:
///
/// ```
/// use rivero_plugin_api::settings::NumberOrText;
/// use serde::{Deserialize, Deserializer};
///
/// #[derive(Deserialize)]
/// struct Settings {
///     #[serde(deserialize_with = "seconds")]
///     interval: u32,
/// }
///
/// fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
///     NumberOrText::deserialize(deserializer)?.number("number of seconds")
/// }
///
/// let settings: Settings = serde_json::from_str(r#"{ "interval": " 5 " }"#).unwrap();
/// assert_eq!(settings.interval, 5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum NumberOrText<N> {
    /// As JSON has it.
    Number(N),
    /// As an INI file has it.
    Text(String),
}

impl<N: FromStr> NumberOrText<N> {
    /// The number, whatever white space is around it.
    ///
    /// # Errors
    /// Text that is no number; the message says that it is no `expected`.
    pub fn number<E: de::Error>(self, expected: impl Display) -> Result<N, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| E::custom(format!("{text:?} is no {expected}"))),
        }
    }

    /// The number; `None` for text of nothing but white space, which is how an INI file leaves a
    /// value open.
    ///
    /// # Errors
    /// As of [`number`](Self::number).
    pub fn number_if_any<E: de::Error>(self, expected: impl Display) -> Result<Option<N>, E> {
        match self {
            Self::Text(text) if text.trim().is_empty() => Ok(None),
            other => other.number(expected).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<u16, String> {
        let value: NumberOrText<u16> = serde_json::from_str(json).unwrap();
        let number: Result<u16, serde_json::Error> = value.number("number from 0 to 65535");
        number.map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_may_be_text() {
        assert_eq!(read("5"), Ok(5));
        assert_eq!(read(r#"" 5 ""#), Ok(5));
        let refusal = r#""70000" is no number from 0 to 65535"#;
        assert_eq!(read(r#""70000""#), Err(refusal.to_owned()));
        assert!(serde_json::from_str::<NumberOrText<u16>>("70000").is_err());
    }

    #[test]
    fn a_value_may_be_left_open_where_that_is_asked_for() {
        let open = NumberOrText::<u16>::Text(" ".to_owned());
        let number: Result<_, serde_json::Error> = open.clone().number_if_any("number");
        assert_eq!(number.unwrap(), None);
        let number: Result<_, serde_json::Error> = open.number("number");
        assert!(number.is_err());
    }
}
