//! Events.

use super::types::accessors;
use super::{Module, PARAM};
use crate::generate::names::java;
use crate::generate::text::java_comment;
use rivero_idl::{Event, Param};

pub(super) fn event(module: &Module<'_>, event: &Event) -> String {
    let mut code = module.head();
    let name = format!("{}Event", event.name.name());
    let own = event.own_properties();
    let inherited = event.properties.len() - own.len();
    code.comment(std::slice::from_ref(&event.doc), java_comment);
    let parent = match event.ancestors.first() {
        Some(parent) => format!("extends {}", module.event(parent)),
        None => "implements org.kurento.client.Event".to_owned(),
    };
    code.open(&format!("public class {name} {parent} {{"));
    for property in own {
        let ty = module.written(&property.ty, property.optional);
        code.line(&format!("private {ty} {};", java(&property.name)));
    }
    code.line("");
    let params: Vec<String> = event
        .properties
        .iter()
        .enumerate()
        .map(|(index, property)| param(module, event, property, index < inherited))
        .collect();
    code.open(&format!("public {name}({}) {{", params.join(", ")));
    let parents: Vec<String> = event
        .properties
        .iter()
        .take(inherited)
        .map(|property| java(&property.name))
        .collect();
    code.line(&format!("super({});", parents.join(", ")));
    for property in own {
        code.line(&format!("this.{0} = {0};", java(&property.name)));
    }
    code.close("}");
    for property in own {
        accessors(&mut code, module, property, property.optional);
    }
    code.close("}");
    code.finish()
}

/// A parameter of the constructor. What may be absent is an object, but in the client's own events, which have
/// primitives for everything.
fn param(module: &Module<'_>, event: &Event, property: &Param, is_inherited: bool) -> String {
    let by_client = event.ancestors.iter().any(|ancestor| {
        let known = module.model.event(ancestor);
        ancestor.namespace() == "kurento"
            && known.is_some_and(|known| known.properties.contains(property))
    });
    let is_object = property.optional && !(is_inherited && by_client);
    let ty = module.written(&property.ty, is_object);
    format!(
        "{PARAM}(\"{}\") {ty} {}",
        property.name,
        java(&property.name)
    )
}
