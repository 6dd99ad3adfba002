//! The server process.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rivero::config::{self, CommandLine, Configuration, Readers, Settings};
use rivero::core::{self, Core};
use rivero::media::Plane;
use rivero::modules::{Discovery, Modules, probe_files};
use rivero::observe::{log_files::Files, logging};
use rivero::protocol::listener::Binding;
use rivero::protocol::registrar::Registrar;
use rivero::protocol::tls;
use rivero::server::{self, Server};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

fn main() -> ExitCode {
    let (command_line, ignored) = match CommandLine::parse_tolerantly(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprint!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if !command_line.probe_module.is_empty() {
        return probe(&command_line.probe_module);
    }
    if command_line.help {
        print!("{}", CommandLine::help_text());
        return ExitCode::SUCCESS;
    }
    let outcome = if command_line.command.is_some() {
        check_configuration(&command_line)
    } else if command_line.version {
        show_versions(&command_line)
    } else if command_line.list {
        list_classes(&command_line)
    } else if command_line.list_settings {
        list_settings(&command_line)
    } else {
        serve(&command_line, &ignored)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Tries modules out on behalf of another process of this program.
fn probe(files: &[PathBuf]) -> ExitCode {
    match probe_files(files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check_configuration(command_line: &CommandLine) -> Outcome<()> {
    let configuration = config::load(command_line)?;
    // What modules declare is read without running them.
    let (modules, _) = discover(command_line, &configuration, None)?;
    show_refused(&modules);
    let problems = problems(&configuration, &modules);
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("The configuration is fine.");
            Ok(())
        }
        count => Err(format!("{count} problem(s) found.").into()),
    }
}

/// What is wrong with the configuration, and no reason not to start.
fn problems(configuration: &Configuration, modules: &Modules) -> Vec<String> {
    let readers = Readers::new(modules.model(), modules.settings());
    let mut problems = configuration.warnings.clone();
    for (file, part) in &configuration.parts {
        problems.extend(readers.problems(file, part));
    }
    problems
}

fn list_settings(command_line: &CommandLine) -> Outcome<()> {
    let (modules, _) = discover(command_line, &config::load(command_line)?, None)?;
    println!("Settings of modules (modules.<namespace>.<Class>.<key>):");
    for line in Readers::new(modules.model(), modules.settings()).describe() {
        println!("{line}");
    }
    Ok(())
}

fn show_versions(command_line: &CommandLine) -> Outcome<()> {
    let (modules, _) = discover(command_line, &config::load(command_line)?, prober())?;
    show_refused(&modules);
    println!("Kurento Media Server version: 7.3.0");
    println!("Rivero version: {}", env!("CARGO_PKG_VERSION"));
    println!("Found modules:");
    for module in modules.model().modules() {
        println!(
            "\t'{}' version {}",
            module.name(),
            module.version.as_deref().unwrap_or_default()
        );
    }
    Ok(())
}

/// To standard error: what is on standard output is read by programs.
fn show_refused(modules: &Modules) {
    for refused in modules.refused() {
        eprintln!(
            "module refused: {}: {}",
            refused.printable_file(),
            refused.reason
        );
    }
}

fn list_classes(command_line: &CommandLine) -> Outcome<()> {
    let (modules, plane) = discover(command_line, &config::load(command_line)?, prober())?;
    show_refused(&modules);
    let core = Core::new(Arc::new(modules), plane, core::Options::default())?;
    println!("Available factories:");
    for name in core.creatable_classes() {
        println!("\t{name}");
    }
    Ok(())
}

fn serve(command_line: &CommandLine, ignored: &[String]) -> Outcome<()> {
    core::heap::share_arenas();
    logging::start(log_files(command_line))
        .map_err(|error| format!("Cannot write log files: {error}"))?;
    for option in ignored {
        tracing::warn!("option {option} is not known and ignored");
    }
    let configuration = config::load(command_line)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().thread_name("protocol");
    if let Some(threads) = configuration.settings.threads {
        // More than the processors gain nothing: no thread ever blocks.
        runtime.worker_threads(threads.min(core::usage::cpu_count()));
    }
    let runtime = runtime.build()?;
    let (modules, plane) = discover(command_line, &configuration, prober())?;
    let problems = problems(&configuration, &modules);
    for problem in &problems {
        tracing::warn!("{problem}");
    }
    if command_line.strict_config && !problems.is_empty() {
        return Err("The configuration has problems, and --strict-config is given".into());
    }
    let outcome = runtime.block_on(run(configuration, modules, plane));
    // Does not wait for names that are still being looked up.
    runtime.shutdown_background();
    outcome
}

fn log_files(command_line: &CommandLine) -> Option<Files> {
    let directory = command_line.logs_path.clone()?;
    let size = command_line.log_file_size.saturating_mul(1 << 20);
    Some(Files {
        directory,
        size,
        count: command_line.number_log_files,
    })
}

async fn run(configuration: Configuration, modules: Modules, plane: Arc<Plane>) -> Outcome<()> {
    let settings = &configuration.settings;
    let options = core::Options {
        metadata: settings.metadata.clone(),
        element_settings: settings.element,
        exception_limit: settings.exception_limit,
        dot_directory: std::env::var_os("GST_DEBUG_DUMP_DOT_DIR").map(PathBuf::from),
        ..core::Options::default()
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let core = Core::new(Arc::new(modules), plane, options)?;
    let server = Server::open(core.clone(), server_options(&configuration)?)?;
    announce_start(&server, &settings.path);
    let exhausted = exhausted(core, settings.kill_limit);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping: SIGINT"),
            // The end is that of SIGTERM: whoever supervises the process starts it again.
            reached = exhausted => tracing::error!("stopping without objects: {reached}"),
        }
    };
    server.run(stop).await;
    Ok(())
}

/// Which of the process's limits is too near with no objects left; never without `limit`.
async fn exhausted(core: Arc<Core>, limit: Option<f64>) -> String {
    match limit {
        Some(fraction) => core.exhausted(fraction).await.message,
        None => std::future::pending().await,
    }
}

fn server_options(configuration: &Configuration) -> Outcome<server::Options> {
    let settings = &configuration.settings;
    let registrar = settings
        .registrar
        .clone()
        .map(|address| Registrar::new(address, settings.local_address.clone(), tls::system_roots));
    Ok(server::Options {
        binding: binding(settings, settings.address, settings.port),
        secure: secure_listener(configuration)?,
        path: settings.path.clone(),
        registrar: registrar.transpose()?,
        collector_period: settings.collector_period,
        caches_replies: !settings.disable_request_cache,
    })
}

/// `None` with port 0, which disables a listener.
fn binding(settings: &Settings, address: Option<IpAddr>, port: u16) -> Option<Binding> {
    let binding = Binding {
        address,
        port,
        ipv6: settings.ipv6,
        backlog: settings.backlog.unwrap_or_else(system_backlog),
    };
    (port != 0).then_some(binding)
}

/// The TLS listener, on every address: the setting of an address is that of the plain one.
fn secure_listener(configuration: &Configuration) -> Outcome<Option<(Binding, TlsAcceptor)>> {
    let settings = &configuration.settings;
    let Some(binding) = binding(settings, None, settings.secure_port) else {
        return Ok(None);
    };
    let file = settings.secure_certificate.as_ref().ok_or(
        "mediaServer.net.websocket.secure.port is set, and mediaServer.net.websocket.secure.certificate is missing",
    )?;
    let directory = configuration.directory.clone().unwrap_or_default();
    let tls = tls::acceptor(&directory.join(file), &settings.secure_password)?;
    Ok(Some((binding, tls)))
}

fn announce_start(server: &Server, path: &str) {
    let secure = server.secure_address().map(|address| ("wss", address));
    let plain = server.address().map(|address| ("ws", address));
    for (scheme, address) in plain.into_iter().chain(secure) {
        tracing::info!(
            "Kurento Media Server started: Rivero {} on {scheme}://{address}/{path}",
            env!("CARGO_PKG_VERSION")
        );
        if !address.ip().is_loopback() {
            tracing::warn!(
                "the server is open to the network, and the protocol knows no authentication"
            );
        }
    }
}

fn discover(
    command_line: &CommandLine,
    configuration: &Configuration,
    prober: Option<PathBuf>,
) -> Outcome<(Modules, Arc<Plane>)> {
    let plane = Plane::start()?;
    plane.set_shared_encoding(configuration.settings.shared_encoding);
    let data_directory = data_directory(command_line)?;
    let directories: Vec<PathBuf> = command_line
        .modules_path
        .iter()
        .cloned()
        .chain(built_in_directories())
        .collect();
    let discovery = Discovery {
        configuration: Arc::new(configuration.modules_beside(&directories)),
        configuration_directory: configuration.directory.clone(),
        directories,
        data_directory,
        prober,
    };
    Ok((Modules::discover(discovery, &plane)?, plane))
}

/// This program, by a name that finds it even after an upgrade replaced it.
fn prober() -> Option<PathBuf> {
    Some(PathBuf::from("/proc/self/exe"))
}

/// `modules` beside the program, where the build puts them, and the places of installation.
fn built_in_directories() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let beside = program
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join("modules"));
    let installed = program
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join("../lib/kurento"));
    let directories = [beside, installed, Some(PathBuf::from("/usr/lib/kurento"))];
    let mut found: Vec<PathBuf> = directories
        .into_iter()
        .flatten()
        .filter_map(|dir| dir.canonicalize().ok())
        .collect();
    found.dedup();
    found
}

/// The directory for data, made if it is missing.
fn data_directory(command_line: &CommandLine) -> Outcome<PathBuf> {
    let of_user = || {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
        std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(home)
    };
    let directory = command_line
        .data_path
        .clone()
        .or_else(|| of_user().map(|directory| directory.join("rivero")));
    let directory = directory.unwrap_or_else(|| std::env::temp_dir().join("rivero"));
    std::fs::create_dir_all(&directory).map_err(|error| {
        format!(
            "Cannot use the data directory {}: {error}",
            directory.display()
        )
    })?;
    Ok(directory)
}

/// The longest queue of waiting connections that the system allows.
fn system_backlog() -> u32 {
    let maximum = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    maximum
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(128)
}
