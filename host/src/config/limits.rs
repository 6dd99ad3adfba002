//! `mediaServer.limits`, which only Rivero reads: nothing in it may be misspelt.

use serde_json::Value;

use crate::accounts::Limits;

/// Why a bound cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no such bound.
    #[error("unknown key '{0}'")]
    Unknown(String),
    /// A bound that is no number.
    #[error("{key}: '{value}' is no whole number from 1 on")]
    Value {
        /// The key.
        key: String,
        /// What stands there.
        value: String,
    },
}

/// The bounds that a tree sets, and the defaults of all others.
pub(super) fn read(tree: &Value) -> Result<Limits, LimitError> {
    let mut given = Vec::new();
    if let Some(limits) = tree.pointer("/mediaServer/limits") {
        collect(limits, String::new(), &mut given)?;
    }
    let known = Limits::table();
    for (key, _) in &given {
        if !known.iter().any(|(known, _)| known == key) {
            return Err(LimitError::Unknown(format!("mediaServer.limits.{key}")));
        }
    }
    let mut limits = Limits::default();
    limits.set(|key| {
        let found = given.iter().find(|(given, _)| given == key);
        found.map(|(_, bound)| *bound)
    });
    Ok(limits)
}

/// Adds what is below `key` as pairs of keys with dots and numbers.
fn collect(tree: &Value, key: String, given: &mut Vec<(String, u64)>) -> Result<(), LimitError> {
    let number = match tree {
        Value::Object(members) => {
            for (name, member) in members {
                let separator = if key.is_empty() { "" } else { "." };
                collect(member, format!("{key}{separator}{name}"), given)?;
            }
            return Ok(());
        }
        // As in all files, a number may be written as text.
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    match number {
        Some(bound @ 1..) => given.push((key, bound)),
        _ => {
            return Err(LimitError::Value {
                key: format!("mediaServer.limits.{key}"),
                value: tree.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Bounds, Resource};
    use serde_json::json;

    fn limits(limits: Value) -> Result<Limits, LimitError> {
        read(&json!({"mediaServer": {"limits": limits}}))
    }

    #[test]
    fn bounds_are_read_by_their_keys() {
        let given =
            json!({"message": {"values": "1000"}, "sessions": 50, "account": {"sessions": 20}});
        let read = limits(given).unwrap();
        let sessions = Bounds {
            total: 50,
            account: 20,
        };
        assert_eq!(
            (read.message_values, read.of(Resource::Sessions)),
            (1_000, sessions)
        );
        assert_eq!(super::read(&json!({})).unwrap(), Limits::default());
    }

    #[test]
    fn nothing_may_be_misspelt() {
        for (wrong, told) in [
            (
                json!({"sesions": 1}),
                "unknown key 'mediaServer.limits.sesions'",
            ),
            (
                json!({"account": 1}),
                "unknown key 'mediaServer.limits.account'",
            ),
            (
                json!({"sessions": "many"}),
                "mediaServer.limits.sessions: '\"many\"' is no",
            ),
            (
                json!({"sessions": 0}),
                "mediaServer.limits.sessions: '0' is no",
            ),
            (
                json!({"sessions": -1}),
                "mediaServer.limits.sessions: '-1' is no",
            ),
        ] {
            let error = limits(wrong).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
