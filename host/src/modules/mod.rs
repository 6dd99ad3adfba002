//! The modules of a server: found, checked, loaded, spoken to.
//!
//! Discovery reads the files and runs none of their code; the library of a
//! class is loaded when its first object is created, from a private copy.
//! A file that is no module of ours, or a broken one, is refused with one
//! clear line, and the server carries on.
//!
//! What the files offer at a moment is a [`Snapshot`], which is replaced as a whole when they
//! change: by a [`watch`] while the server runs. What was begun with an earlier one goes on with it,
//! and each loaded library lives as long as something of it is in use ([`generation`]).

mod callee;
mod candidates;
mod catalogue;
mod changes;
mod conversions;
mod converters;
mod discovery;
mod element;
mod files;
mod generation;
mod held;
mod instance;
mod isolation;
mod loader;
mod metrics;
mod overdue;
mod pads;
mod probe;
mod provider;
mod resume;
mod roles;
mod services;
mod trust;
mod watch;

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rivero_idl::{Class, Model, Setting};
use rivero_media::{Converters, MediaKind, Node, Plane};
use serde_json::{Map, Value};

pub use changes::Change;
pub use discovery::inspect;
pub use isolation::{Isolated, IsolationError, serve_module};
pub use probe::probe_files;
pub use roles::is_of_runtime;
pub use watch::Listener;

use crate::{error::CallError, observe::metrics::Family};
use candidates::{Candidates, Sightings, Verdict};
use catalogue::Catalogue;
use converters::ModuleConverters;
use generation::Generation;
use provider::Provider;
use services::{Environment, Services};

/// Where modules are and what they are told.
pub struct Discovery {
    /// Directories in order of precedence; each is searched with its subdirectories.
    pub directories: Vec<PathBuf>,
    /// The `modules` tree of the configuration.
    pub configuration: Arc<Value>,
    /// Where relative names of files in it begin, if it came from a file.
    pub configuration_directory: Option<PathBuf>,
    /// Where the server and its modules may write.
    pub data_directory: PathBuf,
    /// The program that tries out a new file (`PROGRAM --probe-module FILE`)
    /// before this process loads it; without one new files are trusted.
    pub prober: Option<PathBuf>,
    /// Which modules have processes of their own.
    pub isolated: Isolated,
    /// Whether also files and directories are taken that others than root and the server's user
    /// may write: for development.
    pub anyone_may_write: bool,
}

/// What becomes of objects of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It makes new ones.
    Live,
    /// It is replaced or gone; those that there are live on.
    Retiring,
}

impl State {
    /// As clients read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Retiring => "retiring",
        }
    }
}

/// A module that serves.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Name as in its descriptor; several files may contribute to one module.
    pub name: String,
    /// Version of the module.
    pub version: String,
    /// The operator's file.
    pub file: PathBuf,
    /// Classes that this file serves.
    pub classes: Vec<String>,
    /// When the file was built, `Nov 20 2026 10:29:29` in UTC, from its modification time.
    pub generation_time: String,
    /// Counts the contents that there were under the name that the module gives itself, from 1.
    pub generation: u64,
    /// What becomes of its objects.
    pub state: State,
}

/// A file that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// One line for the operator.
    pub reason: String,
}

impl Refused {
    fn new(file: PathBuf, reason: &str) -> Self {
        // One line, whatever the descriptor or the loader had to say.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { file, reason }
    }

    /// The file's name on one line, whatever it contains.
    #[must_use]
    pub fn printable_file(&self) -> String {
        let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        self.file.to_string_lossy().chars().map(visible).collect()
    }
}

/// What an object of a module is given by the host.
pub struct ObjectContext {
    /// Id of the object.
    pub id: Arc<str>,
    /// Its class.
    pub class: Arc<Class>,
    /// Id of its pipeline.
    pub pipeline: Arc<str>,
    /// Takes its events.
    pub sink: Arc<dyn ObjectEvents>,
    /// Its pads; those of hubs are what their ports show.
    pub node: Option<Arc<Node>>,
}

/// Makes an object of a class; loads the module's library if it is the first. May block.
///
/// # Errors
/// 40108 when the library cannot be loaded, else what the constructor answers
pub type Make =
    dyn FnOnce(&str, ObjectContext, &Value) -> Result<Arc<dyn Instance>, CallError> + Send;

