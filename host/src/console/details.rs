//! Properties and statistics of elements, which their modules are asked for.
//!
//! A module may take its time, and nobody waits for it here: what it said last is shown, and it is
//! asked again once it has answered. Nothing is asked of elements at which nobody looks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::overview::{cut, name};
use super::redact;
use crate::core::Core;
use crate::registry::{Object, Session};
use crate::tasks::spawn;

/// How long an answer is good.
const STATISTICS_PERIOD: Duration = Duration::from_secs(1);
/// So many statistics later properties are asked for again.
const PROPERTIES_ROUNDS: u64 = 4;
/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of JSON that properties or statistics have at most.
const MOST_TEXT: usize = 256 << 10;
/// What is shown of an object anyway.
const KNOWN: [&str; 8] = [
    "id",
    "name",
    "tags",
    "parent",
    "mediaPipeline",
    "children",
    "childs",
    "creationTime",
];

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Statistics alone.
    Statistics,
    /// Properties, too.
    All,
}

/// What modules said last, by the ids of their objects.
#[derive(Debug, Default)]
pub(super) struct Details(Arc<Mutex<HashMap<Arc<str>, Known>>>);

#[derive(Debug, Default)]
struct Known {
    /// Somebody has asked for it since the last [`Details::forget_unused`].
    used: bool,
    /// Since when an answer is due.
    asking: bool,
    asked: Option<Instant>,
    round: u64,
    properties: Value,
    statistics: Value,
}

impl Details {
    /// What is known of an object now; asks for more where that is old.
    pub(super) fn of(&self, core: &Arc<Core>, object: &Arc<Object>, asked: Asked) -> Value {
        let mut all = self.0.lock();
        let known = all.entry(object.id.clone()).or_default();
        known.used = true;
        let is_old = known
            .asked
            .is_none_or(|at| at.elapsed() >= STATISTICS_PERIOD);
        // Who looks closer is not kept waiting for the next round.
        let lacks = asked == Asked::All && known.properties.is_null();
        if !known.asking && (is_old || lacks) {
            let properties =
                lacks || asked == Asked::All && known.round.is_multiple_of(PROPERTIES_ROUNDS);
            known.asking = true;
            known.asked = Some(Instant::now());
            known.round += 1;
            let (core, object, all) = (core.clone(), object.clone(), self.0.clone());
            spawn("the console", async move {
                ask(&core, &object, properties, &all).await
            });
        }
        json!({"properties": known.properties, "statistics": known.statistics})
    }

    /// Forgets objects at which nobody has looked since the last call.
    pub(super) fn forget_unused(&self) {
        self.0
            .lock()
            .retain(|_, known| std::mem::take(&mut known.used));
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// An object at which somebody looks: what the server knows, and what its module says.
pub(super) fn entry(core: &Arc<Core>, details: &Details, object: &Arc<Object>) -> Value {
    let mut entry = details.of(core, object, Asked::All);
    let labels = object.labels.lock();
    let tags: Map<String, Value> = { labels.tags().iter() }
        .map(|(key, value)| {
            let mut value = Value::from(cut(value));
            redact::member(key, &mut value);
            (redact::text(&cut(key)), value)
        })
        .collect();
    drop(labels);
    if let Some(members) = entry.as_object_mut() {
        let time = u64::try_from(crate::events::now_millis()).unwrap_or_default();
        members.insert("id".to_owned(), Value::from(&*object.id));
        members.insert("class".to_owned(), object.class.name.as_str().into());
        members.insert("name".to_owned(), name(object).into());
        members.insert("created".to_owned(), object.creation_time.into());
        members.insert("tags".to_owned(), tags.into());
        members.insert("time".to_owned(), time.into());
    }
    entry
}

async fn ask(
    core: &Arc<Core>,
    object: &Arc<Object>,
    properties: bool,
    all: &Mutex<HashMap<Arc<str>, Known>>,
) {
    // However this ends, even in a panic, the object may be asked again.
    let _asking = Asking { all, object };
    // Nobody's: it holds nothing, and no list has it.
    let session = Session::new("console".into(), &core.accounts.of_server());
    let statistics = match object.node() {
        Some(_) => Some(get(core, &session, object, "getStats".to_owned()).await),
        None => None,
    };
    let properties = match properties {
        true => Some(self::properties(core, &session, object).await),
        false => None,
    };
    let mut all = all.lock();
    let Some(known) = all.get_mut(&object.id) else {
        return;
    };
    if let Some(statistics) = statistics {
        known.statistics = shown(statistics.unwrap_or_else(|why| json!({"error": why})));
    }
    if let Some(properties) = properties {
        known.properties = shown(properties.into());
    }
}

struct Asking<'a> {
    all: &'a Mutex<HashMap<Arc<str>, Known>>,
    object: &'a Arc<Object>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(known) = self.all.lock().get_mut(&self.object.id) {
            known.asking = false;
        }
    }
}

async fn properties(
    core: &Arc<Core>,
    session: &Arc<Session>,
    object: &Arc<Object>,
) -> Map<String, Value> {
    let mut values = Map::new();
    for property in object.class.properties() {
        let name = property.name.as_str();
        if KNOWN.contains(&name) {
            continue;
        }
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let getter: String = "get".chars().chain(first).chain(letters).collect();
        // A property that cannot be read now is none to show.
        if let Ok(value) = get(core, session, object, getter).await {
            values.insert(name.to_owned(), value);
        }
    }
    values
}

async fn get(
    core: &Arc<Core>,
    session: &Arc<Session>,
    object: &Arc<Object>,
    operation: String,
) -> Result<Value, String> {
    let call = core
        .invoke(&core.itself(), session, object, operation, None)
        .wait();
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(result) => result.map_err(|error| redact::text(&error.message)),
        Err(_) => Err("The module has not answered yet".to_owned()),
    }
}

/// A value of a module as it is shown: without secrets, and of a bounded size.
fn shown(mut value: Value) -> Value {
    redact::value(&mut value);
    match value.to_string().len() > MOST_TEXT {
        true => json!({"error": "too much to show"}),
        false => value,
    }
}
