//! From the command line to the settings.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::command_line::DEFAULT_FILE;
use super::keys::unknown_in_main;
use super::settings::drain_seconds;
use crate::modules::{Isolated, IsolationError};

use super::{CommandLine, Document, LimitError, Problem, Settings, Tree, limits};
use crate::auth;

/// Directories below that of the configuration of modules at most.
const MAX_DEPTH: usize = 16;

/// The configuration as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// What the server itself uses.
    pub settings: Settings,
    /// All files as they were written.
    pub tree: Tree,
    /// The `modules` tree: settings of modules by namespace and class.
    pub modules: Value,
    /// What that tree was put together from: each file, and what it says of `modules`.
    pub parts: Vec<(PathBuf, Value)>,
    /// The directory of the main file, to which relative file names in it refer.
    pub directory: Option<PathBuf>,
    /// The main file and the directories of the modules' files.
    pub own_places: Vec<PathBuf>,
    /// What is wrong but no reason not to start.
    pub warnings: Vec<String>,
}

impl Configuration {
    /// The `modules` tree of a server with these directories of modules, data and logs. Class
    /// `UriEndpoint` gets all own places as `protected`: no URI may lead there.
    #[must_use]
    pub fn modules_beside(&self, directories: &[PathBuf]) -> Value {
        let own = directories.iter().chain(&self.own_places);
        let protected: Vec<PathBuf> = own
            .filter_map(|place| std::path::absolute(place).ok())
            .collect();
        let mut modules = self.modules.clone();
        let added = json!({"kurento": {"UriEndpoint": {"protected": protected}}});
        merge(&mut modules, added);
        modules
    }
}

/// Why the server does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The main file is missing or malformed.
    #[error("Error reading configuration: {}: {problem}", file.display())]
    Main {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A key of Rivero's own is misspelt: nothing but Rivero reads such a file.
    #[error("Error reading configuration: {}: unknown key '{key}'", file.display())]
    Own {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
    },
    /// A bound of clients cannot be used.
    #[error("Error reading configuration: {}: {error}", file.display())]
    Limit {
        /// The file.
        file: PathBuf,
        /// Which, and why.
        error: LimitError,
    },
    /// What clients have to show cannot be made out.
    #[error("Error reading configuration: {}: {error}", file.display())]
    Auth {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: auth::LoadError,
    },
    /// `requireAuth` is neither true nor false. The default would ask nobody for anything.
    #[error(
        "Error reading configuration: {}: mediaServer.requireAuth should be true or false", .0.display()
    )]
    RequireAuth(PathBuf),
    /// It is not said which modules have processes of their own, or not in such a way that it can be done.
    #[error("Error reading configuration: {}: {error}", file.display())]
    Isolation {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: IsolationError,
    },
    /// The main file describes no WebSocket listener.
    #[error("Error reading configuration: {}: mediaServer.net should have exactly one member, 'websocket'", .0.display())]
    Net(PathBuf),
    /// The address of the listener is none. Every address in its place would let everybody in.
    #[error(
        "Error reading configuration: mediaServer.net.websocket.address: {0} is no address, and no name of one"
    )]
    Address(String),
}

