//! Kurento module descriptors (KMD): parse, check, generate.
//!
//! A descriptor (`*.kmd.json`) says what a module offers: classes with constructor, operations,
//! properties and events, and the structures and enumerations these use. Everything else is derived
//! from it. The stages:
//!
//! 1. [`Descriptor::parse`] reads one file, [`Descriptor::merge`] joins the files of one module.
//!    Names are still text.
//! 2. [`check`] lists what is wrong with a set of descriptors, as `kmd check` prints it.
//! 3. [`Model::new`] resolves them: classes know their ancestors, types are [`Type`]s, operations
//!    are found by name. [`Model::standard`] holds what every Kurento server has (modules core,
//!    elements and filters).
//! 4. [`rust`] turns classes of a model into Rust traits and types, [`build`] does so from a
//!    module's `build.rs`, [`markdown`] into a reference for people.

mod check;
mod descriptor;
mod error;
mod lenient;
pub mod markdown;
mod model;
mod settings;
mod standard;
mod symbols;
mod type_reference;
mod version;

#[cfg(feature = "generate")]
pub mod build;
#[cfg(feature = "generate")]
pub mod rust;

pub use check::check;
pub use descriptor::{
    ComplexTypeDefinition, Constructor, Descriptor, EventDefinition, Import, MethodDefinition,
    PropertyDefinition, RemoteClass, Return, STANDARD_MODULES, TypeFormat,
};
pub use error::{Error, Location, Problem, Severity};
pub use model::{
    Class, ClassEvent, ComplexType, Enumeration, Event, Method, Model, Operation, Param, Property,
    QualifiedName, Register, Type,
};
pub use settings::{Setting, SettingKind};
pub use standard::standard_descriptors;
pub use version::{VersionRange, is_development, parse_version};