/// What makes objects of a class.
pub struct Factory {
    /// The module, by the name of its file: the lane on which it makes them.
    pub module: Arc<str>,
    /// Makes one.
    pub make: Box<Make>,
}

/// Takes what an object tells its listeners.
pub trait ObjectEvents: Send + Sync {
    /// An event of the class, with its own properties only.
    fn emit(&self, event: &str, data: Map<String, Value>);
    /// The `Error` event.
    fn error(&self, kind: &str, code: i32, description: &str);
    /// Class name of a living object of the same pipeline.
    fn class_of(&self, id: &str) -> Option<String>;
}

/// Takes the result of an operation, from any thread.
pub type Reply = Box<dyn FnOnce(Result<Value, CallError>) + Send>;

/// Told when a module has let go of an object, from any thread. Dropped when it never will.
pub type Released = Box<dyn FnOnce() + Send>;

/// An object that lives in a module. Every call may block for as long as the
/// module likes: not for threads that others wait for.
pub trait Instance: Send + Sync {
    /// The module, by the name of its file: the lane on which the object is called. It stays the one that
    /// made it, whatever makes others of its class.
    fn module(&self) -> Arc<str>;
    /// Runs an operation with converted parameters.
    fn invoke(&self, operation: &str, params: Value, reply: Reply);
    /// The module's entries for `getStats`.
    ///
    /// # Errors
    /// What the module answers.
    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>, CallError>;
    /// A hub got a port, with these pads and events of its own.
    ///
    /// # Errors
    /// Why the module refuses the port, which is not removed then.
    fn port_added(
        &self,
        port: &str,
        node: &Arc<Node>,
        events: Arc<dyn ObjectEvents>,
    ) -> Result<(), CallError>;
    /// A hub lost a port.
    fn port_removed(&self, port: &str);
    /// The last call. `released` is called when the object has come to its end, which may be
    /// later: what it records is complete then.
    fn release(&self, released: Released);
}

/// What the files offer at a moment.
struct Snapshot {
    catalogue: Catalogue,
    environment: Arc<Environment>,
    /// What classes are told.
    configuration: Arc<Value>,
    converters: Arc<ModuleConverters>,
    unusable_files: Vec<String>,
}

/// The calls of modules that should have returned long ago, of all servers in this process: one line for each.
#[must_use]
pub fn overdue_calls() -> Vec<String> {
    overdue::all()
}

/// Waits until no module lets go of anything any more, in this process, for `patience` at most.
pub fn wait_for_the_end(patience: Duration) {
    callee::wait_for_remains(patience);
}

/// The modules of a server.
pub struct Modules {
    current: ArcSwap<Snapshot>,
    candidates: Mutex<Candidates>,
    /// Held by whoever makes a snapshot of the one before: none of two changes at a time is lost.
    replacing: Mutex<()>,
    services: Arc<Services>,
    plane: Arc<Plane>,
    /// As it was read, before the files that it names were looked at.
    configuration: Mutex<Arc<Value>>,
    configuration_directory: Option<PathBuf>,
    /// Libraries that do not serve any more; those of which nothing is left are forgotten.
    retiring: Mutex<Vec<(Installed, Weak<Generation>)>>,
}

