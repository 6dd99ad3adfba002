//! Enumerations, registers and events.

use super::value::{Param, QualifiedName};

/// A type that a descriptor defines.
#[derive(Debug, Clone, PartialEq)]
pub enum ComplexType {
    /// A string out of a fixed set.
    Enum(Enumeration),
    /// An object with named fields.
    Register(Register),
}

/// A string out of a fixed set.
#[derive(Debug, Clone, PartialEq)]
pub struct Enumeration {
    /// Qualified name.
    pub name: QualifiedName,
    /// Markdown.
    pub doc: String,
    /// As on the wire.
    pub values: Vec<String>,
}

/// An object with named fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// Qualified name.
    pub name: QualifiedName,
    /// Markdown.
    pub doc: String,
    /// All fields, inherited ones first.
    pub fields: Vec<Param>,
    /// The registers this one extends, nearest first.
    pub ancestors: Vec<QualifiedName>,
}

/// Something an object tells its subscribers.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Qualified name; the plain one is what clients subscribe to.
    pub name: QualifiedName,
    /// Markdown.
    pub doc: String,
    /// All properties, inherited ones (such as source, timestampMillis, tags, type) first.
    pub properties: Vec<Param>,
    /// How many of [`Self::properties`], at their end, are the event's own.
    pub own_count: usize,
    /// The events this one extends, nearest first.
    pub ancestors: Vec<QualifiedName>,
}

impl ComplexType {
    /// Qualified name.
    #[must_use]
    pub fn name(&self) -> &QualifiedName {
        match self {
            Self::Enum(enumeration) => &enumeration.name,
            Self::Register(register) => &register.name,
        }
    }

    /// Markdown.
    #[must_use]
    pub fn doc(&self) -> &str {
        match self {
            Self::Enum(enumeration) => &enumeration.doc,
            Self::Register(register) => &register.doc,
        }
    }
}

impl Register {
    /// The register whose fields come first.
    #[must_use]
    pub fn extends(&self) -> Option<&QualifiedName> {
        self.ancestors.first()
    }

    /// Whether this is the named register or extends it. Plain or qualified name.
    #[must_use]
    pub fn is_a(&self, name: &str) -> bool {
        self.name.is(name) || self.ancestors.iter().any(|ancestor| ancestor.is(name))
    }

    /// The field of this name, own or inherited.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Param> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Event {
    /// The properties that the event adds to those it inherits.
    #[must_use]
    pub fn own_properties(&self) -> &[Param] {
        let inherited = self.properties.len().saturating_sub(self.own_count);
        self.properties.get(inherited..).unwrap_or_default()
    }
}
