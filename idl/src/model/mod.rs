//! Descriptors resolved: every name is found, every class knows what it inherits.

mod class;
mod complex;
mod operation;
mod resolve;
mod value;

pub use class::{Class, ClassEvent, Method, Property};
pub use complex::{ComplexType, Enumeration, Event, Register};
pub use operation::Operation;
pub(crate) use operation::{getter_name, setter_name};
pub use value::{Param, QualifiedName, Type};

use crate::check::unify_and_check;
use crate::descriptor::Descriptor;
use crate::error::{Error, Severity};
use std::collections::HashMap;
use std::sync::Arc;

/// Classes, complex types and events of a set of modules.
///
/// Everything is found by its plain name (`WebRtcEndpoint`) and by its qualified one
/// (`kurento.WebRtcEndpoint`). Plain names of classes are unique; of complex types and events that
/// are in several namespaces, the plain name means the one of the first module.
#[derive(Debug, Clone)]
pub struct Model {
    modules: Vec<Descriptor>,
    classes: Named<Class>,
    complex_types: Named<ComplexType>,
    events: Named<Event>,
}

/// Definitions in the order of the descriptors, and by plain and qualified name.
#[derive(Debug, Clone)]
struct Named<T> {
    ordered: Vec<Arc<T>>,
    by_name: HashMap<String, Arc<T>>,
}

impl<T> Named<T> {
    fn new() -> Self {
        Self {
            ordered: Vec::new(),
            by_name: HashMap::new(),
        }
    }

    fn insert(&mut self, name: &QualifiedName, definition: Arc<T>) {
        self.ordered.push(Arc::clone(&definition));
        self.by_name
            .insert(name.to_string(), Arc::clone(&definition));
        self.by_name
            .entry(name.name().to_owned())
            .or_insert(definition);
    }

    fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.by_name.get(name)
    }
}

impl Model {
    /// Resolves these modules, which must include those that they import.
    ///
    /// Descriptors of the same module are joined: a definition that is identical (texts aside) in
    /// both is fine. Of its other members (version, code, …) the first descriptor's count.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all errors. Warnings are no obstacle and not told;
    /// [`crate::check`] lists them.
    pub fn new(descriptors: Vec<Descriptor>) -> Result<Self, Error> {
        let (modules, mut problems) = unify_and_check(descriptors);
        problems.retain(|problem| problem.severity == Severity::Error);
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        resolve::resolve(modules)
    }

    /// The class of this plain or qualified name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&Arc<Class>> {
        self.classes.get(name)
    }

    /// All classes, by module and in the order of the descriptors.
    #[must_use]
    pub fn classes(&self) -> &[Arc<Class>] {
        &self.classes.ordered
    }

    /// The enumeration or register of this plain or qualified name.
    #[must_use]
    pub fn complex_type(&self, name: &str) -> Option<&Arc<ComplexType>> {
        self.complex_types.get(name)
    }

    /// All enumerations and registers, by module and in the order of the descriptors.
    #[must_use]
    pub fn complex_types(&self) -> &[Arc<ComplexType>] {
        &self.complex_types.ordered
    }

    /// The event of this plain or qualified name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&Arc<Event>> {
        self.events.get(name)
    }

    /// All events, by module and in the order of the descriptors.
    #[must_use]
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events.ordered
    }

    /// The modules: core, elements, filters as far as present, then the others in the order they
    /// were given.
    #[must_use]
    pub fn modules(&self) -> &[Descriptor] {
        &self.modules
    }

    /// The merged descriptor of a module, by its own name (`elements`, not `kurento`).
    #[must_use]
    pub fn descriptor(&self, module: &str) -> Option<&Descriptor> {
        self.modules
            .iter()
            .find(|descriptor| descriptor.name() == module)
    }
}

#[cfg(test)]
mod tests;