impl Modules {
    /// Looks through the directories. Refused files are logged and listed.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn discover(discovery: Discovery, plane: &Arc<Plane>) -> io::Result<Self> {
        let mut candidates = Candidates::new(&discovery);
        let services = Arc::new(Services::start(&discovery, plane)?);
        let (sightings, _) = candidates.look();
        let now = Instant::now();
        for verdict in candidates.judge(&sightings) {
            candidates.settle(verdict, now);
        }
        let Discovery {
            configuration,
            configuration_directory,
            ..
        } = discovery;
        let configured = (&configuration, configuration_directory.as_deref());
        let (files, refused) = candidates.sorted(&sightings);
        let catalogue = Catalogue::build(&files, refused, None).map_err(io::Error::other)?;
        let snapshot = Snapshot::new(catalogue, configured, &services, None);
        snapshot.serve(plane);
        changes::tell_of_refused(&[], &snapshot.catalogue.refused);
        changes::tell_of_shadowed(None, &snapshot.catalogue);
        for double in candidates.doubles() {
            tracing::warn!("{double}");
        }
        Ok(Self {
            current: ArcSwap::from_pointee(snapshot),
            candidates: Mutex::new(candidates),
            replacing: Mutex::default(),
            services,
            plane: plane.clone(),
            configuration: Mutex::new(configuration),
            configuration_directory,
            retiring: Mutex::default(),
        })
    }

    /// Takes up changes of the directories from now on, on a thread of its own, and closes libraries
    /// that are of no use any more.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn watch(self: &Arc<Self>, listener: Listener) -> io::Result<()> {
        watch::start(self, listener)
    }

    /// Takes up what has changed in the directories by now, once.
    pub fn look_again(&self, listener: &Listener) {
        watch::once(self, listener);
    }

    /// The standard descriptors and those of the modules.
    pub fn model(&self) -> Arc<Model> {
        self.current.load().catalogue.model.clone()
    }

    /// The files that serve, in the order in which they were found, and those that did and
    /// have objects.
    pub fn installed(&self) -> Vec<Installed> {
        let mut installed = self.current.load().catalogue.installed.clone();
        let mut retiring = self.retiring.lock();
        retiring.retain(|(_, generation)| generation.strong_count() > 0);
        installed.extend(retiring.iter().map(|(former, _)| former.clone()));
        installed
    }

    /// The names of the files that serve, or have objects from when they did.
    pub fn names(&self) -> HashSet<String> {
        let installed = self.installed();
        let stems = installed
            .iter()
            .filter_map(|module| module.file.file_stem());
        stems
            .map(|stem| stem.to_string_lossy().into_owned())
            .collect()
    }

    /// The files that do not serve as they are.
    pub fn refused(&self) -> Vec<Refused> {
        self.current.load().catalogue.refused.clone()
    }

    /// What the modules read from the configuration, as far as they declare it.
    pub fn settings(&self) -> Vec<Setting> {
        self.current.load().catalogue.settings.clone()
    }

    /// What is wrong with files that their settings name, one line for each.
    pub fn unusable_files(&self) -> Vec<String> {
        self.current.load().unusable_files.clone()
    }

    /// Whether a module makes objects of this class (plain name).
    pub fn provides(&self, class: &str) -> bool {
        self.current.load().catalogue.providers.contains_key(class)
    }

    /// What the modules measure.
    pub fn metrics(&self) -> Vec<Family> {
        self.services.metrics()
    }

    /// Ends what was measured of objects and libraries that are gone; `lives` knows objects by their ids.
    pub fn tidy_metrics(&self, lives: &dyn Fn(&str) -> bool) {
        self.services.tidy_metrics(lives);
    }

    /// What makes objects of this class, whatever takes its place before it has.
    ///
    /// # Errors
    /// 40108 when no module provides the class
    pub fn factory(&self, class: &str) -> Result<Factory, CallError> {
        let snapshot = self.current.load_full();
        let provider = { snapshot.catalogue.providers.get(class).cloned() }
            .ok_or_else(|| CallError::not_available(format!("Factory '{class}' not found")))?;
        let name = provider.file().file_stem().unwrap_or_default();
        Ok(Factory {
            module: name.to_string_lossy().into(),
            make: Box::new(move |class, context, params| {
                let module = provider.load(&snapshot.environment)?.module;
                instance::create(&module, class, context, params)
            }),
        })
    }

    /// Takes up what has become of these names, of all that were seen. A file that takes the place of
    /// one that is loaded is loaded before: one that cannot run takes nothing's place.
    fn take_up(&self, sightings: &Sightings, names: &[PathBuf]) -> Vec<Change> {
        let is_meant = |(path, _): &&(PathBuf, _)| names.contains(path);
        let meant: Sightings = sightings.iter().filter(is_meant).cloned().collect();
        let _replacing = self.replacing.lock();
        let former = self.current.load_full();
        let mut candidates = self.candidates.lock();
        let doubles = candidates.doubles();
        let verdicts = candidates.judge(&meant);
        let verdicts = verdicts.into_iter().map(|verdict| {
            let running = candidates.provider_of(&verdict.file).cloned();
            in_place_of(running, verdict, &former.environment)
        });
        let verdicts: Vec<Verdict> = verdicts.collect();
        for name in names {
            if !meant.iter().any(|(path, _)| path == name) {
                candidates.forget(name);
            }
        }
        let now = Instant::now();
        let failed: Vec<Refused> = { verdicts.into_iter() }
            .filter_map(|verdict| candidates.settle(verdict, now))
            .collect();
        let (files, refused) = candidates.sorted(sightings);
        for double in candidates.doubles().difference(&doubles) {
            tracing::warn!("{double}");
        }
        drop(candidates);
        if former.catalogue.is_of(&files, &refused) {
            return Vec::new();
        }
        match Catalogue::build(&files, refused, Some(&former.catalogue)) {
            Ok(catalogue) => self.replace(&former, catalogue, &failed),
            Err(error) => {
                tracing::error!(%error, "the modules stay as they were");
                Vec::new()
            }
        }
    }

    /// Has new requests served from this catalogue on.
    fn replace(&self, former: &Snapshot, next: Catalogue, failed: &[Refused]) -> Vec<Change> {
        let configuration = self.configuration.lock().clone();
        let configured = (&configuration, self.configuration_directory.as_deref());
        let next = Snapshot::new(next, configured, &self.services, Some(former));
        let (old, new) = (&former.catalogue, &next.catalogue);
        let changes = changes::between(old, new, failed);
        changes::tell_of_refused(&old.refused, &new.refused);
        changes::tell_of_shadowed(Some(old), new);
        for change in &changes {
            change.tell();
        }
        self.note_retiring(old, new);
        next.serve(&self.plane);
        self.current.store(Arc::new(next));
        changes
    }

    /// Tells modules of another configuration from now on; objects that exist keep what they have read.
    ///
    /// # Errors
    /// When the descriptors of the modules do not fit together, and nothing changes.
    pub fn reconfigure(&self, configuration: Arc<Value>) -> Result<(), rivero_idl::Error> {
        let _replacing = self.replacing.lock();
        let former = self.current.load_full();
        let catalogue = former.catalogue.again()?;
        *self.configuration.lock() = configuration;
        self.replace(&former, catalogue, &[]);
        Ok(())
    }

    fn note_retiring(&self, old: &Catalogue, new: &Catalogue) {
        let mut retiring = self.retiring.lock();
        for (provider, installed) in old.files.iter().zip(&old.installed) {
            let stays = new.files.iter().any(|other| Arc::ptr_eq(other, provider));
            if let Some(generation) = provider.generation().filter(|_| !stays) {
                let mut installed = installed.clone();
                installed.state = State::Retiring;
                retiring.push((installed, generation));
            }
        }
    }
}

