//! How much clients may have and ask for: one table, `mediaServer.limits` of the configuration.

/// What an account uses up, and the server as a whole: each kind has a bound of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Open WebSocket connections.
    Connections,
    /// Sessions that hold objects.
    Sessions,
    /// Pipelines.
    Pipelines,
    /// Objects of all classes, pipelines included.
    Objects,
    /// Recordings that run.
    Recordings,
    /// Pairs of a session and an object that it holds otherwise than by holding its parent.
    Holds,
    /// Subscriptions to events.
    Subscriptions,
    /// Bytes of names and tags of objects.
    LabelBytes,
    /// Bytes of requests that are being received or carried out, and of answers being put together.
    RequestBytes,
    /// Bytes of replies that are kept for requests that come again.
    ReplyBytes,
    /// Bytes of replies and events that clients have not read yet.
    UnreadBytes,
}

/// Number of [`Resource`]s.
pub(super) const RESOURCES: usize = Resource::ALL.len();

impl Resource {
    /// All of them, in the order of their numbers.
    pub const ALL: [Resource; 11] = [
        Resource::Connections,
        Resource::Sessions,
        Resource::Pipelines,
        Resource::Objects,
        Resource::Recordings,
        Resource::Holds,
        Resource::Subscriptions,
        Resource::LabelBytes,
        Resource::RequestBytes,
        Resource::ReplyBytes,
        Resource::UnreadBytes,
    ];

    /// The last part of its keys: `mediaServer.limits.<name>` and `mediaServer.limits.account.<name>`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Resource::Connections => "connections",
            Resource::Sessions => "sessions",
            Resource::Pipelines => "pipelines",
            Resource::Objects => "objects",
            Resource::Recordings => "recordings",
            Resource::Holds => "holds",
            Resource::Subscriptions => "subscriptions",
            Resource::LabelBytes => "labelBytes",
            Resource::RequestBytes => "requestBytes",
            Resource::ReplyBytes => "replyBytes",
            Resource::UnreadBytes => "unreadBytes",
        }
    }

    /// The bound of all accounts together by default.
    ///
    /// An application server is one account, whatever number of people it serves, so that the
    /// counts are far above what one machine can carry media for. The bytes are what may be in
    /// memory at a time beside media: 300 MiB and no more under any single load.
    fn default_total(self) -> u64 {
        match self {
            Resource::Connections => 10_000,
            Resource::Sessions => 200_000,
            Resource::Pipelines => 100_000,
            Resource::Objects => 200_000,
            // Each is an object: what one machine can write depends on its disks.
            Resource::Recordings => 200_000,
            Resource::Holds => 2_000_000,
            Resource::Subscriptions => 500_000,
            Resource::LabelBytes | Resource::ReplyBytes => 64 << 20,
            Resource::RequestBytes => 96 << 20,
            Resource::UnreadBytes => 80 << 20,
        }
    }
}

/// The bounds of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of all accounts together.
    pub total: u64,
    /// Of one account.
    pub account: u64,
}

/// All bounds. Sizes are in bytes, times in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message; a longer one ends its connection with close code 1009.
    pub message_bytes: u64,
    /// JSON values in a message, those in arrays and objects included.
    pub message_values: u64,
    /// Seconds that a message may stay unfinished.
    pub message_seconds: u64,
    /// Seconds between two parts of an unfinished message.
    pub message_idle_seconds: u64,
    /// Bytes of the id of a request or of a session.
    pub id_bytes: u64,
    /// Requests in a transaction.
    pub transaction_operations: u64,
    /// Bytes of the answers in a transaction.
    pub transaction_bytes: u64,
    /// Bytes of the name and the tags of one object.
    pub object_label_bytes: u64,
    /// Bytes of replies and events that one connection leaves unread; more end it.
    pub connection_unread_bytes: u64,
    /// Replies kept for one session.
    pub session_replies: u64,
    /// Bytes of a reply that is kept; a longer one is not repeated, nor is its request.
    pub reply_bytes: u64,
    shared: [Bounds; RESOURCES],
}

