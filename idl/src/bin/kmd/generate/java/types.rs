//! Enumerations and structures.

use super::{Module, PARAM};
use crate::generate::names::{capitalized, java};
use crate::generate::plan::own_fields;
use crate::generate::text::java_comment;
use rivero_idl::{ComplexType, Param, Register};

pub(super) fn complex_type(module: &Module<'_>, complex: &ComplexType) -> String {
    let mut code = module.head();
    code.comment(&[complex.doc().to_owned()], java_comment);
    match complex {
        ComplexType::Enum(enumeration) => {
            let values: Vec<String> = enumeration.values.iter().map(|value| java(value)).collect();
            code.open(&format!("public enum {} {{", enumeration.name.name()));
            code.line(&values.join(", "));
            code.close("}");
            code.finish()
        }
        ComplexType::Register(found) => register(module, found),
    }
}

fn register(module: &Module<'_>, register: &Register) -> String {
    let mut code = module.head();
    let name = register.name.name();
    let own = own_fields(module.model, register);
    let inherited = register.fields.len() - own.len();
    let required = |param: &&Param| !param.optional;
    code.comment(std::slice::from_ref(&register.doc), java_comment);
    code.line(&format!(
        "@org.kurento.client.internal.ModuleName(\"{}\")",
        register.name.namespace()
    ));
    let parent = register.extends().map(|parent| module.named(parent));
    let extends = parent.map_or_else(String::new, |parent| format!(" extends {parent}"));
    code.open(&format!("public class {name}{extends} {{"));
    for field in own {
        let ty = module.written(&field.ty, field.optional);
        code.line(&format!("private {ty} {};", java(&field.name)));
    }
    code.line("");
    if register.fields.iter().any(|field| !field.optional) {
        code.line("/** For whoever reads it from JSON. */");
        code.line(&format!("protected {name}() {{}}"));
        code.line("");
    }
    let params: Vec<String> = register
        .fields
        .iter()
        .filter(required)
        .map(|field| {
            let ty = module.written(&field.ty, false);
            format!("{PARAM}(\"{}\") {ty} {}", field.name, java(&field.name))
        })
        .collect();
    code.open(&format!("public {name}({}) {{", params.join(", ")));
    let parents: Vec<String> = register
        .fields
        .iter()
        .take(inherited)
        .filter(required)
        .map(|field| java(&field.name))
        .collect();
    code.line(&format!("super({});", parents.join(", ")));
    for field in own.iter().filter(required) {
        code.line(&format!("this.{0} = {0};", java(&field.name)));
    }
    code.close("}");
    for field in own {
        accessors(&mut code, module, field, field.optional);
    }
    code.close("}");
    code.finish()
}

/// Getter and setter of a field.
pub(super) fn accessors(
    code: &mut crate::generate::text::Code,
    module: &Module<'_>,
    field: &Param,
    is_object: bool,
) {
    let ty = module.written(&field.ty, is_object);
    let name = java(&field.name);
    let mut suffix = capitalized(&field.name);
    if suffix == "Class" {
        // Every object has a `getClass` of its own.
        suffix.push('_');
    }
    code.line("");
    code.comment(std::slice::from_ref(&field.doc), java_comment);
    code.open(&format!("public {ty} get{suffix}() {{"));
    code.line(&format!("return {name};"));
    code.close("}");
    code.line("");
    code.comment(std::slice::from_ref(&field.doc), java_comment);
    code.open(&format!("public void set{suffix}({ty} {name}) {{"));
    code.line(&format!("this.{name} = {name};"));
    code.close("}");
}
