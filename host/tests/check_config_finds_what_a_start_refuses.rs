//! `check-config` builds what a start builds: what keeps a server from starting, or is worth a
//! warning, it finds as well. Neither hangs, whatever the names of files lead to.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::process::{PATIENCE, command, free_address, listening_at};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

/// Runs a program that ends by itself at once; returns its status and standard error.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("it does not end: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

fn check(directory: &Path, configuration: &Value, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(directory, configuration);
    run(command.arg("check-config").args(arguments))
}

/// A start is refused, and the check finds the same.
fn refused(directory: &Path, configuration: &Value, text: &str) {
    for argument in ["check-config", "--strict-config"] {
        let mut command = command(directory, configuration);
        let (status, stderr) = run(command.arg(argument));
        assert_eq!(status, Some(1), "{argument} {configuration}: {stderr}");
        assert!(stderr.contains(text), "{argument}, {text}: {stderr}");
    }
}

fn secure(certificate: &Path) -> Value {
    let secure = json!({"port": 1, "certificate": certificate});
    json!({"mediaServer": {"net": {"websocket": {"port": 0, "secure": secure}}}})
}

fn fifo(directory: &Path, name: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

fn sparse(directory: &Path, name: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    path
}

#[test]
fn certificates_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let missing = json!({"mediaServer": {"net": {"websocket": {"secure": {"port": 1}}}}});
    refused(directory, &missing, "secure.certificate is missing");
    refused(directory, &secure(Path::new("none.pem")), "No such file");
    let empty = directory.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    refused(directory, &secure(&empty), "it contains no certificate");
    for special in [
        fifo(directory, "fifo.pem"),
        "/dev/zero".into(),
        directory.to_owned(),
    ] {
        refused(directory, &secure(&special), "it is no regular file");
    }
    let large = sparse(directory, "large.pem");
    refused(directory, &secure(&large), "it is larger than 1 MB");
}

#[test]
fn settings_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = [
        (
            json!({"resources": {"exceptionLimit": -1}}),
            "exceptionLimit: '-1'",
        ),
        (
            json!({"resources": {"exceptionLimit": "NaN"}}),
            "exceptionLimit: 'NaN'",
        ),
        (json!({"resources": {"killLimit": 2}}), "killLimit: '2'"),
        (
            json!({"net": {"websocket": {"path": "a b"}}}),
            "path: 'a b'",
        ),
        (
            json!({"net": {"websocket": {"registrar": {"address": "http://host"}}}}),
            "registrar.address: 'http://host'",
        ),
        (
            json!({"net": {"websocket": {"registrar": {"localAddress": "a/b"}}}}),
            "registrar.localAddress: 'a/b'",
        ),
    ];
    for (part, text) in wrong {
        let mut configuration = listening_at(free_address());
        let parts = configuration["mediaServer"].as_object_mut().unwrap();
        for (name, value) in part.as_object().unwrap() {
            match parts.get_mut(name) {
                Some(net) => net["websocket"]
                    .as_object_mut()
                    .unwrap()
                    .extend(value["websocket"].as_object().unwrap().clone()),
                None => drop(parts.insert(name.clone(), value.clone())),
            }
        }
        refused(directory.path(), &configuration, text);
    }
}

#[test]
fn addresses_that_this_machine_does_not_have() {
    let directory = tempfile::tempdir().unwrap();
    let address = "192.0.2.1:1".parse().unwrap();
    refused(
        directory.path(),
        &listening_at(address),
        "Cannot listen on port 1",
    );
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let configuration = listening_at(busy.local_addr().unwrap());
    let (status, stderr) = check(directory.path(), &configuration, &[]);
    assert_eq!(
        status,
        Some(0),
        "the server that runs now has the port: {stderr}"
    );
}

#[test]
fn main_files_that_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let device = directory.join("device.conf.json");
    symlink("/dev/zero", &device).unwrap();
    let folder = directory.join("folder.conf.json");
    std::fs::create_dir(&folder).unwrap();
    let large = sparse(directory, "large.conf.json");
    let fifo = fifo(directory, "fifo.conf.json");
    for file in [&device, &folder, &large, &fifo] {
        for arguments in [["check-config"].as_slice(), &[]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rivero"));
            command.arg("-f").arg(file).args(arguments);
            let (status, stderr) = run(command.stderr(Stdio::piped()));
            assert_eq!(status, Some(1), "{file:?}: {stderr}");
            let line = stderr
                .lines()
                .find(|line| line.contains("Error reading configuration"));
            let line = line.unwrap_or_else(|| panic!("{file:?}: {stderr}"));
            assert!(
                line.contains("it is no regular file") || line.contains("it is larger than 4 MB")
            );
        }
    }
}

#[test]
fn log_files_that_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("below")] {
        let configuration = listening_at(free_address());
        for argument in ["check-config", "--strict-config"] {
            let mut command = command(directory.path(), &configuration);
            let (status, stderr) = run(command.arg(argument).arg("--logs-path").arg(&place));
            assert_eq!(status, Some(1), "{stderr}");
            assert!(stderr.contains("Cannot write log files"), "{stderr}");
        }
    }
    let configuration = listening_at(free_address());
    let place = directory.path().join("new/logs");
    let place = place.to_str().unwrap();
    let (status, stderr) = check(directory.path(), &configuration, &["--logs-path", place]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(!Path::new(place).exists(), "a check writes nothing");
}

#[test]
fn a_stray_argument_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = listening_at(free_address());
    let (status, stderr) = check(directory.path(), &configuration, &["2>&1", "-x"]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains(r#"the argument "2>&1" is not known and ignored"#));
    assert!(stderr.contains(r#"the argument "-x" is not known"#));
}
