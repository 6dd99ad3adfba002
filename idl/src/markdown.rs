//! A reference for people, in Markdown.

use crate::descriptor::Descriptor;
use crate::model::{
    Class, ComplexType, Event, Method, Model, Param, Property, QualifiedName, Type,
};
use std::collections::HashSet;
use std::fmt::Write;

/// A page with these modules, by their own names; `None` when the model lacks one of them.
///
/// Of each module classes come first, then events and complex types, in the order of the
/// descriptor. A class lists what it declares itself and names the classes it inherits from. Names
/// that are explained on the page are links.
#[must_use]
pub fn reference(model: &Model, modules: &[&str]) -> Option<String> {
    let descriptors: Option<Vec<&Descriptor>> = modules
        .iter()
        .map(|module| model.descriptor(module))
        .collect();
    let descriptors = descriptors?;
    let mut page = Page {
        explained: descriptors
            .iter()
            .flat_map(|descriptor| names_in(descriptor))
            .collect(),
        text: String::new(),
    };
    for descriptor in descriptors {
        page.module(model, descriptor);
    }
    Some(page.text)
}

fn names_in(descriptor: &Descriptor) -> impl Iterator<Item = QualifiedName> {
    let classes = descriptor.remote_classes.iter().map(|class| &class.name);
    let events = descriptor.events.iter().map(|event| &event.name);
    let complex_types = descriptor.complex_types.iter().map(|complex| &complex.name);
    let names = classes.chain(events).chain(complex_types);
    names.map(|name| QualifiedName::new(descriptor.namespace(), name))
}

struct Page {
    /// What has a heading on the page.
    explained: HashSet<QualifiedName>,
    text: String,
}

impl Page {
    fn module(&mut self, model: &Model, descriptor: &Descriptor) {
        let module = descriptor.name();
        let qualified = |name: &str| QualifiedName::new(descriptor.namespace(), name);
        let version = descriptor.version.as_deref().unwrap_or_default();
        self.line(&format!("# Module {module} {version}"));
        let classes = model
            .classes()
            .iter()
            .filter(|class| class.module == module);
        self.section("Classes", classes, |page, class| page.class(class));
        let events = descriptor.events.iter();
        let events = events.filter_map(|event| model.event(&qualified(&event.name)));
        self.section("Events", events, |page, event| page.event(event));
        let complex_types = descriptor.complex_types.iter();
        let complex_types = complex_types.filter_map(|ty| model.complex_type(&qualified(&ty.name)));
        self.section("Complex types", complex_types, |page, ty| {
            page.complex_type(ty)
        });
    }

