//! The server, which has the last word.

use super::rules::Facts;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The server that is named, that lies beside this program, or that PATH leads to.
pub(super) fn find(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let own = std::env::current_exe().ok();
    let beside = own.and_then(|own| Some(own.parent()?.join("rivero")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("rivero"));
    beside
        .into_iter()
        .chain(on_path)
        .find(|program| program.is_file())
}

pub(super) fn takes_it(facts: &Facts<'_>) -> Vec<String> {
    let Some(server) = facts.server else {
        return vec![
            "there is no server to ask: name it with --server, or ask for less with --strictness 4"
                .to_owned(),
        ];
    };
    // Where libraries beside it are looked for.
    let path = facts
        .path
        .canonicalize()
        .unwrap_or_else(|_| facts.path.to_owned());
    let origin = path.parent().unwrap_or(Path::new("/"));
    let tried = Command::new(server)
        .arg("--probe-module")
        .arg(&path)
        .env("RIVERO_PROBE_ORIGIN", origin)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let output = match tried {
        Ok(output) => output,
        Err(error) => return vec![format!("{}: {error}", server.display())],
    };
    let verdict = String::from_utf8_lossy(&output.stdout).into_owned();
    if verdict.starts_with("usable ") {
        return Vec::new();
    }
    let reason = verdict.trim().strip_prefix("refused 0 ").map(str::to_owned);
    vec![reason.unwrap_or_else(|| format!("it ends the process that loads it ({})", output.status))]
}
