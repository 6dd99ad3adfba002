//! The server process.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rivero::config::{self, CommandLine, Readers};
use rivero::core::{self, Core};
use rivero::handover::{self, Predecessor, Program, Step};
use rivero::lifecycle::Event;
use rivero::modules::{Modules, probe_files, serve_module};
use rivero::observe::{log_files::Files, logging, standard_error, usage};
use rivero::reload::Reload;
use rivero::server::Server;
use rivero::signals;
use rivero::startup::{self, Prepared, discover};
use tokio::runtime::Runtime;

/// How long the program waits for whoever reads its last words.
const LAST_WORDS: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let (command_line, ignored) = match CommandLine::parse_tolerantly(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(error) => return fail(error.to_string()),
    };
    if !command_line.probe_module.is_empty() {
        return probe(&command_line.probe_module);
    }
    if command_line.isolated_module.is_some() {
        return isolated();
    }
    if command_line.take_over == Some(Step::Launch) {
        return launch();
    }
    if command_line.help {
        print!("{}", CommandLine::help_text());
        return ExitCode::SUCCESS;
    }
    let outcome = if command_line.command.is_some() {
        check_configuration(&command_line, &ignored)
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
        Err(error) => fail(format!("{error}\n")),
    }
}

/// Says why the program ends.
fn fail(reason: String) -> ExitCode {
    standard_error::say(reason, LAST_WORDS);
    ExitCode::FAILURE
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Tries modules out on behalf of another process of this program.
fn probe(files: &[PathBuf]) -> ExitCode {
    match probe_files(files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format!("{error}\n")),
    }
}

/// Serves a module on behalf of another process of this program.
fn isolated() -> ExitCode {
    match serve_module() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format!("{error}\n")),
    }
}

/// Starts the process that takes over from the server that started this one.
fn launch() -> ExitCode {
    match handover::launch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format!("{error}\n")),
    }
}

