//! Types of values: they parse, and the names in them mean something.

use super::{Checker, constants::fitting};
use crate::descriptor::{Descriptor, PropertyDefinition};
use crate::error::Location;
use crate::type_reference::TypeReference;

/// What leaving out a value means in the place where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Omission {
    /// Parameters: Kurento's own server needs a default to compile.
    NeedsDefault,
    /// Fields, properties: absent is a value of its own.
    MeansAbsent,
}

impl Checker<'_> {
    pub(super) fn check_type(
        &mut self,
        at: &Location,
        module: &Descriptor,
        text: &str,
    ) -> Option<TypeReference> {
        let reference = match text.parse::<TypeReference>() {
            Ok(reference) => reference,
            Err(message) => {
                self.error(at, message);
                return None;
            }
        };
        if let TypeReference::Named(name) = reference.innermost() {
            let is_class = self.symbols.classes.find(module, name).is_some();
            let is_complex = self.symbols.complex_types.find(module, name).is_some();
            if !is_class && !is_complex {
                self.error(at, format!("type '{name}' is not known"));
                return None;
            }
        }
        Some(reference)
    }

    pub(super) fn check_value(
        &mut self,
        at: &Location,
        module: &Descriptor,
        value: &PropertyDefinition,
        omission: Omission,
    ) {
        self.check_identifier(&at.below("name"), "value", &value.name);
        let Some(reference) = self.check_type(&at.below("type"), module, &value.ty) else {
            return;
        };
        match &value.default_value {
            Some(default) => {
                if let Err(message) = fitting(self.symbols, module, &reference, default) {
                    self.error(&at.below("defaultValue"), message);
                }
            }
            // The standard modules have such parameters; what a published API says is no mistake of
            // its descriptor.
            None if value.optional
                && omission == Omission::NeedsDefault
                && module.namespace() != "kurento" =>
            {
                let message = format!(
                    "optional '{}' has no defaultValue: the module gets it as absent, but Kurento's tools cannot build \
                     such a module",
                    value.name
                );
                self.warning(at, message);
            }
            None => {}
        }
    }

    pub(super) fn check_values(
        &mut self,
        at: &Location,
        list: &str,
        module: &Descriptor,
        values: &[PropertyDefinition],
        omission: Omission,
    ) {
        for (index, value) in values.iter().enumerate() {
            self.check_value(
                &at.below(format_args!("{list}[{index}]")),
                module,
                value,
                omission,
            );
        }
        let names = values.iter().map(|value| value.name.as_str());
        self.check_unique(at, list, names);
    }
}