/// Reads everything that the command line refers to.
///
/// Without any main file the server listens on the loopback address, port 8888.
///
/// # Errors
/// When the main file is unusable; a file of a module that is so is a warning.
pub fn load(command_line: &CommandLine) -> Result<Configuration, Error> {
    let named = command_line.conf_file.clone();
    let file = named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()));
    let mut warnings = Vec::new();
    let mut tree = match &file {
        Some(file) => read_main(file, &mut warnings)?,
        None => Value::Object(Map::new()),
    };
    let directory = file
        .as_ref()
        .map(|file| file.parent().unwrap_or(Path::new("")).to_owned());
    let given = command_line.modules_config_path.iter().cloned();
    let given: Vec<PathBuf> = given.filter(|path| !path.as_os_str().is_empty()).collect();
    let directories = match &directory {
        Some(directory) if given.is_empty() => vec![directory.join("modules")],
        _ => given,
    };
    let mut parts = Vec::new();
    if let (Some(file), Some(of_main)) = (&file, tree.get("modules")) {
        parts.push((file.clone(), of_main.clone()));
    }
    for directory in &directories {
        for (file, modules) in read_modules(directory, &mut warnings) {
            merge(&mut tree, nested(["modules".to_owned()], modules.clone()));
            parts.push((file, modules));
        }
    }
    let (mut settings, problems) = Settings::read(&tree);
    if let Some(seconds) = command_line.drain_timeout {
        settings.drain_timeout = drain_seconds(seconds);
    }
    settings.modules.hot_plug &= !command_line.no_hot_plug;
    settings.modules.anyone_may_write |= command_line.allow_writable_modules;
    settings.auth = super::auth::read(&tree).map_err(|error| Error::Auth {
        file: file.clone().unwrap_or_default(),
        error,
    })?;
    if problems
        .iter()
        .any(|key| key.starts_with("mediaServer.requireAuth:"))
    {
        return Err(Error::RequireAuth(file.unwrap_or_default()));
    }
    settings.require_auth |= command_line.require_auth;
    settings.limits = limits::read(&tree).map_err(|error| Error::Limit {
        file: file.clone().unwrap_or_default(),
        error,
    })?;
    settings.isolated = Isolated::read(&tree).map_err(|error| Error::Isolation {
        file: file.clone().unwrap_or_default(),
        error,
    })?;
    // Those of modules' files are told with their file, once it is known who reads what.
    let of_main = problems.iter().filter(|key| !key.starts_with("modules."));
    let name = file.as_deref().unwrap_or(Path::new("")).display();
    warnings.extend(of_main.map(|problem| format!("{name}: {problem}")));
    let address = tree.pointer("/mediaServer/net/websocket/address");
    if let (Some(address), None) = (address, settings.address) {
        return Err(Error::Address(address.to_string()));
    }
    if file.is_none() {
        settings.port = Settings::default().port;
        settings.address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let modules = tree
        .get("modules")
        .cloned()
        .unwrap_or_else(|| Map::new().into());
    Ok(Configuration {
        settings,
        tree: Tree::new(tree),
        modules,
        parts,
        directory,
        own_places: file.into_iter().chain(directories).collect(),
        warnings,
    })
}

fn read_main(file: &Path, warnings: &mut Vec<String>) -> Result<Value, Error> {
    let fail = |problem| Error::Main {
        file: file.to_owned(),
        problem,
    };
    let tree = Document::read(file).map_err(fail)?.tree;
    let net = tree.pointer("/mediaServer/net").and_then(Value::as_object);
    if !net.is_some_and(|net| net.len() == 1 && net.contains_key("websocket")) {
        return Err(Error::Net(file.to_owned()));
    }
    for unknown in unknown_in_main(&tree) {
        let is_own = unknown.key == "rivero" || unknown.key.starts_with("rivero.");
        if is_own || unknown.is_about_access() {
            let (file, key) = (file.to_owned(), unknown.key);
            return Err(Error::Own { file, key });
        }
        let file = file.display();
        warnings.push(format!(
            "{file}: unknown key '{}'; did you mean '{}'?",
            unknown.key, unknown.nearest
        ));
    }
    Ok(tree)
}

/// The files below a directory: `<sub>/<Name>.conf.ext` becomes `<sub>.<Name>` of `modules`.
fn read_modules(directory: &Path, warnings: &mut Vec<String>) -> Vec<(PathBuf, Value)> {
    let mut files = Vec::new();
    walk(directory, 0, &mut HashSet::new(), &mut files);
    files.sort();
    let mut parts = Vec::new();
    for file in files {
        match Document::read(&file) {
            Ok(document) => {
                let place = file
                    .parent()
                    .and_then(|parent| parent.strip_prefix(directory).ok());
                let names = place.into_iter().flat_map(Path::iter);
                let names: Vec<String> = names
                    .map(|name| name.to_string_lossy().into_owned())
                    .chain([document.name])
                    .collect();
                parts.push((file, nested(names, document.tree)));
            }
            Err(Problem::Kind) => {}
            Err(problem) => warnings.push(format!(
                "{}: {problem}; the file is skipped",
                file.display()
            )),
        }
    }
    parts
}

/// `tree` below members of these names.
fn nested(
    names: impl IntoIterator<Item = String, IntoIter: DoubleEndedIterator>,
    tree: Value,
) -> Value {
    names.into_iter().rev().fold(tree, |inner, name| {
        Value::Object(Map::from_iter([(name, inner)]))
    })
}

