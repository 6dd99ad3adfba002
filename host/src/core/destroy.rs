//! The end of objects: links first, then what lives in modules, then the news of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::{Core, Execution};
use crate::media::Graph;
use crate::registry::{Body, Object};

/// How long a client waits for modules to let go of what it released.
const PATIENCE: Duration = Duration::from_secs(5);

/// The links of the pipeline that an object belongs to.
fn graph_of(object: &Object) -> Option<&Arc<Graph>> {
    match (&object.body, &object.parent) {
        (Body::Pipeline { graph }, _) => Some(graph),
        (_, Some(parent)) => graph_of(parent),
        _ => None,
    }
}

impl Core {
    /// Ends objects that are no longer registered; children come before their parents.
    ///
    /// Links are undone at once. Events follow in their order: what the media plane still has to
    /// tell of an object comes before the news of its end, whichever thread tells it. Modules
    /// release on their own threads, after the calls that they still work on; the execution ends
    /// when all that is done, or after 5 s.
    pub fn destroy(self: &Arc<Self>, dead: Vec<Arc<Object>>) -> Execution<()> {
        // Closed when the last of the news has been told.
        let (telling, mut told) = tokio::sync::mpsc::channel::<()>(1);
        for object in &dead {
            if let Some(node) = object.node() {
                node.release();
            }
            let (core, ended, telling) = (self.clone(), object.clone(), telling.clone());
            let news = move || {
                core.announce("ObjectDestroyed", "objectId", &ended.id);
                ended.subscriptions.clear();
                drop(telling);
            };
            match graph_of(object) {
                Some(graph) => graph.tell_after(news),
                None => news(),
            }
        }
        drop(telling);
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
                told.recv().await;
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
