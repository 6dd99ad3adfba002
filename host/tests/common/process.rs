//! The program as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for a loaded machine; nothing waits this long unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the build has put it.
const PROGRAM: &str = env!("CARGO_BIN_EXE_rivero");

/// The program with a configuration file in `directory`, which is its data directory, too.
pub fn command(directory: &Path, configuration: &Value) -> Command {
    command_of(Path::new(PROGRAM), directory, configuration)
}

fn command_of(program: &Path, directory: &Path, configuration: &Value) -> Command {
    let file = directory.join("rivero.conf.json");
    std::fs::write(&file, configuration.to_string()).unwrap();
    let mut command = Command::new(program);
    command.arg("--conf-file").arg(file);
    command.arg("--data-path").arg(directory);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// An address that is free now.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// The configuration of a server there.
pub fn listening_at(address: SocketAddr) -> Value {
    json!({"mediaServer": {
        "net": {"websocket": {"address": address.ip(), "port": address.port()}},
    }})
}

/// A server that is ended with the test.
pub struct Running {
    pub child: Child,
    pub address: SocketAddr,
    /// Its configuration and its data, removed when the server has ended.
    pub directory: TempDir,
}

impl Running {
    /// Starts one that accepts connections when this returns; `change` may add arguments. Its
    /// standard error is not read.
    pub fn start(change: impl FnOnce(&mut Command)) -> Running {
        Running::of(PROGRAM, listening_at, change)
    }

    /// With another configuration.
    pub fn start_with(configuration: impl FnOnce(SocketAddr) -> Value) -> Running {
        Running::of(PROGRAM, configuration, |command| {
            command.args(["--management-port", "0"]);
        })
    }

    /// The same program, by another path.
    pub fn start_program(program: &Path, change: impl FnOnce(&mut Command)) -> Running {
        Running::of(program, listening_at, change)
    }

    fn of(
        program: impl AsRef<Path>,
        configuration: impl FnOnce(SocketAddr) -> Value,
        change: impl FnOnce(&mut Command),
    ) -> Running {
        let directory = tempfile::tempdir().unwrap();
        let address = free_address();
        let configuration = configuration(address);
        let mut command = command_of(program.as_ref(), directory.path(), &configuration);
        change(&mut command);
        let running = Running {
            child: command.spawn().unwrap(),
            address,
            directory,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "the server does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        running
    }

    /// Sends a request and returns the whole answer, up to the end of the connection.
    pub fn request(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The page at a path.
    pub fn page(&self, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = self.request(&head);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        body.to_owned()
    }

    /// A handshake with a path that is wrong; it has been refused when this returns.
    pub fn knock(&self, path: &str) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Up to a close frame, whose end this does not wait for, or to the end.
        let mut answer = Vec::new();
        let end_of_head = |answer: &[u8]| answer.windows(4).position(|part| part == b"\r\n\r\n");
        while end_of_head(&answer).is_none_or(|end| end + 4 == answer.len()) {
            let mut chunk = [0; 1024];
            match stream.read(&mut chunk).unwrap() {
                0 => return,
                length => answer.extend_from_slice(&chunk[..length]),
            }
        }
    }

    /// Lines of standard error from now on.
    pub fn lines(&mut self) -> Receiver<String> {
        let stderr = BufReader::new(self.child.stderr.take().unwrap());
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let lines = stderr.lines().map_while(Result::ok);
            // To the end, even if nobody waits for them any more.
            lines.for_each(|line| drop(sender.send(line)));
        });
        receiver
    }

    /// Writes another configuration, which counts once it is read.
    pub fn configure(&self, configuration: &Value) {
        let file = self.directory.path().join("rivero.conf.json");
        std::fs::write(file, configuration.to_string()).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for the end.
    pub fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first line that contains `text`.
pub fn wait_for_line(lines: &Receiver<String>, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left);
        let line = line.unwrap_or_else(|_| panic!("no line contains {text:?}"));
        if line.contains(text) {
            return line;
        }
    }
}