/// A verdict on what is to take the place of `running`, after it was started if that is loaded.
fn in_place_of(
    running: Option<Arc<Provider>>,
    mut verdict: Verdict,
    environment: &Arc<Environment>,
) -> Verdict {
    let loaded = running.filter(|running| running.generation().is_some());
    if let Some(loaded) = loaded {
        verdict.outcome = verdict.outcome.and_then(|next| {
            next.set_namespace(loaded.namespace());
            next.load_in_time(environment)?;
            Ok(next)
        });
    }
    verdict
}

impl Snapshot {
    /// Of a catalogue, with the configuration as it was read and the directory of its relative names.
    fn new(
        catalogue: Catalogue,
        (configuration, directory): (&Arc<Value>, Option<&Path>),
        services: &Arc<Services>,
        former: Option<&Self>,
    ) -> Self {
        let mut configuration = configuration.clone();
        let own = Arc::make_mut(&mut configuration);
        if let Some(directory) = directory {
            files::make_absolute(own, &catalogue.settings, directory);
        }
        let unusable_files = files::take_out_unusable(own, &catalogue.settings);
        let environment = Environment::new(services, &catalogue.model);
        let former = former.map(|former| &*former.converters);
        let converters = ModuleConverters::new(catalogue.converters(), &environment, former);
        Self {
            catalogue,
            environment,
            configuration,
            converters: Arc::new(converters),
            unusable_files,
        }
    }

    /// Lets media be converted by its converters, and classes be told of its configuration, from now on.
    fn serve(&self, plane: &Plane) {
        self.environment.services().configure(&self.configuration);
        let converters: Arc<dyn Converters> = self.converters.clone();
        plane.set_converters(&converters);
    }
}
