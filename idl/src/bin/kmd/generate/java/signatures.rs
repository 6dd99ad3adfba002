//! Operations as methods of Java: each as often as the client can call it.

use super::{Module, PARAM};
use crate::generate::names::{is_java_word, java};
use rivero_idl::{Operation, Param};

/// Methods that every proxy has, or every object of Java, and that no operation can be.
const TAKEN: &[&str] = &[
    "clone",
    "equals",
    "finalize",
    "getClass",
    "hashCode",
    "isCommited",
    "notify",
    "notifyAll",
    "release",
    "toString",
    "wait",
    "waitCommited",
    "whenCommited",
];

/// Why an operation cannot be a method.
pub(super) fn obstacle(operation: &str) -> Option<&'static str> {
    if is_java_word(operation) {
        Some("is a reserved word")
    } else if TAKEN.contains(&operation) {
        Some("is a method that every object has")
    } else {
        None
    }
}

/// The ways to leave out optional parameters: none, the last, the last two …
pub(super) fn ways(operation: &Operation) -> Vec<&[Param]> {
    let params = operation.params();
    let required = params
        .iter()
        .rposition(|param| !param.optional)
        .map_or(0, |last| last + 1);
    (required..=params.len())
        .rev()
        .filter_map(|count| params.get(..count))
        .collect()
}

/// What tells a method from others of its name, before the client's own parameter is added.
pub(super) fn key(module: &Module<'_>, name: &str, params: &[Param]) -> String {
    let types = params.iter().map(|param| {
        let ty = module.written(&param.ty, false);
        // Type arguments do not count.
        ty.split('<').next().unwrap_or_default().to_owned()
    });
    format!("{name}({})", types.collect::<Vec<_>>().join(","))
}

/// The parameters as they are declared.
pub(super) fn declared(module: &Module<'_>, params: &[Param]) -> Vec<String> {
    params
        .iter()
        .map(|param| {
            let ty = module.written(&param.ty, false);
            format!("{PARAM}(\"{}\") {ty} {}", param.name, variable(param))
        })
        .collect()
}

/// A parameter's name, apart from those that the client's own parameters have.
pub(super) fn variable(param: &Param) -> String {
    match param.name.as_str() {
        "cont" | "tx" => format!("{}_", param.name),
        name => java(name),
    }
}
