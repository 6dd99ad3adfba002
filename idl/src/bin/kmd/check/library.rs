//! The file as the loader sees it.

use super::rules::Facts;
use rivero_plugin_api::abi::{ABI_MAJOR, ABI_MINOR};
use std::path::{Path, PathBuf};

/// Bytes of a section that the server reads.
const LARGEST_SECTION: usize = 8 << 20;

fn unless(holds: bool, breach: impl FnOnce() -> String) -> Vec<String> {
    if holds { Vec::new() } else { vec![breach()] }
}

pub(super) fn is_native(facts: &Facts<'_>) -> Vec<String> {
    facts.file.foreign.iter().cloned().collect()
}

pub(super) fn has_section(facts: &Facts<'_>) -> Vec<String> {
    let file = facts.file;
    if file.foreign.is_some() && file.sections == 0 {
        return Vec::new();
    }
    if file.sections != 1 {
        return vec![format!("it has {}", file.sections)];
    }
    let mut breaches = unless(file.section_size <= LARGEST_SECTION, || {
        format!("it has {} bytes", file.section_size)
    });
    breaches.extend(file.unreadable.clone());
    breaches
}

pub(super) fn speaks_abi(facts: &Facts<'_>) -> Vec<String> {
    let differs = facts.file.abi.filter(|(major, _)| *major != ABI_MAJOR);
    let breach = differs.map(|(major, minor)| {
        let built_with = facts.manifest.built_with.as_deref().unwrap_or("an older kit");
        format!("it speaks {major}.{minor}, built with {built_with}; this kit's servers speak {ABI_MAJOR}.{ABI_MINOR}")
    });
    breach.into_iter().collect()
}

pub(super) fn unwinds(facts: &Facts<'_>) -> Vec<String> {
    unless(facts.file.abi.is_none() || facts.file.unwinds, || {
        "it is built with panic = \"abort\"".to_owned()
    })
}

pub(super) fn exports_root(facts: &Facts<'_>) -> Vec<String> {
    unless(facts.file.has_root || facts.file.abi.is_none(), || {
        "what export_module! exports is not there: was it stripped of dynamic symbols?".to_owned()
    })
}

pub(super) fn finds_its_needs(facts: &Facts<'_>) -> Vec<String> {
    let origin = facts.path.canonicalize().unwrap_or_default();
    let origin = origin.parent().unwrap_or(Path::new(""));
    let places: Vec<PathBuf> = facts
        .file
        .run_path
        .iter()
        .map(|place| expanded(place, origin))
        .collect();
    let system = SystemLibraries::read();
    let is_missing = |name: &&String| {
        !system.have(name)
            && !places
                .iter()
                .any(|place| place.join(name.as_str()).exists())
    };
    let missing = facts.file.needs.iter().filter(is_missing);
    missing.map(|name| format!("{name} is nowhere")).collect()
}

fn expanded(place: &str, origin: &Path) -> PathBuf {
    let origin = origin.display().to_string();
    place
        .replace("${ORIGIN}", &origin)
        .replace("$ORIGIN", &origin)
        .into()
}

/// Where the loader looks by itself (ld.so(8)).
struct SystemLibraries {
    directories: Vec<PathBuf>,
}

impl SystemLibraries {
    fn read() -> Self {
        let mut directories: Vec<PathBuf> =
            ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"]
                .map(PathBuf::from)
                .to_vec();
        for parent in ["/lib", "/usr/lib", "/usr/local/lib"] {
            let triplet = format!("{parent}/{}-linux-gnu", std::env::consts::ARCH);
            directories.push(triplet.into());
        }
        directories.extend(configured(Path::new("/etc/ld.so.conf.d")));
        let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        directories.extend(std::env::split_paths(&named));
        Self { directories }
    }

    fn have(&self, name: &str) -> bool {
        let mut directories = self.directories.iter();
        directories.any(|directory| directory.join(name).exists())
    }
}

/// The directories that the files in `directory` name, a line each.
fn configured(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    let of_text = |text: String| {
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('/'));
        lines.map(PathBuf::from).collect::<Vec<_>>()
    };
    texts.flat_map(of_text).collect()
}

pub(super) fn has_safe_run_path(facts: &Facts<'_>) -> Vec<String> {
    let is_safe = |place: &&String| {
        place.starts_with('/') || place.starts_with("$ORIGIN") || place.starts_with("${ORIGIN}")
    };
    let unsafe_places = facts.file.run_path.iter().filter(|place| !is_safe(place));
    unsafe_places
        .map(|place| format!("'{place}' depends on where the server was started"))
        .collect()
}

pub(super) fn is_protected(facts: &Facts<'_>) -> Vec<String> {
    let mut breaches = unless(!facts.file.has_executable_stack, || {
        "it asks for an executable stack".to_owned()
    });
    breaches.extend(unless(!facts.file.has_text_relocations, || {
        "its code is changed when it is loaded (compile native parts with -fPIC)".to_owned()
    }));
    breaches
}
