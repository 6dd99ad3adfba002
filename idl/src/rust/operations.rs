//! The operations of a class as Rust methods.

use super::naming::{identifier, snake_case};
use crate::model::{Class, Method, Operation, Param, Property, Type};
use proc_macro2::Ident;
use std::collections::HashSet;
use std::sync::Arc;

/// One method of a trait.
pub(super) struct RustMethod {
    /// Rust name, unique in its class.
    pub(super) name: Ident,
    /// Wire name.
    pub(super) operation: String,
    /// In order.
    pub(super) params: Vec<Param>,
    /// Type of the answer.
    pub(super) returns: Option<Type>,
    /// Text of the descriptor.
    pub(super) doc: String,
    /// Text about the answer.
    pub(super) returns_doc: String,
    /// Whether another operation of the class or one it extends has the same wire name.
    pub(super) is_overloaded: bool,
}

/// What the class itself declares: methods, then getters and setters.
pub(super) fn own_methods(class: &Class) -> Vec<RustMethod> {
    let mut taken: HashSet<String> = HashSet::from(["create".to_owned()]);
    taken.extend(inherited_names(class));
    let mut methods = Vec::new();
    for method in class.own_methods() {
        let name = unique_name(&mut taken, snake_case(&method.name), &method.params);
        methods.push(of_method(class, method, name));
    }
    for property in class.own_properties() {
        let name = unique_name(&mut taken, snake_case(&property.name), &[]);
        methods.push(getter(class, property, name));
        if property.is_writable() {
            let getter_name = methods
                .last()
                .map(|getter| getter.name.to_string())
                .unwrap_or_default();
            let name = unique_name(
                &mut taken,
                format!("set_{}", snake_case(&property.name)),
                &[],
            );
            methods.push(setter(
                class,
                property,
                name,
                getter_name.trim_start_matches("r#"),
            ));
        }
    }
    methods
}

/// Names in supertraits; the same name again would be ambiguous for who calls it.
fn inherited_names(class: &Class) -> Vec<String> {
    let ancestors = class
        .ancestors()
        .iter()
        .filter(|ancestor| !super::selection::is_of_host(ancestor));
    let names = ancestors
        .flat_map(|ancestor| own_methods(ancestor))
        .map(|method| method.name.to_string());
    names
        .map(|name| name.trim_start_matches("r#").to_owned())
        .collect()
}

/// Overloads are told apart by their parameters: `focus`, `focus_with_speed`.
fn unique_name(taken: &mut HashSet<String>, name: String, params: &[Param]) -> Ident {
    let mut unique = name.clone();
    if taken.contains(&unique) && !params.is_empty() {
        let params: Vec<String> = params.iter().map(|param| snake_case(&param.name)).collect();
        unique = format!("{name}_with_{}", params.join("_and_"));
    }
    while taken.contains(&unique) {
        unique.push('_');
    }
    taken.insert(unique.clone());
    identifier(&unique)
}

fn of_method(class: &Class, method: &Arc<Method>, name: Ident) -> RustMethod {
    RustMethod {
        name,
        operation: method.name.clone(),
        params: method.params.clone(),
        returns: method.returns.clone(),
        doc: method.doc.clone(),
        returns_doc: method.returns_doc.clone(),
        is_overloaded: is_overloaded(class, &method.name),
    }
}

fn getter(class: &Class, property: &Arc<Property>, name: Ident) -> RustMethod {
    let operation = crate::model::getter_name(&property.name);
    RustMethod {
        name,
        params: Vec::new(),
        returns: Some(property.ty.clone()),
        doc: property.doc.clone(),
        returns_doc: String::new(),
        is_overloaded: is_overloaded(class, &operation),
        operation,
    }
}

/// The parameter carries no text: what it means stands with the getter.
fn setter(class: &Class, property: &Arc<Property>, name: Ident, getter: &str) -> RustMethod {
    let operation = crate::model::setter_name(&property.name);
    let params = Operation::Setter(Arc::clone(property)).params().to_vec();
    let params = params
        .into_iter()
        .map(|param| Param {
            doc: String::new(),
            ..param
        })
        .collect();
    RustMethod {
        name,
        params,
        returns: None,
        doc: format!("Sets what [`{getter}`](Self::{getter}) reads."),
        returns_doc: String::new(),
        is_overloaded: is_overloaded(class, &operation),
        operation,
    }
}

fn is_overloaded(class: &Class, operation: &str) -> bool {
    class.operations(operation).len() > 1
}