    /// A paragraph; empty ones leave no trace.
    fn line(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(text);
            self.text.push('\n');
        }
    }

    fn section<T>(
        &mut self,
        title: &str,
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) {
        let mut items = items.peekable();
        if items.peek().is_some() {
            self.line(&format!("## {title}"));
        }
        for item in items {
            write(self, item);
        }
    }

    fn class(&mut self, class: &Class) {
        self.line(&format!("### {}", class.name));
        self.line(&class.doc);
        let ancestors: Vec<String> = class
            .ancestors()
            .iter()
            .map(|ancestor| self.link(ancestor.qualified_name()))
            .collect();
        if !ancestors.is_empty() {
            self.line(&format!("Extends {}.", ancestors.join(", ")));
        }
        if class.is_abstract {
            self.line("Abstract: only classes that extend it can be created.");
        } else {
            self.line(&format!(
                "**create** `{}({})`",
                class.name,
                signature(&class.constructor)
            ));
            self.line(&class.constructor_doc);
            self.params(&class.constructor);
        }
        for property in class.own_properties() {
            self.property(property);
        }
        for method in class.own_methods() {
            self.method(method);
        }
        let events: Vec<String> = class
            .own_events()
            .map(|event| self.link(&event.name))
            .collect();
        if !events.is_empty() {
            self.line(&format!("Events: {}.", events.join(", ")));
        }
    }

    fn property(&mut self, property: &Property) {
        let access = match (property.is_final, property.read_only) {
            (true, _) => ", fixed at creation",
            (false, true) => ", read-only",
            (false, false) => "",
        };
        let default = property
            .default
            .as_ref()
            .map(|default| format!(", default `{default}`"))
            .unwrap_or_default();
        self.line(&format!(
            "**property** `{}`: {}{access}{default}",
            property.name,
            self.ty(&property.ty)
        ));
        self.line(&property.doc);
    }

    fn method(&mut self, method: &Method) {
        let returns = method
            .returns
            .as_ref()
            .map(|ty| format!(" → {}", self.ty(ty)))
            .unwrap_or_default();
        self.line(&format!(
            "**method** `{}({})`{returns}",
            method.name,
            signature(&method.params)
        ));
        self.line(&method.doc);
        self.params(&method.params);
        if !method.returns_doc.is_empty() {
            self.line(&format!("Answers: {}", method.returns_doc));
        }
    }

    fn event(&mut self, event: &Event) {
        self.line(&format!("### {}", event.name.name()));
        self.line(&event.doc);
        if let Some(parent) = event.ancestors.first() {
            self.line(&format!("Extends {}.", self.link(parent)));
        }
        self.params(event.own_properties());
    }

    fn complex_type(&mut self, ty: &ComplexType) {
        self.line(&format!("### {}", ty.name().name()));
        self.line(ty.doc());
        match ty {
            ComplexType::Enum(enumeration) => {
                let values: Vec<String> = enumeration
                    .values
                    .iter()
                    .map(|value| format!("`{value}`"))
                    .collect();
                self.line(&format!("Values: {}.", values.join(", ")));
            }
            ComplexType::Register(register) => {
                if let Some(parent) = register.extends() {
                    self.line(&format!(
                        "Extends {}, whose fields come first.",
                        self.link(parent)
                    ));
                }
                self.params(&register.fields);
            }
        }
    }

    fn params(&mut self, params: &[Param]) {
        let mut list = String::new();
        for param in params {
            let presence = match (param.optional, &param.default) {
                (true, Some(default)) => format!(", default `{default}`"),
                (true, None) => ", optional".to_owned(),
                (false, _) => String::new(),
            };
            let doc = param.doc.trim().replace('\n', "\n  ");
            let _ = writeln!(
                list,
                "- `{}`: {}{presence}. {doc}",
                param.name,
                self.ty(&param.ty)
            );
        }
        self.line(&list);
    }

    fn ty(&self, ty: &Type) -> String {
        match ty {
            Type::Class(name) | Type::Complex(name) => self.link(name),
            Type::List(item) => format!("list of {}", self.ty(item)),
            Type::Map(item) => format!("map of {}", self.ty(item)),
            plain => plain.to_string(),
        }
    }

    /// A link if the name has a heading on the page.
    fn link(&self, name: &QualifiedName) -> String {
        if self.explained.contains(name) {
            format!("[{0}](#{1})", name.name(), name.name().to_lowercase())
        } else {
            format!("`{name}`")
        }
    }
}

fn signature(params: &[Param]) -> String {
    let params = params.iter().map(|param| match param.optional {
        true => format!("{}?: {}", param.name, param.ty),
        false => format!("{}: {}", param.name, param.ty),
    });
    params.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_documented_with_all_it_declares() {
        let model = Model::standard().unwrap();
        let page = reference(&model, &["elements"]).unwrap();
        assert!(
            page.starts_with("# Module elements 7.3.0\n\n## Classes\n\n### "),
            "{page}"
        );
        for expected in [
            "### WebRtcEndpoint\n",
            "Extends `kurento.BaseRtpEndpoint`, ",
            "**property** `iceTcp`: boolean\n",
            "**property** `IceConnectionState`: list of [IceConnection](#iceconnection), read-only\n",
            "**method** `addIceCandidate(candidate: IceCandidate)`\n",
            "- `ordered`: boolean, default `true`. Whether",
            "Values: `RSA`, `ECDSA`.",
        ] {
            assert!(page.contains(expected), "{expected}");
        }
    }

    #[test]
    fn only_what_is_explained_on_the_page_is_a_link() {
        let model = Model::standard().unwrap();
        let page = reference(&model, &["core", "elements"]).unwrap();
        assert!(page.contains("Extends [BaseRtpEndpoint](#basertpendpoint), "));
        for link in page.split("](#").skip(1) {
            let anchor = link.split(')').next().unwrap();
            let heading = |line: &str| line.to_lowercase() == format!("### {anchor}");
            assert!(page.lines().any(heading), "no heading for {anchor}");
        }
    }

    #[test]
    fn an_unknown_module_has_no_page() {
        assert!(reference(&Model::standard().unwrap(), &["core", "kurento"]).is_none());
    }
}
