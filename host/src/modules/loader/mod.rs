//! Loading libraries: private copies, the version gate, the start.

mod copy;

use std::path::Path;

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::check_layout_compatibility,
    library::{LibHeader, lib_header_from_path},
    std_types::RResult,
};
use rivero_plugin_api::abi::{
    ABI_MAJOR,
    traits::{Host, Module, RootRef},
};

use super::discovery::Manifest;
pub(super) use copy::PrivateCopy;

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
    /// It is not the file that was tried out at the start, and failed a new trial.
    #[error("it was replaced since the server started: {0}")]
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

/// Loads `copy`, which is of `file`, and starts the module in it. It stays loaded
/// for the life of the process.
pub(super) fn load(file: &Path, copy: PrivateCopy, host: Host) -> Result<Module, LoadError> {
    let root = load_root(file, copy)?;
    match root.start()(host) {
        RResult::ROk(module) => Ok(module),
        RResult::RErr(error) => Err(LoadError::Start(error.message.into_string())),
    }
}

/// Loads a file as far as can be done without starting it, in a process that may die of
/// it, and compares what it makes with what its manifest says.
///
/// # Errors
/// Why the file would not serve.
pub(super) fn try_out(file: &Path, manifest: &Manifest) -> Result<(), LoadError> {
    let root = load_root(file, PrivateCopy::of(file)?)?;
    let Some(classes) = root.classes() else {
        return Ok(()); // built with ABI 1.0, which cannot be asked
    };
    let made = classes();
    let is_made = |class: &&String| made.iter().any(|name| name.as_str() == class.as_str());
    match manifest.classes.iter().find(|class| !is_made(class)) {
        Some(class) => Err(LoadError::Class(class.clone())),
        None => Ok(()),
    }
}

fn load_root(file: &Path, copy: PrivateCopy) -> Result<RootRef, LoadError> {
    let copy = copy.keep();
    let header = lib_header_from_path(&copy).map_err(|error| refused(file, &copy, &error))?;
    let root = header
        .init_root_module::<RootRef>()
        .or_else(|error| older_root(header).ok_or(error))
        .map_err(|error| refused(file, &copy, &error))?;
    if root.major() != ABI_MAJOR {
        return Err(LoadError::Version(root.major()));
    }
    Ok(root)
}

/// The root of a module that was built with an older minor version.
///
/// abi_stable's check wants everything that this server knows of. Of an older module the
/// reverse holds: this server has everything that the module knows of.
#[allow(unsafe_code)]
fn older_root(header: &LibHeader) -> Option<RootRef> {
    check_layout_compatibility(header.layout()?, RootRef::LAYOUT).ok()?;
    // SAFETY: all that both sides have is laid out alike, as was just checked. What the module
    // lacks are functions at the ends of its tables; each table says at run time how many
    // it has, and those that it lacks are answered by their default bodies here.
    unsafe { header.init_root_module_with_unchecked_layout() }.ok()
}

/// abi_stable's account of a differing layout fills pages: the first lines say
/// what an operator can use.
fn refused(file: &Path, copy: &Path, error: &dyn std::fmt::Display) -> LoadError {
    let text = error
        .to_string()
        .replace(&copy.display().to_string(), &file.display().to_string());
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(300) {
        line.truncate(end);
        line.push('…');
    }
    LoadError::Refused(line)
}

#[cfg(test)]
// What the derive expands to is not ours to mend.
#[allow(dead_code, unreachable_pub, unsafe_code)]
mod tests {
    use abi_stable::{
        StableAbi, abi_stability::abi_checking::check_layout_compatibility as check,
        type_layout::TypeLayout,
    };

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
