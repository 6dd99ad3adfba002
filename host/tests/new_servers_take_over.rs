//! A new process takes the place of one that runs, and nothing of what runs is cut.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Receiver;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::common::Client;
use crate::common::process::{PATIENCE, Running, listening_at, wait_for_line};

/// A process that is no child of the test.
struct Orphan(Pid);

impl Orphan {
    /// The one that this word to a service manager names.
    fn named(word: &str) -> Orphan {
        let mut lines = word.lines();
        let pid = lines.find_map(|line| line.strip_prefix("MAINPID="));
        let pid = pid.unwrap().parse().unwrap();
        Orphan(Pid::from_raw(pid).unwrap())
    }

    async fn ended(&self) {
        let ended = async {
            while is_running(self.0) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap();
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

/// Whether there is such a process, and not only what nobody has asked for its exit status.
fn is_running(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let is_zombie = status.is_ok_and(|stat| stat.contains(") Z "));
    test_kill_process(pid).is_ok() && !is_zombie
}

/// Waits for lines of two processes, which come in any order.
fn wait_for_lines(lines: &Receiver<String>, texts: [&str; 2]) {
    let is_either = |line: &String| texts.iter().any(|text| line.contains(text));
    let first = std::iter::from_fn(|| lines.recv_timeout(PATIENCE).ok()).find(is_either);
    let first = first.unwrap();
    let rest = texts.iter().find(|text| !first.contains(**text)).unwrap();
    wait_for_line(lines, rest);
}

/// A service manager that listens.
struct Manager {
    directory: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Manager {
        // Beside the program, so that a file there can be another name of it.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { directory, socket }
    }

    fn start(&self) -> Running {
        Running::start(|command| self.change(command))
    }

    fn change(&self, command: &mut Command) {
        command.env("NOTIFY_SOCKET", self.directory.path().join("notify"));
        command.args(["--management-port", "0"]);
    }

    fn word(&self, text: &str) -> String {
        let mut buffer = [0; 1024];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap();
            let word = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if word.contains(text) {
                return word;
            }
        }
    }

    /// Puts a file in place of another, as an installation does.
    fn install(&self, content: &Path, place: &Path) {
        let beside = self.directory.path().join("new");
        std::fs::copy(content, &beside).unwrap();
        std::fs::set_permissions(&beside, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::rename(beside, place).unwrap();
    }
}

async fn server_id(client: &mut Client) -> String {
    let result = client.result("connect", json!({})).await;
    result["serverId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_runs_goes_on_and_whoever_comes_is_served_by_the_new_one() {
    let manager = Manager::new();
    let mut old = manager.start();
    let lines = old.lines();
    let mut early = Client::connect(old.address, "/kurento").await;
    let first = server_id(&mut early).await;
    let pipeline = early.create("MediaPipeline", json!({})).await;
    old.signal(Signal::USR2);
    manager.word("RELOADING=1");
    let word = manager.word("MAINPID=");
    assert!(word.contains("READY=1"), "{word}");
    let new = Orphan::named(&word);
    wait_for_line(&lines, "has taken over; this one ends with its last object");

    let mut late = Client::connect(old.address, "/kurento").await;
    let second = server_id(&mut late).await;
    assert_ne!(first, second);
    // All that the old one can do it still does, on its connections.
    early.invoke(&pipeline, "getName", Value::Null).await;
    let another = early.create("MediaPipeline", json!({})).await;
    early.result("release", json!({"object": pipeline})).await;
    early.invoke(&another, "getName", Value::Null).await;
    // It speaks for the server no more, and ends with its last object.
    early.send("release", json!({"object": another})).await;
    while let Some(Ok(_)) = early.receive_text().await {}
    assert!(old.ended().success());
    wait_for_line(&lines, "the server before this one has ended");

    // The new one hands over as well, and at its end waits for whom it followed.
    let kept = late.create("MediaPipeline", json!({})).await;
    kill_process(new.0, Signal::USR2).unwrap();
    let newest = Orphan::named(&manager.word("MAINPID="));
    assert_ne!(newest.0, new.0);
    late.invoke(&kept, "getName", Value::Null).await;
    let mut latest = Client::connect(old.address, "/kurento").await;
    assert_ne!(server_id(&mut latest).await, second);
    kill_process(newest.0, Signal::TERM).unwrap();
    while let Some(Ok(_)) = late.receive_text().await {}
    new.ended().await;
    newest.ended().await;
    assert!(manager.word("STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
}

#[tokio::test]
async fn a_new_program_that_fails_changes_nothing_and_one_that_works_takes_over() {
    let manager = Manager::new();
    let program = manager.directory.path().join("rivero");
    let original = Path::new(env!("CARGO_BIN_EXE_rivero"));
    manager.install(original, &program);
    let mut old = Running::start_program(&program, |command| manager.change(command));
    let lines = old.lines();
    let mut client = Client::connect(old.address, "/kurento").await;
    let id = server_id(&mut client).await;
    let pipeline = client.create("MediaPipeline", json!({})).await;

    // A program that ends at once.
    let failing = manager.directory.path().join("failing");
    std::fs::write(&failing, "#!/bin/sh\nexit 3\n").unwrap();
    manager.install(&failing, &program);
    old.signal(Signal::HUP);
    wait_for_line(&lines, "nothing changes, no other process takes over");
    assert!(
        manager
            .word("STATUS=serving;")
            .contains("the last reload failed")
    );

    // One that cannot use the configuration.
    manager.install(original, &program);
    let mut broken = listening_at(old.address);
    broken["mediaServer"]["limits"] = json!({"nonsense": 1});
    old.configure(&broken);
    old.signal(Signal::HUP);
    wait_for_lines(
        &lines,
        [
            "unknown key 'mediaServer.limits.nonsense'",
            "nothing changes, no other process takes over: the new process ended",
        ],
    );
    client.invoke(&pipeline, "getName", Value::Null).await;
    let mut other = Client::connect(old.address, "/kurento").await;
    assert_eq!(server_id(&mut other).await, id);

    old.configure(&listening_at(old.address));
    old.signal(Signal::HUP);
    let _new = Orphan::named(&manager.word("MAINPID="));
    let mut other = Client::connect(old.address, "/kurento").await;
    assert_ne!(server_id(&mut other).await, id);
    client.invoke(&pipeline, "getName", Value::Null).await;
}

#[tokio::test]
async fn a_client_that_comes_back_finds_its_session_with_the_old_one() {
    let manager = Manager::new();
    let mut old = manager.start();
    let mut early = Client::connect(old.address, "/kurento").await;
    let connected = early.result("connect", json!({})).await;
    let session = json!({"sessionId": connected["sessionId"]});
    let pipeline = early.create("MediaPipeline", json!({})).await;
    early
        .subscribe("manager_ServerManager", "ObjectCreated")
        .await;
    // Twice, so that the way leads through a process in between.
    old.signal(Signal::USR2);
    let between = Orphan::named(&manager.word("MAINPID="));
    kill_process(between.0, Signal::USR2).unwrap();
    let new = Orphan::named(&manager.word("MAINPID="));
    drop(early);

    let mut back = Client::connect(old.address, "/kurento").await;
    // One that nobody has is unknown, and the connection goes on.
    let unknown = json!({"sessionId": "00000000-0000-0000-0000-000000000000"});
    assert_eq!(back.error("connect", unknown).await.0, 40007);
    let returned = back.result("connect", session.clone()).await;
    assert_eq!(returned["sessionId"], session["sessionId"]);
    assert_eq!(returned["serverId"], connected["serverId"]);
    back.invoke(&pipeline, "getName", Value::Null).await;
    let another = back.create("MediaPipeline", json!({})).await;
    assert_eq!(back.event().await["type"], "ObjectCreated");
    let long = "x".repeat(7_000);
    back.invoke(&pipeline, "setName", json!({"name": long.as_str()}))
        .await;
    assert_eq!(back.invoke(&pipeline, "getName", Value::Null).await, long);
    // Beside it, others are served by the new one.
    let mut late = Client::connect(old.address, "/kurento").await;
    assert_ne!(server_id(&mut late).await, connected["serverId"]);

    back.result("release", json!({"object": another})).await;
    back.send("release", json!({"object": pipeline})).await;
    while let Some(Ok(_)) = back.receive_text().await {}
    assert!(old.ended().success());
    // With nothing left, the one in between ends as well.
    between.ended().await;
    let mut again = Client::connect(old.address, "/kurento").await;
    assert_eq!(again.error("connect", session).await.0, 40007);
    drop(new);
}
