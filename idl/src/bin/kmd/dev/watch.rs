//! The sources of a project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files that are looked at, at most: a project has dozens.
const FILES: usize = 10_000;
/// How deep directories lie in each other.
const DEPTH: usize = 16;

/// When each file was changed, and how long it is. Looked at again and again, rather than watched by the system: editors
/// write files anew, move directories, and save on file systems that tell nothing.
pub(super) type Sources = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// What the project is built of, but for its dependencies.
pub(super) fn sources(project: &Path) -> Sources {
    let mut found = Sources::new();
    look(project, DEPTH, &mut found);
    found
}

fn look(directory: &Path, depth: usize, found: &mut Sources) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is built, and what editors and version control keep for themselves.
        let is_other = name.starts_with('.') || name.ends_with('~') || name == "Cargo.lock";
        if is_other || found.len() >= FILES {
            continue;
        }
        let path = entry.path();
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if metadata.is_file() {
            found.insert(path, (metadata.modified().ok(), metadata.len()));
        } else if depth > 0 && !["target", "node_modules"].contains(&&*name) {
            look(&path, depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_no_source() {
        let home = std::env::temp_dir().join(format!("kmd-watch-{}", std::process::id()));
        for directory in ["src/deep", "target", ".git"] {
            fs::create_dir_all(home.join(directory)).unwrap();
        }
        for file in ["src/deep/a.rs", "target/b", ".git/c", "a.kmd.json", "a.rs~"] {
            fs::write(home.join(file), "1").unwrap();
        }
        let first = sources(&home);
        assert_eq!(first.len(), 2, "{first:?}");
        fs::write(home.join("target/b"), "other").unwrap();
        assert_eq!(sources(&home), first);
        fs::write(home.join("src/deep/a.rs"), "other").unwrap();
        assert_ne!(sources(&home), first);
        fs::remove_dir_all(&home).unwrap();
    }
}
