//! Libraries that are loaded, and what becomes of them.
//!
//! A [`Generation`] is one content of a module's file as it is loaded. It owns the library, and
//! whatever the host has of the module holds it: objects, pads, converters, timers ([`Held`]), and
//! the module its connections to the host. With the last of them it is [`Retired`], which
//! closes the library once no thread can be in it any more. That is never done by
//! whoever lets go of the last one: that may be the module's own code, which has to return.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use rivero_idl::Model;
use rivero_media::RecentFormats;
use rivero_plugin_api::Packet;

use super::{
    callee::Threads,
    loader::{Closing, Kept, Library, Mapping, Obstacle},
    metrics::Writer,
};

/// Which content of which file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The operator's file.
    pub(super) file: PathBuf,
    /// The module's name and version, as its manifest has them.
    pub(super) name: String,
    pub(super) version: String,
    /// Counts the contents under this name.
    pub(super) number: u64,
    /// When the file was written, `Nov 20 2026 10:29:29` in UTC; empty where unknown.
    pub(super) built: String,
}

/// A library that is loaded.
pub(super) struct Generation {
    pub(super) origin: Origin,
    /// The module that clients see.
    pub(super) namespace: String,
    pub(super) model: Arc<Model>,
    /// Those that the module has asked for.
    pub(super) formats: RecentFormats,
    /// What it measures ends with it.
    pub(super) alive: Writer,
    /// Whether media lies in the library's own memory, or is freed by its code.
    gave_memory: AtomicBool,
    threads: Arc<Threads>,
    /// None where another process has it.
    library: Option<Library>,
    retired: Arc<Retired>,
}

impl Generation {
    pub(super) fn new(
        origin: Origin,
        (namespace, model): (String, Arc<Model>),
        library: Option<Library>,
        threads: Arc<Threads>,
        retired: &Arc<Retired>,
    ) -> Arc<Self> {
        retired.loaded(&origin);
        Arc::new(Self {
            origin,
            namespace,
            model,
            formats: RecentFormats::default(),
            alive: Writer::default(),
            gave_memory: AtomicBool::new(false),
            threads,
            library,
            retired: retired.clone(),
        })
    }

    /// Its threads for what has to return at once.
    pub(super) fn threads(&self) -> &Arc<Threads> {
        &self.threads
    }

    /// Looks at media that the module gives out. What it made itself may be kept anywhere, and for
    /// long: then its library has to stay.
    pub(super) fn gives(&self, packets: &[Packet]) {
        if self.gave_memory.load(Ordering::Relaxed) {
            return;
        }
        let mapping = self.library.as_ref().and_then(Library::mapping);
        let is_own = |mapping: &Mapping| {
            packets.iter().any(|packet| {
                packet.bytes.depends_on(&mapping.all) || packet.details.depends_on(&mapping.all)
            })
        };
        // Unknown counts as its own.
        if mapping.is_none_or(is_own) {
            self.gave_memory.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.threads.close();
        let Some(library) = self.library.take() else {
            return self.retired.ended(&self.origin);
        };
        let gave_memory = self.gave_memory.load(Ordering::Relaxed);
        self.retired.add(self.origin.clone(), library, gave_memory);
    }
}

/// Something of a module that holds its generation.
pub(super) struct Held<T> {
    // The order counts: letting go of it runs code of the generation.
    inner: T,
    generation: Arc<Generation>,
}

impl<T> Held<T> {
    pub(super) fn new(inner: T, generation: &Arc<Generation>) -> Self {
        Self {
            inner,
            generation: generation.clone(),
        }
    }

    pub(super) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

/// How many generations there are of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generations {
    /// Loaded and in use.
    pub(super) in_use: u64,
    /// Of no use any more, and a thread may still be in them.
    pub(super) waiting: u64,
    /// Of no use any more, and mapped for as long as something keeps them.
    pub(super) pinned: u64,
    /// Bytes of addresses that these take.
    pub(super) pinned_bytes: u64,
    /// Unmapped since the server started.
    pub(super) closed: u64,
}

/// The libraries that nothing of the host refers to.
#[derive(Default)]
pub(super) struct Retired(Mutex<State>);

#[derive(Default)]
struct State {
    in_use: u64,
    closed: u64,
    has_news: bool,
    waiting: Vec<Waiting>,
    /// Closed, and kept by the loader: for a thread that has still to end, for instance.
    kept: Vec<(Origin, Kept)>,
    /// Left for good: how many, and how many bytes.
    left: (u64, u64),
}

struct Waiting {
    origin: Origin,
    library: Library,
    gave_memory: bool,
    /// What the log was told of.
    told: Option<Obstacle>,
}

impl Retired {
    fn loaded(&self, origin: &Origin) {
        self.0.lock().in_use += 1;
        let (file, number) = (origin.file.display(), origin.number);
        tracing::info!(%file, generation = number, "module loaded");
    }

