//! What a package's declarations mention without having it.

use crate::generate::plan::Plan;
use rivero_idl::{Class, ComplexType, Event, Model, Type};
use std::collections::BTreeSet;

/// Definitions by qualified name, events behind `event `.
pub(super) struct Needed<'a> {
    model: &'a Model,
    names: BTreeSet<String>,
}

impl<'a> Needed<'a> {
    /// Types and events of the plan, and all that its classes and those refer to, but for the plan's classes.
    pub(super) fn by(plan: &Plan, model: &'a Model) -> BTreeSet<String> {
        let mut needed = Self {
            model,
            names: BTreeSet::new(),
        };
        for class in &plan.classes {
            needed.class(&class.class);
        }
        for complex in &plan.types {
            needed.ty(&Type::Complex(complex.name().clone()));
        }
        for event in &plan.events {
            needed.event(event);
        }
        for class in &plan.classes {
            needed.names.remove(&**class.class.qualified_name());
        }
        needed.names
    }

    fn class(&mut self, class: &Class) {
        if !self.names.insert(class.qualified_name().to_string()) {
            return;
        }
        let params = class.constructor.iter().map(|param| &param.ty);
        let methods = class.methods().iter().flat_map(|method| {
            let params = method.params.iter().map(|param| &param.ty);
            params.chain(&method.returns)
        });
        let properties = class.properties().iter().map(|property| &property.ty);
        for ty in params.chain(methods).chain(properties) {
            self.ty(ty);
        }
        for event in class.events() {
            self.event(&event.event);
        }
        for ancestor in class.ancestors() {
            self.class(ancestor);
        }
    }

    fn event(&mut self, event: &Event) {
        if self.names.insert(format!("event {}", event.name)) {
            for property in &event.properties {
                // Of objects events have the ids.
                if !matches!(property.ty.innermost(), Type::Class(_)) {
                    self.ty(&property.ty);
                }
            }
        }
    }

    fn ty(&mut self, ty: &Type) {
        let model = self.model;
        match ty.innermost() {
            Type::Class(name) => {
                if let Some(class) = model.class(name) {
                    self.class(class);
                }
            }
            Type::Complex(name) => {
                let is_new = self.names.insert(name.to_string());
                let complex = model.complex_type(name).filter(|_| is_new);
                if let Some(ComplexType::Register(register)) = complex.map(|complex| &**complex) {
                    for field in &register.fields {
                        self.ty(&field.ty);
                    }
                }
            }
            _ => {}
        }
    }
}
