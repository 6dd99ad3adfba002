//! Rust types of values, and how values with single-precision numbers go on the wire.

use super::naming::identifier;
use crate::model::{Param, Type};
use proc_macro2::TokenStream;
use quote::quote;

/// The Rust type of a value.
pub(super) fn rust_type(ty: &Type) -> TokenStream {
    match ty {
        Type::String => quote!(String),
        Type::Boolean => quote!(bool),
        Type::Int => quote!(i32),
        Type::Int64 => quote!(i64),
        Type::Float => quote!(f32),
        Type::Double => quote!(f64),
        Type::Class(_) => quote!(ObjectRef),
        Type::Complex(name) => {
            let name = identifier(name.name());
            quote!(#name)
        }
        Type::List(item) => {
            let item = rust_type(item);
            quote!(Vec<#item>)
        }
        Type::Map(item) => {
            let item = rust_type(item);
            quote!(BTreeMap<String, #item>)
        }
    }
}

/// The Rust type of a parameter: an `Option` where leaving it out means something of its own.
pub(super) fn param_type(param: &Param) -> TokenStream {
    let ty = rust_type(&param.ty);
    if is_absentable(param) {
        quote!(Option<#ty>)
    } else {
        ty
    }
}

/// Whether a parameter can be absent for the module: it is optional, and no default takes its
/// place.
pub(super) fn is_absentable(param: &Param) -> bool {
    param.optional && param.default.is_none()
}

/// Whether serde alone would print this with too few digits: clients need the exact decimal of a
/// 32-bit number.
pub(super) fn holds_floats(ty: &Type) -> bool {
    *ty.innermost() == Type::Float
}

/// An expression that turns the owned `value` into what is printed exactly.
pub(super) fn exact(ty: &Type, value: TokenStream) -> TokenStream {
    match ty {
        Type::Float => quote!(f64::from(#value)),
        Type::List(item) if **item == Type::Float => {
            quote!(#value.into_iter().map(f64::from).collect::<Vec<_>>())
        }
        Type::List(item) if holds_floats(item) => {
            let item = exact(item, quote!(item));
            quote!(#value.into_iter().map(|item| #item).collect::<Vec<_>>())
        }
        Type::Map(item) if holds_floats(item) => {
            let item = exact(item, quote!(item));
            quote!(#value.into_iter().map(|(key, item)| (key, #item)).collect::<BTreeMap<_, _>>())
        }
        _ => value,
    }
}
