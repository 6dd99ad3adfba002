//! What a request comes to: the classes, their traits, and the complex types they use.

use super::Request;
use super::naming::snake_case;
use crate::error::Error;
use crate::model::{Class, ComplexType, Event, Model, Param, Type};
use proc_macro2::TokenStream;
use std::collections::HashMap;
use std::sync::Arc;

/// Classes that the host implements itself. They bring modules no operations.
const HOST_CLASSES: [&str; 8] = [
    "kurento.MediaObject",
    "kurento.MediaElement",
    "kurento.MediaPipeline",
    "kurento.Hub",
    "kurento.HubPort",
    "kurento.ServerManager",
    "kurento.Endpoint",
    "kurento.Filter",
];

/// Names that generated code uses with their usual meaning.
const RESERVED_NAMES: [&str; 27] = [
    "BTreeMap",
    "Box",
    "Class",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "Element",
    "ElementContext",
    "Eq",
    "Err",
    "Error",
    "Hash",
    "None",
    "Object",
    "ObjectRef",
    "Ok",
    "Option",
    "PartialEq",
    "Result",
    "Self",
    "Serialize",
    "Some",
    "String",
    "Value",
    "Vec",
];

/// All that code is made for, in the order in which it is written.
pub(super) struct Selection {
    /// Classes that get a trait, basic ones first.
    pub(super) classes: Vec<Arc<Class>>,
    /// Complex types in the order in which they are first used.
    pub(super) complex_types: Vec<Arc<ComplexType>>,
    /// Qualified names of the concrete classes asked for, which can be created.
    created: Vec<String>,
    version: String,
    /// What types that derive from serde carry; see [`Crates`](super::crates::Crates).
    pub(super) derives_from: TokenStream,
}

impl Selection {
    pub(super) fn new(model: &Model, request: &Request) -> Result<Self, Error> {
        let mut selection = Self {
            classes: Vec::new(),
            complex_types: Vec::new(),
            created: Vec::new(),
            version: String::new(),
            derives_from: TokenStream::new(),
        };
        for name in &request.classes {
            let class = model.class(name).ok_or_else(|| unknown("class", name))?;
            selection.add_class(class)?;
        }
        for class in selection.classes.clone() {
            selection.add_types_of(model, &class);
        }
        for name in &request.types {
            let complex = model
                .complex_type(name)
                .ok_or_else(|| unknown("complex type", name))?;
            selection.add_type(model, &Type::Complex(complex.name().clone()));
        }
        selection.version = selection.versions(model);
        selection.check_names()?;
        Ok(selection)
    }

    /// Whether objects of the class are made by this module.
    pub(super) fn is_created(&self, class: &Class) -> bool {
        self.created
            .iter()
            .any(|name| **name == **class.qualified_name())
    }

