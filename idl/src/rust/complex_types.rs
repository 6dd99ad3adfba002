//! Enumerations and structures.
//!
//! Structures are read with serde's derive, which skips `__type__` and `__module__`, and written by
//! hand, because those two are mandatory on the wire, fields left out must not appear, and 32-bit
//! numbers are printed exactly.

use super::constants::expression;
use super::documentation::{doc, value_doc};
use super::naming::{identifier, snake_identifier, variant_name};
use super::selection::Selection;
use super::types::{exact, holds_floats, rust_type};
use crate::error::Error;
use crate::model::{ComplexType, Enumeration, Param, Register, Type};
use proc_macro2::TokenStream;
use quote::quote;
use std::collections::HashSet;

pub(super) fn items(selection: &Selection) -> Result<TokenStream, Error> {
    let types = selection
        .complex_types
        .iter()
        .map(|complex| match &**complex {
            ComplexType::Enum(enumeration) => enumeration_item(selection, enumeration),
            ComplexType::Register(register) => register_items(selection, register),
        });
    types.collect()
}

fn enumeration_item(
    selection: &Selection,
    enumeration: &Enumeration,
) -> Result<TokenStream, Error> {
    let name = identifier(enumeration.name.name());
    let text = doc(
        &enumeration.doc,
        &format!("`{}` of the descriptor.", enumeration.name),
    );
    let mut taken = HashSet::new();
    let mut variants = Vec::new();
    for value in &enumeration.values {
        let variant = variant_name(value);
        if !taken.insert(variant.clone()) {
            let message = format!(
                "two values of {} would both be '{variant}' in Rust",
                enumeration.name
            );
            return Err(Error::Generate(message));
        }
        variants.push(identifier(&variant));
    }
    let (values, derives_from) = (&enumeration.values, &selection.derives_from);
    let value_docs = values.iter().map(|value| format!(" `{value}`."));
    Ok(quote! {
        #text
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #derives_from
        pub enum #name {
            #(
                #[doc = #value_docs]
                #[serde(rename = #values)]
                #variants,
            )*
        }

        impl #name {
            /// The value on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    #(Self::#variants => #values,)*
                }
            }
        }
    })
}

fn register_items(selection: &Selection, register: &Register) -> Result<TokenStream, Error> {
    let structure = structure_item(selection, register);
    let serialize = serialize_impl(register);
    let default = default_impl(selection, register)?;
    Ok(quote!(#structure #serialize #default))
}

fn structure_item(selection: &Selection, register: &Register) -> TokenStream {
    let derives_from = &selection.derives_from;
    let name = identifier(register.name.name());
    let text = doc(
        &register.doc,
        &format!("`{}` of the descriptor.", register.name),
    );
    let fields = register.fields.iter().map(|field| {
        let text = value_doc(field);
        let member = snake_identifier(&field.name);
        let wire_name = &field.name;
        let ty = rust_type(&field.ty);
        let ty = if field.optional {
            quote!(Option<#ty>)
        } else {
            ty
        };
        quote! {
            #text
            #[serde(rename = #wire_name)]
            pub #member: #ty,
        }
    });
    quote! {
        #text
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #derives_from
        pub struct #name {
            #(#fields)*
        }
    }
}

fn serialize_impl(register: &Register) -> TokenStream {
    let name = identifier(register.name.name());
    let (module, wire_type) = (register.name.namespace(), register.name.name());
    let entries = register.fields.iter().map(entry);
    quote! {
        impl Serialize for #name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut fields = serializer.serialize_map(None)?;
                fields.serialize_entry("__module__", #module)?;
                fields.serialize_entry("__type__", #wire_type)?;
                #(#entries)*
                fields.end()
            }
        }
    }
}

fn entry(field: &Param) -> TokenStream {
    let member = snake_identifier(&field.name);
    let wire_name = &field.name;
    // A number is copied, a list or map of numbers cloned, anything else lent.
    let copied = field.ty == Type::Float;
    let (own, found) = match (holds_floats(&field.ty), copied) {
        (false, _) => (quote!(&self.#member), quote!(value)),
        (true, true) => (
            exact_reference(field, quote!(self.#member)),
            exact_reference(field, quote!(*value)),
        ),
        (true, false) => (
            exact_reference(field, quote!(self.#member.clone())),
            exact_reference(field, quote!(value.clone())),
        ),
    };
    if field.optional {
        quote! {
            if let Some(value) = &self.#member {
                fields.serialize_entry(#wire_name, #found)?;
            }
        }
    } else {
        quote!(fields.serialize_entry(#wire_name, #own)?;)
    }
}

fn exact_reference(field: &Param, value: TokenStream) -> TokenStream {
    let value = exact(&field.ty, value);
    quote!(&#value)
}

/// Where every field can be left out, the value that then counts.
fn default_impl(selection: &Selection, register: &Register) -> Result<TokenStream, Error> {
    if !register.fields.iter().all(|field| field.optional) {
        return Ok(TokenStream::new());
    }
    let name = identifier(register.name.name());
    let mut fields = Vec::new();
    for field in &register.fields {
        let member = snake_identifier(&field.name);
        fields.push(match &field.default {
            None => quote!(#member: None),
            Some(default) => {
                let default = expression(selection, &field.ty, default)?;
                quote!(#member: Some(#default))
            }
        });
    }
    Ok(quote! {
        impl Default for #name {
            /// What the descriptor says of fields that are left out.
            fn default() -> Self {
                Self { #(#fields),* }
            }
        }
    })
}
