//! Classes, after what they extend.

use super::{Resolver, name_of, unknown};
use crate::descriptor::{MethodDefinition, PropertyDefinition, RemoteClass};
use crate::error::Error;
use crate::model::class::{Class, ClassEvent, Method, Property};
use crate::model::operation::Operations;
use crate::model::value::{Param, QualifiedName};
use crate::symbols::Symbol;
use std::sync::Arc;

impl<'a> Resolver<'a> {
    pub(super) fn class(&mut self, symbol: Symbol<'a, RemoteClass>) -> Result<Arc<Class>, Error> {
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
}
