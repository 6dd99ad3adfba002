//! What a module must and should be, by number: docs/module-spec.md says the same to people, and a test compares the two.

use super::{Arguments, behaviour, library, manifest, server};
use crate::module_file::{Manifest, ModuleFile};
use crate::{Failure, inputs};
use rivero_idl::Descriptor;
use std::path::Path;

/// One thing that is asked of a module.
pub(super) struct Rule {
    pub(super) number: u8,
    /// From which strictness on it is asked.
    level: u8,
    /// Else it should be so, and a breach is a warning.
    is_must: bool,
    /// As it stands in the specification.
    pub(super) text: &'static str,
    check: Check,
}

/// Finds breaches, each a sentence without its end.
type Check = fn(&Facts<'_>) -> Vec<String>;

/// What checks know of a module.
pub(super) struct Facts<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a ModuleFile,
    /// Empty where there is none.
    pub(super) manifest: &'a Manifest,
    /// Of modules that it imports.
    pub(super) dependencies: &'a [Descriptor],
    pub(super) server: Option<&'a Path>,
}

const fn must(number: u8, level: u8, text: &'static str, check: Check) -> Rule {
    Rule {
        number,
        level,
        is_must: true,
        text,
        check,
    }
}

const fn should(number: u8, level: u8, text: &'static str, check: Check) -> Rule {
    Rule {
        number,
        level,
        is_must: false,
        text,
        check,
    }
}

/// The level at which it is known that it can be loaded.
const LOADED: u8 = 5;

/// By level.
pub(super) const RULES: &[Rule] = &[
    must(
        1,
        1,
        "be a shared library for the machine",
        library::is_native,
    ),
    must(
        2,
        1,
        "have one section `.rivero.module`, of 8 MiB at most, that can be read",
        library::has_section,
    ),
    must(
        3,
        1,
        "speak the major version of the ABI that the server speaks",
        library::speaks_abi,
    ),
    must(4, 1, "unwind when it panics", library::unwinds),
    must(5, 1, "export the root module", library::exports_root),
    must(
        6,
        2,
        "have a name: a descriptor's in letters and digits, beginning with a small letter",
        manifest::has_name,
    ),
    must(
        7,
        2,
        "have a version of three numbers",
        manifest::has_version,
    ),
    must(
        8,
        2,
        "offer a class or a conversion, each once",
        manifest::offers_something,
    ),
    must(
        9,
        2,
        "have a descriptor that `kmd check` finds no errors in",
        manifest::is_described,
    ),
    must(
        10,
        2,
        "name classes of its descriptor or standard ones, none of them abstract",
        manifest::classes_exist,
    ),
    must(
        11,
        3,
        "let each element and hub be created in a pipeline: `mediaPipeline`, of type MediaPipeline",
        manifest::is_in_pipeline,
    ),
    must(
        12,
        3,
        "declare each setting once, and let it have a value",
        manifest::settings_fit,
    ),
    must(
        13,
        3,
        "convert between different formats, named in capitals, at a cost of 1 or more",
        manifest::conversions_fit,
    ),
    should(
        14,
        3,
        "have a descriptor without warnings",
        manifest::has_no_warnings,
    ),
    should(
        15,
        3,
        "say what each class, method and property of its descriptor means",
        manifest::is_documented,
    ),
    must(
        16,
        4,
        "find every library that it needs",
        library::finds_its_needs,
    ),
    must(
        17,
        4,
        "look for libraries at absolute places or beside itself (`$ORIGIN`)",
        library::has_safe_run_path,
    ),
    must(
        18,
        4,
        "leave the stack and its code as they are protected: no executable stack, no text relocations",
        library::is_protected,
    ),
    must(
        19,
        5,
        "be taken by the server, which loads it in a process of its own",
        server::takes_it,
    ),
    must(
        20,
        6,
        "leave no memory, thread, descriptor or timer behind when 1,000 objects come and go",
        behaviour::lives,
    ),
    must(
        21,
        6,
        "leave the process as it is: signal handlers, working directory, environment",
        behaviour::leaves_the_process_alone,
    ),
    must(
        22,
        7,
        "stand all values of parameters that its descriptor permits",
        behaviour::stands_parameters,
    ),
    must(
        23,
        7,
        "stand media of any format, size, content and time",
        behaviour::stands_media,
    ),
    must(
        24,
        8,
        "stand calls, media, time and its release beside each other",
        behaviour::stands_everything_at_once,
    ),
    must(
        25,
        9,
        "return at once from what takes media, messages and timers",
        behaviour::returns_at_once,
    ),
    must(
        26,
        9,
        "bound what it keeps of media, whether that is taken or not",
        behaviour::is_bounded,
    ),
    must(
        27,
        10,
        "stand all of this in any order",
        behaviour::stands_sequences,
    ),
];

