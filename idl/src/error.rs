//! What can be wrong with a descriptor, and where.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Why descriptors could not be read, resolved or turned into code.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The text is not JSON, or a member has the wrong JSON type.
    #[error("{file}:{line}:{column}: {message}")]
    Syntax {
        /// File name as given by the caller.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What was expected there; begins with the place in the tree when it is known.
        message: String,
    },
    /// The descriptors are well-formed but contradict each other or themselves.
    #[error("{}", display_lines(.0))]
    Invalid(Vec<Problem>),
    /// A file could not be read or written.
    #[error("{}: {message}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        message: String,
    },
    /// The descriptors are fine but Rust code cannot be made from them.
    #[error("{0}")]
    Generate(String),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            message: error.to_string(),
        }
    }
}

fn display_lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// How much a [`Problem`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The descriptor is usable, but probably not what its author meant.
    Warning,
    /// The descriptor cannot be used.
    Error,
}

/// A place in a descriptor file: the file and the path of members below its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// File name as given to [`crate::Descriptor::parse`].
    pub file: Arc<str>,
    /// For example `remoteClasses[3].methods[1].params[0].type`; empty for the whole file.
    pub place: String,
}

impl Location {
    /// A place below this one.
    pub(crate) fn below(&self, member: impl fmt::Display) -> Self {
        let separator = if self.place.is_empty() { "" } else { "." };
        Self {
            file: Arc::clone(&self.file),
            place: format!("{}{separator}{member}", self.place),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            write!(f, "{}", self.file)
        } else {
            write!(f, "{}: {}", self.file, self.place)
        }
    }
}

/// One finding about a descriptor, printed on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the descriptor can be used nevertheless.
    pub severity: Severity,
    /// Where it was found.
    pub location: Location,
    /// What is wrong and, where it is not obvious, what would be right.
    pub message: String,
}

impl Problem {
    pub(crate) fn error(location: Location, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            location,
            message: message.into(),
        }
    }

    pub(crate) fn warning(location: Location, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            location,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning: ",
            Severity::Error => "",
        };
        write!(f, "{}: {severity}{}", self.location, self.message)
    }
}
