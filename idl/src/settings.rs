//! Settings that a module reads from the server's configuration, declared so that the server
//! can tell an operator of misspelt keys and unusable values.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One key of a class: `modules.<namespace>.<class>.<key>` in the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Plain name of the class, which may be an abstract one.
    pub class: String,
    /// Name of the key.
    pub key: String,
    /// What its value may be.
    #[serde(flatten)]
    pub kind: SettingKind,
    /// What counts without it, for people.
    #[serde(default)]
    pub default: String,
    /// One line for the operator.
    pub doc: String,
}

/// What the value of a setting may be. INI files know text only, so a number or a flag may
/// be written as text everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SettingKind {
    /// Any text.
    Text,
    /// Name of a file. A relative one is below the directory of the server's main configuration file.
    File,
    /// One of these texts.
    Choice {
        /// The texts.
        values: Vec<String>,
    },
    /// A whole number, both ends included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Any number.
    Number,
    /// `true`, `false`, `1` or `0`.
    Flag,
    /// A JSON list, which INI files cannot have.
    List,
    /// A JSON list of texts, or one text in which they stand between commas.
    Texts,
}

impl SettingKind {
    /// Whether a value of the configuration can be used.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Array(items) => {
                let has_texts = items.iter().all(Value::is_string);
                return *self == Self::List || *self == Self::Texts && has_texts;
            }
            Value::Null | Value::Object(_) => return false,
        };
        match self {
            Self::Text | Self::File | Self::Texts => true,
            Self::Choice { values } => values.contains(&text),
            Self::Integer { min, max } => text
                .parse()
                .is_ok_and(|number: i64| (*min..=*max).contains(&number)),
            Self::Number => text.parse().is_ok_and(f64::is_finite),
            Self::Flag => matches!(text.as_str(), "true" | "false" | "1" | "0"),
            Self::List => false,
        }
    }
}

/// What is accepted, such as `a whole number from 0 to 65535`.
impl fmt::Display for SettingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::File => f.write_str("the name of a file"),
            Self::Choice { values } => write!(f, "one of {}", values.join(", ")),
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Number => f.write_str("a number"),
            Self::Flag => f.write_str("true or false"),
            Self::List => f.write_str("a list"),
            Self::Texts => f.write_str("a list of texts, or text with commas"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_may_be_text_where_they_mean_something_else() {
        let port = SettingKind::Integer {
            min: 0,
            max: 65_535,
        };
        for good in [json!(5), json!("5"), json!(" 65535 ")] {
            assert!(port.accepts(&good), "{good}");
        }
        for bad in [
            json!(-1),
            json!(65_536),
            json!("5a"),
            json!(1.5),
            json!([5]),
            json!({}),
            json!(null),
        ] {
            assert!(!port.accepts(&bad), "{bad}");
        }
        assert!(SettingKind::Flag.accepts(&json!("1")) && SettingKind::Flag.accepts(&json!(true)));
        assert!(!SettingKind::Flag.accepts(&json!("yes")));
        assert!(
            SettingKind::Number.accepts(&json!("0.5"))
                && !SettingKind::Number.accepts(&json!("NaN"))
        );
        assert!(SettingKind::List.accepts(&json!([])) && !SettingKind::List.accepts(&json!("a,b")));
        let texts = SettingKind::Texts;
        assert!(texts.accepts(&json!("a,b")) && texts.accepts(&json!(["a", "b"])));
        assert!(!texts.accepts(&json!([1])) && !texts.accepts(&json!({})));
        let choice = SettingKind::Choice {
            values: vec!["NONE".into()],
        };
        assert!(choice.accepts(&json!("NONE")) && !choice.accepts(&json!("none")));
    }

    #[test]
    fn a_declaration_is_one_object() {
        let text = r#"{"class": "A", "key": "port", "type": "integer", "min": 1, "max": 2, "default": "1", "doc": "A port."}"#;
        let setting: Setting = serde_json::from_str(text).unwrap();
        assert_eq!(setting.kind, SettingKind::Integer { min: 1, max: 2 });
        assert_eq!(
            serde_json::from_str::<Setting>(&serde_json::to_string(&setting).unwrap()).unwrap(),
            setting
        );
        assert!(
            serde_json::from_str::<Setting>(
                r#"{"class": "A", "key": "port", "type": "integr", "doc": ""}"#
            )
            .is_err()
        );
    }
}
