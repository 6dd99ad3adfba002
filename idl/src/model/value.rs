//! Resolved names, types and parameters.

use serde_json::Value;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Namespace and name, printed as on the wire: `kurento.IceCandidate`. Reads like a string.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    text: Arc<str>,
}

impl QualifiedName {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            text: format!("{namespace}.{name}").into(),
        }
    }

    /// `kurento` for the standard modules, else the module's name. This is the wire's `__module__`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text
            .split_once('.')
            .map_or("", |(namespace, _)| namespace)
    }

    /// The name without the namespace. This is the wire's `__type__`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text
            .split_once('.')
            .map_or(&self.text, |(_, name)| name)
    }

    /// Whether `name`, plain or qualified, means this.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        *self.text == *name || self.name() == name
    }
}

impl Deref for QualifiedName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// JSON string.
    String,
    /// JSON boolean.
    Boolean,
    /// Signed 32 bits.
    Int,
    /// Signed 64 bits.
    Int64,
    /// IEEE 754 single precision; on the wire the exact decimal of the 32-bit value.
    Float,
    /// IEEE 754 double precision.
    Double,
    /// Reference to an object of this class or one that extends it; on the wire its id.
    Class(QualifiedName),
    /// Enumeration or register, see [`crate::Model::complex_type`].
    Complex(QualifiedName),
    /// JSON array.
    List(Box<Type>),
    /// JSON object with arbitrary member names.
    Map(Box<Type>),
}

impl Type {
    /// The type without any list and map around it.
    #[must_use]
    pub fn innermost(&self) -> &Self {
        match self {
            Self::List(item) | Self::Map(item) => item.innermost(),
            other => other,
        }
    }
}

impl fmt::Display for Type {
    /// As descriptors write it, names without namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("String"),
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::Int64 => f.write_str("int64"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Class(name) | Self::Complex(name) => f.write_str(name.name()),
            Self::List(item) => write!(f, "{item}[]"),
            Self::Map(item) => write!(f, "{item}<>"),
        }
    }
}

/// A named value: a parameter, a field of a register, a property of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Wire name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// May be left out.
    pub optional: bool,
    /// What counts when an optional value is left out, as JSON of exactly [`Self::ty`].
    ///
    /// A value that is not optional can have a default too; it is information for people then, and
    /// the value must be given.
    pub default: Option<Value>,
    /// Left out, it counts as `null`.
    pub absent_is_null: bool,
    /// Markdown.
    pub doc: String,
}
