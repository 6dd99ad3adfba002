//! Loading libraries: private copies, the version gate, the start; and letting them go.
//!
//! Libraries are opened by libloading, in the version that abi_stable brings along: abi_stable's own
//! loader never closes one. Of abi_stable only the check of the layout is used, without its
//! memory of former checks, which would refer to libraries that are closed.

mod copy;
mod crash;
mod keys;
mod library;
mod mapping;
mod memory;
mod needs;
mod threads;

use std::path::{Path, PathBuf};

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{
        AbiInstabilityErrors, CheckingGlobals, check_layout_compatibility_with_globals,
    },
    library::{LibHeader, RootModule},
    std_types::RResult,
    type_layout::TypeLayout,
};
use rivero_plugin_api::abi::{
    ABI_MAJOR,
    traits::{Host, Module, RootRef},
};

use super::discovery::Manifest;
pub(super) use copy::PrivateCopy;
pub(super) use library::{Closing, Kept, Library, Obstacle};
pub(super) use mapping::Mapping;
pub(super) use needs::Needs;

/// Characters of a reason that are an operator's to read.
const REASON_LENGTH: usize = 300;

/// Why a library does not serve.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// No private copy could be made.
    #[error("no private copy of it can be made: {0}")]
    Copy(#[from] std::io::Error),
    /// The system's loader, or the check of the layout, refused it.
    #[error("{0}")]
    Refused(String),
    /// It was built for another major version.
    #[error("it speaks ABI {0}, this server {ABI_MAJOR}")]
    Version(u16),
    /// A library beside it has another name for the loader.
    #[error("it needs {0}, and {1} beside it is not of that SONAME, by which it would be found")]
    Neighbour(String, PathBuf),
    /// It is not the file that was tried out at the start, and failed a new trial.
    #[error("it was replaced since it was tried out: {0}")]
    Replaced(String),
    /// It says of itself that it makes a class, and does not.
    #[error("its manifest names the class {0}, which export_module! does not")]
    Class(String),
    /// It does not convert what its manifest says.
    #[error("{0}")]
    Conversions(String),
    /// Its start function failed.
    #[error("its start failed: {0}")]
    Start(String),
}

impl LoadError {
    /// With what the module was built with, where that may be the cause.
    pub(super) fn explained(self, manifest: &Manifest) -> Self {
        match (self, manifest.built_with()) {
            (Self::Refused(reason), Some(built_with)) => {
                Self::Refused(format!("{reason} (built with {built_with})"))
            }
            (error, _) => error,
        }
    }
}

/// Opens `copy`, which is of `file`, and checks it; nothing in it has been called but what the
/// system's loader calls.
pub(super) fn open(file: &Path, copy: &PrivateCopy) -> Result<(Library, Root), LoadError> {
    open_in(file, copy, file.parent().unwrap_or(Path::new("/")))
}

/// Loads a file as far as can be done without starting it, in a process that may die of
/// it, and compares what it makes with what its manifest says. `origin`: where the file came
/// from, if it is a copy.
///
/// # Errors
/// Why the file would not serve.
pub(super) fn try_out(
    file: &Path,
    manifest: &Manifest,
    origin: Option<&Path>,
) -> Result<(), LoadError> {
    let directory = origin.or(file.parent()).unwrap_or(Path::new("/"));
    let (library, root) = open_in(file, &PrivateCopy::of(file)?, directory)
        .map_err(|error| error.explained(manifest))?;
    // The process ends soon, and until then other files are tried that may share it.
    library.leave();
    let made = root.0.classes()();
    let is_made = |class: &&String| made.iter().any(|name| name.as_str() == class.as_str());
    match manifest.classes.iter().find(|class| !is_made(class)) {
        Some(class) => Err(LoadError::Class(class.clone())),
        None => Ok(()),
    }
}

/// What a library exports. Of use as long as the library is open.
pub(super) struct Root(RootRef);