    /// The nearest ancestor that has a trait.
    pub(super) fn supertrait<'a>(&self, class: &'a Class) -> Option<&'a Arc<Class>> {
        class
            .ancestors()
            .iter()
            .find(|ancestor| !is_of_host(ancestor))
    }

    /// For the head of the file: the classes asked for and where they come from.
    pub(super) fn title(&self) -> String {
        let classes: Vec<&str> = match self.created.as_slice() {
            [] => self
                .classes
                .last()
                .map(|class| class.name.as_str())
                .into_iter()
                .collect(),
            created => created.iter().map(String::as_str).collect(),
        };
        format!("{} ({})", classes.join(", "), self.version)
    }

    fn add_class(&mut self, class: &Arc<Class>) -> Result<(), Error> {
        if is_of_host(class) {
            return Err(Error::Generate(format!(
                "{} is implemented by the host",
                class.qualified_name()
            )));
        }
        let chain = class
            .ancestors()
            .iter()
            .rev()
            .filter(|ancestor| !is_of_host(ancestor));
        for class in chain.chain([class]) {
            if !self.classes.iter().any(|known| Arc::ptr_eq(known, class)) {
                self.classes.push(Arc::clone(class));
            }
        }
        if !class.is_abstract && !self.is_created(class) {
            self.created.push(class.qualified_name().to_string());
        }
        Ok(())
    }

    fn add_types_of(&mut self, model: &Model, class: &Class) {
        if self.is_created(class) {
            self.add_types(model, &class.constructor);
        }
        for method in class.own_methods() {
            self.add_types(model, &method.params);
            if let Some(ty) = &method.returns {
                self.add_type(model, ty);
            }
        }
        for property in class.own_properties() {
            self.add_type(model, &property.ty);
        }
        for event in class.own_events() {
            for property in raised_properties(event) {
                self.add_type(model, &property.ty);
            }
        }
    }

    fn add_types(&mut self, model: &Model, params: &[Param]) {
        for param in params {
            self.add_type(model, &param.ty);
        }
    }

    fn add_type(&mut self, model: &Model, ty: &Type) {
        let Type::Complex(name) = ty.innermost() else {
            return;
        };
        let Some(complex) = model.complex_type(name) else {
            return;
        };
        if self
            .complex_types
            .iter()
            .any(|known| Arc::ptr_eq(known, complex))
        {
            return;
        }
        self.complex_types.push(Arc::clone(complex));
        if let ComplexType::Register(register) = &**complex {
            self.add_types(model, &register.fields);
        }
    }

    fn versions(&self, model: &Model) -> String {
        let used = model.modules().iter().filter(|module| {
            let has_class = self
                .classes
                .iter()
                .any(|class| class.module == module.name());
            has_class || (self.classes.is_empty() && module.name() == "core")
        });
        let versions = used.map(|module| {
            format!(
                "{} {}",
                module.name(),
                module.version.as_deref().unwrap_or_default()
            )
        });
        versions.collect::<Vec<_>>().join(", ")
    }

    /// Rust has one namespace for what comes from several in the descriptors.
    fn check_names(&self) -> Result<(), Error> {
        let mut owners: HashMap<String, String> = HashMap::new();
        let mut names: Vec<(String, String)> = Vec::new();
        for class in &self.classes {
            let owner = format!("class {}", class.qualified_name());
            names.push((class.name.clone(), owner.clone()));
            names.push((format!("{}Events", class.name), owner.clone()));
            names.push((format!("{}Params", class.name), owner.clone()));
            names.push((format!("{}Object", class.name), owner.clone()));
            names.push((snake_case(&class.name), owner));
        }
        for complex in &self.complex_types {
            names.push((
                complex.name().name().to_owned(),
                format!("complex type {}", complex.name()),
            ));
        }
        for (name, owner) in names {
            if RESERVED_NAMES.contains(&name.as_str()) {
                return Err(Error::Generate(format!(
                    "{owner}: Rust code already has a meaning for '{name}'"
                )));
            }
            if let Some(other) = owners.insert(name.clone(), owner.clone()) {
                return Err(Error::Generate(format!(
                    "{owner} and {other} would both be '{name}' in Rust"
                )));
            }
        }
        Ok(())
    }
}

/// Whether the host implements the class.
pub(super) fn is_of_host(class: &Class) -> bool {
    HOST_CLASSES.contains(&&**class.qualified_name())
}

/// The properties that who raises an event has to give; the host adds those of RaiseBase and Media.
pub(super) fn raised_properties(event: &Event) -> impl Iterator<Item = &Param> {
    let is_media = event
        .ancestors
        .iter()
        .any(|ancestor| &**ancestor == "kurento.Media");
    let added = move |name: &str| {
        ["source", "timestampMillis", "tags"].contains(&name) || (is_media && name == "type")
    };
    event
        .properties
        .iter()
        .filter(move |property| !added(&property.name))
}

fn unknown(kind: &str, name: &str) -> Error {
    Error::Generate(format!("there is no {kind} '{name}'"))
}