/// All that is no directory: what is no regular file is told when it is read. `seen` has the real
/// paths of directories, since links may lead round in circles.
fn walk(directory: &Path, depth: usize, seen: &mut HashSet<PathBuf>, files: &mut Vec<PathBuf>) {
    let is_new = directory.canonicalize().is_ok_and(|real| seen.insert(real));
    let (true, Ok(entries)) = (is_new, std::fs::read_dir(directory)) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if !path.is_dir() {
            files.push(path);
        } else if depth < MAX_DEPTH {
            walk(&path, depth + 1, seen, files);
        }
    }
}

/// Puts `over` onto `tree`: objects merge, anything else replaces.
fn merge(tree: &mut Value, over: Value) {
    match (tree, over) {
        (Value::Object(members), Value::Object(over)) => {
            for (key, value) in over {
                match members.get_mut(&key) {
                    Some(member) => merge(member, value),
                    None => {
                        members.insert(key, value);
                    }
                }
            }
        }
        (tree, over) => *tree = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn command_line(arguments: &[&Path]) -> CommandLine {
        let arguments = arguments
            .iter()
            .map(|argument| argument.as_os_str().to_owned());
        CommandLine::parse_tolerantly(std::iter::once(OsString::from("rivero")).chain(arguments))
            .unwrap()
            .0
    }

    #[test]
    fn files_of_modules_are_merged_into_the_tree() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = directory.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
            file
        };
        let main = write(
            "main.conf.json",
            r#"{"mediaServer": {"net": {"websocket": {"port": 1234, "pathh": 1}}}}"#,
        );
        write(
            "modules/kurento/WebRtcEndpoint.conf.ini",
            "; comment\nstunServerPort=3478\n",
        );
        write("modules/chroma/ChromaFilter.conf.json", r#"{"a": [1]}"#);
        write("modules/kurento/Broken.conf.json", "{");
        write("modules/kurento/README.txt", "no configuration");
        let round = directory.path().join("modules/kurento/round");
        std::os::unix::fs::symlink(directory.path().join("modules"), &round).unwrap();
        let fifo = directory.path().join("modules/kurento/Fifo.conf.ini");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).unwrap();
        let loaded = load(&command_line(&[Path::new("-f"), &main])).unwrap();
        assert_eq!(loaded.settings.port, 1234);
        assert_eq!(
            loaded.modules["kurento"]["WebRtcEndpoint"]["stunServerPort"],
            "3478"
        );
        assert_eq!(loaded.modules["chroma"]["ChromaFilter"], json!({"a": [1]}));
        let protected =
            &loaded.modules_beside(&["/m".into()])["kurento"]["UriEndpoint"]["protected"];
        assert_eq!(
            protected,
            &json!(["/m", main, directory.path().join("modules")])
        );
        assert_eq!(loaded.warnings.len(), 3, "{:?}", loaded.warnings);
        assert!(loaded.warnings[0].contains("'mediaServer.net.websocket.path'"));
        assert!(loaded.warnings[1].contains("Broken.conf.json: line 1"));
        assert!(
            loaded.warnings[2].contains("Fifo.conf.ini: cannot be read: it is no regular file")
        );
    }

    #[test]
    fn an_unusable_main_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.conf.json");
        let error = load(&command_line(&[Path::new("-f"), &file]))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("Error reading configuration: ") && error.contains("x.conf.json"),
            "{error}"
        );
        std::fs::write(
            &file,
            r#"{"mediaServer": {"net": {"websocket": {}, "other": {}}}}"#,
        )
        .unwrap();
        assert_eq!(
            load(&command_line(&[Path::new("-f"), &file])),
            Err(Error::Net(file))
        );
    }

    #[test]
    fn keys_of_our_own_are_strict_and_unusable_values_come_with_their_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.conf.json");
        let with = |text: &str| {
            std::fs::write(&file, text).unwrap();
            load(&command_line(&[Path::new("-f"), &file]))
        };
        let error = with(r#"{"mediaServer": {"net": {"websocket": {}}}, "rivero": {"a": 1}}"#);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .ends_with("x.conf.json: unknown key 'rivero'")
        );
        let loaded = with(r#"{"mediaServer": {"net": {"websocket": {"port": "many"}}}}"#).unwrap();
        assert!(loaded.warnings[0].contains("x.conf.json: mediaServer.net.websocket.port: 'many'"));
    }

    #[test]
    fn a15_later_values_replace_and_objects_merge() {
        let mut tree = json!({"a": {"b": 1, "c": [1]}});
        merge(&mut tree, json!({"a": {"c": [2], "d": 3}, "e": 4}));
        assert_eq!(tree, json!({"a": {"b": 1, "c": [2], "d": 3}, "e": 4}));
    }
}
