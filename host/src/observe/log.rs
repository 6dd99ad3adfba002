//! The server's log: from events to lines, and the thread that writes them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rivero_plugin_api::supervise;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::log_limit::{LogLimit, Suppressed, Verdict, WINDOW};
use super::log_line::{LogFormat, Record, origin};
use super::log_queue::LogQueue;
use super::log_tail;

/// The target of what the log says of itself.
const TARGET: &str = module_path!();

/// Where lines end up. Only the log's own thread writes, so it may take its time.
pub(super) trait Destination: Write + Send {
    /// Called before a line of so many bytes.
    fn begin_line(&mut self, length: usize) -> io::Result<()>;
}

/// A log and its thread.
#[derive(Debug)]
pub(super) struct Log {
    format: LogFormat,
    colours: bool,
    queue: LogQueue,
    limit: LogLimit,
    lost: AtomicU64,
    suppressed: AtomicU64,
}

impl Log {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(
        format: LogFormat,
        colours: bool,
        destination: impl Destination + 'static,
    ) -> io::Result<Arc<Log>> {
        let log = Arc::new(Log {
            format,
            colours,
            queue: LogQueue::default(),
            limit: LogLimit::default(),
            lost: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        });
        let mut writer = Writer {
            log: log.clone(),
            destination,
            unreported: 0,
            torn: false,
        };
        supervise::lasting_thread("log", move || writer.run())?;
        Ok(log)
    }

    /// Lines that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Lines beyond what their place may write.
    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed.load(Relaxed)
    }

    /// Waits until everything is written, for `patience` at most.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        for suppressed in self.limit.all() {
            self.put(&told(suppressed));
        }
        self.queue.flush(patience)
    }

    fn put(&self, record: &Record) {
        let line = record.line(self.format, self.colours);
        if !self.queue.push(line.as_bytes()) {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    /// Whether a line is within what its place may write. What is only logged on request
    /// (`debug`, `trace`) is not limited: whoever asks for it wants it all.
    fn admits(&self, event: &Event<'_>, record: &Record) -> bool {
        if record.level > Level::INFO {
            return true;
        }
        let (module, target) = origin(event.metadata(), record);
        let mut place = DefaultHasher::new();
        (event.metadata().callsite(), module, target).hash(&mut place);
        let describe = || Suppressed {
            level: record.level,
            origin: (module.to_owned(), target.to_owned()),
            example: record.message.clone(),
            count: 0,
        };
        match self.limit.admit(place.finish(), Instant::now(), describe) {
            Verdict::Write => true,
            Verdict::Suppress { first } => {
                self.suppressed.fetch_add(1, Relaxed);
                if first {
                    // The thread has to learn when this is to be told.
                    self.queue.wake();
                }
                false
            }
        }
    }
}

/// What subscribes to events.
pub(super) struct LogLayer(pub(super) Arc<Log>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let record = Record::of(event);
        if self.0.admits(event, &record) {
            self.0.put(&record);
            log_tail::keep(record);
        }
    }
}

/// The line about lines that were not written.
fn told(suppressed: Suppressed) -> Record {
    let Suppressed {
        level,
        origin: (module, target),
        example,
        count,
    } = suppressed;
    let origin = match module.as_str() {
        "" => target,
        module => format!("{module} {target}"),
    };
    let seconds = WINDOW.as_secs();
    let message =
        format!("{count} more lines like this within {seconds} s are not shown: {example}");
    Record::new(level, &origin, message).with("suppressed", count)
}

/// The thread that writes.
struct Writer<D> {
    log: Arc<Log>,
    destination: D,
    /// Lines that were lost and are not told of yet.
    unreported: u64,
    /// The latest line was not written to its end.
    torn: bool,
}

impl<D: Destination> Writer<D> {
    /// Writes for as long as the process lives.
    fn run(&mut self) {
        let mut batch = Vec::new();
        loop {
            let taken = self.log.queue.take(&mut batch, self.log.limit.next());
            for line in batch.split_inclusive(|byte| *byte == b'\n') {
                self.line(line);
            }
            // Those came after the ones in the batch.
            self.unreported += taken.lost;
            self.report();
            for suppressed in self.log.limit.over(Instant::now()) {
                let record = told(suppressed);
                let line = record.line(self.log.format, self.log.colours);
                self.line(line.as_bytes());
                log_tail::keep(record);
            }
            // An error is told by the next line that fails.
            let _ = self.destination.flush();
        }
    }

    /// Writes a line, after what is to be told of those before it.
    fn line(&mut self, line: &[u8]) {
        if !self.report() || self.write(line).is_err() {
            self.unreported += 1;
            self.log.lost.fetch_add(1, Relaxed);
        }
    }

    /// Tells of lost lines, if that is possible again.
    fn report(&mut self) -> bool {
        if self.unreported == 0 {
            return true;
        }
        let message = format!("{} lines were lost here", self.unreported);
        let record = Record::new(Level::WARN, TARGET, message).with("lost", self.unreported);
        let line = record.line(self.log.format, self.log.colours);
        let written = self.write(line.as_bytes()).is_ok();
        if written {
            self.unreported = 0;
        }
        written
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.destination.begin_line(line.len())?;
        if self.torn {
            self.destination.write_all(b"\n")?;
            self.torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.destination.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.torn = !rest.is_empty();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
