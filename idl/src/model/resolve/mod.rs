//! From checked descriptors to a [`Model`].

mod classes;
mod values;

use super::class::Class;
use super::complex::{ComplexType, Enumeration, Event, Register};
use super::value::{Param, QualifiedName};
use super::{Model, Named};
use crate::descriptor::{
    ComplexTypeDefinition, Descriptor, EventDefinition, RemoteClass, TypeFormat,
};
use crate::error::{Error, Location, Problem};
use crate::symbols::{Definition, Symbol, Symbols};
use std::sync::Arc;

/// Resolves modules in which [`crate::check`] found no error.
pub(super) fn resolve(modules: Vec<Descriptor>) -> Result<Model, Error> {
    let symbols = Symbols::new(&modules, &mut Vec::new());
    let mut resolver = Resolver {
        symbols: &symbols,
        complex_types: Named::new(),
        events: Named::new(),
        classes: Named::new(),
    };
    for module in &modules {
        for definition in &module.complex_types {
            resolver.complex_type(Symbol { module, definition })?;
        }
        for definition in &module.events {
            resolver.event(Symbol { module, definition })?;
        }
    }
    for module in &modules {
        for definition in &module.remote_classes {
            resolver.class(Symbol { module, definition })?;
        }
    }
    let Resolver {
        classes,
        complex_types,
        events,
        ..
    } = resolver;
    let classes = in_order(classes, &modules);
    Ok(Model {
        modules,
        classes,
        complex_types,
        events,
    })
}

/// Ancestors are resolved when first needed, so classes come out of order; this restores it.
fn in_order(mut classes: Named<Class>, modules: &[Descriptor]) -> Named<Class> {
    let all = modules.iter().flat_map(|module| {
        let qualified = |class: &RemoteClass| QualifiedName::new(module.namespace(), &class.name);
        module.remote_classes.iter().map(qualified)
    });
    let mut ordered: Vec<Arc<Class>> = all.filter_map(|name| classes.get(&name).cloned()).collect();
    ordered.dedup_by(|one, other| Arc::ptr_eq(one, other));
    classes.ordered = ordered;
    classes
}

struct Resolver<'a> {
    symbols: &'a Symbols<'a>,
    complex_types: Named<ComplexType>,
    events: Named<Event>,
    classes: Named<Class>,
}

fn name_of<T: Definition>(symbol: Symbol<'_, T>) -> QualifiedName {
    QualifiedName::new(symbol.module.namespace(), symbol.definition.name())
}

/// What the checks let through but cannot be resolved; the place makes it findable.
fn unresolved(at: &Location, message: String) -> Error {
    Error::Invalid(vec![Problem::error(at.clone(), message)])
}

impl<'a> Resolver<'a> {
    fn complex_type(
        &mut self,
        symbol: Symbol<'a, ComplexTypeDefinition>,
    ) -> Result<Arc<ComplexType>, Error> {
        let name = name_of(symbol);
        if let Some(known) = self.complex_types.by_name.get(&*name) {
            return Ok(Arc::clone(known));
        }
        let doc = symbol.definition.doc.clone();
        let resolved = Arc::new(match symbol.definition.type_format {
            TypeFormat::Enum => ComplexType::Enum(Enumeration {
                name: name.clone(),
                doc,
                values: symbol.definition.values.clone(),
            }),
            TypeFormat::Register => {
                let (mut fields, ancestors) = self.inherited_fields(symbol)?;
                fields.extend(self.params(symbol, &symbol.definition.properties)?);
                ComplexType::Register(Register {
                    name: name.clone(),
                    doc,
                    fields,
                    ancestors,
                })
            }
        });
        self.complex_types.insert(&name, Arc::clone(&resolved));
        Ok(resolved)
    }

    fn inherited_fields(
        &mut self,
        symbol: Symbol<'a, ComplexTypeDefinition>,
    ) -> Result<(Vec<Param>, Vec<QualifiedName>), Error> {
        let Some(parent) = &symbol.definition.extends else {
            return Ok((Vec::new(), Vec::new()));
        };
        let found = self.symbols.complex_types.find(symbol.module, parent);
        let parent = self.complex_type(found.ok_or_else(|| unknown(symbol, parent))?)?;
        match &*parent {
            ComplexType::Register(register) => Ok((
                register.fields.clone(),
                chain(&register.name, &register.ancestors),
            )),
            ComplexType::Enum(enumeration) => Err(unknown(symbol, &enumeration.name)),
        }
    }

    fn event(&mut self, symbol: Symbol<'a, EventDefinition>) -> Result<Arc<Event>, Error> {
        let name = name_of(symbol);
        if let Some(known) = self.events.by_name.get(&*name) {
            return Ok(Arc::clone(known));
        }
        let mut properties = Vec::new();
        let mut ancestors = Vec::new();
        if let Some(parent) = &symbol.definition.extends {
            let found = self.symbols.events.find(symbol.module, parent);
            let parent = self.event(found.ok_or_else(|| unknown(symbol, parent))?)?;
            properties.clone_from(&parent.properties);
            ancestors = chain(&parent.name, &parent.ancestors);
        }
        let own = self.params(symbol, &symbol.definition.properties)?;
        let event = Arc::new(Event {
            name: name.clone(),
            doc: symbol.definition.doc.clone(),
            own_count: own.len(),
            properties: [properties, own].concat(),
            ancestors,
        });
        self.events.insert(&name, Arc::clone(&event));
        Ok(event)
    }
}

fn chain(name: &QualifiedName, ancestors: &[QualifiedName]) -> Vec<QualifiedName> {
    std::iter::once(name).chain(ancestors).cloned().collect()
}

fn unknown<T: Definition>(symbol: Symbol<'_, T>, name: &str) -> Error {
    unresolved(
        symbol.definition.location(),
        format!("'{name}' is not known"),
    )
}
