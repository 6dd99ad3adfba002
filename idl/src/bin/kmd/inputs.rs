//! Descriptors named on the command line.

use crate::Failure;
use rivero_idl::{Descriptor, STANDARD_MODULES, standard_descriptors};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads files and directories and joins what belongs to one module.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Descriptor>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            for file in descriptor_files(path)? {
                files.push(Descriptor::read(&file)?);
            }
        } else {
            files.push(Descriptor::read(path)?);
        }
    }
    Ok(Descriptor::group(files)?)
}

fn descriptor_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let unreadable = |error| Failure(Some(format!("{}: {error}", directory.display())));
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() && path.to_string_lossy().ends_with(".kmd.json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure(Some(format!(
            "{}: no *.kmd.json file in it",
            directory.display()
        ))));
    }
    Ok(files)
}

/// These modules together with the standard ones. A standard module among them takes the built-in
/// one's place.
pub(crate) fn with_standard(modules: Vec<Descriptor>) -> Result<Vec<Descriptor>, Failure> {
    let given = |standard: &Descriptor| {
        modules
            .iter()
            .any(|module| module.name() == standard.name())
    };
    let mut all: Vec<Descriptor> = standard_descriptors()?
        .into_iter()
        .filter(|standard| !given(standard))
        .collect();
    all.extend(modules);
    Ok(all)
}

/// What a name or path stands for: a built-in module, or the modules in a file or directory.
pub(crate) fn named_or_read(names: &[String]) -> Result<Vec<Descriptor>, Failure> {
    let (built_in, paths): (Vec<&String>, Vec<&String>) = names
        .iter()
        .partition(|name| STANDARD_MODULES.contains(&name.as_str()) && !Path::new(name).exists());
    let mut modules = standard_descriptors()?;
    modules.retain(|module| built_in.iter().any(|name| *name == module.name()));
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    modules.extend(read(&paths)?);
    Ok(modules)
}
