//! Names of files in the configuration of modules.

use std::io;
use std::path::Path;

use rivero_idl::{Setting, SettingKind};
use serde_json::Value;

use crate::regular_file;

/// Bytes of such a file at most; the largest known one, a cascade of Haar features, has 1 MB.
const FILE_LIMIT: u64 = 64 << 20;

/// Lets the relative names among the settings that are declared as files begin at `directory`.
pub(super) fn make_absolute(modules: &mut Value, settings: &[Setting], directory: &Path) {
    each_file(modules, settings, |_, name| {
        Some(directory.join(name).display().to_string())
    });
}

/// What is wrong with the files that such settings name, one line for each.
///
/// What is there and no regular file of a reasonable size is taken out: a module would wait for
/// a FIFO for ever. Without the setting it does what it does without such a file.
pub(super) fn take_out_unusable(modules: &mut Value, settings: &[Setting]) -> Vec<String> {
    let mut problems = Vec::new();
    each_file(modules, settings, |setting, name| {
        let Err(error) = regular_file::check(Path::new(name), FILE_LIMIT) else {
            return Some(name.to_owned());
        };
        problems.push(format!("'{setting}': cannot use the file {name}: {error}"));
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        is_missing.then(|| name.to_owned())
    });
    problems
}

/// Replaces the value of each setting that names a file, or takes it out.
fn each_file(
    modules: &mut Value,
    settings: &[Setting],
    mut change: impl FnMut(&str, &str) -> Option<String>,
) {
    let files = |setting: &&Setting| setting.kind == SettingKind::File;
    let namespaces = modules.as_object_mut().into_iter().flatten();
    for (namespace, classes) in namespaces {
        for setting in settings.iter().filter(files) {
            let Setting { class, key, .. } = setting;
            let keys = classes.get_mut(class).and_then(Value::as_object_mut);
            let Some(keys) = keys else { continue };
            let Some(Value::String(name)) = keys.get_mut(key) else {
                continue;
            };
            if name.trim().is_empty() {
                continue;
            }
            match change(&format!("{namespace}.{class}.{key}"), name.trim()) {
                Some(changed) => *name = changed,
                None => drop(keys.remove(key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn setting(key: &str, kind: SettingKind) -> Setting {
        Setting {
            class: "Endpoint".to_owned(),
            key: key.to_owned(),
            kind,
            default: String::new(),
            doc: String::new(),
        }
    }

    #[test]
    fn what_is_no_regular_file_is_not_handed_to_a_module() {
        let directory = tempfile::tempdir().unwrap();
        let name = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(name("good"), "x").unwrap();
        let settings = ["good", "device", "directory", "missing", "none"];
        let settings = settings.map(|key| setting(key, SettingKind::File));
        let mut modules = json!({"kurento": {"Endpoint": {
            "good": name("good"), "device": "/dev/zero", "directory": name(""),
            "missing": name("missing"), "none": " ",
        }}});
        let problems = take_out_unusable(&mut modules, &settings);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].starts_with("'kurento.Endpoint.device': cannot use the file /dev/zero")
        );
        let wanted = json!({"good": name("good"), "missing": name("missing"), "none": " "});
        assert_eq!(modules["kurento"]["Endpoint"], wanted);
    }

    #[test]
    fn relative_names_are_below_the_configuration() {
        let settings = [
            setting("certificate", SettingKind::File),
            setting("other", SettingKind::File),
            setting("none", SettingKind::File),
            setting("name", SettingKind::Text),
        ];
        let mut modules = json!({"kurento": {"Endpoint": {
            "certificate": "keys/a.pem", "other": "/b.pem", "none": "", "name": "c",
        }}});
        make_absolute(&mut modules, &settings, Path::new("/etc/kurento"));
        let wanted = json!({"kurento": {"Endpoint": {
            "certificate": "/etc/kurento/keys/a.pem", "other": "/b.pem", "none": "", "name": "c",
        }}});
        assert_eq!(modules, wanted);
    }
}
