//! Children that load files, and what becomes of them.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use rivero_plugin_api::supervise;

use super::in_child::{ORIGIN, REFUSED, USABLE, one_line};

/// A library that takes longer to load is not wanted.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last words of a child that ended are waited for: a process that it left
/// behind may hold its output open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How often a child that is silent is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Bytes of a child's standard error that are kept.
const TAIL: usize = 4096;

/// What kept a child from telling its verdicts.
struct End {
    reason: String,
    /// Whether another child could tell more.
    retry: bool,
}

impl End {
    fn died(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry: true,
        }
    }

    fn gave_up(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry: false,
        }
    }
}

/// Tries files out, in order.
///
/// One child loads as many as it survives, since libraries that share others load faster
/// together. The file that a child died of is tried once more in a child of its own, unless
/// it was the first: it may have died of what another one left behind.
pub(super) fn try_all(prober: &Path, files: &[&Path]) -> Vec<Result<(), String>> {
    let mut verdicts = Vec::new();
    while let Some(left) = files.get(verdicts.len()..).filter(|left| !left.is_empty()) {
        let begun = verdicts.len();
        let end = try_some(prober, left, None, &mut verdicts);
        let culprit = files.get(verdicts.len());
        if let (Some(culprit), Some(end)) = (culprit, end) {
            let was_first = verdicts.len() == begun;
            verdicts.push(match end.retry && !was_first {
                true => try_one(prober, culprit),
                false => Err(end.reason),
            });
        }
    }
    verdicts
}

/// Tries one file out, in a child of its own.
fn try_one(prober: &Path, file: &Path) -> Result<(), String> {
    try_copy(prober, file, None)
}

/// Tries out a copy of a file that lies in `origin`, where the libraries are that lie beside it.
pub(super) fn try_copy(prober: &Path, file: &Path, origin: Option<&Path>) -> Result<(), String> {
    let mut verdicts = Vec::new();
    let end = try_some(prober, &[file], origin, &mut verdicts);
    let reason = end.map_or_else(|| "it could not be tried out".to_owned(), |end| end.reason);
    verdicts.pop().unwrap_or(Err(reason))
}

/// Adds the verdicts of one child; the result is what ended it before the last.
fn try_some(
    prober: &Path,
    files: &[&Path],
    origin: Option<&Path>,
    verdicts: &mut Vec<Result<(), String>>,
) -> Option<End> {
    let begun = verdicts.len();
    let mut trial = match Trial::start(prober, files, origin) {
        Ok(trial) => trial,
        Err(error) => {
            let reason = format!("it could not be tried out: {error}");
            return Some(End::gave_up(reason));
        }
    };
    while verdicts.len() - begun < files.len() {
        match trial.next(verdicts.len() - begun) {
            Ok(verdict) => verdicts.push(verdict),
            Err(end) => return Some(end),
        }
    }
    None
}

struct Trial {
    child: Child,
    lines: Receiver<String>,
    errors: Tail,
}

impl Trial {
    fn start(prober: &Path, files: &[&Path], origin: Option<&Path>) -> std::io::Result<Self> {
        let mut command = Command::new(prober);
        if let Some(origin) = origin {
            command.env(ORIGIN, origin);
        }
        let mut child = command
            .arg("--probe-module")
            .args(files)
            // So that a function that is nowhere is missed now and not when it is called.
            .env("LD_BIND_NOW", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            read_aside(move || {
                // A verdict is short; a longer line is none.
                let mut output = BufReader::new(output.take(1 << 20)).lines();
                while let Some(Ok(line)) = output.next()
                    && sender.send(line).is_ok()
                {}
            });
        }
        let errors = Tail::of(child.stderr.take());
        Ok(Self {
            child,
            lines,
            errors,
        })
    }

    /// The verdict on file `number`, or what kept the child from telling it.
    fn next(&mut self, number: usize) -> Result<Result<(), String>, End> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Its output may stay open when it ended, in a process that a library left behind.
            let ended = self.child.try_wait().ok().flatten();
            let wait = if ended.is_some() { LAST_WORDS } else { POLL };
            match self.lines.recv_timeout(wait) {
                Ok(line) => {
                    let verdict = understood(&line, number);
                    return verdict.ok_or_else(|| End::died("its trial ended in disorder"));
                }
                Err(_) if ended.is_some() => return Err(self.died(ended)),
                Err(_) if Instant::now() > deadline => {
                    let seconds = PATIENCE.as_secs();
                    let reason = format!("it was not loaded within {seconds} s");
                    return Err(End::gave_up(reason));
                }
                // A library closed the output and goes on.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(POLL),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn died(&self, status: Option<ExitStatus>) -> End {
        let status = status.unwrap_or_default();
        End::died(death(status, &self.errors.last_line()))
    }
}

