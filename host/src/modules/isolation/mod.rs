//! Modules in processes of their own.
//!
//! A module that is isolated is loaded by a child, which is this program, started with a hidden option. The server has
//! of it what it has of a module in its own process, the tables of the ABI ([`pool`], [`proxies`]), and so has
//! the module of the server ([`in_child`]). Between them are a socket ([`wire`]) and, for the
//! payload of media, memory that both share ([`ring`]). A native fault ends the child and the objects in it:
//! they raise an `Error` event, and answer with 40003 from then on. Another child takes its place.
//!
//! Nothing else in the server knows of this: it is chosen where a module is loaded ([`start`]). docs/isolation.md is
//! about what can be set.

mod in_child;
mod link;
mod listed;
mod packets;
mod pool;
mod process;
mod proxies;
mod reader;
mod ring;
mod settings;
mod socket;
mod wire;

use std::path::{Path, PathBuf};

use rivero_plugin_api::abi::traits::{Host, Module};

pub use in_child::serve_module;
pub use settings::{Isolated, IsolationError};
pub(super) use settings::{Isolation, Mode};

use super::loader::{LoadError, PrivateCopy};
use pool::Spec;

/// How the module of a file is isolated, if it is: `copy` is what the file contains.
pub(super) fn of(isolated: &Isolated, file: &Path, copy: &PrivateCopy) -> Option<Isolation> {
    isolated.of(file, || {
        { copy.shared() }.is_ok_and(|content| listed::is_listed(file, &content))
    })
}

/// Starts a module in a child: `copy` is what `file` contains.
///
/// # Errors
/// Why it does not run.
pub(super) fn start(
    file: &Path,
    copy: &PrivateCopy,
    isolation: Isolation,
    program: PathBuf,
    host: Host,
) -> Result<Module, LoadError> {
    let module = file.file_stem().unwrap_or_default().to_string_lossy();
    let spec = Spec {
        module: module.into_owned(),
        file: file.to_owned(),
        copy: copy.shared()?,
        program,
        isolation,
        host,
    };
    pool::start(spec).map_err(LoadError::Start)
}
