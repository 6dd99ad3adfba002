//! A descriptor as it stands in its file: names are text, nothing is resolved.
//!
//! Serialising gives the members in Kurento's order, without defaults, which is also what `getKmd`
//! answers.

mod files;
mod merge;
mod parse;

use crate::error::Location;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One module, or one of the files it is split into.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    /// Module name; exactly one of a module's files has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Module version such as `7.3.0` or `0.0.1-dev`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Range of protocol versions the module works with, such as `^7.0.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kurento_version: Option<String>,
    /// Other modules whose classes and types are used. core, elements and filters are always there.
    pub imports: Vec<Import>,
    /// Where the module's sources live; not interpreted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<Value>,
    /// Settings of client generators (Java package, npm name, …); not interpreted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Value>,
    /// Classes whose objects live in the server.
    pub remote_classes: Vec<RemoteClass>,
    /// Enumerations and structures.
    pub complex_types: Vec<ComplexTypeDefinition>,
    /// Events that the classes raise.
    pub events: Vec<EventDefinition>,
    /// Members that no rule of the format knows, as places in the tree.
    #[serde(skip)]
    pub(crate) unknown_members: Vec<Location>,
    /// The file, for messages about the descriptor as a whole.
    #[serde(skip)]
    pub(crate) location: Location,
}

/// A module that this one uses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Name of the other module.
    pub name: String,
    /// Range of its versions, see [`crate::VersionRange`].
    pub version: String,
    /// The range as Maven writes it; not interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maven_version: Option<String>,
    /// The range as npm writes it; not interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npm_version: Option<String>,
}

/// A class of objects in the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteClass {
    /// Upper camel case, without underscores and dots.
    pub name: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Cannot be created, only extended.
    #[serde(default, rename = "abstract", skip_serializing_if = "is_false")]
    pub is_abstract: bool,
    /// The class that this one refines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What `create` needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constructor: Option<Constructor>,
    /// Values reached through `getX` and `setX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyDefinition>,
    /// Operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<MethodDefinition>,
    /// Names of the events this class adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Where the definition stands.
    #[serde(skip)]
    pub(crate) location: Location,
}

/// Parameters of `create`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Constructor {
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// In order.
    #[serde(default)]
    pub params: Vec<PropertyDefinition>,
}

/// An operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodDefinition {
    /// Wire name.
    pub name: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// In order.
    #[serde(default)]
    pub params: Vec<PropertyDefinition>,
    /// Absent: the operation answers null.
    #[serde(default, rename = "return", skip_serializing_if = "Option::is_none")]
    pub returns: Option<Return>,
}

/// What an operation answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Return {
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// `int`, `Tag[]`, …
    #[serde(rename = "type")]
    pub ty: String,
}

/// A named value: a parameter, a class property, a field of a register or a property of an event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyDefinition {
    /// Wire name.
    pub name: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// `int`, `Tag[]`, …
    #[serde(rename = "type")]
    pub ty: String,
    /// No setter; the value may change by itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// No setter; the value is fixed when the object is created.
    #[serde(default, rename = "final", skip_serializing_if = "is_false")]
    pub is_final: bool,
    /// May be left out by the caller.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// What the callee sees when it is left out. An explicit `null` in the file counts as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<Value>,
    /// A client that leaves it out is taken to have given `null`. For what clients leave out although
    /// the published signature has it; so it is no part of that, and not written.
    #[serde(default, skip_serializing)]
    pub absent_is_null: bool,
}

/// An enumeration or a structure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComplexTypeDefinition {
    /// Name, unique in its module.
    pub name: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Which of the two it is.
    pub type_format: TypeFormat,
    /// The register whose fields come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Values of an enumeration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Fields of a register.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyDefinition>,
    /// Where the definition stands.
    #[serde(skip)]
    pub(crate) location: Location,
}

/// Kinds of complex types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TypeFormat {
    /// A string out of a fixed set.
    Enum,
    /// An object with named fields.
    #[default]
    Register,
}

/// Something an object tells its subscribers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EventDefinition {
    /// Name to subscribe to.
    pub name: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Normally `Media`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What it carries beyond the event it extends.
    #[serde(default)]
    pub properties: Vec<PropertyDefinition>,
    /// Where the definition stands.
    #[serde(skip)]
    pub(crate) location: Location,
}

impl Descriptor {
    /// Module name; empty for a file of a split module that does not say it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// File name that was given to [`Descriptor::parse`].
    #[must_use]
    pub fn file(&self) -> &str {
        &self.location.file
    }

    /// The files that this descriptor was merged from, as far as something in them is left to tell.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let classes = self.remote_classes.iter().map(|class| &class.location);
        let complex_types = self.complex_types.iter().map(|complex| &complex.location);
        let events = self.events.iter().map(|event| &event.location);
        let definitions = classes.chain(complex_types).chain(events);
        definitions
            .chain(&self.unknown_members)
            .chain([&self.location])
            .map(|location| &*location.file)
    }

    /// What precedes the class in qualified names and in `__module__`: `kurento` for the standard
    /// modules.
    #[must_use]
    pub fn namespace(&self) -> &str {
        namespace_of(self.name())
    }
}

/// Modules that every Kurento server has; they share the namespace `kurento`.
pub const STANDARD_MODULES: [&str; 3] = ["core", "elements", "filters"];

pub(crate) fn namespace_of(module: &str) -> &str {
    if STANDARD_MODULES.contains(&module) {
        "kurento"
    } else {
        module
    }
}

/// Two definitions are the same when everything but their texts is.
pub(crate) fn same_but_texts<T: Serialize>(one: &T, other: &T) -> bool {
    fn without_texts(value: Value) -> Value {
        match value {
            Value::Object(mut members) => {
                members.remove("doc");
                let members = members
                    .into_iter()
                    .map(|(name, member)| (name, without_texts(member)));
                Value::Object(members.collect())
            }
            Value::Array(items) => items.into_iter().map(without_texts).collect(),
            other => other,
        }
    }
    let [one, other] =
        [one, other].map(|definition| serde_json::to_value(definition).map(without_texts));
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}
