//! What `invoke` can name.

use super::class::{ClassEvent, Method, Property};
use super::complex::Event;
use super::value::{Param, Type};
use std::collections::HashMap;
use std::sync::Arc;

/// What the `operation` of an `invoke` stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// A method of the class.
    Method(Arc<Method>),
    /// `getX`.
    Getter(Arc<Property>),
    /// `setX`.
    Setter(Arc<Property>),
}

impl Operation {
    /// What it takes, in order.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        match self {
            Self::Method(method) => &method.params,
            Self::Getter(_) => &[],
            Self::Setter(property) => &property.setter_params,
        }
    }

    /// What it answers; `None` is null.
    #[must_use]
    pub fn returns(&self) -> Option<&Type> {
        match self {
            Self::Method(method) => method.returns.as_ref(),
            Self::Getter(property) => Some(&property.ty),
            Self::Setter(_) => None,
        }
    }

    /// The class that declares it.
    #[must_use]
    pub fn declared_by(&self) -> &super::QualifiedName {
        match self {
            Self::Method(method) => &method.declared_by,
            Self::Getter(property) | Self::Setter(property) => &property.declared_by,
        }
    }
}

/// Look-ups of one class, made once.
#[derive(Debug, Clone, Default)]
pub(super) struct Operations {
    by_name: HashMap<String, Vec<Operation>>,
    properties: HashMap<String, Arc<Property>>,
    events: HashMap<String, Arc<Event>>,
}

impl Operations {
    pub(super) fn new(
        methods: &[Arc<Method>],
        properties: &[Arc<Property>],
        events: &[ClassEvent],
    ) -> Self {
        let mut by_name: HashMap<String, Vec<Operation>> = HashMap::new();
        let mut add = |name: String, operation| by_name.entry(name).or_default().push(operation);
        for method in methods {
            add(method.name.clone(), Operation::Method(Arc::clone(method)));
        }
        for property in properties {
            add(
                getter_name(&property.name),
                Operation::Getter(Arc::clone(property)),
            );
            if property.is_writable() {
                add(
                    setter_name(&property.name),
                    Operation::Setter(Arc::clone(property)),
                );
            }
        }
        let properties = properties
            .iter()
            .map(|property| (property.name.clone(), Arc::clone(property)));
        let events = events.iter().map(|declared| &declared.event);
        Self {
            by_name,
            properties: properties.collect(),
            events: events
                .map(|event| (event.name.name().to_owned(), Arc::clone(event)))
                .collect(),
        }
    }

    pub(super) fn named(&self, name: &str) -> &[Operation] {
        self.by_name
            .get(name)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub(super) fn property(&self, name: &str) -> Option<&Arc<Property>> {
        self.properties.get(name)
    }

    pub(super) fn event(&self, name: &str) -> Option<&Arc<Event>> {
        self.events.get(name)
    }
}

/// `getName` of `name`; only the first letter changes. Booleans too have `get`.
pub(crate) fn getter_name(property: &str) -> String {
    prefixed("get", property)
}

/// `setName` of `name`; only the first letter changes.
pub(crate) fn setter_name(property: &str) -> String {
    prefixed("set", property)
}

fn prefixed(prefix: &str, property: &str) -> String {
    let mut characters = property.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    prefix.chars().chain(first).chain(characters).collect()
}
