//! A module's file with one content, and the module once it is loaded.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc},
    time::{Duration, Instant},
};

use rivero_plugin_api::{abi::traits::Module, supervise};

use super::{
    conversions, discovery,
    discovery::Manifest,
    generation::{Generation, Held, Origin},
    isolation,
    loader::{self, LoadError, PrivateCopy},
    probe::{Identity, Passed},
    services::Environment,
};
use crate::error::CallError;

/// After so long what failed is tried again although the file is the same: what it needs may be
/// there by then.
const RETRY: Duration = Duration::from_secs(10);
/// A module that takes longer to start does not take the place of one that runs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file as it was found, and its module once it is loaded.
pub(super) struct Provider {
    origin: Origin,
    manifest: Manifest,
    /// The trial of this content; `None` when files are trusted.
    passed: Option<Passed>,
    /// The module that clients see; set when the file is taken into a catalogue.
    namespace: OnceLock<String>,
    state: Mutex<State>,
}

enum State {
    Unloaded,
    Loaded(Loaded),
    /// Not tried again before the file changes, or some time has passed.
    Failed(Option<Identity>, Instant, String),
}

/// A module that runs.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) module: Arc<Held<Module>>,
    /// Its own numbers of the conversions that its manifest names, in the manifest's order.
    pub(super) conversions: Arc<[u32]>,
}

impl Provider {
    pub(super) fn new(origin: Origin, manifest: Manifest, passed: Option<Passed>) -> Arc<Self> {
        Arc::new(Self {
            origin,
            manifest,
            passed,
            namespace: OnceLock::new(),
            state: Mutex::new(State::Unloaded),
        })
    }

    /// What the file said of itself when it was found.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn file(&self) -> &Path {
        &self.origin.file
    }

    /// Names the module that clients see; only the first call counts.
    pub(super) fn set_namespace(&self, namespace: &str) {
        let _ = self.namespace.set(namespace.to_owned());
    }

    /// The module that clients see.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.get().unwrap_or(&self.manifest.name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its generation, if it is loaded; nobody is kept waiting for one that is being loaded.
    pub(super) fn generation(&self) -> Option<Weak<Generation>> {
        match self.state.try_lock().as_deref() {
            Ok(State::Loaded(loaded)) => Some(Arc::downgrade(loaded.module.generation())),
            _ => None,
        }
    }

    /// The module, loaded now if it was not.
    pub(super) fn load(&self, environment: &Environment) -> Result<Loaded, CallError> {
        let mut state = self.state();
        let identity = Identity::of(self.file());
        let reason = match &*state {
            State::Loaded(loaded) => return Ok(loaded.clone()),
            State::Failed(failed, at, reason) if *failed == identity && at.elapsed() < RETRY => {
                reason.clone()
            }
            State::Failed(..) | State::Unloaded => match self.start(environment) {
                Ok(loaded) => {
                    *state = State::Loaded(loaded.clone());
                    return Ok(loaded);
                }
                Err(error) => {
                    let reason = error.explained(&self.manifest).to_string();
                    *state = State::Failed(identity, Instant::now(), reason.clone());
                    tracing::error!(file = %self.file().display(), "module cannot be loaded: {reason}");
                    reason
                }
            },
        };
        let file = self.file().display();
        let message = format!("module {file} cannot be loaded: {reason}");
        Err(CallError::not_available(message))
    }

    /// As [`load`](Self::load), on a thread of its own, and not for ever.
    ///
    /// # Errors
    /// Why it does not run.
    pub(super) fn load_in_time(
        self: &Arc<Self>,
        environment: &Arc<Environment>,
    ) -> Result<(), String> {
        let (sender, loaded) = mpsc::channel();
        let (this, environment) = (self.clone(), environment.clone());
        supervise::thread("module-start", move || {
            let outcome = this.load(&environment).map(drop);
            let _ = sender.send(outcome.map_err(|error| error.message));
        })
        .map_err(|error| format!("no thread to start it: {error}"))?;
        let late = |_| Err(format!("it did not start within {} s", PATIENCE.as_secs()));
        loaded.recv_timeout(PATIENCE).unwrap_or_else(late)
    }

    fn start(&self, environment: &Environment) -> Result<Loaded, LoadError> {
        let copy = self.tried_copy()?;
        let generation = |inline, library| {
            let told = (self.namespace(), inline);
            environment.generation(self.origin.clone(), told, library)
        };
        let host = |generation| environment.services().for_module(generation);
        let (module, generation) = match environment.isolation(self.file(), &copy) {
            Some((isolation, program)) => {
                // A producer of media never waits for another process.
                let generation = generation(false, None);
                let host = host(&generation);
                let module = isolation::start(self.file(), &copy, isolation, program, host)?;
                (module, generation)
            }
            None => {
                let (library, root) = loader::open(self.file(), &copy)?;
                let generation = generation(self.manifest.inline, Some(library));
                (root.start(host(&generation))?, generation)
            }
        };
        self.compare(Held::new(module, &generation))
    }

    /// The module, if it converts what its manifest says.
    fn compare(&self, module: Held<Module>) -> Result<Loaded, LoadError> {
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
        let copy = PrivateCopy::of(self.file())?;
        let Some(passed) = &self.passed else {
            return Ok(copy);
        };
        if !passed.holds_for(self.file()) {
            let path = copy.path_for_others();
            let manifest = discovery::read_manifest(&path)
                .map_err(|error| LoadError::Replaced(error.to_string()))?;
            if !manifest.offers_the_same_as(&self.manifest) {
                let reason = "it offers something else now";
                return Err(LoadError::Replaced(reason.to_owned()));
            }
            passed
                .repeat(self.file(), &path)
                .map_err(LoadError::Replaced)?;
        }
        Ok(copy)
    }
}
