//! The operations of ServerManager.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rivero_idl::{Descriptor, Model};
use serde_json::{Value, json};

use super::{Core, Execution};
use crate::auth::Caller;
use crate::convert::Converted;
use crate::error::CallError;
use crate::modules::{Installed, State};
use crate::observe::civil_time::CivilTime;
use crate::observe::usage;
use crate::registry::id::SERVER_MANAGER;

/// The protocol level that clients check.
pub(super) const PROTOCOL_VERSION: &str = "7.3.0";
/// The longest interval of `getUsedCpu`; clients give up on calls that take 10 s.
const MAX_INTERVAL: Duration = Duration::from_secs(8);
/// The operations that change the server manager.
const CHANGES: &[&str] = &["addTag", "removeTag", "setName", "setSendTagsInEvents"];

impl Core {
    /// The operations of the server manager; `None` for those of every object.
    pub(super) fn server_manager(
        self: &Arc<Self>,
        caller: &Caller,
        name: &str,
        given: &Converted,
    ) -> Option<Execution<Value>> {
        let value = match name {
            // Everybody has this object: what one would write on it, all others would read.
            _ if !caller.sees_all() && CHANGES.contains(&name) => {
                return Some(not_changeable(name).into());
            }
            "getTags" if !caller.sees_all() => json!([]),
            "getTag" if !caller.sees_all() => {
                return Some(CallError::tag_not_found("Tag key not found").into());
            }
            "getName" if !caller.sees_all() => Value::from(SERVER_MANAGER),
            "getInfo" => self.info(),
            "getPipelines" => {
                let caller = caller.clone();
                return Some(self.list(self.registry.object_count(), move |core| {
                    let pipelines = core.registry.view(&caller).pipelines();
                    let ids = pipelines.iter().map(|pipeline| Value::from(&*pipeline.id));
                    ids.collect()
                }));
            }
            "getSessions" => {
                let caller = caller.clone();
                return Some(self.list(self.registry.session_count(), move |core| {
                    let ids = core.registry.view(&caller).session_ids();
                    ids.iter().map(|id| Value::from(&**id)).collect()
                }));
            }
            "getMetadata" => Value::from(self.options().metadata.as_str()),
            "getKmd" => {
                return Some(Execution::Done(
                    self.descriptor(given.text("moduleName").unwrap_or_default()),
                ));
            }
            "getCpuCount" => Value::from(usage::cpu_count()),
            "getUsedMemory" => Value::from(usage::memory_kib()),
            "getUsedCpu" => {
                let interval = given.params.get("interval").and_then(Value::as_u64);
                return Some(match interval {
                    Some(millis @ 1..) => used_cpu(Duration::from_millis(millis)),
                    // No time, no use: nor in a negative one.
                    _ => Execution::Done(Ok(Value::from(0.0))),
                });
            }
            _ => return None,
        };
        Some(Execution::Done(Ok(value)))
    }

    /// What is installed. The standard modules are always listed, since clients refuse to start
    /// without them, with the classes that can be created. What has been replaced or removed and
    /// has objects is listed only where nothing else has its name.
    fn info(&self) -> Value {
        let (model, installed) = (self.model(), self.factories.installed());
        let mut modules: BTreeMap<&str, Value> = { model.modules().iter() }
            .map(|module| (module.name(), self.module(&model, module, &installed)))
            .collect();
        for former in installed.iter().filter(|one| one.state == State::Retiring) {
            let entry = modules.entry(&former.name);
            entry.or_insert_with(|| module_info(&former.name, &former.version, &[], Some(former)));
        }
        let modules: Vec<Value> = modules.into_values().collect();
        json!({
            "__module__": "kurento",
            "__type__": "ServerInfo",
            "capabilities": ["transactions"],
            "modules": modules,
            "riveroVersion": env!("CARGO_PKG_VERSION"),
            "type": "KMS",
            "version": PROTOCOL_VERSION,
        })
    }

