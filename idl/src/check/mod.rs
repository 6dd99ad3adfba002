//! What is wrong with a set of descriptors.
//!
//! Every rule looks at one aspect and adds to one list, so that an author sees all problems of a
//! file at once.

mod constants;
mod inheritance;
mod members;
mod modules;
mod names;
mod types;

use crate::descriptor::Descriptor;
use crate::error::{Location, Problem};
use crate::symbols::{Symbols, unify};

pub(crate) use constants::fitting;

/// Lists what is wrong with these modules, errors and warnings, ordered by module and place.
///
/// The descriptors must be complete, that is [merged](Descriptor::merge), and must include the
/// modules that they import; those of a server start with [`crate::standard_descriptors`].
#[must_use]
pub fn check(descriptors: &[Descriptor]) -> Vec<Problem> {
    unify_and_check(descriptors.to_vec()).1
}

/// The unified modules together with what is wrong with them.
pub(crate) fn unify_and_check(descriptors: Vec<Descriptor>) -> (Vec<Descriptor>, Vec<Problem>) {
    let mut problems = Vec::new();
    let modules = unify(descriptors, &mut problems);
    let symbols = Symbols::new(&modules, &mut problems);
    let mut checker = Checker {
        symbols: &symbols,
        problems: Vec::new(),
    };
    checker.check_module_names();
    for module in &modules {
        checker.check_module(module);
        checker.check_classes(module);
        checker.check_complex_types(module);
        checker.check_events(module);
    }
    problems.append(&mut checker.problems);
    (modules, problems)
}

/// Collects problems; the rules are in the modules beside this one.
struct Checker<'a> {
    symbols: &'a Symbols<'a>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn error(&mut self, at: &Location, message: impl Into<String>) {
        self.problems.push(Problem::error(at.clone(), message));
    }

    fn warning(&mut self, at: &Location, message: impl Into<String>) {
        self.problems.push(Problem::warning(at.clone(), message));
    }
}

#[cfg(test)]
mod tests;
