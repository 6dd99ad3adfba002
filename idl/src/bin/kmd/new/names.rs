//! Names of modules and classes.

use std::str::FromStr;

/// A class and its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassName {
    pub(super) module: String,
    pub(super) class: String,
}

/// Modules that are the server's own.
const TAKEN: [&str; 5] = ["core", "elements", "filters", "kurento", "rivero"];
/// Names that a crate cannot have, or that its dependencies have.
const RESERVED: [&str; 12] = [
    "alloc",
    "build",
    "deps",
    "examples",
    "incremental",
    "log",
    "proc",
    "serde",
    "std",
    "test",
    "tracing",
    "syn",
];

impl FromStr for ClassName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "a class is named like acme.Blur: its module in lower case, then its own name";
        let (module, class) = text.split_once('.').ok_or(form)?;
        let is_rest = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !module.starts_with(|c: char| c.is_ascii_lowercase())
            || module.bytes().any(|byte| byte.is_ascii_uppercase())
            || !is_rest(module)
        {
            return Err(format!("'{module}' is no name for a module, {form}"));
        }
        if !class.starts_with(|c: char| c.is_ascii_uppercase()) || !is_rest(class) {
            return Err(format!("'{class}' is no name for a class, {form}"));
        }
        if TAKEN.contains(&module) {
            return Err(format!(
                "the module '{module}' is the server's own: choose another name"
            ));
        }
        if RESERVED.contains(&module) || is_keyword(module) {
            return Err(format!(
                "no crate can be named '{module}': choose another name"
            ));
        }
        if class == "Self" {
            return Err(format!("'{class}' is no name for a class, {form}"));
        }
        Ok(Self {
            module: module.to_owned(),
            class: class.to_owned(),
        })
    }
}

fn is_keyword(name: &str) -> bool {
    rivero_idl::rust::member_name(name) != name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_module_and_a_name() {
        let name: ClassName = "acme.Blur2".parse().unwrap();
        assert_eq!((&*name.module, &*name.class), ("acme", "Blur2"));
        for bad in [
            "Blur",
            "acme.",
            ".Blur",
            "Acme.Blur",
            "acme.blur",
            "acme.Bl-ur",
            "a.b.C",
            "kurento.Blur",
            "test.Blur",
            "fn.Blur",
            "2a.Blur",
            "acme.Self",
        ] {
            assert!(bad.parse::<ClassName>().is_err(), "{bad}");
        }
    }
}
