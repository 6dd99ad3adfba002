//! Remote classes with all they inherit.

use super::complex::Event;
use super::operation::{Operation, Operations};
use super::value::{Param, QualifiedName, Type};
use serde_json::Value;
use std::sync::Arc;

/// A class of objects in the server.
#[derive(Debug, Clone)]
pub struct Class {
    /// Plain name, `WebRtcEndpoint`.
    pub name: String,
    /// The module's own name, `elements`.
    pub module: String,
    /// `kurento` for the standard modules, else the module's name.
    pub namespace: String,
    /// Markdown.
    pub doc: String,
    /// Cannot be created, only extended.
    pub is_abstract: bool,
    /// Parameters of `create`, in order.
    pub constructor: Vec<Param>,
    /// Markdown about creating an object.
    pub constructor_doc: String,
    pub(super) qualified_name: QualifiedName,
    pub(super) ancestors: Vec<Arc<Class>>,
    pub(super) methods: Vec<Arc<Method>>,
    pub(super) properties: Vec<Arc<Property>>,
    pub(super) events: Vec<ClassEvent>,
    pub(super) operations: Operations,
}

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// Wire name.
    pub name: String,
    /// The class that declares it.
    pub declared_by: QualifiedName,
    /// In order.
    pub params: Vec<Param>,
    /// `None`: the operation answers null.
    pub returns: Option<Type>,
    /// Markdown.
    pub doc: String,
    /// Markdown about the answer.
    pub returns_doc: String,
}

/// A value reached through `getX` and, unless it is read-only or final, `setX`.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Wire name.
    pub name: String,
    /// The class that declares it.
    pub declared_by: QualifiedName,
    /// Its type.
    pub ty: Type,
    /// No setter; the value may change by itself.
    pub read_only: bool,
    /// No setter; the value is fixed when the object is created.
    pub is_final: bool,
    /// May be absent.
    pub optional: bool,
    /// The value of a new object, when the descriptor says it.
    pub default: Option<Value>,
    /// Markdown.
    pub doc: String,
    /// What the setter takes: one parameter named like the property.
    pub(super) setter_params: Vec<Param>,
}

/// An event that a class can raise.
#[derive(Debug, Clone)]
pub struct ClassEvent {
    /// The class that declares it.
    pub declared_by: QualifiedName,
    /// The event.
    pub event: Arc<Event>,
}

impl Property {
    /// Whether there is a setter.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !self.read_only && !self.is_final
    }
}

impl Class {
    /// `kurento.WebRtcEndpoint`.
    #[must_use]
    pub fn qualified_name(&self) -> &QualifiedName {
        &self.qualified_name
    }

    /// The classes this one extends, nearest first.
    #[must_use]
    pub fn ancestors(&self) -> &[Arc<Self>] {
        &self.ancestors
    }

    /// The class this one extends directly.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<Self>> {
        self.ancestors.first()
    }

    /// Whether this is the named class or extends it. Plain or qualified name.
    #[must_use]
    pub fn is_a(&self, name: &str) -> bool {
        self.qualified_name.is(name)
            || self
                .ancestors
                .iter()
                .any(|ancestor| ancestor.qualified_name.is(name))
    }

    /// All methods, those of the most basic class first.
    #[must_use]
    pub fn methods(&self) -> &[Arc<Method>] {
        &self.methods
    }

    /// The methods that the class itself declares.
    pub fn own_methods(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.methods
            .iter()
            .filter(|method| method.declared_by == self.qualified_name)
    }

    /// All properties, those of the most basic class first.
    #[must_use]
    pub fn properties(&self) -> &[Arc<Property>] {
        &self.properties
    }

    /// The properties that the class itself declares.
    pub fn own_properties(&self) -> impl Iterator<Item = &Arc<Property>> {
        self.properties
            .iter()
            .filter(|property| property.declared_by == self.qualified_name)
    }

    /// The property of this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Arc<Property>> {
        self.operations.property(name)
    }

    /// All events, those of the most basic class first.
    #[must_use]
    pub fn events(&self) -> &[ClassEvent] {
        &self.events
    }

    /// The events that the class itself declares.
    pub fn own_events(&self) -> impl Iterator<Item = &Arc<Event>> {
        let own = self
            .events
            .iter()
            .filter(|event| event.declared_by == self.qualified_name);
        own.map(|event| &event.event)
    }

    /// The event of this plain name, if objects of the class can raise it.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&Arc<Event>> {
        self.operations.event(name)
    }

    /// The operation of this name: a method, or getter or setter of a property. With overloads, the
    /// first declared.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations(name).first()
    }

    /// All operations of this name, which differ in their number of parameters. Empty if there is
    /// none.
    #[must_use]
    pub fn operations(&self, name: &str) -> &[Operation] {
        self.operations.named(name)
    }

    /// The operation that a call with these parameters means: among the overloads that know every
    /// given name, the one with the fewest names not given; if none knows all, the first declared.
    #[must_use]
    pub fn operation_for<'p>(
        &self,
        name: &str,
        given: impl Iterator<Item = &'p str> + Clone,
    ) -> Option<&Operation> {
        let overloads = self.operations(name);
        let knows_all = |operation: &&Operation| {
            let params = operation.params();
            given
                .clone()
                .all(|name| params.iter().any(|param| param.name == name))
        };
        let missing = |operation: &&Operation| {
            let absent = |name: &str| given.clone().all(|other| other != name);
            let params = operation
                .params()
                .iter()
                .filter(|param| absent(&param.name));
            // A missing required parameter outweighs any number of missing optional ones.
            params.fold((0_usize, 0_usize), |(required, optional), param| {
                if param.optional {
                    (required, optional + 1)
                } else {
                    (required + 1, optional)
                }
            })
        };
        overloads
            .iter()
            .filter(knows_all)
            .min_by_key(missing)
            .or(overloads.first())
    }
}
