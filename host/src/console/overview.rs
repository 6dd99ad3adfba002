//! The server, its sessions, pipelines and modules, a few members each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::redact;
use crate::core::Core;
use crate::modules::Installed;
use crate::observe::{log_levels, logging, usage};
use crate::registry::Object;
use rivero_media::MediaKind;

/// Sessions and pipelines shown, each; further ones are only counted.
const MOST: usize = 2_000;
/// Characters of a name that a client gave.
const NAME: usize = 200;

/// Entries by key.
pub(super) type Entries = Vec<(String, Value)>;

/// All entries that every reader gets, [`server`] excepted.
pub(super) fn entries(core: &Core) -> Entries {
    let mut entries = Entries::new();
    let pipelines = core.registry.pipelines();
    for pipeline in pipelines.iter().take(MOST) {
        entries.push((
            format!("pipeline/{}", pipeline.id),
            self::pipeline(pipeline),
        ));
    }
    sessions(core, &mut entries);
    let given = log_levels::given();
    for (number, module) in core.factories.installed().iter().enumerate() {
        let level = given.get(&stem(module)).map(|level| level.to_string());
        entries.push((format!("module/{number:04}"), self::module(module, level)));
    }
    for (number, refused) in core.factories.refused().iter().enumerate() {
        let value = json!({
            "file": refused.file.display().to_string(),
            "name": stem_of(&refused.file),
            "reason": redact::text(&refused.reason),
            "state": "refused",
        });
        entries.push((format!("refused/{number:04}"), value));
    }
    entries
}

/// The server as a whole.
pub(super) fn server(core: &Core) -> Value {
    let figures = core.media_figures();
    let conversions: Vec<Value> = { figures.conversions.iter() }
        .map(|of| {
            json!({
                "input": of.input, "output": of.output, "running": of.running, "started": of.started,
                "failed": of.failed, "packets": of.packets, "dropped": of.packets_dropped,
            })
        })
        .collect();
    let given = log_levels::given();
    let levels: BTreeMap<String, String> = { given.iter() }
        .map(|(name, level)| (name.clone(), level.to_string()))
        .collect();
    json!({
        "time": crate::events::now_millis().to_string(),
        "phase": core.lifecycle.phase().to_string(),
        "objects": core.registry.object_count(),
        "pipelines": core.registry.pipelines().len(),
        "sessions": core.registry.session_count(),
        "shown": MOST,
        "memoryBytes": usage::memory_kib() * 1024,
        "cpuSeconds": usage::cpu_time().as_secs_f64(),
        "processors": usage::cpu_count(),
        "threads": usage::threads(),
        "conversions": conversions,
        "eventsDropped": core.events.dropped(),
        "logLinesLost": logging::lost_lines(),
        "logDirectives": log_levels::base(),
        "logLevels": levels,
    })
}

fn sessions(core: &Core, entries: &mut Entries) {
    let caller = core.itself();
    for session in core.registry.view(&caller).sessions().iter().take(MOST) {
        let value = json!({
            "id": redact::text(&cut(&session.id)),
            "connected": session.is_bound(),
            "objects": session.extent(),
        });
        entries.push((format!("session/{}", session.serial), value));
    }
}

fn pipeline(pipeline: &Arc<Object>) -> Value {
    let mut counted = Counted::default();
    counted.below(pipeline);
    json!({
        "id": &*pipeline.id,
        "name": name(pipeline),
        "created": pipeline.creation_time,
        "elements": counted.elements,
        "flowing": counted.flowing,
        "converting": counted.converting,
    })
}

/// What there is in a pipeline.
#[derive(Default)]
struct Counted {
    elements: usize,
    flowing: bool,
    converting: bool,
}

impl Counted {
    fn below(&mut self, object: &Arc<Object>) {
        for child in object.children() {
            self.elements += 1;
            self.converting |= !child.transcoding.lock().is_empty();
            if let Some(node) = child.node() {
                let kinds = [MediaKind::Audio, MediaKind::Video];
                self.flowing |= kinds.iter().any(|kind| {
                    node.flowing_in(*kind, "default") || node.flowing_out(*kind, "default")
                });
            }
            self.below(&child);
        }
    }
}

fn module(module: &Installed, level: Option<String>) -> Value {
    json!({
        "name": stem(module),
        "namespace": module.name,
        "file": module.file.display().to_string(),
        "version": module.version,
        "built": module.generation_time,
        "generation": module.generation,
        "state": module.state.as_str(),
        "classes": module.classes,
        "level": level,
    })
}

/// The name by which a module is known in the log's levels and in the metrics.
pub(super) fn stem(module: &Installed) -> String {
    stem_of(&module.file)
}

fn stem_of(file: &std::path::Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// The name that a client gave an object, nothing if it gave none.
pub(super) fn name(object: &Object) -> String {
    let labels = object.labels.lock();
    labels
        .name()
        .map_or_else(String::new, |name| redact::text(&cut(name)))
}

/// So much of a client's text as is shown.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(NAME).collect()
}
