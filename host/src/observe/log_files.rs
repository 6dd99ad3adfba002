//! A log in files of bounded size and number, named as Kurento names them:
//! `YYYY-MM-DDTHHMMSS.NNNNN.pidPID.log`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Access, access};

use super::civil_time::CivilTime;
use super::log::Destination;

const SECONDS_PER_DAY: u64 = 86_400;

/// Log files in place of standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Made if it is missing.
    pub directory: PathBuf,
    /// Bytes after which the next file begins.
    pub size: u64,
    /// Files that are kept.
    pub count: usize,
}

impl Files {
    /// Whether there is, or can be, a directory that can be written to; nothing is made.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let mut place = self.directory.as_path();
        // An empty parent is that of a relative name: the current directory.
        while !place.as_os_str().is_empty() && !place.exists() {
            place = place.parent().unwrap_or(Path::new(""));
        }
        let place = match place.as_os_str().is_empty() {
            true => Path::new("."),
            false => place,
        };
        let outcome = match place.is_dir() {
            true => access(place, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from),
            false => Err(io::ErrorKind::NotADirectory.into()),
        };
        outcome.map_err(|error| format!("Cannot write log files: {}: {error}", place.display()))
    }
}

/// Writes to the newest file; begins another one when it is full or the day (UTC) ends.
#[derive(Debug)]
pub(super) struct LogFiles {
    files: Files,
    current: File,
    written: u64,
    day: u64,
    next_number: u32,
    /// Those that are there, oldest first, earlier runs' included.
    kept: Vec<PathBuf>,
    now: fn() -> u64,
}

impl LogFiles {
    /// Begins the first file.
    pub(super) fn open(files: Files) -> io::Result<LogFiles> {
        LogFiles::open_at(files, now)
    }

    fn open_at(files: Files, now: fn() -> u64) -> io::Result<LogFiles> {
        let (path, current) = create(&files, 0, now())?;
        let mut kept = present(&files.directory)?;
        kept.retain(|known| *known != path);
        kept.push(path);
        let mut log = LogFiles {
            files,
            current,
            written: 0,
            day: now() / SECONDS_PER_DAY,
            next_number: 1,
            kept,
            now,
        };
        log.remove_surplus();
        Ok(log)
    }

    fn begin_next(&mut self, now: u64) -> io::Result<()> {
        let (path, file) = create(&self.files, self.next_number, now)?;
        self.current = file;
        self.written = 0;
        self.day = now / SECONDS_PER_DAY;
        self.next_number += 1;
        self.kept.push(path);
        self.remove_surplus();
        Ok(())
    }

    fn remove_surplus(&mut self) {
        let surplus = self.kept.len().saturating_sub(self.files.count.max(1));
        for old in self.kept.drain(..surplus) {
            // Somebody else may have removed it.
            let _ = fs::remove_file(old);
        }
    }
}

impl Destination for LogFiles {
    /// Between lines, so that none is divided between two files.
    fn begin_line(&mut self, length: usize) -> io::Result<()> {
        let now = (self.now)();
        let is_full = self.written > 0 && self.written + length as u64 > self.files.size;
        if is_full || now / SECONDS_PER_DAY != self.day {
            self.begin_next(now)?;
        }
        Ok(())
    }
}

impl Write for LogFiles {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.current.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.current.flush()
    }
}

/// The log files of a directory by their names, which begin with the time.
fn present(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(is_log_file)
    });
    paths.sort();
    Ok(paths)
}

/// Whether a name is one that [`create`] gives.
fn is_log_file(name: &str) -> bool {
    let mut parts = name.split('.');
    let [Some(time), Some(number), Some(process), Some("log"), None] =
        std::array::from_fn(|_| parts.next())
    else {
        return false;
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    time.len() == "YYYY-MM-DDTHHMMSS".len()
        && all_digits(number)
        && process.strip_prefix("pid").is_some_and(all_digits)
}

fn create(files: &Files, number: u32, now: u64) -> io::Result<(PathBuf, File)> {
    let time = CivilTime::from_epoch(i64::try_from(now).unwrap_or(i64::MAX));
    let (date, hour, minute, second) = (time.date(), time.hour, time.minute, time.second);
    let name = format!(
        "{date}T{hour:02}{minute:02}{second:02}.{number:05}.pid{}.log",
        std::process::id()
    );
    let path = files.directory.join(name);
    // Somebody may have removed it since the start.
    fs::create_dir_all(&files.directory)?;
    let file = File::options().create(true).append(true).open(&path)?;
    Ok((path, file))
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CLOCK: AtomicU64 = AtomicU64::new(1_795_170_569);

    #[test]
    fn files_are_bounded_in_size_number_and_age() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files {
            directory: directory.path().join("logs"),
            size: 10,
            count: 2,
        };
        fs::create_dir(&files.directory).unwrap();
        let foreign = files.directory.join("2026-11-20.log");
        let former = files.directory.join("2026-11-20T101112.00003.pid77.log");
        for file in [&foreign, &former] {
            fs::write(file, "earlier\n").unwrap();
        }
        let mut log = LogFiles::open_at(files.clone(), || CLOCK.load(Ordering::Relaxed)).unwrap();
        let mut write = |line: &str| {
            log.begin_line(line.len()).unwrap();
            log.write_all(line.as_bytes()).unwrap();
        };
        for line in ["first\n", "2nd\n", "third\n", "4th\n"] {
            write(line);
        }
        assert!(foreign.exists() && !former.exists());
        fs::remove_file(foreign).unwrap();
        CLOCK.fetch_add(SECONDS_PER_DAY, Ordering::Relaxed);
        write("5\n");
        let mut names: Vec<_> = fs::read_dir(&files.directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        let texts: Vec<_> = names
            .iter()
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        assert_eq!(texts, ["third\n4th\n", "5\n"]);
        let name = names[1].file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            name.starts_with("2026-11-21T102929.00002.pid") && name.ends_with(".log"),
            "{name}"
        );
    }
}
