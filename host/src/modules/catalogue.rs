//! Which file serves which class.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rivero_idl::{Descriptor, Model, Setting};
use rivero_plugin_api::abi::traits::Module;

use super::{
    Discovery, Installed, Refused, conversions, discovery,
    discovery::Manifest,
    loader::{self, LoadError, PrivateCopy},
    probe::{Identity, Passed, Probes},
    services::Services,
};
use crate::error::CallError;
use crate::observe::civil_time::CivilTime;

/// What discovery found.
pub(super) struct Catalogue {
    pub(super) model: Arc<Model>,
    pub(super) installed: Vec<Installed>,
    pub(super) refused: Vec<Refused>,
    pub(super) settings: Vec<Setting>,
    pub(super) providers: HashMap<String, Arc<Provider>>,
    /// The files that convert media, in the order in which they were found.
    pub(super) converters: Vec<Arc<Provider>>,
}

/// A file, and its module once it is loaded.
pub(super) struct Provider {
    file: PathBuf,
    /// What the file said of itself at the start of the server.
    manifest: Manifest,
    namespace: String,
    /// The trial at the start of the server; `None` when files are trusted.
    passed: Option<Passed>,
    state: Mutex<State>,
}

enum State {
    Unloaded,
    Loaded(Loaded),
    /// Not tried again before the file changes.
    Failed(Option<Identity>, String),
}

/// A module that runs.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) module: Arc<Module>,
    /// Its own numbers of the conversions that its manifest names, in the manifest's order.
    pub(super) conversions: Arc<[u32]>,
}

impl Provider {
    /// The operator's file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// What the file said of itself at the start of the server.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The module, loaded now if it was not.
    pub(super) fn load(&self, services: &Arc<Services>) -> Result<Loaded, CallError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = Identity::of(&self.file);
        let reason = match &*state {
            State::Loaded(loaded) => return Ok(loaded.clone()),
            State::Failed(failed, reason) if *failed == identity => reason.clone(),
            State::Failed(..) | State::Unloaded => match self.start(services) {
                Ok(loaded) => {
                    *state = State::Loaded(loaded.clone());
                    return Ok(loaded);
                }
                Err(error) => error.to_string(),
            },
        };
        let message = format!("module {} cannot be loaded: {reason}", self.file.display());
        *state = State::Failed(identity, reason);
        Err(CallError::not_available(message))
    }

    fn start(&self, services: &Arc<Services>) -> Result<Loaded, LoadError> {
        let host = services.for_module(&self.namespace);
        let loaded = self
            .tried_copy()
            .and_then(|copy| loader::load(&self.file, copy, host))
            .and_then(|module| self.compare(module))
            .inspect_err(|error| {
                tracing::error!(file = %self.file.display(), "module cannot be loaded: {error}");
            })?;
        tracing::info!(file = %self.file.display(), "module loaded");
        Ok(loaded)
    }

    /// The module, if it converts what its manifest says.
    fn compare(&self, module: Module) -> Result<Loaded, LoadError> {
        let exported = conversions::exported(&module.conversions())
            .map_err(|error| LoadError::Conversions(error.message))?;
        let conversions = conversions::compare(&self.manifest.conversions, &exported)
            .map_err(LoadError::Conversions)?;
        Ok(Loaded {
            module: Arc::new(module),
            conversions: conversions.into(),
        })
    }

    /// A copy of the file. Where that was written to since its trial, the copy
    /// is looked at and tried as a new file would be: it may be any other, or cut off.
    fn tried_copy(&self) -> Result<PrivateCopy, LoadError> {
        let copy = PrivateCopy::of(&self.file)?;
        let Some(passed) = &self.passed else {
            return Ok(copy);
        };
        if !passed.holds_for(&self.file) {
            let path = copy.path_for_others();
            let manifest = discovery::read_manifest(&path)
                .map_err(|error| LoadError::Replaced(error.to_string()))?;
            if !manifest.offers_the_same_as(&self.manifest) {
                let reason = "it offers something else now; restart the server to use it";
                return Err(LoadError::Replaced(reason.to_owned()));
            }
            passed
                .repeat(&self.file, &path)
                .map_err(LoadError::Replaced)?;
        }
        Ok(copy)
    }
}

