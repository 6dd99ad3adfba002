//! What one reader gets: Server-Sent Events (WHATWG HTML section 9.2), made when it has room for them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::store::Changes;
use super::{Console, redact};
use crate::events::Seen;
use crate::observe::log_tail::{self, Line};
use crate::observe::recent::{Since, Watch};

/// Something is sent at least so often, by which a reader that has gone is noticed.
const PING: Duration = Duration::from_secs(2);

/// What a reader looks at, beside what all get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// The pipeline of which it gets the graph.
    pub(super) pipeline: Option<Arc<str>>,
    /// The object of which it gets the details.
    pub(super) object: Option<Arc<str>>,
}

impl Wants {
    /// Whether it gets the entry with this key.
    fn has(&self, key: &str) -> bool {
        let is = |wanted: &Option<Arc<str>>, id: &str| wanted.as_deref() == Some(id);
        match key.split_once('/') {
            Some(("graph", id)) => is(&self.pipeline, id),
            Some(("object", id)) => is(&self.object, id),
            _ => true,
        }
    }
}

/// One reader. It is counted as long as it lives.
pub(super) struct Reader {
    console: Arc<Console>,
    wants: Wants,
    ticks: watch::Receiver<u64>,
    begun: bool,
    /// Versions and numbers that it has seen.
    version: u64,
    event: u64,
    line: u64,
    _watch: Watch<Seen>,
}

impl Reader {
    pub(super) fn new(console: &Arc<Console>, wants: Wants) -> Reader {
        let events = console.core.events.recent();
        Reader {
            ticks: console.ticks.subscribe(),
            begun: false,
            version: 0,
            event: events.next(),
            // Those that are kept, too.
            line: 0,
            _watch: events.watch(),
            console: console.clone(),
            wants,
        }
    }

    /// Its events, for as long as it reads.
    pub(super) fn stream(self) -> impl Stream<Item = Bytes> + Send + 'static {
        futures_util::stream::unfold(self, |mut reader| async move {
            let text = reader.next().await;
            Some((Bytes::from(text), reader))
        })
    }

    async fn next(&mut self) -> String {
        if !std::mem::replace(&mut self.begun, true) {
            return event("hello", &self.console.hello().to_string());
        }
        loop {
            let news = self.news();
            if !news.is_empty() {
                return news;
            }
            match tokio::time::timeout(PING, self.ticks.changed()).await {
                Ok(Ok(())) => {}
                // Comments are for nobody.
                Ok(Err(_)) | Err(_) => return ":\n\n".to_owned(),
            }
        }
    }

    /// What has come since the last call.
    fn news(&mut self) -> String {
        // What comes from now on is for the next turn.
        self.ticks.mark_unchanged();
        let mut text = String::new();
        let changes = { self.console.store.lock() }.since(self.version, |key| self.wants.has(key));
        self.version = changes.version;
        if !changes.is_empty() {
            text.push_str(&event("state", &state(&changes)));
        }
        let events = self.console.core.events.recent().since(self.event);
        self.event = events.next;
        if let Some(data) = list(&events, Seen::to_json) {
            text.push_str(&event("events", &data));
        }
        let lines = log_tail::tail().since(self.line);
        // Those before the first that is kept have not been lost by this reader.
        let lost = if self.line == 0 { 0 } else { lines.lost };
        self.line = lines.next;
        if let Some(data) = list(&Since { lost, ..lines }, Line::to_json) {
            text.push_str(&event("log", &data));
        }
        text
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.console.left(&self.wants);
    }
}

/// One event. JSON has no line breaks of its own.
fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn state(changes: &Changes) -> String {
    let mut text = format!("{{\"full\":{},\"changed\":{{", changes.full);
    for (index, (key, json)) in changes.changed.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{}:{json}", Value::from(key.as_str()));
    }
    let removed = Value::from(changes.removed.clone());
    let _ = write!(text, "}},\"removed\":{removed}}}");
    text
}

/// `None` without any.
fn list<T>(since: &Since<T>, item: impl Fn(&T) -> Value) -> Option<String> {
    if since.items.is_empty() && since.lost == 0 {
        return None;
    }
    let items = since.items.iter().map(|(number, of)| {
        let mut value = item(of);
        redact::value(&mut value);
        if let Some(members) = value.as_object_mut() {
            members.insert("number".to_owned(), (*number).into());
        }
        value
    });
    let items: Vec<Value> = items.collect();
    Some(json!({"lost": since.lost, "items": items}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_details_of_what_it_looks_at_alone() {
        let wants = Wants {
            pipeline: Some("p".into()),
            object: None,
        };
        for (key, gets) in [
            ("server", true),
            ("pipeline/q", true),
            ("graph/p", true),
            ("graph/q", false),
            ("object/p", false),
        ] {
            assert_eq!(wants.has(key), gets, "{key}");
        }
    }

    #[test]
    fn changes_are_one_line_of_json() {
        let changes = Changes {
            version: 1,
            full: false,
            changed: vec![
                ("a/\"\n".to_owned(), "{\"b\":1}".into()),
                ("c".to_owned(), "2".into()),
            ],
            removed: vec!["d".to_owned()],
        };
        let text = state(&changes);
        assert!(!text.contains('\n'));
        let value: Value = serde_json::from_str(&text).unwrap();
        let expected =
            json!({"full": false, "changed": {"a/\"\n": {"b": 1}, "c": 2}, "removed": ["d"]});
        assert_eq!(value, expected);
    }
}
