//! Finds definitions by name, the way a descriptor of a given module sees them.

use crate::descriptor::{
    ComplexTypeDefinition, Descriptor, EventDefinition, RemoteClass, namespace_of, same_but_texts,
};
use crate::error::{Location, Problem};
use serde::Serialize;
use std::collections::HashMap;

/// A class, complex type or event: something with a name that is unique among its kind in its
/// namespace.
pub(crate) trait Definition: Serialize {
    /// For messages.
    const KIND: &'static str;
    fn name(&self) -> &str;
    fn location(&self) -> &Location;
}

macro_rules! definition {
    ($type:ty, $kind:literal) => {
        impl Definition for $type {
            const KIND: &'static str = $kind;
            fn name(&self) -> &str {
                &self.name
            }
            fn location(&self) -> &Location {
                &self.location
            }
        }
    };
}

definition!(RemoteClass, "class");
definition!(ComplexTypeDefinition, "complex type");
definition!(EventDefinition, "event");

/// A definition and the module it belongs to.
#[derive(Debug)]
pub(crate) struct Symbol<'a, T> {
    pub(crate) module: &'a Descriptor,
    pub(crate) definition: &'a T,
}

impl<T> Clone for Symbol<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Symbol<'_, T> {}

impl<T: Definition> Symbol<'_, T> {
    /// `kurento.WebRtcEndpoint`.
    pub(crate) fn qualified_name(&self) -> String {
        format!("{}.{}", self.module.namespace(), self.definition.name())
    }
}

/// All definitions of one kind, by qualified name.
pub(crate) struct Table<'a, T> {
    by_name: HashMap<String, Symbol<'a, T>>,
}

impl<'a, T: Definition> Table<'a, T> {
    fn new(
        modules: &'a [Descriptor],
        definitions: fn(&'a Descriptor) -> &'a [T],
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut by_name: HashMap<String, Symbol<'a, T>> = HashMap::new();
        for module in modules {
            for definition in definitions(module) {
                let symbol = Symbol { module, definition };
                let known = *by_name.entry(symbol.qualified_name()).or_insert(symbol);
                // A duplicate within one module was found when its files were unified.
                if known.module.name() != module.name()
                    && !same_but_texts(known.definition, definition)
                {
                    let message = differing(definition, known.definition.location());
                    problems.push(Problem::error(definition.location().clone(), message));
                }
            }
        }
        Self { by_name }
    }

    /// What `name` means in the descriptor of `module`: its own definition, that of an import, a
    /// standard one.
    pub(crate) fn find(&self, module: &Descriptor, name: &str) -> Option<Symbol<'a, T>> {
        if name.contains('.') {
            return self.by_name.get(name).copied();
        }
        let imports = module
            .imports
            .iter()
            .map(|import| namespace_of(&import.name));
        std::iter::once(module.namespace())
            .chain(imports)
            .chain(std::iter::once("kurento"))
            .find_map(|namespace| self.by_name.get(&format!("{namespace}.{name}")).copied())
    }
}

/// All definitions of a set of modules.
pub(crate) struct Symbols<'a> {
    pub(crate) modules: &'a [Descriptor],
    pub(crate) classes: Table<'a, RemoteClass>,
    pub(crate) complex_types: Table<'a, ComplexTypeDefinition>,
    pub(crate) events: Table<'a, EventDefinition>,
}

impl<'a> Symbols<'a> {
    pub(crate) fn new(modules: &'a [Descriptor], problems: &mut Vec<Problem>) -> Self {
        Self {
            modules,
            classes: Table::new(modules, |module| &module.remote_classes, problems),
            complex_types: Table::new(modules, |module| &module.complex_types, problems),
            events: Table::new(modules, |module| &module.events, problems),
        }
    }
}

/// Joins descriptors of the same module. An identical definition in two files is kept once, a
/// different one is a problem.
pub(crate) fn unify(descriptors: Vec<Descriptor>, problems: &mut Vec<Problem>) -> Vec<Descriptor> {
    let mut modules: Vec<Descriptor> = Vec::new();
    for mut descriptor in descriptors {
        let index = modules
            .iter()
            .position(|module| module.name() == descriptor.name());
        let classes = std::mem::take(&mut descriptor.remote_classes);
        let complex_types = std::mem::take(&mut descriptor.complex_types);
        let events = std::mem::take(&mut descriptor.events);
        let index = index.unwrap_or_else(|| {
            modules.push(descriptor);
            modules.len() - 1
        });
        if let Some(module) = modules.get_mut(index) {
            add(&mut module.remote_classes, classes, problems);
            add(&mut module.complex_types, complex_types, problems);
            add(&mut module.events, events, problems);
        }
    }
    modules.sort_by_key(|module| standard_position(module.name()));
    modules
}

/// The standard modules come first; the sort is stable for the others.
fn standard_position(module: &str) -> usize {
    let position = crate::STANDARD_MODULES
        .iter()
        .position(|standard| *standard == module);
    position.unwrap_or(crate::STANDARD_MODULES.len())
}

fn add<T: Definition>(known: &mut Vec<T>, more: Vec<T>, problems: &mut Vec<Problem>) {
    for definition in more {
        let same_name = known.iter().find(|other| other.name() == definition.name());
        let Some(other) = same_name else {
            known.push(definition);
            continue;
        };
        let at = definition.location().clone();
        if other.location().file == at.file {
            let message = format!(
                "{} {} is defined twice in this file",
                T::KIND,
                definition.name()
            );
            problems.push(Problem::error(at, message));
        } else if !same_but_texts(other, &definition) {
            problems.push(Problem::error(at, differing(&definition, other.location())));
        }
    }
}

fn differing<T: Definition>(definition: &T, other: &Location) -> String {
    format!(
        "{} {} is defined differently in {other}",
        T::KIND,
        definition.name()
    )
}