/// Builds what a start builds, and opens no socket; what modules declare is read without running
/// them.
fn check_configuration(command_line: &CommandLine, ignored: &[String]) -> Outcome<()> {
    for argument in ignored {
        eprintln!("{}", ignored_in_words(argument));
    }
    let mut problems = Vec::new();
    match startup::prepare(command_line, None, &mut problems) {
        Ok(prepared) => {
            show_refused(&prepared.modules);
            problems.extend(prepared.server.unusable_addresses());
        }
        Err(error) => problems.push(error.to_string()),
    }
    if let Some(files) = log_files(command_line) {
        problems.extend(files.check().err());
    }
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

fn list_settings(command_line: &CommandLine) -> Outcome<()> {
    let (modules, _) = discover(command_line, &config::load(command_line)?, None)?;
    println!("Settings of modules (modules.<namespace>.<Class>.<key>):");
    let (model, settings) = (modules.model(), modules.settings());
    for line in Readers::new(&model, &settings).describe() {
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

/// How long modules may take at the end to let go of what their objects had.
const LETTING_GO: Duration = Duration::from_secs(2);

/// The variables by which an environment names proxies, also in capitals.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"];

/// Begins anew without the proxies of the environment, if there are any.
///
/// GLib sends what its users connect to through them, loopback included: they would look names up that the policy of
/// URIs has never seen, and would be sent what is meant for this machine. The environment of a program that runs is
/// not to be changed safely, so this replaces the program by itself, with the same process and arguments, once.
fn without_proxies() -> std::io::Result<()> {
    let both = |name: &&str| [(*name).to_owned(), name.to_uppercase()];
    let named: Vec<String> = PROXIES.iter().flat_map(both).collect();
    if named.iter().all(|name| std::env::var_os(name).is_none()) {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut program = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        program.arg0(name);
    }
    program.args(arguments);
    for name in &named {
        program.env_remove(name);
    }
    Err(program.exec())
}

fn serve(command_line: &CommandLine, ignored: &[String]) -> Outcome<()> {
    let proxied = without_proxies();
    // While its path still leads to it.
    let program = Program::of_this_process()?;
    let predecessor = match command_line.take_over {
        Some(Step::Serve) => Some(Predecessor::of_standard_input()?),
        Some(Step::Launch) | None => None,
    };
    core::heap::share_arenas();
    core::raise_file_limit();
    let _flush = logging::start(log_files(command_line), command_line.log_format)
        .map_err(|error| format!("Cannot write log files: {error}"))?;
    if let Err(error) = proxied {
        tracing::warn!(
            %error,
            "the environment names a proxy, which libraries of modules may ask: unset {PROXIES:?} to play RTSP and RTMP"
        );
    }
    for argument in ignored {
        tracing::warn!("{}", ignored_in_words(argument));
    }
    let mut problems = Vec::new();
    let prepared = startup::prepare(command_line, prober(), &mut problems);
    for problem in &problems {
        tracing::warn!("{problem}");
    }
    let prepared = prepared?;
    if command_line.strict_config && !problems.is_empty() {
        return Err(startup::Error::Strict.into());
    }
    let runtime = runtime(prepared.configuration.settings.threads)?;
    let outcome = runtime.block_on(run(command_line, prepared, program, predecessor));
    // Does not wait for names that are still being looked up.
    runtime.shutdown_background();
    rivero::modules::wait_for_the_end(LETTING_GO);
    outcome
}

fn ignored_in_words(argument: &str) -> String {
    format!("the argument {argument:?} is not known and ignored")
}

fn runtime(threads: Option<usize>) -> io::Result<Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().thread_name("protocol");
    runtime.on_thread_start(rivero::modules::is_of_runtime);
    if let Some(threads) = threads {
        // More than the processors gain nothing as long as none blocks, and no module is called on these.
        runtime.worker_threads(threads.min(usage::cpu_count()));
    }
    runtime.build()
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

async fn run(
    command_line: &CommandLine,
    prepared: Prepared,
    program: Program,
    predecessor: Option<Predecessor>,
) -> Outcome<()> {
    // The thread that waits for the end is one of the runtime's as well.
    rivero::modules::is_of_runtime();
    let modules = Arc::new(prepared.modules);
    let core = Core::new(modules.clone(), prepared.plane.clone(), prepared.core)?;
    if prepared.configuration.settings.modules.hot_plug {
        modules.watch(core.module_listener())?;
    }
    let asked = signals::attend(core.lifecycle.clone())?;
    let inherited = predecessor.as_ref().map(Predecessor::listeners);
    let inherited = inherited.transpose()?.unwrap_or_default();
    let server = Server::open_with(core.clone(), prepared.server, inherited)?;
    modules.resume()?;
    let settings = &prepared.configuration.settings;
    announce_start(&server, &settings.path);
    if let Some(fraction) = settings.kill_limit {
        tokio::spawn(stop_when_exhausted(core.clone(), fraction));
    }
    let reload = Reload {
        command_line: command_line.clone(),
        core: core.clone(),
        modules,
        plane: prepared.plane,
        controls: server.controls(),
        current: Mutex::new(prepared.configuration),
        program,
    };
    tokio::spawn(Arc::new(reload).attend(asked));
    if let Some(predecessor) = predecessor {
        server.follow(predecessor)?;
    }
    server.run().await;
    match core.lifecycle.is_complete() {
        true => Ok(()),
        false => Err("The server ended before all its objects had".into()),
    }
}

/// The end is that of SIGTERM: whoever supervises the process starts it again.
async fn stop_when_exhausted(core: Arc<Core>, fraction: f64) {
    let reached = core.exhausted(fraction).await;
    tracing::error!("stopping without objects: {reached}");
    core.lifecycle.step(Event::Stop);
}

fn announce_start(server: &Server, path: &str) {
    let secure = server.secure_address().map(|address| ("wss", address));
    let plain = server.address().map(|address| ("ws", address));
    for (scheme, address) in plain.into_iter().chain(secure) {
        tracing::info!(
            "Kurento Media Server started: Rivero {} on {scheme}://{address}/{path}",
            env!("CARGO_PKG_VERSION")
        );
        if !address.ip().to_canonical().is_loopback() {
            match (server.asks_for_credentials(), scheme) {
                (false, _) => tracing::warn!(
                    "the server is open to the network and asks nobody for a token: see mediaServer.auth in docs/security.md"
                ),
                (true, "ws") => tracing::warn!(
                    "tokens cross the network unencrypted: use mediaServer.net.websocket.secure, or a proxy that speaks TLS"
                ),
                (true, _) => {}
            }
        }
    }
    if let Some(address) = server.management_address() {
        if !address.ip().to_canonical().is_loopback() && !server.asks_for_credentials() {
            tracing::warn!(
                "the management port is open to the network and asks nobody for a token: see mediaServer.auth in docs/security.md"
            );
        }
        tracing::info!(
            "management on http://{address}/: /healthz, /readyz, /health, /metrics, /console"
        );
    }
}

/// Every command that may run modules tries new ones out in a process of their own.
fn prober() -> Option<PathBuf> {
    Some(startup::this_program())
}
