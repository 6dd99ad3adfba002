//! Opened libraries: what is mapped, until its owner lets it go.

use std::path::{Path, PathBuf};

use abi_stable::library::{AbiHeaderRef, LibHeader, ROOT_MODULE_LOADER_NAME_WITH_NUL};
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

use super::{
    LoadError, PrivateCopy,
    crash::{self, Noted},
    keys,
    mapping::Mapping,
    needs::Needs,
    one_line,
    threads::{self, Threads},
};

/// Libraries that need each other, one beside the other, at most.
const DEPTH: usize = 8;

/// A library and those that lie beside it. Dropping it closes them, whoever is in them.
pub(in crate::modules) struct Library {
    handle: Handle,
    /// Closed after the one that needs them.
    _neighbours: Vec<Handle>,
    mapping: Option<Mapping>,
    /// A fault in it names it.
    _noted: Option<Noted>,
    /// The loader's name for it.
    path: PathBuf,
    /// A library beyond the system's that it needs.
    foreign: Option<String>,
}

/// Asks for a library that is loaded, and for nothing else (`dlfcn.h` of Linux).
const RTLD_NOLOAD: i32 = 4;

/// Whether a library can be closed.
pub(in crate::modules) enum Closing {
    /// It is closed, and mapped no more unless the loader keeps it.
    Closed(Option<Kept>),
    /// Not now.
    Later(Library, Obstacle),
    /// Never, and why. It stays mapped for the life of the process.
    Never(String),
}

/// What a library that cannot be closed yet waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::modules) enum Obstacle {
    /// A thread is in it.
    Inside(String),
    /// A thread was running whenever it was looked at.
    Running(String),
}

impl Library {
    /// Opens a copy of `file`, and private copies of the libraries beside it that it needs:
    /// the loader would look for them beside the copy, where there is nothing. `directory`: where
    /// the file lies.
    pub(super) fn open(
        file: &Path,
        copy: &PrivateCopy,
        directory: &Path,
    ) -> Result<Self, LoadError> {
        let needs = Needs::of(&copy.path()).unwrap_or_default();
        let mut neighbours = Vec::new();
        open_neighbours(&needs, directory, DEPTH, &mut neighbours)?;
        let handle = open(file, &copy.path())?;
        let mapping = Mapping::of(&copy.mapping_name());
        let note = |mapping: &Mapping| crash::note(&mapping.all, &file.display().to_string());
        Ok(Self {
            handle,
            _neighbours: neighbours,
            _noted: mapping.as_ref().map(note),
            mapping,
            path: copy.path(),
            foreign: needs.foreign().map(str::to_owned),
        })
    }

    /// What abi_stable knows of it. The header is part of the library, whatever its type says.
    #[allow(unsafe_code)]
    pub(super) fn header(&self) -> Result<&'static LibHeader, String> {
        let name = ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes();
        // SAFETY: whatever has this name is the static that abi_stable's macro makes: `upgrade`
        // compares the magic it begins with before anything else is read.
        let header = unsafe { self.handle.get::<AbiHeaderRef>(name) };
        let header = header.map_err(|error| error.to_string())?;
        header.upgrade().map_err(|error| error.to_string())
    }

    /// Where it is.
    pub(in crate::modules) fn mapping(&self) -> Option<&Mapping> {
        self.mapping.as_ref()
    }

    /// Leaves it as it is for the life of the process.
    pub(in crate::modules) fn leave(self) {
        std::mem::forget(self);
    }

    /// Closes it, if nothing can be in it or come back to it. Nothing of the host refers to it any
    /// more: what is looked for here is what a module started or left behind by itself.
    pub(in crate::modules) fn close(self) -> Closing {
        let reason = if let Some(name) = &self.foreign {
            format!("{name}, which it needs, may keep addresses of it")
        } else if let Some(mapping) = &self.mapping {
            match threads::look(mapping) {
                Threads::Inside(name) => return Closing::Later(self, Obstacle::Inside(name)),
                Threads::Running(name) => return Closing::Later(self, Obstacle::Running(name)),
                Threads::Unknown => "the system does not say where threads are".to_owned(),
                Threads::Outside => match keys::delete_those_of(mapping) {
                    Some(_) => return self.close_now(),
                    None => "the C library does not say which destructors are its".to_owned(),
                },
            }
        } else {
            "it is unknown where it is mapped".to_owned()
        };
        self.leave();
        Closing::Never(reason)
    }

    fn close_now(self) -> Closing {
        let (mapping, path) = (self.mapping.clone(), self.path.clone());
        drop(self);
        let kept = mapping.filter(Mapping::is_mapped);
        Closing::Closed(kept.map(|mapping| Kept { mapping, path }))
    }
}

/// A library that was closed and is mapped: the loader keeps it while a thread lives that has still
/// to run a destructor of its, and for ever where something in it is the same for the whole process
/// (`STB_GNU_UNIQUE`, as template statics of C++ are).
pub(in crate::modules) struct Kept {
    mapping: Mapping,
    path: PathBuf,
}

impl Kept {
    /// Closes it once more, since the loader does not look again by itself; whether it is gone.
    #[allow(unsafe_code)]
    pub(in crate::modules) fn is_gone(&self) -> bool {
        // SAFETY: nothing is loaded, and so nothing is run.
        let again = unsafe { Handle::open(Some(&self.path), RTLD_NOW | RTLD_NOLOAD) };
        drop(again);
        !self.mapping.is_mapped()
    }

    /// Bytes of addresses that it takes.
    pub(in crate::modules) fn length(&self) -> usize {
        self.mapping.length()
    }
}

fn open_neighbours(
    needs: &Needs,
    directory: &Path,
    depth: usize,
    opened: &mut Vec<Handle>,
) -> Result<(), LoadError> {
    for neighbour in needs.neighbours(directory) {
        let (name, file) = (&neighbour.name, &neighbour.file);
        let copy = PrivateCopy::of(file)?;
        let own = Needs::of(&copy.path()).unwrap_or_default();
        if own.soname.as_ref() != Some(name) {
            return Err(LoadError::Neighbour(name.clone(), file.clone()));
        }
        let beside = file.parent().unwrap_or(directory);
        if depth == 0 {
            return Err(LoadError::Refused(format!(
                "libraries beside it need each other more than {DEPTH} deep"
            )));
        }
        open_neighbours(&own, beside, depth - 1, opened)?;
        opened.push(open(file, &copy.path())?);
    }
    Ok(())
}

/// Has the system's loader open it; `file` is what the operator knows it as.
#[allow(unsafe_code)]
fn open(file: &Path, path: &PathBuf) -> Result<Handle, LoadError> {
    // SAFETY: what a library runs when it is loaded is what it is loaded for; it has been tried out
    // in a process of its own, and came from where only root or this user may write.
    let opened = unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    opened.map_err(|error| {
        let text = error.to_string();
        let known = text.replace(&path.display().to_string(), &file.display().to_string());
        LoadError::Refused(one_line(&known))
    })
}