/// A bound of its own in the table: its key below `mediaServer.limits`, and where it is kept.
type Single = (&'static str, fn(&mut Limits) -> &mut u64);

/// The bounds of single messages, objects, connections and sessions.
const SINGLE: [Single; 11] = [
    ("message.bytes", |limits| &mut limits.message_bytes),
    ("message.values", |limits| &mut limits.message_values),
    ("message.seconds", |limits| &mut limits.message_seconds),
    ("message.idleSeconds", |limits| {
        &mut limits.message_idle_seconds
    }),
    ("idBytes", |limits| &mut limits.id_bytes),
    ("transaction.operations", |limits| {
        &mut limits.transaction_operations
    }),
    ("transaction.bytes", |limits| &mut limits.transaction_bytes),
    ("object.labelBytes", |limits| &mut limits.object_label_bytes),
    ("connection.unreadBytes", |limits| {
        &mut limits.connection_unread_bytes
    }),
    ("session.replies", |limits| &mut limits.session_replies),
    ("reply.bytes", |limits| &mut limits.reply_bytes),
];

impl Default for Limits {
    fn default() -> Limits {
        let shared = Resource::ALL.map(|resource| {
            let total = resource.default_total();
            Bounds {
                total,
                account: share(total),
            }
        });
        Limits {
            message_bytes: 32_000_000,
            message_values: 200_000,
            message_seconds: 300,
            message_idle_seconds: 20,
            id_bytes: 1_024,
            transaction_operations: 1_000,
            transaction_bytes: 32_000_000,
            object_label_bytes: 8 << 10,
            connection_unread_bytes: 32 << 20,
            session_replies: 1_000,
            reply_bytes: 1 << 20,
            shared,
        }
    }
}

/// The part of a total beyond which the heaviest account gets no more, and by default the bound
/// of one account: a fifth stays for the others.
pub(super) fn share(total: u64) -> u64 {
    total - total / 5
}

impl Limits {
    /// The bounds of a kind.
    #[must_use]
    pub fn of(&self, resource: Resource) -> Bounds {
        let index = resource as usize;
        self.shared.get(index).copied().unwrap_or(Bounds {
            total: 0,
            account: 0,
        })
    }

    /// The same bounds but for one kind.
    #[must_use]
    pub fn with(mut self, resource: Resource, bounds: Bounds) -> Limits {
        if let Some(slot) = self.shared.get_mut(resource as usize) {
            *slot = bounds;
        }
        self
    }

    /// The same bounds, with no more connections than half of the files that the process may open:
    /// the other half is for media.
    #[must_use]
    pub fn within_files(self, files: u64) -> Limits {
        let Bounds { total, account } = self.of(Resource::Connections);
        let total = total.min(files / 2);
        let account = account.min(share(total));
        self.with(Resource::Connections, Bounds { total, account })
    }

    /// Replaces each bound for which `value` knows one; `value` gets keys below
    /// `mediaServer.limits`. Without one of its own, an account may have four fifths of the total.
    pub fn set(&mut self, mut value: impl FnMut(&str) -> Option<u64>) {
        for (key, place) in SINGLE {
            if let Some(bound) = value(key) {
                *place(self) = bound;
            }
        }
        for (resource, bounds) in Resource::ALL.into_iter().zip(&mut self.shared) {
            let name = resource.name();
            if let Some(total) = value(name) {
                *bounds = Bounds {
                    total,
                    account: share(total),
                };
            }
            if let Some(account) = value(&format!("account.{name}")) {
                bounds.account = account;
            }
        }
    }

    /// All keys below `mediaServer.limits`, each with its default.
    #[must_use]
    pub fn table() -> Vec<(String, u64)> {
        let mut defaults = Limits::default();
        let mut table: Vec<_> = SINGLE
            .iter()
            .map(|(key, place)| ((*key).to_owned(), *place(&mut defaults)))
            .collect();
        for resource in Resource::ALL {
            let (name, bounds) = (resource.name(), defaults.of(resource));
            table.push((name.to_owned(), bounds.total));
            table.push((format!("account.{name}"), bounds.account));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_has_a_key_of_its_own() {
        let keys: Vec<String> = Limits::table().into_iter().map(|(key, _)| key).collect();
        for (number, key) in keys.iter().enumerate() {
            let mut limits = Limits::default();
            limits.set(|asked| (asked == key).then_some(7));
            assert_ne!(limits, Limits::default(), "{key}");
            assert!(!keys[..number].contains(key), "{key} twice");
        }
    }

    #[test]
    fn the_documented_table_is_that_of_the_code() {
        let document = include_str!("../../../docs/limits.md");
        let row = |key: &str| {
            let start = format!("| `{key}` |");
            let line = document.lines().find(|line| line.starts_with(&start));
            let cells = line
                .unwrap_or_else(|| panic!("{key} is missing"))
                .split('|');
            cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
        };
        for (key, default) in Limits::table() {
            let (cell, key) = match key.strip_prefix("account.") {
                Some(resource) => (3, resource.to_owned()),
                None => (2, key),
            };
            assert_eq!(row(&key)[cell], default.to_string(), "{key}");
        }
    }

    #[test]
    fn an_account_gets_four_fifths_unless_told_otherwise() {
        let mut limits = Limits::default();
        limits.set(|key| (key == "sessions").then_some(1_000));
        let bounds = |total, account| Bounds { total, account };
        assert_eq!(limits.of(Resource::Sessions), bounds(1_000, 800));
        limits.set(|key| (key == "account.sessions").then_some(10));
        assert_eq!(limits.of(Resource::Sessions), bounds(1_000, 10));
    }
}
