//! The classes that belong to the server, and how every call finds its object.
//!
//! Operations that the server itself carries out run at once on the caller's thread, and with
//! them what they have the media graph tell the pads of modules (`connect` a source of its
//! consumer, for example). Operations of modules run on the [`call_pool`]. Calls on one object
//! start in the order of their arrival.

pub mod aliases;
pub mod call_pool;
pub mod convert;
mod create;
mod destroy;
mod dot;
mod execution;
pub mod factories;
pub mod heap;
mod invoke;
mod media_element;
mod media_object;
mod resources;
mod server_manager;
pub mod usage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rivero_idl::Model;
use serde_json::{Map, Value};

pub use execution::Execution;

use crate::error::CallError;
use crate::events::Events;
use crate::lifecycle::Lifecycle;
use crate::media::Plane;
use crate::registry::id::SERVER_MANAGER;
use crate::registry::{Body, Object, Registry, Session, Settings};
use call_pool::CallPool;
use factories::Factories;
use resources::Resources;

/// How long a module may take to answer by default: less than the 10 s after which Java's client
/// gives up.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(9);

/// What the configuration says about the core.
#[derive(Debug, Clone)]
pub struct Options {
    /// JSON text of the configuration's `metadata` node; empty without one.
    pub metadata: String,
    /// Defaults of the properties of elements.
    pub element_settings: Settings,
    /// Fraction of the process limits above which `create` is refused.
    pub exception_limit: f64,
    /// Where `dumpGstreamerDot` writes; nowhere if `None`.
    pub dot_directory: Option<PathBuf>,
    /// How long a module may take to answer.
    pub call_timeout: Duration,
    /// How long what runs may go on after SIGTERM.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            metadata: String::new(),
            element_settings: Settings::default(),
            exception_limit: 0.8,
            dot_directory: None,
            call_timeout: CALL_TIMEOUT,
            drain: Duration::ZERO,
        }
    }
}

/// Everything that calls on objects need.
pub struct Core {
    /// Objects and sessions.
    pub registry: Arc<Registry>,
    /// Raises events.
    pub events: Arc<Events>,
    /// Creates objects of modules.
    pub factories: Arc<dyn Factories>,
    /// Runs calls of modules.
    pub pool: CallPool,
    /// From the configuration.
    pub options: Options,
    /// What is begun, and what is not any more.
    pub lifecycle: Arc<Lifecycle>,
    plane: Arc<Plane>,
    resources: Resources,
    manager: Arc<Object>,
}

impl Core {
    /// A core with the server manager as its only object.
    ///
    /// # Errors
    /// 40100 when the model lacks the class `ServerManager`.
    pub fn new(
        factories: Arc<dyn Factories>,
        plane: Arc<Plane>,
        options: Options,
    ) -> Result<Arc<Core>, CallError> {
        let model = factories.model();
        let class = model
            .class("ServerManager")
            .ok_or_else(|| CallError::type_not_found("No class 'ServerManager'"))?;
        let manager = Object::new(
            SERVER_MANAGER.into(),
            class.clone(),
            None,
            Body::ServerManager,
        );
        let registry = Arc::new(Registry::default());
        registry.insert(&manager, None)?;
        Ok(Arc::new(Core {
            registry,
            events: Arc::new(Events::new(model.clone())),
            factories,
            pool: CallPool::default(),
            resources: Resources::within(options.exception_limit),
            lifecycle: Arc::new(Lifecycle::new(options.drain)),
            options,
            plane,
            manager,
        }))
    }

    /// Types of everything.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        self.factories.model()
    }

    /// What the media plane measures, in the text format of Prometheus.
    #[must_use]
    pub fn media_metrics(&self) -> String {
        self.plane.metrics()
    }

    /// Raises an event of the server manager.
    fn announce(&self, event: &str, member: &str, id: &str) {
        let data = Map::from_iter([(member.to_owned(), Value::from(id))]);
        self.events.raise(&self.manager, event, data);
    }

    /// Subscribes a session to an event of an object; returns the subscription's id.
    ///
    /// # Errors
    /// 40106 when the object's class does not raise it.
    pub fn subscribe(
        &self,
        session: &Arc<Session>,
        object: &Object,
        event: &str,
    ) -> Result<Arc<str>, CallError> {
        if object.class.event(event).is_none() && !aliases::is_old_event(&object.class, event) {
            return Err(CallError::event_not_supported(format!(
                "Event '{event}' not supported"
            )));
        }
        Ok(object.subscriptions.add(event, session))
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}
