//! Types and parameters.

use super::{Resolver, name_of, unknown, unresolved};
use crate::check::fitting;
use crate::descriptor::PropertyDefinition;
use crate::error::Error;
use crate::model::value::{Param, Type};
use crate::symbols::{Definition, Symbol};
use crate::type_reference::TypeReference;

impl<'a> Resolver<'a> {
    pub(super) fn params<T: Definition>(
        &self,
        symbol: Symbol<'a, T>,
        definitions: &[PropertyDefinition],
    ) -> Result<Vec<Param>, Error> {
        definitions
            .iter()
            .map(|definition| self.param(symbol, definition))
            .collect()
    }

    pub(super) fn param<T: Definition>(
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
            absent_is_null: definition.absent_is_null,
            doc: definition.doc.clone(),
        })
    }

    pub(super) fn ty<T: Definition>(
        &self,
        symbol: Symbol<'a, T>,
        text: &str,
    ) -> Result<Type, Error> {
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
