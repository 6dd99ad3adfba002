//! The keys that Kurento's files may contain, to report those that they should not.

use serde_json::Value;

/// Keys of the main file; `*` stands for anything below.
const MAIN: &[&str] = &[
    "mediaServer.console.path",
    "mediaServer.console.write",
    "mediaServer.drainTimeout",
    // Read and checked on its own.
    "mediaServer.auth.*",
    "mediaServer.requireAuth",
    "mediaServer.health.recordings",
    "mediaServer.health.minFreeMiB",
    "mediaServer.modules.hotPlug",
    "mediaServer.modules.allowWritable",
    // Read and checked on its own.
    "mediaServer.modules.isolation.*",
    "mediaServer.resources.exceptionLimit",
    "mediaServer.resources.killLimit",
    "mediaServer.resources.garbageCollectorPeriod",
    "mediaServer.resources.disableRequestCache",
    "mediaServer.net.websocket.address",
    "mediaServer.net.websocket.allowedHosts",
    "mediaServer.net.websocket.allowedOrigins",
    "mediaServer.net.websocket.ipv6",
    "mediaServer.net.websocket.port",
    "mediaServer.net.websocket.secure.port",
    "mediaServer.net.websocket.secure.certificate",
    "mediaServer.net.websocket.secure.password",
    "mediaServer.net.websocket.registrar.address",
    "mediaServer.net.websocket.registrar.localAddress",
    "mediaServer.net.websocket.connqueue",
    "mediaServer.net.websocket.path",
    "mediaServer.net.websocket.threads",
    // Read and checked on its own.
    "mediaServer.limits.*",
    "metadata.*",
    "modules.*",
];

/// A key that nobody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown {
    /// With dots.
    pub(super) key: String,
    /// The known key that looks most like it.
    pub(super) nearest: &'static str,
}

impl Unknown {
    /// Whether somebody meant to ask clients for credentials, and would have a server that asks
    /// nobody.
    pub(super) fn is_about_access(&self) -> bool {
        let is_meant = |key| distance(&self.key.to_lowercase(), key) <= 2;
        is_meant("mediaserver.auth") || is_meant("mediaserver.requireauth")
    }
}

/// The keys of a main file that are not known.
pub(super) fn unknown_in_main(tree: &Value) -> Vec<Unknown> {
    let mut unknown = Vec::new();
    visit(tree, String::new(), &mut unknown);
    unknown
}

fn visit(tree: &Value, key: String, unknown: &mut Vec<Unknown>) {
    let is_known = |known: &&str| match known.strip_suffix(".*") {
        Some(prefix) => key == prefix,
        None => key == **known,
    };
    if MAIN.iter().any(is_known) {
        return;
    }
    let prefix = if key.is_empty() {
        String::new()
    } else {
        format!("{key}.")
    };
    match tree.as_object() {
        Some(members) if MAIN.iter().any(|known| known.starts_with(&prefix)) => {
            for (name, member) in members {
                visit(member, format!("{prefix}{name}"), unknown);
            }
        }
        _ => {
            let nearest = MAIN
                .iter()
                .min_by_key(|known| distance(&key, known))
                .copied()
                .unwrap_or_default();
            unknown.push(Unknown {
                key,
                nearest: nearest.trim_end_matches(".*"),
            });
        }
    }
}

/// Levenshtein's distance: insertions, deletions and replacements of characters.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, from) in a.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(from != *to));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_keys_come_with_the_nearest() {
        let tree = json!({
            "mediaServer": {"resources": {"garbageCollectorPeriod": 1}, "net": {"websocket": {"prot": 8888, "port": 1}}},
            "metadata": {"anything": {"goes": 1}},
        });
        let unknown = unknown_in_main(&tree);
        assert_eq!(unknown.len(), 1);
        assert_eq!(unknown[0].key, "mediaServer.net.websocket.prot");
        assert_eq!(unknown[0].nearest, "mediaServer.net.websocket.port");
        assert_eq!(
            unknown_in_main(&json!({"medaServer": {"net": 1}}))[0].key,
            "medaServer"
        );
    }

    #[test]
    fn who_wants_access_checked_is_not_misunderstood() {
        for (key, is_meant) in [
            ("auht", true),
            ("Auth", true),
            ("auths", true),
            ("requireAuht", true),
            ("require-auth", true),
            ("foo", false),
            ("threads", false),
        ] {
            let unknown = unknown_in_main(&json!({"mediaServer": {key: 1}}));
            assert_eq!(unknown[0].is_about_access(), is_meant, "{key}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(
            (
                distance("", "abc"),
                distance("kitten", "sitting"),
                distance("a", "a")
            ),
            (3, 3, 0)
        );
    }
}
