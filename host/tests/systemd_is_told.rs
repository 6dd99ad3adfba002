//! What a service manager hears from the process that it started.

use std::os::unix::net::UnixDatagram;

use crate::common::process::{PATIENCE, Running};

/// What is said next that contains `text`.
fn wait_for_word(manager: &UnixDatagram, text: &str) -> String {
    let mut buffer = [0; 1024];
    loop {
        let length = manager.recv(&mut buffer).unwrap();
        let word = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if word.contains(text) {
            return word;
        }
    }
}

#[test]
fn it_hears_of_the_start_the_well_being_and_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = Running::start(|command| {
        command.env("NOTIFY_SOCKET", &socket);
        // Without WATCHDOG_PID it is for whoever reads it.
        command.env("WATCHDOG_USEC", "300000");
        command.args(["--management-port", "0"]);
    });
    assert!(wait_for_word(&manager, "READY=1").contains("STATUS=serving"));
    for _ in 0..3 {
        assert_eq!(wait_for_word(&manager, "WATCHDOG=1").trim(), "WATCHDOG=1");
    }
    assert!(server.terminate().success());
    let last = wait_for_word(&manager, "STOPPING=1");
    assert!(last.contains("EXTEND_TIMEOUT_USEC="), "{last}");
}
