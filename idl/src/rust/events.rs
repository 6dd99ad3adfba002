//! Typed ways to raise the events of a class.

use super::documentation::operation_doc;
use super::naming::{identifier, snake_identifier};
use super::selection::{Selection, raised_properties};
use super::types::{exact, rust_type};
use crate::model::{Class, Event, Param, Type};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use std::sync::Arc;

pub(super) fn items(selection: &Selection) -> TokenStream {
    let raising = selection
        .classes
        .iter()
        .filter(|class| class.own_events().next().is_some());
    raising.map(|class| emitters(class)).collect()
}

fn emitters(class: &Class) -> TokenStream {
    let name = identifier(&format!("{}Events", class.name));
    let text = format!(" Raises the events that [`{}`] declares.", class.name);
    let events: Vec<&Arc<Event>> = class.own_events().collect();
    let declarations = events.iter().map(|event| declaration(event));
    let bodies = events.iter().map(|event| body(event));
    quote! {
        #[doc = #text]
        pub trait #name {
            #(#declarations)*
        }

        impl #name for ElementContext {
            #(#bodies)*
        }
    }
}

fn declaration(event: &Event) -> TokenStream {
    let params: Vec<Param> = raised_properties(event).cloned().collect();
    let text = operation_doc(
        &event.doc,
        &format!("`{}` of the descriptor.", event.name),
        &params,
        "",
    );
    let signature = signature(event);
    quote!(#text #signature;)
}

fn body(event: &Event) -> TokenStream {
    let name = event.name.name();
    let signature = signature(event);
    let members = raised_properties(event).map(member);
    quote! {
        #signature {
            self.emit(#name, wire::object([#(#members),*]));
        }
    }
}

fn signature(event: &Event) -> TokenStream {
    let name = snake_identifier(event.name.name());
    let names = raised_properties(event).map(|property| snake_identifier(&property.name));
    let types = raised_properties(event).map(property_type);
    quote!(fn #name(&self #(, #names: #types)*))
}

/// Clients read events with all their numbers, flags and strings, so that only structures and
/// objects can be absent.
fn is_absentable(property: &Param) -> bool {
    property.optional
        && !matches!(
            property.ty,
            Type::Boolean | Type::Int | Type::Int64 | Type::Float | Type::Double | Type::String
        )
}

fn property_type(property: &Param) -> TokenStream {
    let ty = rust_type(&property.ty);
    if is_absentable(property) {
        quote!(Option<#ty>)
    } else {
        ty
    }
}

fn member(property: &Param) -> TokenStream {
    let name: Ident = snake_identifier(&property.name);
    let wire_name = &property.name;
    let value = if is_absentable(property) {
        quote!(#name)
    } else {
        exact(&property.ty, quote!(#name))
    };
    quote!((#wire_name, wire::value(&#value)))
}
