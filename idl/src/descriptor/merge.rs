//! Several files of one module to one [`Descriptor`].

use super::{Descriptor, Import};
use crate::error::{Error, Location, Problem};
use serde::Serialize;

impl Descriptor {
    /// Joins the files of one module, in the given order.
    ///
    /// `name`, `version` and `kurentoVersion` stand in one of the files; repeating the same value
    /// is fine. The same class, type or event in two files is kept twice here and reported by
    /// [`crate::check`] unless identical.
    ///
    /// # Errors
    /// [`Error::Invalid`] when two files give different values for what a module has once.
    pub fn merge(parts: Vec<Self>) -> Result<Self, Error> {
        let mut merged = Self::default();
        let mut problems = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            if index == 0 {
                merged.location = part.location.clone();
            }
            let at = part.location.clone();
            merge_once("name", &mut merged.name, part.name, &at, &mut problems);
            merge_once(
                "version",
                &mut merged.version,
                part.version,
                &at,
                &mut problems,
            );
            merge_once(
                "kurentoVersion",
                &mut merged.kurento_version,
                part.kurento_version,
                &at,
                &mut problems,
            );
            merge_once(
                "repository",
                &mut merged.repository,
                part.repository,
                &at,
                &mut problems,
            );
            merge_once("code", &mut merged.code, part.code, &at, &mut problems);
            for import in part.imports {
                merge_import(&mut merged.imports, import, &at, &mut problems);
            }
            merged.remote_classes.extend(part.remote_classes);
            merged.complex_types.extend(part.complex_types);
            merged.events.extend(part.events);
            merged.unknown_members.extend(part.unknown_members);
        }
        if problems.is_empty() {
            Ok(merged)
        } else {
            Err(Error::Invalid(problems))
        }
    }
}

fn merge_once<T: PartialEq + Serialize>(
    member: &str,
    merged: &mut Option<T>,
    part: Option<T>,
    at: &Location,
    problems: &mut Vec<Problem>,
) {
    match (merged.as_ref(), part) {
        (None, part) => *merged = part,
        (Some(known), Some(other)) if *known != other => {
            let [known, other] =
                [known, &other].map(|value| serde_json::to_string(value).unwrap_or_default());
            let message =
                format!("{member} is {other} here but {known} in another file of the module");
            problems.push(Problem::error(at.clone(), message));
        }
        (Some(_), _) => {}
    }
}

fn merge_import(
    merged: &mut Vec<Import>,
    import: Import,
    at: &Location,
    problems: &mut Vec<Problem>,
) {
    match merged.iter().find(|known| known.name == import.name) {
        None => merged.push(import),
        Some(known) if known.version == import.version => {}
        Some(known) => {
            let message = format!(
                "imports {} {} here but {} in another file of the module",
                import.name, import.version, known.version
            );
            problems.push(Problem::error(at.clone(), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(texts: &[&str]) -> Result<Descriptor, Error> {
        let parts = texts
            .iter()
            .enumerate()
            .map(|(index, text)| Descriptor::parse(&format!("{index}.kmd.json"), text).unwrap());
        Descriptor::merge(parts.collect())
    }

    #[test]
    fn definitions_of_all_files_are_joined_in_order() {
        let merged = merge(&[
            r#"{"name": "m", "version": "1.0.0", "imports": [{"name": "x", "version": "^1.0.0"}]}"#,
            r#"{"remoteClasses": [{"name": "A"}], "imports": [{"name": "x", "version": "^1.0.0"}]}"#,
            r#"{"remoteClasses": [{"name": "B"}], "events": [{"name": "E"}]}"#,
        ])
        .unwrap();
        assert_eq!((merged.name(), merged.file()), ("m", "0.kmd.json"));
        assert_eq!(merged.imports.len(), 1);
        let classes: Vec<&str> = merged
            .remote_classes
            .iter()
            .map(|class| class.name.as_str())
            .collect();
        assert_eq!(classes, ["A", "B"]);
        assert_eq!(
            merged.remote_classes[1].location.file.as_ref(),
            "2.kmd.json"
        );
    }

    #[test]
    fn contradicting_files_are_refused_naming_both_values() {
        let error = merge(&[r#"{"name": "m"}"#, r#"{"name": "n"}"#]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1.kmd.json: name is \"n\" here but \"m\" in another file of the module"
        );
        let one = r#"{"imports": [{"name": "x", "version": "1.0.0"}]}"#;
        let other = r#"{"imports": [{"name": "x", "version": "2.0.0"}]}"#;
        assert!(merge(&[one, other]).is_err());
    }
}