impl Catalogue {
    pub(super) fn build(discovery: &Discovery) -> Result<Self, rivero_idl::Error> {
        let mut catalogue = Self {
            model: Arc::new(Model::standard()?),
            installed: Vec::new(),
            refused: Vec::new(),
            settings: Vec::new(),
            providers: HashMap::new(),
            converters: Vec::new(),
        };
        let mut candidates = Vec::new();
        for found in discovery::find(&discovery.directories) {
            match found {
                Err((file, reason)) => catalogue.refuse(file, reason),
                Ok(file) => match discovery::read_manifest(&file) {
                    Ok(manifest) => candidates.push((file, manifest)),
                    Err(reason) => catalogue.refuse(file, reason.to_string()),
                },
            }
        }
        let files: Vec<&Path> = candidates.iter().map(|(file, _)| file.as_path()).collect();
        let verdicts = Probes::new(discovery).run(&files);
        let mut descriptors = Vec::new();
        for ((file, manifest), verdict) in candidates.into_iter().zip(verdicts) {
            let taken = verdict
                .and_then(|passed| catalogue.take(&file, manifest, passed, &mut descriptors));
            if let Err(reason) = taken {
                catalogue.refuse(file, reason);
            }
        }
        Ok(catalogue)
    }

    fn refuse(&mut self, file: PathBuf, reason: String) {
        self.refused.push(Refused::new(file, &reason));
    }

    /// Adds a module, if it fits to those that are there.
    fn take(
        &mut self,
        file: &Path,
        manifest: Manifest,
        passed: Option<Passed>,
        descriptors: &mut Vec<Descriptor>,
    ) -> Result<(), String> {
        let count = manifest.conversions.len();
        if count > conversions::LIMIT {
            let limit = conversions::LIMIT;
            return Err(format!("it lists {count} conversions, more than {limit}"));
        }
        let mut all = descriptors.clone();
        all.extend(self.own_descriptor(file, &manifest)?);
        let model = if all.len() > descriptors.len() {
            Arc::new(Model::with_standard(all.clone()).map_err(|e| e.to_string())?)
        } else {
            self.model.clone()
        };
        let mut name = manifest.name.clone();
        let mut namespace = name.clone();
        let mut classes = Vec::new();
        for class in &manifest.classes {
            let known = model.class(class).ok_or_else(|| {
                format!("it names the class {class}, which no descriptor defines")
            })?;
            if known.is_abstract {
                return Err(format!("it names the class {class}, which is abstract"));
            }
            (name, namespace) = (known.module.clone(), known.namespace.clone());
            if let Some(first) = self.providers.get(class) {
                tracing::info!(class, first = %first.file.display(), file = %file.display(), "class is served by the file found first");
            } else {
                classes.push(class.clone());
            }
        }
        self.model = model;
        *descriptors = all;
        self.settings.extend(manifest.settings.iter().cloned());
        let provider = Arc::new(Provider {
            file: file.to_owned(),
            manifest,
            namespace,
            passed,
            state: Mutex::new(State::Unloaded),
        });
        self.serve(provider, name, classes);
        Ok(())
    }

    fn own_descriptor(
        &self,
        file: &Path,
        manifest: &Manifest,
    ) -> Result<Option<Descriptor>, String> {
        let Some(value) = &manifest.descriptor else {
            return Ok(None);
        };
        let text = value.to_string();
        let descriptor = Descriptor::parse(&file.display().to_string(), &text)
            .map_err(|error| error.to_string())?;
        let known = self.model.descriptor(descriptor.name());
        // An identical second definition adds nothing.
        Ok((known != Some(&descriptor)).then_some(descriptor))
    }

    fn serve(&mut self, provider: Arc<Provider>, name: String, classes: Vec<String>) {
        for class in &classes {
            self.providers.insert(class.clone(), provider.clone());
        }
        if !provider.manifest.conversions.is_empty() {
            self.converters.push(provider.clone());
        }
        self.installed.push(Installed {
            name,
            version: provider.manifest.version.clone(),
            file: provider.file.clone(),
            classes,
            generation_time: generation_time(&provider.file),
        });
    }
}

/// The file's modification time in UTC, as Kurento's modules say when they were generated; empty
/// where unknown.
fn generation_time(file: &Path) -> String {
    let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
    let in_words = |time| CivilTime::from(time).in_words();
    modified.map(in_words).unwrap_or_default()
}
