//! The classes that belong to the server, and how every call finds its object.
//!
//! Operations that the server itself carries out run at once on the caller's thread. Operations of
//! modules run on their [`lanes`](crate::lanes). Calls on one object start in the order of their
//! arrival.

pub mod aside;
mod collector;
mod create;
mod destroy;
mod dot;
mod execution;
pub mod factories;
mod figures;
mod health;
pub mod heap;
mod invoke;
mod media_element;
mod media_figures;
mod media_object;
mod module_events;
pub mod monitor;
mod old_operations;
mod quotas;
pub mod requests;
mod resources;
mod server_manager;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use rivero_idl::Model;
use rivero_media::{Figures, Plane};
use serde_json::{Map, Value};

pub use execution::Execution;
pub use health::Check;

use crate::accounts::{Accounts, Limits};
use crate::aliases;
use crate::auth::Caller;
use crate::error::CallError;
use crate::events::Events;
use crate::lanes::{Lane, Lanes};
use crate::lifecycle::Lifecycle;
use crate::modules::Instance;
use crate::observe::metrics::Metrics;
use crate::registry::id::SERVER_MANAGER;
use crate::registry::{Allotment, Body, Object, Registry, Session, Settings};
use aside::Aside;
use factories::Factories;
use monitor::{HealthOptions, Monitor};
use requests::Requests;
pub use resources::raise_file_limit;
use resources::{Resources, file_limit};

/// How long a module may take to answer by default: less than the 10 s after which Java's client
/// gives up.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(9);

/// A list of so many items takes long enough to be made beside the runtime.
const MANY: usize = 1_000;

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
    /// How much clients may have and ask for.
    pub limits: Limits,
    /// What health depends on.
    pub health: HealthOptions,
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
            limits: Limits::default(),
            health: HealthOptions::default(),
        }
    }
}

/// Everything that calls on objects need.
pub struct Core {
    /// Whom clients are counted for.
    pub accounts: Arc<Accounts>,
    /// Does what a client made large.
    pub aside: Aside,
    /// Objects and sessions.
    pub registry: Arc<Registry>,
    /// Raises events.
    pub events: Arc<Events>,
    /// Creates objects of modules.
    pub factories: Arc<dyn Factories>,
    /// Where modules are called.
    pub lanes: Arc<Lanes>,
    /// From the configuration; replaced as a whole when that is read again.
    options: ArcSwap<Options>,
    /// What is begun, and what is not any more.
    pub lifecycle: Arc<Lifecycle>,
    /// What clients asked for.
    pub requests: Arc<Requests>,
    /// How the process is.
    pub monitor: Arc<Monitor>,
    /// Of everything here, the plane and the modules.
    pub metrics: Metrics,
    plane: Arc<Plane>,
    resources: Resources,
    /// Texts of descriptors that somebody has asked for, by module, and the model they are of.
    descriptors: Mutex<(Weak<Model>, HashMap<String, String>)>,
    manager: Arc<Object>,
}

impl Core {
    /// A core with the server manager as its only object.
    ///
    /// # Errors
    /// 40100 when the model lacks the class `ServerManager`, 40003 without a thread for events.
    pub fn new(
        factories: Arc<dyn Factories>,
        plane: Arc<Plane>,
        options: Options,
    ) -> Result<Arc<Core>, CallError> {
        let model = factories.model();
        let class = model
            .class("ServerManager")
            .ok_or_else(|| CallError::type_not_found("No class 'ServerManager'"))?;
        let accounts = Accounts::new(options.limits.clone().within_files(file_limit()));
        let manager = Object::new(
            SERVER_MANAGER.into(),
            class.clone(),
            None,
            Body::ServerManager,
            Allotment::claim(&accounts.of_server(), false)?,
        );
        let registry = Arc::new(Registry::default());
        registry.insert(&manager, None)?;
        let events = Events::new(model.clone())
            .map_err(|error| CallError::unexpected(format!("No thread for events: {error}")))?;
        let lanes = Arc::<Lanes>::default();
        let lifecycle = Arc::new(Lifecycle::new(options.drain));
        let monitor = Monitor::new(options.health.clone());
        Ok(Arc::new_cyclic(|core| Core {
            accounts,
            aside: Aside::default(),
            registry,
            events: Arc::new(events),
            requests: Arc::default(),
            monitor,
            factories,
            lanes,
            resources: Resources::within(options.exception_limit),
            lifecycle,
            descriptors: Mutex::default(),
            options: ArcSwap::from_pointee(options),
            metrics: figures::page(core),
            plane,
            manager,
        }))
    }

    /// Types of everything, at this moment.
    #[must_use]
    pub fn model(&self) -> Arc<Model> {
        self.factories.model()
    }

    /// The types that the class of an object speaks of.
    fn types_of(&self, object: &Object) -> Arc<Model> {
        object.types().cloned().unwrap_or_else(|| self.model())
    }

    /// What the media plane has counted.
    #[must_use]
    pub fn media_figures(&self) -> Figures {
        self.plane.figures()
    }

    /// The server as a caller of its own, which sees everything.
    #[must_use]
    pub fn itself(&self) -> Caller {
        Caller::anyone(&self.accounts.of_server())
    }

    /// All bounds for clients.
    #[must_use]
    pub fn limits(&self) -> Guard<Arc<Limits>> {
        self.accounts.limits()
    }

    /// What the configuration says, at this moment.
    #[must_use]
    pub fn options(&self) -> Arc<Options> {
        self.options.load_full()
    }

    /// Goes by other options from now on. What exists stays as it is.
    pub fn set_options(&self, options: Options) {
        self.accounts
            .set_limits(options.limits.clone().within_files(file_limit()));
        self.lifecycle.set_drain(options.drain);
        self.monitor.set_options(options.health.clone());
        self.resources.set_fraction(options.exception_limit);
        self.options.store(Arc::new(options));
    }

    /// Where the module is called that makes objects of a class.
    fn lane(&self, instance: &Arc<dyn Instance>) -> Lane {
        self.lanes.of(&instance.module())
    }

    /// Raises an event of the server manager about an object.
    fn announce(&self, event: &str, member: &str, object: &Object) {
        if !self.manager.subscriptions.wants(event) && !self.events.recent().is_watched() {
            return;
        }
        let data = Map::from_iter([(member.to_owned(), Value::from(&*object.id))]);
        self.events.raise_about(object, &self.manager, event, data);
    }

    /// Subscribes a session to an event of an object, which it holds from then on; returns the
    /// subscription's id, and the session as the registry knows it.
    ///
    /// # Errors
    /// 40106 when the object's class does not raise it, 40101 when the object is gone, 40009 when
    /// the session may have no more.
    pub fn subscribe(
        &self,
        caller: &Caller,
        session: &Arc<Session>,
        object: &Arc<Object>,
        event: &str,
    ) -> Result<(Arc<str>, Arc<Session>), CallError> {
        let is_known = object.class.event(event).is_some()
            || aliases::is_old_event(&object.class, event)
            || module_events::raises(object, event);
        if !is_known {
            return Err(CallError::event_not_supported(format!(
                "Event '{event}' not supported"
            )));
        }
        let since = self.events.next_number();
        self.registry
            .subscribe(session, object, event, since, caller)
    }

    /// Answers with a list of so many items, beside the runtime if they are many.
    fn list(
        self: &Arc<Self>,
        count: usize,
        items: impl FnOnce(&Core) -> Value + Send + 'static,
    ) -> Execution<Value> {
        if count < MANY {
            return Execution::Done(Ok(items(self)));
        }
        let core = self.clone();
        Execution::pending(async move { core.aside.clone().run(move || items(&core)).await })
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}