    fn module(&self, model: &Model, module: &Descriptor, installed: &[Installed]) -> Value {
        let name = module.name();
        let classes = model
            .classes()
            .iter()
            .filter(|class| class.module == name && self.creates(class));
        let mut factories: Vec<&str> = classes.map(|class| class.name.as_str()).collect();
        factories.sort_unstable();
        let of_module = installed.iter().filter(|installed| installed.name == name);
        let mut live = of_module.filter(|installed| installed.state == State::Live);
        let version = module.version.as_deref().unwrap_or_default();
        module_info(name, version, &factories, live.next())
    }

    /// The text of a descriptor. It is made once: it takes longer than others should wait for who
    /// asks again and again.
    fn descriptor(&self, module: &str) -> Result<Value, CallError> {
        let model = self.model();
        let mut texts = self.descriptors.lock();
        if texts.0.as_ptr() != Arc::as_ptr(&model) {
            *texts = (Arc::downgrade(&model), HashMap::new());
        }
        if let Some(text) = texts.1.get(module) {
            return Ok(Value::from(text.as_str()));
        }
        let descriptor = model
            .descriptor(module)
            .ok_or_else(|| CallError::kmd_not_found("Requested kmd module doesn't exist"))?;
        let text = serde_json::to_string(descriptor).map_err(|error| {
            CallError::unexpected(format!("Cannot write the descriptor: {error}"))
        })?;
        texts.1.insert(module.to_owned(), text.clone());
        Ok(Value::String(text))
    }
}

/// One module as clients see it. `file`, `generation` and `state` are Rivero's own, and those of the
/// file found first where several make one module.
fn module_info(
    name: &str,
    version: &str,
    factories: &[&str],
    installed: Option<&Installed>,
) -> Value {
    let time = installed.map(|installed| installed.generation_time.clone());
    let mut info = json!({
        "__module__": "kurento",
        "__type__": "ModuleInfo",
        "factories": factories,
        "generationTime": time.unwrap_or_else(build_time),
        "name": name,
        "version": version,
    });
    if let (Some(installed), Some(info)) = (installed, info.as_object_mut()) {
        let file = installed.file.display().to_string();
        info.insert("file".to_owned(), file.into());
        info.insert("generation".to_owned(), installed.generation.into());
        info.insert("state".to_owned(), installed.state.as_str().into());
    }
    info
}

fn not_changeable(name: &str) -> CallError {
    CallError::operation_not_supported(format!(
        "The token does not permit '{name}' of the server manager, which all clients share: its scope would have to be 'all'"
    ))
}

/// CPU use during `interval`, at most [`MAX_INTERVAL`], in percent of one processor.
fn used_cpu(interval: Duration) -> Execution<Value> {
    let interval = interval.min(MAX_INTERVAL);
    Execution::pending(async move {
        let (start, used) = (tokio::time::Instant::now(), usage::cpu_time());
        tokio::time::sleep(interval).await;
        let elapsed = start.elapsed().as_secs_f64();
        let percent = if elapsed > 0.0 {
            usage::cpu_time().saturating_sub(used).as_secs_f64() / elapsed * 100.0
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the property is a 32-bit float"
        )]
        Ok(Value::from(f64::from(percent as f32)))
    })
}

/// When the server was built, as modules of Kurento say it: `Nov 20 2026 10:29:29`, in UTC.
fn build_time() -> String {
    let built = std::env::current_exe()
        .and_then(|file| file.metadata())
        .and_then(|file| file.modified());
    CivilTime::from(built.unwrap_or(UNIX_EPOCH)).in_words()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cpu_use_is_measured_without_blocking() {
        let value = used_cpu(Duration::from_secs(1)).wait().await.unwrap();
        assert!(value.is_f64());
    }

    #[tokio::test(start_paused = true)]
    async fn no_interval_outlasts_the_patience_of_clients() {
        let start = tokio::time::Instant::now();
        used_cpu(Duration::MAX).wait().await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(9));
    }
}
