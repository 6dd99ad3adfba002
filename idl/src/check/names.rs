//! What things may be called.

use super::Checker;
use crate::error::Location;
use crate::type_reference::is_identifier;
use std::collections::HashSet;

impl Checker<'_> {
    /// Module and class names end up in object ids (`…_module.Class`), which clients split at the
    /// last underscore and the dot.
    pub(super) fn check_id_name(&mut self, at: &Location, kind: &str, name: &str) {
        if !is_identifier(name) || name.contains('_') {
            self.error(
                at,
                format!(
                    "{kind} name '{name}' must start with a letter and have only letters and digits"
                ),
            );
        }
    }

    /// Names of members, types and events are identifiers in every client language.
    pub(super) fn check_identifier(&mut self, at: &Location, kind: &str, name: &str) {
        if !is_identifier(name) {
            self.error(
                at,
                format!("{kind} name '{name}' must start with a letter and have only letters, digits and underscores"),
            );
        }
    }

    pub(super) fn check_unique<'n>(
        &mut self,
        at: &Location,
        kind: &str,
        names: impl Iterator<Item = &'n str>,
    ) {
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(name) {
                self.error(at, format!("two {kind} are named '{name}'"));
            }
        }
    }
}
