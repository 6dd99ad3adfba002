//! Classes, complex types and events, member by member.

use super::Checker;
use super::types::Omission;
use crate::descriptor::{
    ComplexTypeDefinition, Descriptor, MethodDefinition, RemoteClass, TypeFormat,
};
use crate::error::Location;
use crate::model::{getter_name, setter_name};
use crate::symbols::Symbol;

impl Checker<'_> {
    pub(super) fn check_classes(&mut self, module: &Descriptor) {
        for class in &module.remote_classes {
            let at = &class.location;
            self.check_id_name(&at.below("name"), "class", &class.name);
            let symbol = Symbol {
                module,
                definition: class,
            };
            let chain = self.check_extends(&self.symbols.classes, symbol);
            if self
                .symbols
                .complex_types
                .find(module, &class.name)
                .is_some()
            {
                self.error(
                    at,
                    format!("'{}' is both a class and a complex type", class.name),
                );
            }
            self.check_namesake_in_other_module(module, class);
            if let Some(constructor) = &class.constructor {
                let at = at.below("constructor");
                self.check_values(
                    &at,
                    "params",
                    module,
                    &constructor.params,
                    Omission::NeedsDefault,
                );
            }
            self.check_values(
                at,
                "properties",
                module,
                &class.properties,
                Omission::MeansAbsent,
            );
            for (index, method) in class.methods.iter().enumerate() {
                self.check_method(&at.below(format_args!("methods[{index}]")), module, method);
            }
            self.check_operations(class, &chain);
            self.check_raised_events(module, class);
        }
    }

    /// `create` takes plain class names, so they must be unique over all modules.
    fn check_namesake_in_other_module(&mut self, module: &Descriptor, class: &RemoteClass) {
        let earlier = self
            .symbols
            .modules
            .iter()
            .take_while(|other| other.name() != module.name());
        let namesake = earlier
            .filter(|other| other.namespace() != module.namespace())
            .flat_map(|other| &other.remote_classes)
            .find(|other| other.name == class.name);
        if let Some(namesake) = namesake {
            let message = format!(
                "another class {} is defined in {}",
                class.name, namesake.location
            );
            self.error(&class.location, message);
        }
    }

    fn check_method(&mut self, at: &Location, module: &Descriptor, method: &MethodDefinition) {
        self.check_identifier(&at.below("name"), "method", &method.name);
        self.check_values(at, "params", module, &method.params, Omission::NeedsDefault);
        if let Some(returns) = &method.returns {
            self.check_type(&at.below("return.type"), module, &returns.ty);
        }
    }

    /// Operations of one name must differ in their number of parameters, inherited ones and getters
    /// and setters included.
    fn check_operations(&mut self, class: &RemoteClass, chain: &[Symbol<'_, RemoteClass>]) {
        let mut taken: Vec<(String, usize, &str)> = Vec::new();
        for ancestor in chain.iter().rev() {
            let operations = operations(ancestor.definition).into_iter();
            taken.extend(
                operations.map(|(name, count, _)| (name, count, ancestor.definition.name.as_str())),
            );
        }
        for (name, count, place) in operations(class) {
            match taken
                .iter()
                .find(|(other, params, _)| *other == name && *params == count)
            {
                Some((_, _, owner)) => {
                    let message = format!(
                        "{owner} already has an operation '{name}' with {count} parameters"
                    );
                    self.error(&class.location.below(place), message);
                }
                None => taken.push((name, count, &class.name)),
            }
        }
    }

    fn check_raised_events(&mut self, module: &Descriptor, class: &RemoteClass) {
        for (index, event) in class.events.iter().enumerate() {
            if self.symbols.events.find(module, event).is_none() {
                let at = class.location.below(format_args!("events[{index}]"));
                self.error(&at, format!("event '{event}' is not known"));
            }
        }
        self.check_unique(
            &class.location,
            "events",
            class.events.iter().map(String::as_str),
        );
    }

    pub(super) fn check_complex_types(&mut self, module: &Descriptor) {
        for complex in &module.complex_types {
            let at = &complex.location;
            self.check_identifier(&at.below("name"), "complex type", &complex.name);
            match complex.type_format {
                TypeFormat::Enum => self.check_enumeration(complex),
                TypeFormat::Register => self.check_register(module, complex),
            }
        }
    }

    fn check_enumeration(&mut self, complex: &ComplexTypeDefinition) {
        let at = &complex.location;
        if complex.values.is_empty() {
            self.error(at, format!("enumeration '{}' has no values", complex.name));
        }
        if complex.extends.is_some() || !complex.properties.is_empty() {
            self.error(
                at,
                format!(
                    "enumeration '{}' can neither extend a type nor have properties",
                    complex.name
                ),
            );
        }
        for (index, value) in complex.values.iter().enumerate() {
            self.check_identifier(
                &at.below(format_args!("values[{index}]")),
                "enumeration",
                value,
            );
        }
        self.check_unique(at, "values", complex.values.iter().map(String::as_str));
    }

    fn check_register(&mut self, module: &Descriptor, complex: &ComplexTypeDefinition) {
        let at = &complex.location;
        if !complex.values.is_empty() {
            self.error(
                at,
                format!("register '{}' cannot have values", complex.name),
            );
        }
        self.check_values(
            at,
            "properties",
            module,
            &complex.properties,
            Omission::MeansAbsent,
        );
        let symbol = Symbol {
            module,
            definition: complex,
        };
        let chain = self.check_extends(&self.symbols.complex_types, symbol);
        self.check_register_parents(symbol, &chain);
        let inherited = chain
            .iter()
            .flat_map(|parent| &parent.definition.properties);
        let inherited: Vec<&str> = inherited.map(|field| field.name.as_str()).collect();
        self.check_not_inherited(at, &complex.properties, &inherited);
    }

    pub(super) fn check_events(&mut self, module: &Descriptor) {
        for event in &module.events {
            let at = &event.location;
            self.check_identifier(&at.below("name"), "event", &event.name);
            self.check_values(
                at,
                "properties",
                module,
                &event.properties,
                Omission::MeansAbsent,
            );
            let symbol = Symbol {
                module,
                definition: event,
            };
            let chain = self.check_extends(&self.symbols.events, symbol);
            let inherited = chain
                .iter()
                .flat_map(|parent| &parent.definition.properties);
            let inherited: Vec<&str> = inherited.map(|property| property.name.as_str()).collect();
            self.check_not_inherited(at, &event.properties, &inherited);
        }
    }

    fn check_not_inherited(
        &mut self,
        at: &Location,
        own: &[crate::descriptor::PropertyDefinition],
        inherited: &[&str],
    ) {
        for (index, property) in own.iter().enumerate() {
            if inherited.contains(&property.name.as_str()) {
                let at = at.below(format_args!("properties[{index}]"));
                self.error(&at, format!("'{}' is already inherited", property.name));
            }
        }
    }
}

/// Name, number of parameters and place of every operation that `class` itself declares.
fn operations(class: &RemoteClass) -> Vec<(String, usize, String)> {
    let mut operations = Vec::new();
    for (index, method) in class.methods.iter().enumerate() {
        operations.push((
            method.name.clone(),
            method.params.len(),
            format!("methods[{index}]"),
        ));
    }
    for (index, property) in class.properties.iter().enumerate() {
        let place = format!("properties[{index}]");
        operations.push((getter_name(&property.name), 0, place.clone()));
        if !property.read_only && !property.is_final {
            operations.push((setter_name(&property.name), 1, place));
        }
    }
    operations
}
