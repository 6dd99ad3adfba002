//! A trait for each class.

use super::constructor::params_name;
use super::documentation::{doc, operation_doc};
use super::naming::{identifier, snake_identifier};
use super::operations::{RustMethod, own_methods};
use super::selection::Selection;
use super::types::{param_type, rust_type};
use crate::model::Class;
use proc_macro2::TokenStream;
use quote::quote;

pub(super) fn items(selection: &Selection) -> TokenStream {
    selection
        .classes
        .iter()
        .map(|class| class_trait(selection, class))
        .collect()
}

fn class_trait(selection: &Selection, class: &Class) -> TokenStream {
    let name = identifier(&class.name);
    let text = doc(
        &class.doc,
        &format!("`{}` of the descriptor.", class.qualified_name()),
    );
    let supertrait = match selection.supertrait(class) {
        Some(parent) => {
            let parent = identifier(&parent.name);
            quote!(#parent)
        }
        None => quote!(Element),
    };
    let create = selection.is_created(class).then(|| create(class));
    let methods = own_methods(class);
    let methods = methods.iter().map(signature);
    quote! {
        #text
        pub trait #name: #supertrait {
            #create
            #(#methods)*
        }
    }
}

fn create(class: &Class) -> TokenStream {
    let text = doc(&class.constructor_doc, "Creates an object.");
    let params = params_name(class);
    quote! {
        #text
        fn create(context: ElementContext, params: #params) -> Result<Self>
        where
            Self: Sized;
    }
}

fn signature(method: &RustMethod) -> TokenStream {
    let text = operation_doc(
        &method.doc,
        &format!("`{}` of the descriptor.", method.operation),
        &method.params,
        &method.returns_doc,
    );
    let name = &method.name;
    let names = method
        .params
        .iter()
        .map(|param| snake_identifier(&param.name));
    let types = method.params.iter().map(param_type);
    let returns = method
        .returns
        .as_ref()
        .map_or_else(|| quote!(()), rust_type);
    quote! {
        #text
        fn #name(&self #(, #names: #types)*) -> Result<#returns>;
    }
}