    /// The process that has the library ends by itself.
    fn ended(&self, origin: &Origin) {
        self.0.lock().in_use -= 1;
        tell_of_the_end(origin);
    }

    fn add(&self, origin: Origin, library: Library, gave_memory: bool) {
        let mut state = self.0.lock();
        state.in_use -= 1;
        state.has_news = true;
        state.waiting.push(Waiting {
            origin,
            library,
            gave_memory,
            told: None,
        });
    }

    /// Whether there is nothing that a look could change.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.0.lock();
        state.waiting.is_empty() && state.kept.is_empty()
    }

    /// Whether a library came since this was asked last.
    pub(super) fn has_news(&self) -> bool {
        std::mem::take(&mut self.0.lock().has_news)
    }

    /// Closes what can be closed. For one thread, which is never in a module.
    pub(super) fn sweep(&self) {
        let waiting = std::mem::take(&mut self.0.lock().waiting);
        // Without the lock: what is run at the end of a library may take its time.
        for one in waiting {
            self.close(one);
        }
        let kept = std::mem::take(&mut self.0.lock().kept);
        let (gone, kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(_, one)| one.is_gone());
        for (origin, _) in &gone {
            tell_of_the_end(origin);
        }
        let mut state = self.0.lock();
        state.closed += gone.len() as u64;
        state.kept.extend(kept);
    }

    fn close(&self, one: Waiting) {
        let Waiting {
            origin,
            library,
            gave_memory,
            told,
        } = one;
        let (file, generation) = (origin.file.display(), origin.number);
        let length = library.mapping().map_or(0, Mapping::length) as u64;
        let closing = if gave_memory {
            library.leave();
            Closing::Never("media that it made may be about still".to_owned())
        } else {
            library.close()
        };
        let mut state = self.0.lock();
        match closing {
            Closing::Closed(None) => {
                state.closed += 1;
                tell_of_the_end(&origin);
            }
            Closing::Closed(Some(kept)) => {
                tracing::info!(
                    %file,
                    generation,
                    "module of no use any more stays mapped: a thread, or something that is global in it, keeps it"
                );
                state.kept.push((origin, kept));
            }
            Closing::Never(reason) => {
                state.left.0 += 1;
                state.left.1 += length;
                tracing::info!(%file, generation, "module of no use any more stays mapped: {reason}");
            }
            Closing::Later(library, obstacle) => {
                if let Obstacle::Inside(thread) = &obstacle
                    && told.as_ref() != Some(&obstacle)
                {
                    tracing::info!(%file, generation, thread, "module of no use any more stays mapped: a thread is in it");
                }
                let told = match obstacle {
                    Obstacle::Inside(_) => Some(obstacle),
                    Obstacle::Running(_) => told,
                };
                state.waiting.push(Waiting {
                    origin,
                    library,
                    gave_memory,
                    told,
                });
            }
        }
    }

    /// How many there are.
    pub(super) fn generations(&self) -> Generations {
        let state = self.0.lock();
        let kept = state.kept.iter().map(|(_, kept)| kept.length() as u64);
        Generations {
            in_use: state.in_use,
            waiting: state.waiting.len() as u64,
            pinned: state.kept.len() as u64 + state.left.0,
            pinned_bytes: kept.sum::<u64>() + state.left.1,
            closed: state.closed,
        }
    }
}

fn tell_of_the_end(origin: &Origin) {
    let (file, generation) = (origin.file.display(), origin.number);
    tracing::info!(%file, generation, "module unloaded");
}

/// At the end of the server threads may be anywhere.
impl Drop for Retired {
    fn drop(&mut self) {
        for one in self.0.get_mut().waiting.drain(..) {
            one.library.leave();
        }
    }
}