/// What its libraries do when it exits does not matter.
impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn understood(line: &str, number: usize) -> Option<Result<(), String>> {
    let mut words = line.splitn(3, ' ');
    let (verdict, of) = (words.next()?, words.next()?);
    if of.parse() != Ok(number) {
        return None;
    }
    match verdict {
        USABLE => Some(Ok(())),
        REFUSED => Some(Err(words.next()?.to_owned())),
        _ => None,
    }
}

fn death(status: ExitStatus, last_line: &str) -> String {
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("with signal {signal}"),
        (None, code) => format!("with exit status {}", code.unwrap_or_default()),
    };
    let told = match last_line {
        "" => String::new(),
        line => format!(" ({line})"),
    };
    format!("loading it ended a trial process {how}{told}")
}

/// The end of what a process writes, read for as long as it writes.
struct Tail {
    text: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

/// Reads what a child says. Without a thread it has said nothing, and its file is refused.
fn read_aside(read: impl FnOnce() + Send + 'static) {
    if let Err(error) = supervise::thread("trial", read) {
        tracing::warn!(%error, "no thread to hear a trial process");
    }
}

impl Tail {
    fn of(input: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let (sender, ended) = mpsc::channel::<()>();
        if let Some(mut input) = input {
            let text = text.clone();
            read_aside(move || {
                let _alive = sender;
                let mut chunk = [0; 1024];
                while let Ok(read @ 1..) = input.read(&mut chunk) {
                    let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
                    text.extend_from_slice(chunk.get(..read).unwrap_or_default());
                    let surplus = text.len().saturating_sub(TAIL);
                    text.drain(..surplus);
                }
            });
        }
        Self { text, ended }
    }

    /// The last line that is not blank, shortened.
    fn last_line(&self) -> String {
        let _ = self.ended.recv_timeout(LAST_WORDS);
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().rfind(|line| !line.trim().is_empty());
        one_line(line.unwrap_or_default())
            .chars()
            .take(300)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What is made of a child that runs this script.
    fn verdicts(body: &str, files: &[&str]) -> Vec<Result<(), String>> {
        let directory = tempfile::tempdir().unwrap();
        let prober = directory.path().join("prober");
        std::fs::write(&prober, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&prober, std::fs::Permissions::from_mode(0o755)).unwrap();
        let files: Vec<&Path> = files.iter().map(Path::new).collect();
        try_all(&prober, &files)
    }

    #[test]
    fn a_file_that_ends_the_child_is_named_and_the_others_are_tried() {
        // Numbers count from 0 in each child; the first argument is the option.
        let body = r#"shift; n=0; for file in "$@"; do
            case $file in bad) echo "oh no" >&2; exit 0;; old) echo "refused $n too old";; *) echo "usable $n";; esac
            n=$((n+1)); done"#;
        let all = verdicts(body, &["a", "bad", "old", "b", "bad"]);
        assert_eq!(all.len(), 5);
        assert_eq!((&all[0], &all[3]), (&Ok(()), &Ok(())));
        assert_eq!(all[2], Err("too old".to_owned()));
        for died in [&all[1], &all[4]] {
            let reason = died.as_ref().unwrap_err();
            assert!(reason.contains("exit status 0 (oh no)"), "{reason}");
        }
    }

    #[test]
    fn who_dies_of_another_one_is_tried_alone() {
        let body = r#"shift; [ "$1" = a ] && { echo "usable 0"; kill -SEGV $$; }; echo "usable 0""#;
        assert_eq!(verdicts(body, &["a", "b"]), [Ok(()), Ok(())]);
    }

    #[test]
    fn much_output_and_processes_left_behind_are_survived() {
        let body = r#"(sleep 60 & ) ; head -c 300000 /dev/zero | tr '\0' 'x' >&2; echo "usable 0""#;
        assert_eq!(verdicts(body, &["a"]), [Ok(())]);
        let body = "sleep 3 & kill -ABRT $$";
        let reason = verdicts(body, &["a"]).remove(0).unwrap_err();
        assert!(reason.contains("signal 6"), "{reason}");
    }
}
