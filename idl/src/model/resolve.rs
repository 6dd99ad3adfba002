//! From checked descriptors to a [`Model`].

use super::class::{Class, ClassEvent, Method, Property};
use super::complex::{ComplexType, Enumeration, Event, Register};
use super::operation::Operations;
use super::value::{Param, QualifiedName, Type};
use super::{Model, Named};
use crate::check::fitting;
use crate::descriptor::{
    ComplexTypeDefinition, Descriptor, EventDefinition, MethodDefinition, PropertyDefinition,
    RemoteClass, TypeFormat,
};
use crate::error::{Error, Location, Problem};
use crate::symbols::{Definition, Symbol, Symbols};
use crate::type_reference::TypeReference;
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

    fn class(&mut self, symbol: Symbol<'a, RemoteClass>) -> Result<Arc<Class>, Error> {
        let qualified_name = name_of(symbol);
        if let Some(known) = self.classes.by_name.get(&*qualified_name) {
            return Ok(Arc::clone(known));
        }
        let parent = match &symbol.definition.extends {
            None => None,
            Some(parent) => {
                let found = self.symbols.classes.find(symbol.module, parent);
                Some(self.class(found.ok_or_else(|| unknown(symbol, parent))?)?)
            }
        };
        let class = Arc::new(self.new_class(symbol, &qualified_name, parent)?);
        self.classes.insert(&qualified_name, Arc::clone(&class));
        Ok(class)
    }

    fn new_class(
        &mut self,
        symbol: Symbol<'a, RemoteClass>,
        qualified_name: &QualifiedName,
        parent: Option<Arc<Class>>,
    ) -> Result<Class, Error> {
        let definition = symbol.definition;
        let mut methods = parent
            .as_ref()
            .map(|parent| parent.methods.clone())
            .unwrap_or_default();
        for method in &definition.methods {
            methods.push(Arc::new(self.method(symbol, qualified_name, method)?));
        }
        let mut properties = parent
            .as_ref()
            .map(|parent| parent.properties.clone())
            .unwrap_or_default();
        for property in &definition.properties {
            properties.push(Arc::new(self.property(symbol, qualified_name, property)?));
        }
        let mut events = parent
            .as_ref()
            .map(|parent| parent.events.clone())
            .unwrap_or_default();
        for name in &definition.events {
            let found = self.symbols.events.find(symbol.module, name);
            let event = self.event(found.ok_or_else(|| unknown(symbol, name))?)?;
            events.push(ClassEvent {
                declared_by: qualified_name.clone(),
                event,
            });
        }
        let constructor = definition.constructor.clone().unwrap_or_default();
        Ok(Class {
            name: definition.name.clone(),
            module: symbol.module.name().to_owned(),
            namespace: symbol.module.namespace().to_owned(),
            doc: definition.doc.clone(),
            is_abstract: definition.is_abstract,
            constructor: self.params(symbol, &constructor.params)?,
            constructor_doc: constructor.doc,
            qualified_name: qualified_name.clone(),
            operations: Operations::new(&methods, &properties, &events),
            ancestors: parent
                .into_iter()
                .flat_map(|parent| [vec![Arc::clone(&parent)], parent.ancestors.clone()].concat())
                .collect(),
            methods,
            properties,
            events,
        })
    }

    fn method(
        &self,
        symbol: Symbol<'a, RemoteClass>,
        class: &QualifiedName,
        method: &MethodDefinition,
    ) -> Result<Method, Error> {
        let returns = method.returns.as_ref();
        Ok(Method {
            name: method.name.clone(),
            declared_by: class.clone(),
            params: self.params(symbol, &method.params)?,
            returns: returns
                .map(|returns| self.ty(symbol, &returns.ty))
                .transpose()?,
            doc: method.doc.clone(),
            returns_doc: returns
                .map(|returns| returns.doc.clone())
                .unwrap_or_default(),
        })
    }

    fn property(
        &self,
        symbol: Symbol<'a, RemoteClass>,
        class: &QualifiedName,
        property: &PropertyDefinition,
    ) -> Result<Property, Error> {
        let value = self.param(symbol, property)?;
        Ok(Property {
            name: value.name.clone(),
            declared_by: class.clone(),
            ty: value.ty.clone(),
            read_only: property.read_only,
            is_final: property.is_final,
            optional: value.optional,
            default: value.default.clone(),
            doc: value.doc.clone(),
            setter_params: vec![Param {
                optional: false,
                default: None,
                ..value
            }],
        })
    }

    fn params<T: Definition>(
        &self,
        symbol: Symbol<'a, T>,
        definitions: &[PropertyDefinition],
    ) -> Result<Vec<Param>, Error> {
        definitions
            .iter()
            .map(|definition| self.param(symbol, definition))
            .collect()
    }

    fn param<T: Definition>(
        &self,
        symbol: Symbol<'a, T>,
        definition: &PropertyDefinition,
    ) -> Result<Param, Error> {
        let misfit = |message| unresolved(symbol.definition.location(), message);
        let reference: TypeReference = definition.ty.parse().map_err(misfit)?;
        let default = definition.default_value.as_ref();
        let default =
            default.map(|default| fitting(self.symbols, symbol.module, &reference, default));
        Ok(Param {
            name: definition.name.clone(),
            ty: self.ty(symbol, &definition.ty)?,
            optional: definition.optional,
            default: default.transpose().map_err(misfit)?,
            doc: definition.doc.clone(),
        })
    }

    fn ty<T: Definition>(&self, symbol: Symbol<'a, T>, text: &str) -> Result<Type, Error> {
        let reference = text.parse::<TypeReference>();
        let reference =
            reference.map_err(|message| unresolved(symbol.definition.location(), message))?;
        self.resolved(symbol, &reference)
    }

    fn resolved<T: Definition>(
        &self,
        symbol: Symbol<'a, T>,
        reference: &TypeReference,
    ) -> Result<Type, Error> {
        Ok(match reference {
            TypeReference::String => Type::String,
            TypeReference::Boolean => Type::Boolean,
            TypeReference::Int => Type::Int,
            TypeReference::Int64 => Type::Int64,
            TypeReference::Float => Type::Float,
            TypeReference::Double => Type::Double,
            TypeReference::List(item) => Type::List(Box::new(self.resolved(symbol, item)?)),
            TypeReference::Map(item) => Type::Map(Box::new(self.resolved(symbol, item)?)),
            TypeReference::Named(name) => {
                let class = self.symbols.classes.find(symbol.module, name);
                let complex = self.symbols.complex_types.find(symbol.module, name);
                match (class, complex) {
                    (Some(class), _) => Type::Class(name_of(class)),
                    (None, Some(complex)) => Type::Complex(name_of(complex)),
                    (None, None) => return Err(unknown(symbol, name)),
                }
            }
        })
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
