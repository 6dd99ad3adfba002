//! `kmd dev`

mod build;
mod child;
mod describe;
mod http;
mod page;
mod server;
mod watch;

use crate::exercise::Scratch;
use crate::module_file::{Manifest, ModuleFile};
use crate::{Failure, check, inputs};
use child::Ended;
use describe::describe;
use page::{Page, State};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

/// How often the sources are looked at.
const LOOK: Duration = Duration::from_millis(300);

/// Builds the module of this project, has a server use it, and shows on a page what it does; again whenever a source is saved.
///
/// The page has media before and after the module, and the properties of its class. The server is one that this command
/// starts, or with --server one that was started with `rivero --dev`: there the module goes before an installed one with the
/// same classes for as long as this command runs. Everything is on loopback. Ctrl-C ends all of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's directory.
    #[arg(default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// Port of the page, 0 for any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The WebSocket of a server that runs already, such as ws://127.0.0.1:8888/kurento.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Where that server looks for modules first; without it where `rivero --dev` of this user does.
    #[arg(long, value_name = "DIR", requires = "server")]
    into: Option<PathBuf>,
    /// The program to start as a server; without it the one beside this program, or that of PATH.
    #[arg(long, value_name = "FILE", env = "RIVERO_SERVER")]
    program: Option<PathBuf>,
    /// Directories with modules for it, beside those that are installed with it.
    #[arg(long, value_name = "DIRS", env = "KURENTO_MODULES_PATH")]
    modules_path: Option<String>,
    /// Descriptor of a module that is imported. The standard modules are known.
    #[arg(short, long, value_name = "FILE")]
    dependency: Vec<PathBuf>,
}

/// Set when the command is told to end.
type Ending = Arc<AtomicBool>;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let ending = Ending::default();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, ending.clone())?;
    }
    match serve(arguments, &ending) {
        // Whoever told it to end knows.
        Err(Ended::Told) => Ok(()),
        Err(Ended::Failed(failure)) => Err(failure),
        Ok(never) => match never {},
    }
}

/// Nothing: it goes on until it is told to end.
enum Never {}

fn serve(arguments: &Arguments, ending: &Ending) -> Result<Never, Ended> {
    let project = project(&arguments.project)?;
    let scratch = Scratch::new("dev")?;
    let program = check::server(arguments.program.as_deref());
    let (url, into, _server) = match &arguments.server {
        Some(url) => (
            url.clone(),
            server::directory(arguments.into.as_deref())?,
            None,
        ),
        None => {
            let into = scratch.path().canonicalize()?.join("modules");
            let program = program.as_deref().ok_or_else(|| {
                failed("there is no server: install Rivero, or name its program with --program")
            })?;
            let further = arguments.modules_path.as_deref();
            let server = server::Server::start(program, scratch.path(), &into, further, ending)?;
            (server.url(), into, Some(server))
        }
    };
    let page = Page::serve(arguments.port)?;
    println!("{}", page.url());
    let mut guest = Guest { file: None };
    let mut builds = 0_u64;
    loop {
        let sources = watch::sources(&project);
        page.show(State::new("building", builds, &url));
        match build::build(&project, ending)? {
            Err(text) => {
                eprintln!("not built; what was there before goes on");
                page.show(State::new("failed", builds, &url).with("text", json!(text)));
            }
            Ok(library) => {
                match take_up(&library, &into, program.as_deref(), arguments, &mut guest)? {
                    Err(text) => {
                        eprintln!("{text}");
                        page.show(State::new("refused", builds, &url).with("text", json!(text)));
                    }
                    Ok(described) => {
                        builds += 1;
                        eprintln!("built, and handed to the server: {}", page.url());
                        page.show(State::new("ready", builds, &url).with("module", described));
                    }
                }
            }
        }
        while watch::sources(&project) == sources {
            child::rest(LOOK, ending)?;
        }
    }
}

fn failed(text: impl Into<String>) -> Ended {
    Ended::Failed(Failure(Some(text.into())))
}

fn project(directory: &Path) -> Result<PathBuf, Ended> {
    let manifest = directory.join("Cargo.toml");
    if !manifest.is_file() {
        let directory = directory.display();
        return Err(failed(format!(
            "{directory} has no Cargo.toml: `kmd new` makes a project, and this command runs in it"
        )));
    }
    Ok(directory.canonicalize()?)
}

/// Has the server find the library, if it may; what of it the page shows, or why it may not.
fn take_up(
    library: &Path,
    into: &Path,
    program: Option<&Path>,
    arguments: &Arguments,
    guest: &mut Guest,
) -> Result<Result<serde_json::Value, String>, Ended> {
    let dependencies = inputs::read(&arguments.dependency)?;
    let breaches = check::errors(library, &dependencies, program)?;
    if !breaches.is_empty() {
        return Ok(Err(breaches.join("\n")));
    }
    let Manifest { name, .. } = ModuleFile::read(library)?.manifest.unwrap_or_default();
    let described = describe(library, &dependencies, into)?;
    let file = into.join(format!("{name}.so"));
    // A server that looks meanwhile never sees half of it.
    let hidden = into.join(format!(".{name}.so"));
    fs::copy(library, &hidden)?;
    fs::rename(&hidden, &file)?;
    guest.file = Some(file);
    Ok(Ok(described))
}

/// A module's file in a directory of a server, which goes with this command.
struct Guest {
    file: Option<PathBuf>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}
