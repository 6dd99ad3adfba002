//! What a start builds before it opens a socket.
//!
//! `serve` and `check-config` both go through [`prepare`]: the check knows no rules of its own, so
//! whatever a start would refuse it refuses as well, with the same words.

mod places;
mod sockets;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rivero_media::Plane;
use serde_json::Value;
use tokio_rustls::rustls;

use crate::auth;
use crate::config::{self, CommandLine, Configuration, Readers};
use crate::core;
use crate::modules::{Discovery, Modules};
use crate::protocol::tls;
use crate::server;

/// Why a server cannot start; each fits on one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The main configuration file is unusable.
    #[error(transparent)]
    Configuration(#[from] config::Error),
    /// There is no directory where server and modules may write.
    #[error("Cannot use the data directory {}: {reason}", directory.display())]
    DataDirectory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The TLS listener has a port and nothing to show its clients.
    #[error(
        "mediaServer.net.websocket.secure.port is set, and mediaServer.net.websocket.secure.certificate is missing"
    )]
    NoCertificate,
    /// The certificate of the TLS listener cannot be used.
    #[error(transparent)]
    Certificate(#[from] tls::Error),
    /// The credentials of clients cannot be used.
    #[error(transparent)]
    Auth(#[from] auth::LoadError),
    /// The network reaches the server, nobody has to show anything, and that is not wanted.
    #[error(
        "the server would be open to the network without mediaServer.auth, and mediaServer.requireAuth, --require-auth or RIVERO_REQUIRE_AUTH forbids that"
    )]
    Unprotected,
    /// What is no reason not to start has been made one.
    #[error("the configuration has problems, and --strict-config is given")]
    Strict,
    /// The descriptors of the modules do not fit together.
    #[error(transparent)]
    Modules(#[from] rivero_idl::Error),
    /// TLS towards the registrar cannot be set up.
    #[error("Cannot set up TLS for the registrar: {0}")]
    Registrar(rustls::Error),
    /// A thread cannot be started, or the standard descriptors are broken.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Everything but the sockets.
pub struct Prepared {
    /// What was read from files.
    pub configuration: Configuration,
    /// The modules that were found.
    pub modules: Modules,
    /// Where their media is switched.
    pub plane: Arc<Plane>,
    /// Settings of the objects.
    pub core: core::Options,
    /// How the server is reached.
    pub server: server::Options,
}

/// Builds what a server consists of. What is wrong but no reason not to start is added to
/// `problems`, also when there is an error besides.
///
/// `prober` is the program that tries out new modules; without one, no module's code is run.
///
/// # Errors
/// What keeps a server from starting.
pub fn prepare(
    command_line: &CommandLine,
    prober: Option<PathBuf>,
    problems: &mut Vec<String>,
) -> Result<Prepared, Error> {
    let configuration = config::load(command_line)?;
    problems.extend(configuration.warnings.iter().cloned());
    let (modules, plane) = discover(command_line, &configuration, prober)?;
    problems.extend(misspelt(&configuration, &modules));
    problems.extend(modules.unusable_files());
    Ok(Prepared {
        core: core_options(command_line, &configuration)?,
        server: sockets::options(command_line, &configuration, problems)?,
        configuration,
        modules,
        plane,
    })
}

/// What a server that runs takes over when the configuration is read again.
pub struct Update {
    /// What was read from files.
    pub configuration: Configuration,
    /// What the modules are told.
    pub modules: Arc<Value>,
    /// Settings of the objects.
    pub core: core::Options,
    /// How the server is reached.
    pub server: server::Options,
}

/// Reads the configuration again, by the rules of a start, for a server with these modules. What is
/// wrong but no reason to refuse it is added to `problems`.
///
/// # Errors
/// What would keep a server from starting.
pub fn update(
    command_line: &CommandLine,
    modules: &Modules,
    problems: &mut Vec<String>,
) -> Result<Update, Error> {
    let configuration = config::load(command_line)?;
    problems.extend(configuration.warnings.iter().cloned());
    problems.extend(misspelt(&configuration, modules));
    let own = own_directories(command_line)?;
    Ok(Update {
        modules: Arc::new(configuration.modules_beside(&own)),
        core: core_options(command_line, &configuration)?,
        server: sockets::options(command_line, &configuration, problems)?,
        configuration,
    })
}

/// Keys and values below `modules` that nobody can use.
fn misspelt(configuration: &Configuration, modules: &Modules) -> Vec<String> {
    let (model, settings) = (modules.model(), modules.settings());
    let readers = Readers::new(&model, &settings);
    let parts = configuration.parts.iter();
    parts
        .flat_map(|(file, part)| readers.problems(file, part))
        .collect()
}

/// What the server is made of and what it believes: no client may play or overwrite it.
fn own_directories(command_line: &CommandLine) -> Result<Vec<PathBuf>, Error> {
    let mut own = places::modules_directories(command_line)?;
    own.push(places::data_directory(command_line)?);
    own.extend(command_line.logs_path.clone());
    Ok(own)
}

/// Finds the modules, and gives them the plane that their media will be switched on.
///
/// # Errors
/// When there is no data directory, or no thread can be started.
pub fn discover(
    command_line: &CommandLine,
    configuration: &Configuration,
    prober: Option<PathBuf>,
) -> Result<(Modules, Arc<Plane>), Error> {
    let plane = Plane::start()?;
    plane.set_shared_encoding(configuration.settings.shared_encoding);
    let directories = places::modules_directories(command_line)?;
    let data_directory = places::data_directory(command_line)?;
    let own = own_directories(command_line)?;
    let discovery = Discovery {
        configuration: Arc::new(configuration.modules_beside(&own)),
        configuration_directory: configuration.directory.clone(),
        directories,
        data_directory,
        prober,
        isolated: configuration.settings.isolated.clone(),
        anyone_may_write: configuration.settings.modules.anyone_may_write,
    };
    Ok((Modules::discover(discovery, &plane)?, plane))
}

fn core_options(
    command_line: &CommandLine,
    configuration: &Configuration,
) -> Result<core::Options, Error> {
    let settings = &configuration.settings;
    Ok(core::Options {
        metadata: settings.metadata.clone(),
        element_settings: settings.element,
        exception_limit: settings.exception_limit,
        drain: settings.drain_timeout,
        limits: settings.limits.clone(),
        dot_directory: std::env::var_os("GST_DEBUG_DUMP_DOT_DIR").map(PathBuf::from),
        health: places::health(command_line, settings)?,
        ..core::Options::default()
    })
}

/// This program, by a name that finds it even after an upgrade replaced it.
#[must_use]
pub fn this_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}
