//! What differs between the configuration of before and that of now, and from when it counts.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// A configuration as it was written, all files in one tree. It shows itself in no log: there are
/// passwords and tokens in it.
#[derive(Clone, PartialEq)]
pub struct Tree(Value);

/// From when a changed key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// At once.
    Now,
    /// For connections that are made from now on.
    NewConnections,
    /// For objects that are made from now on.
    NewObjects,
    /// When the server starts again.
    NextStart,
}

/// A key whose value is another one than before, or is not there any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// With dots. The value is not told.
    pub key: String,
    /// From when it counts.
    pub effect: Effect,
}

/// Keys that count in a server that runs, with all below them. What is not named here counts from
/// the next start.
const RELOADED: &[(&str, Effect)] = &[
    ("mediaServer.auth", Effect::NewConnections),
    ("mediaServer.drainTimeout", Effect::Now),
    ("mediaServer.health", Effect::Now),
    ("mediaServer.limits", Effect::Now),
    // A connection has the room that it was made with.
    ("mediaServer.limits.message.bytes", Effect::NewConnections),
    ("mediaServer.net.websocket.allowedHosts", Effect::Now),
    ("mediaServer.net.websocket.allowedOrigins", Effect::Now),
    (
        "mediaServer.net.websocket.secure.certificate",
        Effect::NewConnections,
    ),
    (
        "mediaServer.net.websocket.secure.password",
        Effect::NewConnections,
    ),
    ("mediaServer.requireAuth", Effect::Now),
    ("mediaServer.resources.disableRequestCache", Effect::Now),
    ("mediaServer.resources.exceptionLimit", Effect::Now),
    ("metadata", Effect::Now),
    ("modules", Effect::NewObjects),
];

impl Effect {
    /// Of a key with dots: that of the longest entry that it is, or is below of.
    #[must_use]
    pub fn of(key: &str) -> Effect {
        let covers = |entry: &str| {
            let rest = key.strip_prefix(entry);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let entries = RELOADED.iter().filter(|(entry, _)| covers(entry));
        let longest = entries.max_by_key(|(entry, _)| entry.len());
        longest.map_or(Effect::NextStart, |(_, effect)| *effect)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Now => "counts from now on",
            Effect::NewConnections => "counts for new connections",
            Effect::NewObjects => "counts for new objects",
            Effect::NextStart => "counts from the next start",
        })
    }
}

impl Tree {
    pub(super) fn new(tree: Value) -> Tree {
        Tree(tree)
    }

    /// The keys that differ in `new`, in their order.
    #[must_use]
    pub fn differences(&self, new: &Tree) -> Vec<Difference> {
        let mut keys = BTreeSet::new();
        compare(Some(&self.0), Some(&new.0), String::new(), &mut keys);
        let difference = |key: String| Difference {
            effect: Effect::of(&key),
            key,
        };
        keys.into_iter().map(difference).collect()
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tree(…)")
    }
}

/// Adds what differs below `key`. Where one side has an object, each of its members is named.
fn compare(old: Option<&Value>, new: Option<&Value>, key: String, keys: &mut BTreeSet<String>) {
    if old == new {
        return;
    }
    let members = |side: Option<&Value>| {
        let object = side.and_then(Value::as_object).into_iter().flatten();
        let names = object.map(|(name, _)| name.clone());
        names.collect::<BTreeSet<String>>()
    };
    let names: BTreeSet<String> = &members(old) | &members(new);
    if names.is_empty() {
        keys.insert(key);
        return;
    }
    let member =
        |side: Option<&'_ Value>, name: &str| side.and_then(|side| side.get(name)).cloned();
    for name in names {
        let below = match key.as_str() {
            "" => name.clone(),
            key => format!("{key}.{name}"),
        };
        compare(
            member(old, &name).as_ref(),
            member(new, &name).as_ref(),
            below,
            keys,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_key_that_differs_is_named_and_no_value() {
        let old = json!({"mediaServer": {
            "auth": {"tokens": {"a": {"value": "s3cret"}}}, "limits": {"sessions": 1},
            "net": {"websocket": {"port": 8888, "allowedOrigins": ["a"]}},
        }, "modules": {"kurento": {"X": {"a": 1, "b": 2}}}});
        let new = json!({"mediaServer": {
            "limits": {"sessions": 2, "message": {"bytes": 3}},
            "net": {"websocket": {"port": 8889, "allowedOrigins": ["a", "b"]}},
        }, "modules": {"kurento": {"X": {"a": 1}}}});
        let differences = Tree::new(old.clone()).differences(&Tree::new(new));
        let told: Vec<String> = { differences.iter() }
            .map(|one| format!("{} {}", one.key, one.effect))
            .collect();
        let expected = [
            "mediaServer.auth.tokens.a.value counts for new connections",
            "mediaServer.limits.message.bytes counts for new connections",
            "mediaServer.limits.sessions counts from now on",
            "mediaServer.net.websocket.allowedOrigins counts from now on",
            "mediaServer.net.websocket.port counts from the next start",
            "modules.kurento.X.b counts for new objects",
        ];
        assert_eq!(told, expected);
        assert!(!format!("{:?}", Tree::new(old)).contains("s3cret"));
    }

    #[test]
    fn what_nobody_has_made_to_change_counts_from_the_next_start() {
        for key in [
            "mediaServer.threads",
            "mediaServer.authority",
            "anything",
            "",
        ] {
            assert_eq!(Effect::of(key), Effect::NextStart, "{key}");
        }
        assert_eq!(Effect::of("modules"), Effect::NewObjects);
    }
}
