//! Descriptor files on disk, and which of them belong together.

use super::Descriptor;
use crate::error::{Error, Problem};
use std::fs;
use std::path::Path;

impl Descriptor {
    /// Reads and parses one file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Syntax`] when it is no descriptor.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|error| Error::io(path, &error))?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Joins the files of each module, which stay in the order in which their names first appear.
    ///
    /// A file without a module name belongs to the named module whose name its own file name begins
    /// with (`lens.events.kmd.json` to `lens`), else to the only named module in its directory.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a file's module cannot be told, or files of a module contradict
    /// each other.
    pub fn group(files: Vec<Self>) -> Result<Vec<Self>, Error> {
        let (named, unnamed): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.name.is_some());
        let mut modules: Vec<Vec<Self>> = Vec::new();
        for file in named {
            match modules
                .iter_mut()
                .find(|module| module.iter().any(|other| other.name == file.name))
            {
                Some(module) => module.push(file),
                None => modules.push(vec![file]),
            }
        }
        for file in unnamed {
            let index = module_of(&file, &modules)?;
            if let Some(module) = modules.get_mut(index) {
                module.push(file);
            }
        }
        modules.into_iter().map(Self::merge).collect()
    }
}

fn module_of(file: &Descriptor, modules: &[Vec<Descriptor>]) -> Result<usize, Error> {
    let path = Path::new(file.file());
    let file_name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let begins = |module: &Vec<Descriptor>| {
        let name = module.first().map(Descriptor::name).unwrap_or_default();
        file_name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    if let Some(index) = modules.iter().position(begins) {
        return Ok(index);
    }
    let beside = |module: &Vec<Descriptor>| {
        module
            .iter()
            .any(|other| Path::new(other.file()).parent() == path.parent())
    };
    let mut neighbours = modules
        .iter()
        .enumerate()
        .filter(|(_, module)| beside(module));
    match (neighbours.next(), neighbours.next()) {
        (Some((index, _)), None) => Ok(index),
        _ => {
            let message = "has no module name, and it is not clear which module it is part of";
            Err(Error::Invalid(vec![Problem::error(
                file.location.clone(),
                message,
            )]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(files: &[(&str, &str)]) -> Result<Vec<Descriptor>, Error> {
        let files = files
            .iter()
            .map(|(name, text)| Descriptor::parse(name, text).unwrap());
        Descriptor::group(files.collect())
    }

    #[test]
    fn parts_find_their_module_by_file_name_or_directory() {
        let modules = group(&[
            (
                "a/lens.Lens.kmd.json",
                r#"{"remoteClasses": [{"name": "Lens"}]}"#,
            ),
            ("a/lens.kmd.json", r#"{"name": "lens"}"#),
            ("a/lensing.kmd.json", r#"{"name": "lensing"}"#),
            ("b/x.kmd.json", r#"{"name": "x"}"#),
            ("b/events.kmd.json", r#"{"events": [{"name": "E"}]}"#),
        ])
        .unwrap();
        let names: Vec<&str> = modules.iter().map(Descriptor::name).collect();
        assert_eq!(names, ["lens", "lensing", "x"]);
        assert_eq!(modules[0].remote_classes.len(), 1);
        assert_eq!(modules[2].events.len(), 1);
    }

    #[test]
    fn a_part_without_module_is_refused() {
        let error = group(&[("a/x.kmd.json", "{}")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "a/x.kmd.json: has no module name, and it is not clear which module it is part of"
        );
    }
}