/// Prints what a module breaks; whether it passes.
pub(super) fn check(arguments: &Arguments, path: &Path) -> Result<bool, Failure> {
    let dependencies = inputs::read(&arguments.dependency)?;
    let server = server::find(arguments.server.as_deref());
    let (mut passed, mut asked) = (true, 0);
    ask(path, &dependencies, server.as_deref(), |rule, breaches| {
        // Code is run only of what the server would load.
        if rule.level > arguments.strictness || rule.level > LOADED && !passed {
            return false;
        }
        asked += 1;
        for breach in breaches() {
            let counts = rule.is_must || arguments.strict;
            passed &= !counts;
            let warning = if counts { "" } else { "warning: " };
            eprintln!("{}", rule.broken(path, warning, &breach));
        }
        true
    })?;
    if passed {
        println!(
            "{}: passes {asked} checks at strictness {}",
            path.display(),
            arguments.strictness
        );
    }
    Ok(passed)
}

/// What a server would not take, a line each.
pub(super) fn errors(
    path: &Path,
    dependencies: &[Descriptor],
    server: Option<&Path>,
) -> Result<Vec<String>, Failure> {
    let mut errors = Vec::new();
    ask(path, dependencies, server, |rule, breaches| {
        if rule.level > LOADED {
            return false;
        }
        if rule.is_must {
            let broken = breaches();
            errors.extend(broken.iter().map(|breach| rule.broken(path, "", breach)));
        }
        true
    })?;
    Ok(errors)
}

impl Rule {
    fn broken(&self, path: &Path, warning: &str, breach: &str) -> String {
        let kind = if self.is_must { "MUST" } else { "SHOULD" };
        let (path, number, text) = (path.display(), self.number, self.text);
        format!("{path}: {warning}{number}: it {kind} {text}: {breach}")
    }
}

/// Goes through the rules, as long as `judge` wants more. It gets what looks for breaches.
fn ask(
    path: &Path,
    dependencies: &[Descriptor],
    server: Option<&Path>,
    mut judge: impl FnMut(&Rule, &dyn Fn() -> Vec<String>) -> bool,
) -> Result<(), Failure> {
    let file = ModuleFile::read(path)?;
    let none = Manifest::default();
    let facts = Facts {
        path,
        file: &file,
        manifest: file.manifest.as_ref().unwrap_or(&none),
        dependencies,
        server,
    };
    for rule in RULES {
        // What is no module at all need not be asked for more.
        let is_asked = rule.level <= 1 || file.manifest.is_some();
        if !is_asked || !judge(rule, &|| (rule.check)(&facts)) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_lists_them_all() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/module-spec.md");
        let specification = std::fs::read_to_string(path).unwrap();
        let lines = specification
            .lines()
            .filter_map(|line| line.strip_prefix("| "));
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(" | ").collect()).collect();
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row[0].parse::<u8>().is_ok())
            .collect();
        assert_eq!(rows.len(), RULES.len());
        for (row, rule) in rows.iter().zip(RULES) {
            let kind = if rule.is_must { "MUST" } else { "SHOULD" };
            let (number, level) = (rule.number.to_string(), rule.level.to_string());
            let expected = [&*number, &*level, kind, rule.text];
            assert_eq!(row[..4], expected, "{row:?}");
        }
        let numbers: Vec<u8> = RULES.iter().map(|rule| rule.number).collect();
        assert!(
            numbers
                .iter()
                .copied()
                .eq(1..=u8::try_from(RULES.len()).unwrap())
        );
        assert!(RULES.is_sorted_by_key(|rule| rule.level));
    }
}
