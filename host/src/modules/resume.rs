//! Modules that have left something to go on with are started with the server, although nobody asks for them yet.
//!
//! A module says so by a file with the name of one of its classes in `resume` of the data directory, which it removes
//! when it has nothing left. That asks for nothing of the ABI, and costs a server nothing whose modules have nothing to do.

use std::{fs, io, path::Path, sync::Arc};

use rivero_plugin_api::supervise;

use super::{Modules, provider::Provider, services::Environment};

/// Below the data directory.
const DIRECTORY: &str = "resume";
/// Files that are looked at: there are no more classes than that which could have something left.
const MOST: usize = 256;

impl Modules {
    /// Starts the modules that have left something, in the background.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn resume(&self) -> io::Result<()> {
        let classes = classes_in(&Path::new(self.services.data_directory()).join(DIRECTORY));
        let snapshot = self.current.load_full();
        let mut providers: Vec<Arc<Provider>> = Vec::new();
        for class in classes {
            match snapshot.catalogue.providers.get(class.as_str()) {
                // Several classes may be one module's.
                Some(provider) if providers.iter().any(|known| Arc::ptr_eq(known, provider)) => {}
                Some(provider) => providers.push(provider.clone()),
                None => tracing::warn!(
                    "{class} has left something to go on with, and no module has that class"
                ),
            }
        }
        if providers.is_empty() {
            return Ok(());
        }
        let environment = snapshot.environment.clone();
        // Its start may take long, and no call waits for it.
        supervise::thread("module-resume", move || start(&providers, &environment)).map(drop)
    }
}

fn start(providers: &[Arc<Provider>], environment: &Environment) {
    for provider in providers {
        tracing::info!(file = %provider.file().display(), "module goes on with what it had left");
        // What goes wrong is logged there.
        let _ = provider.load(environment);
    }
}

/// The names of the files there, as far as they can be names of classes.
fn classes_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_class = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut classes: Vec<String> = names.filter(is_class).take(MOST).collect();
    classes.sort();
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_classes_count() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(classes_in(&directory.path().join("none")), [""; 0]);
        for name in ["RecorderEndpoint", "..x", "a b", "Other_1"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(
            classes_in(directory.path()),
            ["Other_1", "RecorderEndpoint"]
        );
    }
}
