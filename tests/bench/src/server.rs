//! A server of its own for each measurement, pinned to its core, on loopback only: Rivero, or the
//! forwarder of the `webrtc` crate that it is compared with.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{affinity::Cores, error::Error, process::Process};

/// How long the server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the server remembers which modules it has tried out.
const TRIALS: &str = "module-probes.json";

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    home: TempDir,
    address: SocketAddr,
    start_time: Duration,
}

impl Server {
    /// Starts the server of a release directory and waits until it accepts connections.
    pub(crate) fn start(release: &Path, cores: Cores) -> Result<Self, Error> {
        Self::start_in(new_home()?, release, cores, &json!({}))
    }

    /// The same with a garbage collector that runs every `period` seconds.
    pub(crate) fn start_collecting(
        release: &Path,
        cores: Cores,
        period: u64,
    ) -> Result<Self, Error> {
        let resources = json!({"garbageCollectorPeriod": period});
        Self::start_in(new_home()?, release, cores, &resources)
    }

    /// Ends it and starts it again: it remembers what it learnt about its modules.
    pub(crate) fn restart(self, release: &Path, cores: Cores) -> Result<Self, Error> {
        let kept = new_home()?;
        fs::copy(self.home.path().join(TRIALS), kept.path().join(TRIALS))
            .map_err(Error::system("what the server remembers of its modules"))?;
        drop(self);
        Self::start_in(kept, release, cores, &json!({}))
    }

    fn start_in(
        home: TempDir,
        release: &Path,
        cores: Cores,
        resources: &Value,
    ) -> Result<Self, Error> {
        let binary = release.join("rivero");
        let modules = release.join("modules");
        for needed in [&binary, &modules.join("webrtc.so")] {
            if !needed.exists() {
                let needed = needed.display();
                return Err(Error::Other(format!(
                    "{needed} is missing: run `make build-tests`"
                )));
            }
        }
        let address = free_address().map_err(Error::system("a free port"))?;
        lay_out(home.path(), address.port(), resources)
            .map_err(Error::system("the configuration"))?;
        let mut command = Command::new(&binary);
        command
            .arg("--conf-file")
            .arg(home.path().join("kurento.conf.json"))
            .arg("--modules-path")
            .arg(&modules)
            .arg("--modules-config-path")
            .arg(home.path().join("config"))
            .arg("--data-path")
            .arg(home.path());
        Self::spawn(command, home, address, cores)
    }

    /// Starts the forwarder of the `webrtc` crate, which answers the load's requests likewise.
    pub(crate) fn start_forwarder(release: &Path, cores: Cores) -> Result<Self, Error> {
        let binary = release.join("rivero-forwarder");
        if !binary.exists() {
            let binary = binary.display();
            return Err(Error::Other(format!(
                "{binary} is missing: run `make build-tests`"
            )));
        }
        let address = free_address().map_err(Error::system("a free port"))?;
        let mut command = Command::new(&binary);
        command.arg(address.to_string());
        Self::spawn(command, new_home()?, address, cores)
    }

    fn spawn(
        mut command: Command,
        home: TempDir,
        address: SocketAddr,
        cores: Cores,
    ) -> Result<Self, Error> {
        let log = File::create(home.path().join("log")).map_err(Error::system("the log"))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        // A child inherits the cores of the thread that starts it.
        cores.enter_server()?;
        let begin = Instant::now();
        let child = command.spawn();
        cores.enter_generator()?;
        let program = command.get_program().to_string_lossy().into_owned();
        let mut server = Self {
            child: child.map_err(Error::system(program))?,
            home,
            address,
            start_time: Duration::ZERO,
        };
        server.wait_until_accepting(begin)?;
        Ok(server)
    }

    fn wait_until_accepting(&mut self, begin: Instant) -> Result<(), Error> {
        while TcpStream::connect(self.address).is_err() {
            if !matches!(self.child.try_wait(), Ok(None)) || begin.elapsed() > PATIENCE {
                let log = self.log();
                return Err(Error::Other(format!("the server did not start:\n{log}")));
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.start_time = begin.elapsed();
        Ok(())
    }

    /// Where its WebSocket is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From starting the process to accepting connections.
    pub(crate) fn start_time(&self) -> Duration {
        self.start_time
    }

    /// Its process.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// The sum of a figure of its `/metrics` over all labels.
    pub(crate) fn metric(&self, name: &str) -> Result<f64, Error> {
        let mut page = String::new();
        let fetch = |page: &mut String| -> io::Result<()> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(
                b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )?;
            stream.read_to_string(page).map(|_| ())
        };
        fetch(&mut page).map_err(Error::system("reading the metrics"))?;
        let values = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            if !rest.starts_with([' ', '{']) {
                return None;
            }
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        });
        Ok(values.sum())
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn new_home() -> Result<TempDir, Error> {
    TempDir::new().map_err(Error::system("a temporary directory"))
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A configuration in which nothing leaves the machine.
fn lay_out(home: &Path, port: u16, resources: &Value) -> io::Result<()> {
    let websocket = json!({"address": "127.0.0.1", "port": port, "path": "kurento"});
    let main = json!({"mediaServer": {"net": {"websocket": websocket}, "resources": resources}});
    fs::write(home.join("kurento.conf.json"), main.to_string())?;
    let classes = home.join("config").join("kurento");
    fs::create_dir_all(&classes)?;
    fs::write(
        classes.join("WebRtcEndpoint.conf.ini"),
        "networkInterfaces=lo\n",
    )
}
