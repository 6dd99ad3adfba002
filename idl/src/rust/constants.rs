//! Default values as Rust expressions.

use super::naming::{identifier, snake_identifier, variant_name};
use super::selection::Selection;
use crate::error::Error;
use crate::model::{ComplexType, Register, Type};
use proc_macro2::{Literal, TokenStream};
use quote::quote;
use serde_json::{Map, Value};

/// Whether `Default::default()` of the Rust type is this value.
pub(super) fn is_rust_default(ty: &Type, value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => *ty == Type::String && text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => matches!(ty, Type::Map(_)) && members.is_empty(),
        Value::Null => false,
    }
}

/// An expression for a default value, which the model has fitted to its type.
pub(super) fn expression(
    selection: &Selection,
    ty: &Type,
    value: &Value,
) -> Result<TokenStream, Error> {
    let misfit = || Error::Generate(format!("{value} is no {ty}"));
    Ok(match (ty, value) {
        (Type::String, Value::String(text)) if text.is_empty() => quote!(String::new()),
        (Type::String, Value::String(text)) => quote!(#text.to_owned()),
        (Type::Boolean, Value::Bool(flag)) => quote!(#flag),
        (Type::Int | Type::Int64, value) => integer(value.as_i64().ok_or_else(misfit)?),
        (Type::Float | Type::Double, value) => number(value.as_f64().ok_or_else(misfit)?),
        (Type::List(item), Value::Array(values)) => {
            let values: Result<Vec<_>, _> = values
                .iter()
                .map(|value| expression(selection, item, value))
                .collect();
            let values = values?;
            quote!(vec![#(#values),*])
        }
        (Type::Map(item), Value::Object(members)) => {
            let keys = members.keys();
            let values: Result<Vec<_>, _> = members
                .values()
                .map(|value| expression(selection, item, value))
                .collect();
            let values = values?;
            quote!(BTreeMap::from([#((#keys.to_owned(), #values)),*]))
        }
        (Type::Complex(name), value) => {
            let complex = selection
                .complex_types
                .iter()
                .find(|complex| complex.name() == name);
            match (complex.map(|complex| &**complex), value) {
                (Some(ComplexType::Enum(_)), Value::String(text)) => {
                    let name = identifier(name.name());
                    let variant = identifier(&variant_name(text));
                    quote!(#name::#variant)
                }
                (Some(ComplexType::Register(register)), Value::Object(members)) => {
                    structure(selection, register, members)?
                }
                _ => return Err(misfit()),
            }
        }
        _ => return Err(misfit()),
    })
}

fn structure(
    selection: &Selection,
    register: &Register,
    members: &Map<String, Value>,
) -> Result<TokenStream, Error> {
    let name = identifier(register.name.name());
    let mut fields = Vec::new();
    for field in &register.fields {
        let member = snake_identifier(&field.name);
        let value = members
            .get(&field.name)
            .map(|value| expression(selection, &field.ty, value))
            .transpose()?;
        fields.push(match value {
            None => quote!(#member: None),
            Some(value) if field.optional => quote!(#member: Some(#value)),
            Some(value) => quote!(#member: #value),
        });
    }
    Ok(quote!(#name { #(#fields),* }))
}

fn integer(value: i64) -> TokenStream {
    signed(value < 0, Literal::u64_unsuffixed(value.unsigned_abs()))
}

fn number(value: f64) -> TokenStream {
    signed(value < 0.0, Literal::f64_unsuffixed(value.abs()))
}

fn signed(negative: bool, magnitude: Literal) -> TokenStream {
    if negative {
        quote!(-#magnitude)
    } else {
        quote!(#magnitude)
    }
}
