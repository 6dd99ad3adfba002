//! The server that uses the module.

use super::Ending;
use super::child::{Ended, Group, rest};
use super::failed;
use serde_json::json;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server of this user that was started with `--dev` looks for modules first.
pub(super) fn directory(named: Option<&Path>) -> Result<PathBuf, Ended> {
    let of_variable = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from)?;
        value.is_absolute().then_some(value)
    };
    let home = || of_variable("HOME").map(|home| home.join(".local/share"));
    let own = of_variable("XDG_DATA_HOME").or_else(home);
    let own = own.map(|data| data.join("rivero/dev"));
    match named.map(Path::to_owned).or(own) {
        Some(directory) if directory.is_dir() => Ok(directory.canonicalize()?),
        other => Err(failed(format!(
            "{} is no directory: start the server with `rivero --dev` as this user, or say with --into where it looks for modules first",
            other.unwrap_or_default().display()
        ))),
    }
}

/// A server of its own, on loopback.
pub(super) struct Server {
    _process: Group,
    port: u16,
}

impl Server {
    /// Starts one that looks for modules in `into` first, and waits until it serves.
    pub(super) fn start(
        program: &Path,
        home: &Path,
        into: &Path,
        further: Option<&str>,
        ending: &Ending,
    ) -> Result<Self, Ended> {
        let port = free_port()?;
        let settings = home.join("config/kurento");
        fs::create_dir_all(into)?;
        fs::create_dir_all(&settings)?;
        // What listens by itself takes any port: another server may run.
        fs::write(settings.join("HttpEndpoint.conf.ini"), "serverPort=0\n")?;
        let configuration = home.join("kurento.conf.json");
        let socket = json!({ "address": "127.0.0.1", "port": port, "path": "kurento" });
        let text = json!({ "mediaServer": { "net": { "websocket": socket } } }).to_string();
        fs::write(&configuration, text)?;
        let modules = match further {
            Some(further) => format!("{}:{further}", into.display()),
            None => into.display().to_string(),
        };
        let mut command = Command::new(program);
        command
            .arg("--conf-file")
            .arg(&configuration)
            .arg("--modules-config-path")
            .arg(home.join("config"))
            .arg("--data-path")
            .arg(home.join("data"))
            .args(["--modules-path", &modules, "--management-port", "0"])
            .arg("--allow-writable-modules")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // Its log is for the author: what is wrong, unless somebody asks for more.
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "warn");
        }
        let mut process = Group::start(&mut command)?;
        let deadline = Instant::now() + PATIENCE;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.ended()? {
                return Err(failed(format!("the server ended ({status})")));
            }
            if Instant::now() > deadline {
                return Err(failed("the server does not begin to serve"));
            }
            rest(Duration::from_millis(50), ending)?;
        }
        Ok(Self {
            _process: process,
            port,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/kurento", self.port)
    }
}

fn free_port() -> Result<u16, Ended> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
