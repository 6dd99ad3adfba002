//! The end of objects: links first, then what lives in modules, then the news of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rivero_media::Graph;
use tokio::sync::{mpsc, oneshot};

use super::media_element::DELIVERY;
use super::{Core, Execution, MANY};
use crate::modules::Released;
use crate::registry::{Body, Object, Session};

/// How long a client waits for modules to let go of what it released.
const PATIENCE: Duration = Duration::from_secs(5);

/// At the end of the process, elements that only take media end so much earlier than those that
/// give it: a recording that has just begun gets its first keyframe, and is a file that plays.
const HEAD_START: Duration = Duration::from_secs(2);

impl Core {
    /// Destroys an object and its descendants, whoever holds them.
    pub fn release(self: &Arc<Self>, object: &Arc<Object>) -> Execution<()> {
        let (registry, released) = (self.registry.clone(), object.clone());
        self.destroy_so_many(object.extent(), move || registry.remove(&released))
    }

    /// Ends a session, and with `destroy` all that it holds.
    pub fn end_session(self: &Arc<Self>, session: &Arc<Session>, destroy: bool) -> Execution<()> {
        let (registry, ended) = (self.registry.clone(), session.clone());
        self.destroy_so_many(session.extent(), move || {
            registry.end_session(&ended, destroy)
        })
    }

    /// Ends what `take` unregisters, about `count` objects and holds: many of them beside the
    /// runtime.
    fn destroy_so_many(
        self: &Arc<Self>,
        count: usize,
        take: impl FnOnce() -> Vec<Arc<Object>> + Send + 'static,
    ) -> Execution<()> {
        if count < MANY {
            return self.destroy(take());
        }
        let core = self.clone();
        Execution::pending(async move {
            let aside = core.aside.clone();
            let ending = aside.run(move || core.destroy(take())).await?;
            ending.wait().await
        })
    }

    /// Ends objects that are no longer registered; children come before their parents.
    ///
    /// Links are undone at once. Events follow in their order: what the media plane still has to
    /// tell of an object comes before the news of its end, whichever thread tells it. Modules
    /// release on their own threads, after the calls that they still work on; the execution ends
    /// when all that is done, or after 5 s.
    pub fn destroy(self: &Arc<Self>, dead: Vec<Arc<Object>>) -> Execution<()> {
        let mut told = self.take_out(&dead);
        let in_modules = |object: &Arc<Object>| {
            !matches!(object.body, Body::ServerManager | Body::Pipeline { .. })
        };
        let left: Vec<_> = dead.into_iter().filter(in_modules).collect();
        if left.is_empty() {
            self.note_whether_empty();
            return Execution::Done(Ok(()));
        }
        let core = self.clone();
        let under_way = self.lifecycle.begin();
        Execution::pending(async move {
            let releases = tokio::spawn(async move {
                // What pads are still to be told comes before the end of their object, unless a module
                // does not return from it.
                let news = tokio::time::timeout(DELIVERY, told.recv()).await;
                // Polled in order, so a hub hears of its ports' end before its own.
                join_all(left.iter().map(|object| core.release_in_module(object))).await;
                if news.is_err() {
                    told.recv().await;
                }
                core.note_whether_empty();
                drop(under_way);
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

    /// Ends all objects at the end of the process; they are no longer registered, children come
    /// before their parents. Done when modules have let go of them.
    pub async fn destroy_all(self: &Arc<Self>, dead: Vec<Arc<Object>>) {
        let (takers, others): (Vec<_>, Vec<_>) =
            dead.into_iter().partition(|object| only_takes(object));
        let core = self.clone();
        let mut released = tokio::spawn(async move {
            join_all(takers.iter().map(|object| core.release_in_module(object))).await;
            core.take_out(&takers).recv().await;
        });
        let _ = tokio::time::timeout(HEAD_START, &mut released).await;
        // Destruction reports no errors; it only takes its time.
        let _ = self.destroy(others).wait().await;
        if !released.is_finished() {
            let _ = released.await;
        }
    }

    /// Undoes the links of objects, and tells of their end; what this returns closes when the last
    /// of the news has been told.
    fn take_out(self: &Arc<Self>, dead: &[Arc<Object>]) -> mpsc::Receiver<()> {
        let (telling, told) = mpsc::channel(1);
        for object in dead {
            if let Some(node) = object.any_node() {
                node.release();
            }
            let (core, ended, telling) = (self.clone(), object.clone(), telling.clone());
            let news = move || {
                core.announce("ObjectDestroyed", "objectId", &ended);
                core.events.retire(&ended);
                drop(telling);
            };
            match graph_of(object) {
                Some(graph) => graph.after_deliveries(news),
                None => news(),
            }
        }
        told
    }

    async fn release_in_module(&self, object: &Arc<Object>) {
        let (owner, lane, job): (_, _, Box<dyn FnOnce(Released) + Send>) =
            match (&object.body, &object.parent) {
                (Body::HubPort { .. }, Some(hub)) => {
                    let Some(instance) = hub.instance().cloned() else {
                        return;
                    };
                    let (id, lane) = (object.id.clone(), self.lane(&instance));
                    let remove = move |released: Released| {
                        instance.port_removed(&id);
                        released();
                    };
                    (hub, lane, Box::new(remove))
                }
                (
                    Body::Element { instance, .. }
                    | Body::Hub { instance, .. }
                    | Body::Plain(instance),
                    _,
                ) => {
                    let (instance, lane) = (instance.clone(), self.lane(instance));
                    let release = move |released: Released| instance.release(released);
                    (object, lane, Box::new(release))
                }
                _ => return,
            };
        let turn = owner.calls.clone().lock_owned().await;
        let (sender, released) = oneshot::channel();
        // The module may take its time without keeping the thread.
        lane.run(move || {
            job(Box::new(move || {
                drop(turn);
                // Nobody listening any more is fine: the work is done all the same.
                let _ = sender.send(());
            }));
        });
        if released.await.is_err() {
            tracing::error!(object = %object.id, "the module failed while it released the object");
        }
    }
}

/// The links of the pipeline that an object belongs to.
fn graph_of(object: &Object) -> Option<&Arc<Graph>> {
    match (&object.body, &object.parent) {
        (Body::Pipeline { graph }, _) => Some(graph),
        (_, Some(parent)) => graph_of(parent),
        _ => None,
    }
}

/// Whether an element takes media and gives none to others.
fn only_takes(object: &Object) -> bool {
    object.node().is_some_and(|node| {
        node.sink_connections(None, None).is_empty()
            && !node.source_connections(None, None).is_empty()
    })
}