impl Root {
    /// Starts the module.
    pub(super) fn start(self, host: Host) -> Result<Module, LoadError> {
        match self.0.start()(host) {
            RResult::ROk(module) => Ok(module),
            RResult::RErr(error) => Err(LoadError::Start(error.message.into_string())),
        }
    }
}

fn open_in(
    file: &Path,
    copy: &PrivateCopy,
    directory: &Path,
) -> Result<(Library, Root), LoadError> {
    let library = Library::open(file, copy, directory)?;
    let root = library
        .header()
        .and_then(root)
        .map_err(|reason| LoadError::Refused(one_line(&reason)));
    let reason = match root {
        Ok(root) if root.0.major() == ABI_MAJOR => return Ok((library, root)),
        Ok(root) => LoadError::Version(root.0.major()),
        Err(error) => error,
    };
    // What it runs when it is loaded has been run, and may have started threads.
    library.leave();
    Err(reason)
}

/// The root of a library whose layout fits to this server's.
///
/// abi_stable's check wants everything that this server knows of. Of a module with an older
/// minor version the reverse holds: this server has everything that the module knows of.
#[allow(unsafe_code)]
fn root(header: &'static LibHeader) -> Result<Root, String> {
    let (own, other) = (RootRef::VERSION_STRINGS, header.version_strings());
    let layout = header
        .layout()
        .ok_or("it does not say how its tables are laid out")?;
    if let Err(differences) = check(RootRef::LAYOUT, layout)
        && check(layout, RootRef::LAYOUT).is_err()
    {
        let (own, other) = (own.version, other.version);
        return Err(format!(
            "its layout (of plugin-api {other}) is not that of this server (plugin-api {own}): {differences}"
        ));
    }
    // SAFETY: all that both sides have is laid out alike, as was just checked. What the module
    // lacks are functions at the ends of its tables; each table says at run time how many
    // it has, and those that it lacks are answered by their default bodies here.
    let root = unsafe { header.init_root_module_with_unchecked_layout() };
    root.map(Root).map_err(|error| error.to_string())
}

/// abi_stable's check, which remembers nothing.
fn check(
    interface: &'static TypeLayout,
    implementation: &'static TypeLayout,
) -> Result<(), AbiInstabilityErrors> {
    let nothing_known = CheckingGlobals::new();
    check_layout_compatibility_with_globals(interface, implementation, &nothing_known)
}

/// abi_stable's account of a differing layout fills pages: the first lines say
/// what an operator can use.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(REASON_LENGTH) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
// What the derive expands to is not ours to mend.
#[allow(dead_code, unreachable_pub, unsafe_code)]
mod tests {
    use abi_stable::{StableAbi, type_layout::TypeLayout};

    use super::check;

    macro_rules! table {
        ($name:ident, $first:ty $(, $more:ident)*) => {
            mod $name {
                #[repr(C)]
                #[derive(abi_stable::StableAbi)]
                #[sabi(kind(Prefix(prefix_ref = TableRef)))]
                #[sabi(missing_field(panic))]
                pub struct Table {
                    #[sabi(last_prefix_field)]
                    pub start: extern "C" fn() -> $first,
                    $(pub $more: extern "C" fn() -> u32,)*
                }
            }
        };
    }

    table!(old, u32);
    table!(new, u32, added);
    table!(foreign, u64, added);

    #[test]
    fn a_table_may_lack_only_what_was_added_later() {
        const OLD: &TypeLayout = old::TableRef::LAYOUT;
        const NEW: &TypeLayout = new::TableRef::LAYOUT;
        assert!(
            check(NEW, OLD).is_err(),
            "abi_stable's own check of an older module"
        );
        assert!(
            check(OLD, NEW).is_ok(),
            "that of a newer one, and ours of an older one"
        );
        for (one, other) in [
            (foreign::TableRef::LAYOUT, OLD),
            (OLD, foreign::TableRef::LAYOUT),
        ] {
            assert!(check(one, other).is_err());
        }
    }
}
