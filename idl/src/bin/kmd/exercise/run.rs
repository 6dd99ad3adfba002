//! Processes that put a module through something, and what is made of their ends.

use super::plan::{Fault, Finding, Job, Line};
use crate::Failure;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// A process that has not said for so long what it does next does not return. A call may take 9 s.
const PATIENCE: Duration = Duration::from_secs(20);
/// And that is over by then, whatever it says. A thousand objects of a large module take minutes.
const LONGEST: Duration = Duration::from_secs(600);
/// Bytes at the end of what it printed that are looked at.
const TAIL: usize = 4096;

/// A directory that goes with its owner.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("kmd-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)
            .map_err(|error| Failure(Some(format!("{}: {error}", path.display()))))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Does a job in a process of its own, in a directory of its own; what was found.
pub(crate) fn run(job: &Job) -> Result<Vec<Finding>, Failure> {
    run_within(job, PATIENCE)
}

/// The same, where a step has so long.
pub(super) fn run_within(job: &Job, patience: Duration) -> Result<Vec<Finding>, Failure> {
    let scratch = Scratch::new("exercise")?;
    let place = |name: &str| scratch.path().join(name);
    let (input, report, printed) = (place("job"), place("report"), place("printed"));
    fs::write(&input, serde_json::to_vec(job)?)?;
    File::create_new(&report)?;
    let output = File::create_new(&printed)?;
    fs::create_dir(place("home"))?;
    let child = Command::new(std::env::current_exe()?)
        .arg("exercise")
        .args([&input, &report])
        .current_dir(place("home"))
        .env("TMPDIR", place("home"))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let end = Watched {
        child,
        report: &report,
        patience,
    }
    .wait()?;
    let lines = lines(&report);
    let mut found: Vec<Finding> = Vec::new();
    for line in &lines {
        if let Line::Found(finding) = line
            && !found.contains(finding)
        {
            found.push(finding.clone());
        }
    }
    if !matches!(lines.last(), Some(Line::Done)) {
        let doing = lines.iter().rev().find_map(|line| match line {
            Line::Doing(text) => Some(text.as_str()),
            _ => None,
        });
        found.push(unfinished(
            end,
            doing.unwrap_or("its start"),
            &tail(&printed),
        ));
    }
    Ok(found)
}

fn lines(report: &Path) -> Vec<Line> {
    let text = fs::read_to_string(report).unwrap_or_default();
    let lines = text.lines().map(serde_json::from_str);
    lines.map_while(Result::ok).collect()
}

/// What the end of a process means that had not done everything. `None`: it had to be ended.
fn unfinished(end: Option<ExitStatus>, doing: &str, printed: &str) -> Finding {
    let Some(status) = end else {
        let text = format!("{doing}: it does not return");
        let fault = Fault::Hang;
        return Finding { fault, text };
    };
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => named(signal),
        (None, Some(code)) => format!("code {code}"),
        (None, None) => status.to_string(),
    };
    let last = printed.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or_else(String::new, |line| format!("; it printed last: {line}"));
    Finding {
        fault: Fault::End,
        text: format!("{doing}: it ends the process ({how}){last}"),
    }
}

fn named(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

fn tail(file: &Path) -> String {
    let content = fs::read(file).unwrap_or_default();
    let begin = content.len().saturating_sub(TAIL);
    String::from_utf8_lossy(content.get(begin..).unwrap_or_default()).into_owned()
}

/// A process that goes with its owner.
struct Watched<'a> {
    child: Child,
    report: &'a Path,
    patience: Duration,
}

impl Watched<'_> {
    /// How it ended; `None` if it had to be ended, because it did not go on.
    fn wait(mut self) -> Result<Option<ExitStatus>, Failure> {
        let begun = Instant::now();
        let (mut size, mut since) = (0, begun);
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            let now = fs::metadata(self.report).map_or(0, |file| file.len());
            if now != size {
                (size, since) = (now, Instant::now());
            }
            if since.elapsed() > self.patience || begun.elapsed() > LONGEST {
                return Ok(None);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
