//! Module versions and the ranges in which a module accepts its imports.
//!
//! Ranges: `1.2.3`, `<`, `<=`, `>`, `>=` with a version, `^1.2.3` (same major), `~1.2.3` (same
//! minor), combined with `AND` (or `&`) and `OR` (or `|`), `AND` binding tighter. A version ending
//! in `-dev` is a development version and sorts before the release.

use semver::Version;

/// A set of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    /// Any of these; each is a list of comparisons that all must hold.
    alternatives: Vec<Vec<Comparison>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Exact,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Caret,
    Tilde,
}

/// Longest first, so that `<=` is not taken for `<`.
const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("^", Operator::Caret),
    ("~", Operator::Tilde),
    ("=", Operator::Exact),
];

/// Reads `7`, `7.3`, `7.3.0` or `7.3.0-dev`; missing parts are 0.
///
/// # Errors
/// The message says what is wrong with `text`.
pub fn parse_version(text: &str) -> Result<Version, String> {
    let text = text.trim();
    let (numbers, pre_release) = match text.split_once('-') {
        Some((numbers, pre_release)) => (numbers, Some(pre_release)),
        None => (text, None),
    };
    let missing = 2_usize.saturating_sub(numbers.matches('.').count());
    let mut full = format!("{numbers}{}", ".0".repeat(missing));
    if let Some(pre_release) = pre_release {
        full.push('-');
        full.push_str(pre_release);
    }
    Version::parse(&full).map_err(|error| format!("'{text}' is not a version: {error}"))
}

/// Whether this is a development version (`-dev`).
#[must_use]
pub fn is_development(version: &Version) -> bool {
    !version.pre.is_empty()
}

impl VersionRange {
    /// Whether `version` lies in the range.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|comparisons| {
            comparisons
                .iter()
                .all(|comparison| comparison.holds(version))
        })
    }

    /// Whether the range names a development version.
    #[must_use]
    pub fn names_development(&self) -> bool {
        let mut comparisons = self.alternatives.iter().flatten();
        comparisons.any(|comparison| is_development(&comparison.version))
    }
}

impl std::str::FromStr for VersionRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.replace(" AND ", "&").replace(" OR ", "|");
        let alternatives = text
            .split('|')
            .map(|alternative| alternative.split('&').map(Comparison::parse).collect())
            .collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }
}

impl Comparison {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (operator, version) = OPERATORS
            .iter()
            .find_map(|(symbol, operator)| Some((*operator, text.strip_prefix(symbol)?)))
            .unwrap_or((Operator::Exact, text));
        Ok(Self {
            operator,
            version: parse_version(version)?,
        })
    }

    fn holds(&self, version: &Version) -> bool {
        let same_major = version.major == self.version.major;
        let same_minor = same_major && version.minor == self.version.minor;
        match self.operator {
            Operator::Exact => *version == self.version,
            Operator::Less => *version < self.version,
            Operator::LessOrEqual => *version <= self.version,
            Operator::Greater => *version > self.version,
            Operator::GreaterOrEqual => *version >= self.version,
            Operator::Caret => *version >= self.version && same_major,
            Operator::Tilde => *version >= self.version && same_minor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, version: &str) -> bool {
        let range: VersionRange = range.parse().unwrap();
        range.contains(&parse_version(version).unwrap())
    }

    #[test]
    fn caret_and_tilde_bound_the_major_and_the_minor() {
        assert!(contains("^7.1.0", "7.3.0"));
        assert!(contains("^7.1.0", "7.3.1-dev"));
        assert!(!contains("^7.1.0", "8.0.0"));
        assert!(!contains("^7.1.0", "7.0.9"));
        assert!(contains("~7.1.2", "7.1.9"));
        assert!(!contains("~7.1.2", "7.2.0"));
    }

    #[test]
    fn comparisons_combine() {
        assert!(contains(">=6.0.0 AND <8.0.0", "7.3.0"));
        assert!(!contains(">=6.0.0 AND <7.0.0", "7.3.0"));
        assert!(contains("<6 OR >7", "7.3"));
        assert!(contains("7.3.0", "7.3.0"));
        assert!(!contains("7.3.0", "7.3.0-dev"));
    }

    #[test]
    fn development_versions_sort_before_their_release() {
        assert!(contains("<7.3.0", "7.3.0-dev"));
        assert!(is_development(&parse_version("7.3.1-dev").unwrap()));
        assert!(
            "^7.3.1-dev"
                .parse::<VersionRange>()
                .unwrap()
                .names_development()
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "seven", "1.2.3.4", ">", "^7 AND", "1..2"] {
            assert!(text.parse::<VersionRange>().is_err(), "{text}");
        }
    }
}
