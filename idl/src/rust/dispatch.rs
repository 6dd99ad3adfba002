//! From operation names to trait methods.

use super::naming::{identifier, snake_case};
use super::operations::{RustMethod, own_methods};
use super::selection::Selection;
use super::types::{exact, is_absentable};
use crate::model::{Class, Param};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

pub(super) fn items(selection: &Selection) -> TokenStream {
    let with_operations = selection
        .classes
        .iter()
        .filter(|class| has_operations(class));
    with_operations.map(|class| dispatcher(class)).collect()
}

/// The function that runs the operations of a class: its own, or that of the nearest ancestor with
/// operations.
pub(super) fn dispatcher_for(class: &Class) -> Option<Ident> {
    if has_operations(class) {
        Some(dispatcher_name(class))
    } else {
        inherited(class)
    }
}

fn inherited(class: &Class) -> Option<Ident> {
    let ancestors = class
        .ancestors()
        .iter()
        .filter(|ancestor| !super::selection::is_of_host(ancestor));
    let mut with_operations = ancestors.filter(|ancestor| has_operations(ancestor));
    with_operations
        .next()
        .map(|ancestor| dispatcher_name(ancestor))
}

fn has_operations(class: &Class) -> bool {
    class.own_methods().next().is_some() || class.own_properties().next().is_some()
}

fn dispatcher_name(class: &Class) -> Ident {
    identifier(&format!("dispatch_{}", snake_case(&class.name)))
}

fn dispatcher(class: &Class) -> TokenStream {
    let name = dispatcher_name(class);
    let class_trait = identifier(&class.name);
    let text = format!(
        " Runs an operation that `{}` or a class it extends declares.",
        class.name
    );
    let mut methods = own_methods(class);
    // Among overloads the one with the fewest parameters that knows all that are given is meant.
    methods.sort_by_key(|method| {
        if method.is_overloaded {
            method.params.len()
        } else {
            0
        }
    });
    let arms = methods.iter().map(|method| arm(&class_trait, method));
    let otherwise = match inherited(class) {
        Some(parent) => quote!(#parent(element, operation, arguments)),
        None => quote!(Err(Error::no_such_operation(operation, arguments.count()))),
    };
    let binding = if methods.iter().any(|method| !method.params.is_empty()) {
        quote!(mut arguments)
    } else {
        quote!(arguments)
    };
    quote! {
        #[doc = #text]
        fn #name<T: #class_trait>(
            element: &T,
            operation: &str,
            #binding: wire::Arguments,
        ) -> Result<Value> {
            match operation {
                #(#arms)*
                _ => #otherwise,
            }
        }
    }
}

fn arm(class_trait: &Ident, method: &RustMethod) -> TokenStream {
    let operation = &method.operation;
    let name = &method.name;
    let guard = method.is_overloaded.then(|| {
        let names = method.params.iter().map(|param| &param.name);
        quote!(if arguments.are_among(&[#(#names),*]))
    });
    let arguments = method.params.iter().map(argument);
    let call = quote!(#class_trait::#name(element #(, #arguments)*));
    let answer = match &method.returns {
        Some(ty) => {
            let answer = exact(ty, quote!(#call?));
            quote!(wire::answer(&#answer))
        }
        None => quote!(#call.map(wire::nothing)),
    };
    quote!(#operation #guard => #answer,)
}

/// The host has filled in defaults already, so that whatever cannot be absent is there.
fn argument(param: &Param) -> TokenStream {
    let name = &param.name;
    if is_absentable(param) {
        quote!(arguments.optional(#name)?)
    } else {
        quote!(arguments.required(#name)?)
    }
}
