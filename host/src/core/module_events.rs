//! Events of the server manager about modules that come, change and go.
//!
//! They are Rivero's own: no descriptor has them, since `getKmd` answers what Kurento's would, and
//! so a client gets them that subscribes to them by name.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Core;
use crate::modules::{Change, Installed, Listener, Refused};
use crate::registry::{Body, Object};

const ADDED: &str = "ModuleAdded";
const UPGRADED: &str = "ModuleUpgraded";
const REMOVED: &str = "ModuleRemoved";
const FAILED: &str = "ModuleFailed";

/// Whether an object raises such an event.
pub(super) fn raises(object: &Object, event: &str) -> bool {
    matches!(object.body, Body::ServerManager)
        && [ADDED, UPGRADED, REMOVED, FAILED].contains(&event)
}

impl Core {
    /// Raises the events of changes that it is told of.
    #[must_use]
    pub fn module_listener(self: &Arc<Core>) -> Listener {
        let core = Arc::downgrade(self);
        Arc::new(move |change| {
            if let Some(core) = core.upgrade() {
                core.announce_change(&change);
            }
        })
    }

    fn announce_change(&self, change: &Change) {
        let (event, data) = match change {
            Change::Added(installed) => (ADDED, about(installed)),
            Change::Upgraded(installed) => (UPGRADED, about(installed)),
            Change::Removed(installed) => (REMOVED, about(installed)),
            Change::Failed(refused) => (FAILED, about_refused(refused)),
        };
        self.events.raise(&self.manager, event, data);
    }
}

fn about(installed: &Installed) -> Map<String, Value> {
    let Installed {
        name,
        version,
        file,
        generation,
        classes,
        ..
    } = installed;
    let file = file.display().to_string();
    let members = json!({"module": name, "version": version, "file": file, "generation": generation, "factories": classes});
    members.as_object().cloned().unwrap_or_default()
}

fn about_refused(refused: &Refused) -> Map<String, Value> {
    let members = json!({"file": refused.printable_file(), "reason": refused.reason});
    members.as_object().cloned().unwrap_or_default()
}
