//! Names of files in the configuration of modules.

use std::path::Path;

use rivero_idl::{Setting, SettingKind};
use serde_json::Value;

/// Lets the relative names among the settings that are declared as files begin at `directory`.
pub(super) fn make_absolute(modules: &mut Value, settings: &[Setting], directory: &Path) {
    let files = |setting: &&Setting| setting.kind == SettingKind::File;
    for namespace in modules
        .as_object_mut()
        .into_iter()
        .flat_map(|all| all.values_mut())
    {
        for setting in settings.iter().filter(files) {
            let value = namespace
                .get_mut(&setting.class)
                .and_then(|class| class.get_mut(&setting.key));
            if let Some(Value::String(name)) = value
                && !name.trim().is_empty()
            {
                *name = directory.join(name.trim()).display().to_string();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn relative_names_are_below_the_configuration() {
        let setting = |key: &str, kind| Setting {
            class: "Endpoint".to_owned(),
            key: key.to_owned(),
            kind,
            default: String::new(),
            doc: String::new(),
        };
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
