//! The modules of a server: found, checked, loaded, spoken to.
//!
//! Discovery reads the files and runs none of their code; the library of a
//! class is loaded when its first object is created, from a private copy.
//! A file that is no module of ours, or a broken one, is refused with one
//! clear line, and the server carries on.

mod catalogue;
mod conversions;
mod converters;
mod discovery;
mod element;
mod files;
mod instance;
mod loader;
mod metrics;
mod pads;
mod probe;
mod services;

use std::{path::PathBuf, sync::Arc};

use rivero_idl::{Class, Model, Setting};
use rivero_media::{Converters, MediaKind, Node, Plane};
use serde_json::{Map, Value};

pub use discovery::inspect;
pub use probe::probe_files;

use crate::{error::CallError, observe::metrics::Family};
use catalogue::Catalogue;
use converters::ModuleConverters;
use services::Services;

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
    /// Its pads; hubs have none.
    pub node: Option<Arc<Node>>,
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
    /// Runs an operation with converted parameters.
    fn invoke(&self, operation: &str, params: Value, reply: Reply);
    /// The module's entries for `getStats`.
    ///
    /// # Errors
    /// What the module answers.
    fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>, CallError>;
    /// A hub got a port.
    fn port_added(&self, port: &str, node: &Arc<Node>);
    /// A hub lost a port.
    fn port_removed(&self, port: &str);
    /// The last call. `released` is called when the object has come to its end, which may be
    /// later: what it records is complete then.
    fn release(&self, released: Released);
}

/// The modules of a server.
pub struct Modules {
    catalogue: Catalogue,
    services: Arc<Services>,
    unusable_files: Vec<String>,
    /// The plane refers to it and does not keep it.
    _converters: Arc<dyn Converters>,
}

impl Modules {
    /// Looks through the directories. Refused files are logged and listed.
    pub fn discover(mut discovery: Discovery, plane: &Arc<Plane>) -> std::io::Result<Self> {
        let catalogue = Catalogue::build(&discovery).map_err(std::io::Error::other)?;
        for refused in &catalogue.refused {
            tracing::warn!(file = %refused.printable_file(), "module refused: {}", refused.reason);
        }
        if let Some(directory) = &discovery.configuration_directory {
            let configuration = Arc::make_mut(&mut discovery.configuration);
            files::make_absolute(configuration, &catalogue.settings, directory);
        }
        let configuration = Arc::make_mut(&mut discovery.configuration);
        let unusable_files = files::take_out_unusable(configuration, &catalogue.settings);
        let services = Arc::new(Services::start(discovery, &catalogue.model, plane)?);
        let converters = ModuleConverters::new(&catalogue.converters, &services);
        let converters: Arc<dyn Converters> = Arc::new(converters);
        plane.set_converters(&converters);
        Ok(Self {
            catalogue,
            services,
            unusable_files,
            _converters: converters,
        })
    }

    /// The standard descriptors and those of the modules.
    pub fn model(&self) -> &Arc<Model> {
        &self.catalogue.model
    }

    /// The files that serve, in the order in which they were found.
    pub fn installed(&self) -> &[Installed] {
        &self.catalogue.installed
    }

    /// The files that do not.
    pub fn refused(&self) -> &[Refused] {
        &self.catalogue.refused
    }

    /// What the modules read from the configuration, as far as they declare it.
    pub fn settings(&self) -> &[Setting] {
        &self.catalogue.settings
    }

    /// What is wrong with files that their settings name, one line for each.
    pub fn unusable_files(&self) -> &[String] {
        &self.unusable_files
    }

    /// Whether a module makes objects of this class (plain name).
    pub fn provides(&self, class: &str) -> bool {
        self.catalogue.providers.contains_key(class)
    }

    /// The name, without ending, of the file that makes objects of this class; empty where none does.
    pub fn module_of(&self, class: &str) -> String {
        let provider = self.catalogue.providers.get(class);
        let name = provider.and_then(|provider| provider.file().file_stem());
        name.map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// What the modules measure.
    pub fn metrics(&self) -> Vec<Family> {
        self.services.metrics()
    }

    /// Makes an object; loads the module's library if this is the first.
    ///
    /// # Errors
    /// 40108 when no module provides the class or its library cannot be
    /// loaded, else what the constructor answers.
    pub fn create(
        &self,
        class: &str,
        context: ObjectContext,
        params: Value,
    ) -> Result<Arc<dyn Instance>, CallError> {
        let provider = self
            .catalogue
            .providers
            .get(class)
            .ok_or_else(|| CallError::not_available(format!("Factory '{class}' not found")))?;
        let module = provider.load(&self.services)?.module;
        instance::create(module, class, context, &params)
    }
}
