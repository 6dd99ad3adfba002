use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::Mutex;
use tracing_subscriber::layer::SubscriberExt;

use super::super::log_limit::BURST;
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// What was written; a write waits while `gate` is not open, and fails while `broken`.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    text: String,
    gate: Option<Receiver<()>>,
    broken: bool,
}

impl Disk {
    fn blocked() -> (Disk, SyncSender<()>) {
        let (opener, gate) = sync_channel(0);
        let disk = Disk::default();
        disk.0.lock().gate = Some(gate);
        (disk, opener)
    }

    fn text(&self) -> String {
        self.0.lock().text.clone()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gate = self.0.lock().gate.take();
        // Until it is opened; the lock is not held meanwhile.
        let _ = gate.map(|gate| gate.recv());
        let mut state = self.0.lock();
        if state.broken {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // In two parts, as a pipe may take a line.
        let length = bytes.len().div_ceil(2);
        state
            .text
            .push_str(&String::from_utf8_lossy(&bytes[..length]));
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Destination for Disk {
    fn begin_line(&mut self, _: usize) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `body` with a log that writes to `disk`.
fn with_log(disk: &Disk, body: impl FnOnce(&Log)) {
    let log = Log::start(LogFormat::Text, false, disk.clone()).unwrap();
    let subscriber = tracing_subscriber::registry().with(LogLayer(log.clone()));
    tracing::subscriber::with_default(subscriber, || body(&log));
}

#[test]
fn a_writer_that_is_stuck_blocks_nobody_and_what_is_lost_is_told() {
    let (disk, opener) = Disk::blocked();
    with_log(&disk, |log| {
        tracing::debug!("the first one");
        while disk.0.lock().gate.is_some() {
            std::thread::yield_now();
        }
        let filling = "x".repeat(4000);
        // Debug lines are not limited by their place.
        (0..2000).for_each(|number| tracing::debug!(number, "{filling}"));
        let lost = log.lost();
        assert!(lost > 1000, "{lost}");
        assert!(!log.flush(Duration::from_millis(10)));
        drop(opener);
        assert!(log.flush(PATIENCE));
        tracing::debug!("after all");
        assert!(log.flush(PATIENCE));
        let text = disk.text();
        let told = format!("{lost} lines were lost here lost={lost}\n");
        let warnings: Vec<&str> = text.lines().filter(|line| line.contains("WARN")).collect();
        assert!(text.contains(&told), "{warnings:?}");
        assert!(text.ends_with("after all\n"));
        assert_eq!(text.lines().count(), 2000 - lost as usize + 3);
    });
}

#[test]
fn a_full_disk_is_told_when_there_is_room_again() {
    let disk = Disk::default();
    with_log(&disk, |log| {
        tracing::info!("before");
        assert!(log.flush(PATIENCE));
        disk.0.lock().broken = true;
        (0..3).for_each(|_| tracing::info!("gone"));
        assert!(log.flush(PATIENCE));
        disk.0.lock().broken = false;
        tracing::info!("after");
        assert!(log.flush(PATIENCE));
        assert_eq!(log.lost(), 3);
        let text = disk.text();
        assert!(text.contains("WARN") && text.contains("3 lines were lost here lost=3\n"));
        assert!(!text.contains("gone") && text.ends_with("after\n"));
    });
}

#[test]
fn one_place_cannot_fill_the_log() {
    let disk = Disk::default();
    with_log(&disk, |log| {
        (0..BURST + 57).for_each(|_| tracing::warn!("refused"));
        tracing::info!("something else");
        assert!(log.flush(PATIENCE));
        assert_eq!(log.suppressed(), 57);
        let text = disk.text();
        let refused = text.lines().filter(|line| line.ends_with(": refused"));
        assert_eq!(refused.count(), BURST as usize);
        assert!(text.contains("57 more lines like this within 10 s are not shown: refused"));
        assert!(text.contains("suppressed=57\n") && text.contains("something else"));
    });
}
