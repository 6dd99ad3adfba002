//! Standard error, without the lock of the standard library: a thread that is stuck in a write
//! would keep it, and the next message of anybody would wait for it.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::log::Destination;

/// Of the thread that writes the last words.
const NAME: &str = "last-words";

/// The file descriptor 2.
#[derive(Debug)]
pub(super) struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stderr = rustix::stdio::stderr();
        loop {
            match rustix::io::write(stderr, bytes) {
                // Whoever shares the pipe with us may have made it non-blocking.
                Err(Errno::AGAIN) => wait_until_writable(stderr)?,
                other => return Ok(other?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Destination for StandardError {
    fn begin_line(&mut self, _: usize) -> io::Result<()> {
        Ok(())
    }
}

fn wait_until_writable(file: BorrowedFd<'_>) -> io::Result<()> {
    let mut files = [PollFd::new(&file, PollFlags::OUT)];
    poll(&mut files, None)?;
    Ok(())
}

/// Writes a text that ends the program, such as why it does not start, for `patience` at most:
/// nobody may be reading.
pub fn say(text: String, patience: Duration) {
    let (done, is_done) = mpsc::channel::<()>();
    let writer = thread::Builder::new().name(NAME.to_owned()).spawn(move || {
        let _ = StandardError.write_all(text.as_bytes());
        drop(done);
    });
    if writer.is_ok() {
        // Either way there is nobody else to tell.
        let _ = is_done.recv_timeout(patience);
    }
}
