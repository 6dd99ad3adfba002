//! Keys and values in the configuration of modules that nobody can use.

use std::{collections::BTreeSet, path::Path};

use rivero_idl::{Model, Setting, SettingKind};
use serde_json::Value;

use super::keys::distance;

/// Who reads what below `modules`: the server's own classes and the installed modules.
pub struct Readers<'m> {
    model: &'m Model,
    settings: Vec<Setting>,
}

impl<'m> Readers<'m> {
    /// Of the classes in `model`, with what the modules declare.
    #[must_use]
    pub fn new(model: &'m Model, declared: &[Setting]) -> Self {
        let mut settings = own_settings();
        settings.extend_from_slice(declared);
        settings.sort_by(|a, b| (&a.class, &a.key).cmp(&(&b.class, &b.key)));
        settings.dedup_by(|a, b| (&a.class, &a.key) == (&b.class, &b.key));
        Self { model, settings }
    }

    /// All settings, by class and key: the full name, what it accepts, its default, what it is.
    pub fn describe(&self) -> impl Iterator<Item = String> {
        self.settings.iter().map(|setting| {
            let Setting {
                class,
                key,
                kind,
                default,
                doc,
            } = setting;
            let namespace = self.namespace(class);
            format!("{namespace}.{class}.{key}: {kind} [default: {default}]\n\t{doc}")
        })
    }

    /// What is wrong with one file's part of `modules`, a line for each key.
    #[must_use]
    pub fn problems(&self, file: &Path, part: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        for (namespace, classes) in members(part) {
            for (class, keys) in members(classes) {
                if !self.is_class(namespace, class) {
                    let nearest = self.nearest_class(namespace, class);
                    lines.push(format!(
                        "no class '{namespace}.{class}' is installed; did you mean '{nearest}'?"
                    ));
                    continue;
                }
                lines.extend(members(keys).filter_map(|(key, value)| {
                    self.problem(class, key, value)
                        .map(|what| format!("'{namespace}.{class}.{key}' {what}"))
                }));
            }
        }
        let file = file.display();
        lines.iter().map(|line| format!("{file}: {line}")).collect()
    }

    /// Of a class that declares nothing, nothing is known: its module is not installed, or older.
    fn problem(&self, class: &str, key: &str, value: &Value) -> Option<String> {
        let known = || self.settings.iter().filter(|known| known.class == class);
        match known().find(|known| known.key == key) {
            Some(known) if known.kind.accepts(value) => None,
            Some(known) => Some(format!("is {value}, and should be {}", known.kind)),
            None => {
                let nearest = known().min_by_key(|known| distance(key, &known.key))?;
                Some(format!(
                    "is an unknown key; did you mean '{}'?",
                    nearest.key
                ))
            }
        }
    }

    fn namespace(&self, class: &str) -> &str {
        self.model
            .class(class)
            .map_or("", |class| class.namespace.as_str())
    }

    fn is_class(&self, namespace: &str, class: &str) -> bool {
        self.model.class(class).is_some() && self.namespace(class) == namespace
    }

    fn nearest_class(&self, namespace: &str, class: &str) -> String {
        let wanted = format!("{namespace}.{class}");
        let names: BTreeSet<String> = self
            .model
            .classes()
            .iter()
            .map(|class| class.qualified_name().to_string())
            .collect();
        let nearest = names.into_iter().min_by_key(|name| distance(&wanted, name));
        nearest.unwrap_or_default()
    }
}

/// The settings of classes that are the server's own.
fn own_settings() -> Vec<Setting> {
    let bitrate = |key: &str, default: &str, doc: &str| Setting {
        class: "MediaElement".to_owned(),
        key: key.to_owned(),
        kind: SettingKind::Integer {
            min: 0,
            max: i64::from(i32::MAX),
        },
        default: default.to_owned(),
        doc: doc.to_owned(),
    };
    vec![
        bitrate(
            "encoderBitrate",
            "300000",
            "Bitrate of encoders, bit/s; where nothing sets it, what the picture is worth.",
        ),
        bitrate(
            "minEncoderBitrate",
            "0",
            "Least bitrate of encoders, bit/s.",
        ),
        bitrate(
            "maxEncoderBitrate",
            "0",
            "Greatest bitrate of encoders, bit/s; 0 = unlimited.",
        ),
        Setting {
            class: "MediaElement".to_owned(),
            key: "sharedEncoding".to_owned(),
            kind: SettingKind::Choice {
                values: vec!["lowest".to_owned(), "best".to_owned()],
            },
            default: "lowest".to_owned(),
            doc: "Whose path decides about an encoding that viewers share; at best, the others \
                  get fewer frames."
                .to_owned(),
        },
    ]
}

fn members(tree: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = tree.as_object().into_iter().flatten();
    members.map(|(key, value)| (key.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(part: &Value) -> Vec<String> {
        let model = Model::standard().unwrap();
        let declared: Vec<Setting> = serde_json::from_value(json!([
            {"class": "WebRtcEndpoint", "key": "stunServerPort", "type": "integer", "min": 0, "max": 65535, "doc": ""},
            {"class": "WebRtcEndpoint", "key": "turnURL", "type": "text", "doc": ""},
        ]))
        .unwrap();
        Readers::new(&model, &declared).problems(Path::new("/c/f.ini"), part)
    }

    #[test]
    fn misspelt_keys_come_with_file_and_nearest_key() {
        let lines = problems(
            &json!({"kurento": {"WebRtcEndpoint": {"stunServerPrt": "1", "turnURL": "x"}}}),
        );
        assert_eq!(
            lines,
            [
                "/c/f.ini: 'kurento.WebRtcEndpoint.stunServerPrt' is an unknown key; did you mean 'stunServerPort'?"
            ]
        );
        let lines = problems(&json!({"kurento": {"MediaElement": {"encoderBitrat": "1"}}}));
        assert!(
            lines[0].ends_with("did you mean 'encoderBitrate'?"),
            "{lines:?}"
        );
    }

    #[test]
    fn unusable_values_say_what_is_wanted() {
        let lines = problems(&json!({"kurento": {"WebRtcEndpoint": {"stunServerPort": "http"}}}));
        assert_eq!(
            lines,
            [
                "/c/f.ini: 'kurento.WebRtcEndpoint.stunServerPort' is \"http\", and should be a whole number from 0 to 65535"
            ]
        );
    }

    #[test]
    fn unknown_classes_are_told_and_undeclared_ones_left_alone() {
        let lines = problems(
            &json!({"kurento": {"WebRtcEndpont": {"a": 1}}, "kurnto": {"WebRtcEndpoint": {}}}),
        );
        assert_eq!(lines.len(), 2);
        assert!(
            lines
                .iter()
                .all(|line| line.ends_with("did you mean 'kurento.WebRtcEndpoint'?")),
            "{lines:?}"
        );
        assert!(problems(&json!({"kurento": {"RecorderEndpoint": {"gapsFix": "?"}}})).is_empty());
        assert!(problems(&json!({"kurento": {"WebRtcEndpoint": 7}})).is_empty());
    }
}
