//! The end of objects: links first, then what lives in modules, then the news of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::{Core, Execution};
use crate::registry::{Body, Object};

/// How long a client waits for modules to let go of what it released.
const PATIENCE: Duration = Duration::from_secs(5);

impl Core {
    /// Ends objects that are no longer registered; children come before their parents.
    ///
    /// Links are undone and events raised at once. Modules release on their own threads, after
    /// the calls that they still work on; the execution ends when they are done, or after 5 s.
    pub fn destroy(self: &Arc<Self>, dead: Vec<Arc<Object>>) -> Execution<()> {
        for object in &dead {
            if let Some(node) = object.node() {
                node.release();
            }
            self.announce("ObjectDestroyed", "objectId", &object.id);
            object.subscriptions.clear();
        }
        let in_modules = |object: &Arc<Object>| {
            !matches!(object.body, Body::ServerManager | Body::Pipeline { .. })
        };
        let left: Vec<_> = dead.into_iter().filter(in_modules).collect();
        if left.is_empty() {
            self.note_whether_empty();
            return Execution::Done(Ok(()));
        }
        let core = self.clone();
        Execution::pending(async move {
            let releases = tokio::spawn(async move {
                // Polled in order, so a hub hears of its ports' end before its own.
                join_all(left.iter().map(|object| core.release_in_module(object))).await;
                core.note_whether_empty();
            });
            if tokio::time::timeout(PATIENCE, releases).await.is_err() {
                tracing::warn!(
                    "a module still works on the release of an object after {} s",
                    PATIENCE.as_secs()
                );
            }
            Ok(())
        })
    }

    async fn release_in_module(&self, object: &Arc<Object>) {
        let (owner, job): (_, Box<dyn FnOnce() + Send>) = match (&object.body, &object.parent) {
            (Body::HubPort { .. }, Some(hub)) => {
                let Some(instance) = hub.instance().cloned() else {
                    return;
                };
                let id = object.id.clone();
                (hub, Box::new(move || instance.port_removed(&id)))
            }
            (Body::Element { instance, .. } | Body::Hub(instance) | Body::Plain(instance), _) => {
                let instance = instance.clone();
                (object, Box::new(move || instance.release()))
            }
            _ => return,
        };
        let turn = owner.calls.clone().lock_owned().await;
        let released = self.pool.call(move || {
            let _turn = turn;
            job();
        });
        if released.await.is_err() {
            tracing::error!(object = %object.id, "the module failed while it released the object");
        }
    }
}
