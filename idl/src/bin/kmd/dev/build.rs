//! Builds of a project.

use super::Ending;
use super::child::{Ended, Group};
use crate::Failure;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Bytes of what the compiler says that are shown on the page.
const SHOWN: usize = 64 << 10;

/// Builds the project; where its library is, or what the compiler said. As in a release: pictures come at their rate.
pub(super) fn build(project: &Path, ending: &Ending) -> Result<Result<PathBuf, String>, Ended> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut group = Group::start(
        Command::new(cargo)
            .args([
                "build",
                "--release",
                "--message-format=json-render-diagnostics",
            ])
            .current_dir(project)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )?;
    let artefacts = group.child().stdout.take();
    let said = group.child().stderr.take();
    let manifest = project.join("Cargo.toml");
    let library = thread::spawn(move || artefacts.and_then(|output| library(output, &manifest)));
    let text = thread::spawn(move || said.map_or_else(String::new, passed_on));
    let status = group.wait(ending)?;
    let (library, text) = (
        library.join().unwrap_or_default(),
        text.join().unwrap_or_default(),
    );
    match (status.success(), library) {
        (true, Some(library)) => Ok(Ok(library)),
        (true, None) => Err(Ended::Failed(Failure(Some(
            "the project builds no library: its Cargo.toml needs crate-type = [\"cdylib\"]"
                .to_owned(),
        )))),
        (false, _) => Ok(Err(text)),
    }
}

/// The shared library among what cargo says that it made of this package.
fn library(output: impl Read, manifest: &Path) -> Option<PathBuf> {
    let mut found = None;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let of_package = message
            .get("manifest_path")
            .and_then(Value::as_str)
            .is_some_and(|path| Path::new(path) == manifest);
        let files = message.get("filenames").and_then(Value::as_array);
        let files = files.into_iter().flatten().filter_map(Value::as_str);
        let library = files
            .map(PathBuf::from)
            .find(|file| file.extension().is_some_and(|end| end == "so"));
        if of_package {
            found = library.or(found);
        }
    }
    found
}

/// Passes on what the compiler says, and gives the end of it.
fn passed_on(output: impl Read) -> String {
    let mut text = String::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        // Nobody may read it.
        let _ = writeln!(std::io::stderr(), "{line}");
        text += &line;
        text.push('\n');
        if text.len() > 2 * SHOWN {
            let begin = text.len() - SHOWN;
            let begin = (begin..text.len()).find(|place| text.is_char_boundary(*place));
            text.drain(..begin.unwrap_or(0));
        }
    }
    text
}
