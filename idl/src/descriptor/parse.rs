//! Text to [`Descriptor`].

use super::Descriptor;
use crate::error::{Error, Location};
use crate::lenient::PlainJson;

/// Beyond this a descriptor is refused unread: 4 MiB, twenty times the biggest known one.
const MAX_LENGTH: usize = 4 << 20;

impl Descriptor {
    /// Reads one `*.kmd.json` file. `file_name` is only for messages.
    ///
    /// Comments and strings that span lines are accepted. The result may be part of a split module,
    /// see [`Descriptor::merge`]; whether it makes sense is what [`crate::check`] and
    /// [`crate::Model::new`] find out.
    ///
    /// # Errors
    /// [`Error::Syntax`] with line, column and, where it applies, the place in the tree.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        if text.len() > MAX_LENGTH {
            return Err(Error::Syntax {
                file: file_name.to_owned(),
                line: 1,
                column: 1,
                message: format!(
                    "a descriptor has at most {MAX_LENGTH} bytes, this one {}",
                    text.len()
                ),
            });
        }
        let plain = PlainJson::new(text.trim_start_matches('\u{feff}'));
        let mut unknown = Vec::new();
        let mut descriptor =
            read(&plain, &mut unknown).map_err(|failure| failure.in_file(file_name, &plain))?;
        descriptor.locate(file_name, unknown);
        Ok(descriptor)
    }

    /// Notes on every definition where it stands.
    fn locate(&mut self, file_name: &str, unknown: Vec<String>) {
        let file = Location {
            file: file_name.into(),
            place: String::new(),
        };
        for (index, class) in self.remote_classes.iter_mut().enumerate() {
            class.location = file.below(format_args!("remoteClasses[{index}]"));
        }
        for (index, complex_type) in self.complex_types.iter_mut().enumerate() {
            complex_type.location = file.below(format_args!("complexTypes[{index}]"));
        }
        for (index, event) in self.events.iter_mut().enumerate() {
            event.location = file.below(format_args!("events[{index}]"));
        }
        self.unknown_members = unknown.iter().map(|place| file.below(place)).collect();
        self.location = file;
    }
}

/// A serde error with the place in the tree; line and column are those of the rewritten text.
struct Failure {
    place: String,
    error: serde_json::Error,
}

impl Failure {
    fn in_file(self, file_name: &str, plain: &PlainJson) -> Error {
        let position = plain.original_position(self.error.line(), self.error.column());
        let whole = self.error.to_string();
        // serde_json appends its own position, which is that of the rewritten text.
        let reason = whole
            .rsplit_once(" at line ")
            .map_or(whole.as_str(), |(reason, _)| reason);
        let message = match self.place.as_str() {
            "." | "?" => reason.to_owned(),
            place => format!("{place}: {reason}"),
        };
        Error::Syntax {
            file: file_name.to_owned(),
            line: position.line,
            column: position.column,
            message,
        }
    }
}

fn read(plain: &PlainJson, unknown: &mut Vec<String>) -> Result<Descriptor, Failure> {
    let mut json = serde_json::Deserializer::from_str(plain.as_str());
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let result =
        serde_ignored::deserialize(tracked, |path| unknown.push(bracketed(&path.to_string())));
    let descriptor = result.map_err(|error| Failure {
        place: track.path().to_string(),
        error,
    })?;
    json.end().map_err(|error| Failure {
        place: ".".to_owned(),
        error,
    })?;
    Ok(descriptor)
}

/// `events.3.name` as `events[3].name`; `?` marks an optional value on the way and is no part of
/// the place.
fn bracketed(path: &str) -> String {
    let mut place = String::new();
    for part in path.split('.').filter(|part| *part != "?") {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            place.push_str(&format!("[{part}]"));
        } else {
            if !place.is_empty() {
                place.push('.');
            }
            place.push_str(part);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Descriptor::parse("m.kmd.json", text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_wrong_type_names_its_place_and_position() {
        let text =
            "{\n \"remoteClasses\": [\n  {\"name\": \"A\", \"methods\": [{\"name\": 7}]}\n ]\n}";
        let message = message(text);
        assert!(message.starts_with("m.kmd.json:3:"), "{message}");
        assert!(
            message.contains("remoteClasses[0].methods[0].name: invalid type"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_member_names_its_parent() {
        let message = message("{\"events\": [{}]}");
        assert!(
            message.contains("events[0]: missing field `name`"),
            "{message}"
        );
    }

    #[test]
    fn broken_json_names_line_and_column() {
        let message = message("{\n  \"name\": \"x\",,\n}");
        assert!(message.starts_with("m.kmd.json:2:15: "), "{message}");
    }

    #[test]
    fn unknown_members_are_remembered() {
        let text = r#"{"remoteClasses": [{"name": "A", "constructor": {"parms": []}}]}"#;
        let descriptor = Descriptor::parse("m", text).unwrap();
        let places: Vec<&str> = descriptor
            .unknown_members
            .iter()
            .map(|at| at.place.as_str())
            .collect();
        assert_eq!(places, ["remoteClasses[0].constructor.parms"]);
    }

    #[test]
    fn deep_nesting_and_rubbish_are_errors_not_crashes() {
        for text in [
            "[".repeat(100_000),
            "{\"code\":".repeat(10_000),
            "\u{0}".to_owned(),
            String::new(),
        ] {
            assert!(Descriptor::parse("m", &text).is_err());
        }
        assert!(Descriptor::parse("m", &" ".repeat(MAX_LENGTH + 1)).is_err());
    }
}
