//! Constructor parameters, one structure for each class that can be created.

use super::constants::{expression, is_rust_default};
use super::documentation::value_doc;
use super::naming::{identifier, snake_case, snake_identifier};
use super::selection::Selection;
use super::types::{param_type, rust_type};
use crate::error::Error;
use crate::model::{Class, Param};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

pub(super) fn items(selection: &Selection) -> Result<TokenStream, Error> {
    let created = selection
        .classes
        .iter()
        .filter(|class| selection.is_created(class));
    created.map(|class| class_items(selection, class)).collect()
}

/// Name of the structure.
pub(super) fn params_name(class: &Class) -> Ident {
    identifier(&format!("{}Params", class.name))
}

fn class_items(selection: &Selection, class: &Class) -> Result<TokenStream, Error> {
    let name = params_name(class);
    let derives_from = &selection.derives_from;
    let text = format!(" What a [`{}`] is created with.", class.name);
    let mut fields = Vec::new();
    let mut defaults = Vec::new();
    for param in &class.constructor {
        let (attribute, function) = default_of(selection, class, param)?;
        fields.push(field(param, &attribute));
        defaults.push(function);
    }
    Ok(quote! {
        #[doc = #text]
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #derives_from
        pub struct #name {
            #(#fields)*
        }

        #(#defaults)*
    })
}

fn field(param: &Param, default: &TokenStream) -> TokenStream {
    let text = value_doc(param);
    let member = snake_identifier(&param.name);
    let wire_name = &param.name;
    let ty = param_type(param);
    quote! {
        #text
        #[serde(rename = #wire_name, #default)]
        pub #member: #ty,
    }
}

/// The serde argument of a field, and the function that it names where the default is not that of
/// the Rust type.
fn default_of(
    selection: &Selection,
    class: &Class,
    param: &Param,
) -> Result<(TokenStream, TokenStream), Error> {
    let Some(default) = param.default.as_ref().filter(|_| param.optional) else {
        return Ok((TokenStream::new(), TokenStream::new()));
    };
    if is_rust_default(&param.ty, default) {
        return Ok((quote!(default), TokenStream::new()));
    }
    let function = format!(
        "default_{}_{}",
        snake_case(&class.name),
        snake_case(&param.name)
    );
    let name = identifier(&function);
    let ty = rust_type(&param.ty);
    let value = expression(selection, &param.ty, default)?;
    Ok((
        quote!(default = #function),
        quote!(fn #name() -> #ty { #value }),
    ))
}
