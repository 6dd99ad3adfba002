//! A class of objects in the server, as the interface of a proxy.

use super::Module;
use super::signatures::{declared, key, obstacle, variable, ways};
use crate::generate::javascript::value_text;
use crate::generate::names::{capitalized, is_java_word};
use crate::generate::plan::ClassPlan;
use crate::generate::text::{Code, java_comment};
use rivero_idl::{Class, Event, Operation, Param, Type};
use std::collections::HashSet;

/// Methods of builders.
const BUILDER: &[&str] = &[
    "build",
    "buildAsync",
    "clone",
    "equals",
    "finalize",
    "getClass",
    "hashCode",
    "notify",
    "notifyAll",
    "toString",
    "wait",
    "with",
    "withProperties",
];

pub(super) fn class(module: &Module<'_>, plan: &ClassPlan, warnings: &mut Vec<String>) -> String {
    let class = &plan.class;
    let mut code = module.head();
    code.comment(std::slice::from_ref(&class.doc), java_comment);
    code.line("@org.kurento.client.internal.RemoteClass");
    let parent = class.parent().map_or_else(
        || "org.kurento.client.KurentoObject".to_owned(),
        |parent| module.named(parent.qualified_name()),
    );
    code.open(&format!(
        "public interface {} extends {parent} {{",
        class.name
    ));
    // What an ancestor declares keeps its own answer.
    let mut written = inherited_keys(module, plan);
    for overloads in plan.operations() {
        if let Some(obstacle) = obstacle(&overloads.name) {
            let (class, name) = (&class.name, &overloads.name);
            let text = format!(
                "{class}.{name}: '{name}' {obstacle} of Java, so its client cannot call it"
            );
            code.line("");
            code.line(&format!("// {text}."));
            warnings.push(text);
            continue;
        }
        for operation in &overloads.operations {
            if plan.brings(operation) {
                methods(&mut code, module, &overloads.name, operation, &mut written);
            }
        }
    }
    for event in &plan.events {
        listeners(&mut code, module, event);
    }
    if !class.is_abstract {
        builder(&mut code, module, class, warnings);
    }
    code.close("}");
    code.finish()
}

fn inherited_keys(module: &Module<'_>, plan: &ClassPlan) -> HashSet<String> {
    let mut keys = HashSet::new();
    for overloads in plan.operations() {
        for operation in overloads
            .operations
            .iter()
            .filter(|operation| !plan.brings(operation))
        {
            for params in ways(operation) {
                keys.insert(key(module, &overloads.name, params));
            }
        }
    }
    keys
}

/// An operation that waits, that goes on, and that is part of a transaction.
fn methods(
    code: &mut Code,
    module: &Module<'_>,
    name: &str,
    operation: &Operation,
    written: &mut HashSet<String>,
) {
    let void = module.lang("Void");
    let (plain, object) = match operation.returns() {
        Some(ty) => (module.written(ty, false), module.written(ty, true)),
        None => ("void".to_owned(), void.clone()),
    };
    for params in ways(operation) {
        if !written.insert(key(module, name, params)) {
            continue;
        }
        let own = declared(module, params);
        let with = |before: Option<&str>, after: Option<String>| {
            let before = before.map(str::to_owned);
            let all: Vec<String> = before.into_iter().chain(own.clone()).chain(after).collect();
            all.join(", ")
        };
        code.line("");
        code.comment(&text(operation, params), java_comment);
        code.line(&format!("{plain} {name}({});", with(None, None)));
        code.line("");
        code.comment(
            &[format!(
                "As {name}, but returns at once; cont is told how it went."
            )],
            java_comment,
        );
        let continuation = format!("org.kurento.client.Continuation<{object}> cont");
        code.line(&format!("void {name}({});", with(None, Some(continuation))));
        code.line("");
        code.comment(&[format!("As {name}, in a transaction.")], java_comment);
        let future = match operation.returns() {
            Some(_) => format!("org.kurento.client.TFuture<{object}>"),
            None => "void".to_owned(),
        };
        let transaction = "org.kurento.client.Transaction tx";
        // Kurento's own generator puts it last for setters.
        let all = match operation {
            Operation::Setter(_) => with(None, Some(transaction.to_owned())),
            _ => with(Some(transaction), None),
        };
        code.line(&format!("{future} {name}({all});"));
    }
}

fn text(operation: &Operation, params: &[Param]) -> Vec<String> {
    match operation {
        Operation::Getter(property) => vec![property.doc.clone()],
        Operation::Setter(property) => vec![format!("Sets {}. {}", property.name, property.doc)],
        Operation::Method(method) => {
            let mut text = vec![method.doc.clone()];
            for param in params.iter().filter(|param| !param.doc.is_empty()) {
                text.push(format!("@param {} {}", variable(param), value_text(param)));
            }
            if !method.returns_doc.is_empty() {
                text.push(format!("@return {}", method.returns_doc));
            }
            text
        }
    }
}

fn listeners(code: &mut Code, module: &Module<'_>, event: &Event) {
    let name = event.name.name();
    let data = module.event(&event.name);
    let void = module.lang("Void");
    let subscription =
        format!("@org.kurento.client.internal.server.EventSubscription({data}.class)");
    let listener = format!("org.kurento.client.EventListener<{data}> listener");
    let known = "org.kurento.client.ListenerSubscription";
    for (doc, method) in [
        (
            event.doc.clone(),
            format!("{known} add{name}Listener({listener});"),
        ),
        (
            format!("As add{name}Listener, but returns at once; cont is told how it went."),
            format!(
                "void add{name}Listener({listener}, org.kurento.client.Continuation<{known}> cont);"
            ),
        ),
        (
            format!("Ends what add{name}Listener began."),
            format!("void remove{name}Listener({known} listenerSubscription);"),
        ),
        (
            format!("As remove{name}Listener, but returns at once; cont is told how it went."),
            format!(
                "void remove{name}Listener({known} listenerSubscription, org.kurento.client.Continuation<{void}> cont);"
            ),
        ),
    ] {
        code.line("");
        code.comment(&[doc], java_comment);
        code.line(&subscription);
        code.line(&method);
    }
}

fn builder(code: &mut Code, module: &Module<'_>, class: &Class, warnings: &mut Vec<String>) {
    // The client finds the connection by the object that the new one belongs to.
    let required: Vec<&Param> = class
        .constructor
        .iter()
        .filter(|param| !param.optional)
        .collect();
    let parent = required
        .iter()
        .find(|param| matches!(param.ty, Type::Class(_)));
    let obstacle = match parent {
        None => Some(
            "no required parameter of its constructor is an object, so Java's builders have no connection for it",
        ),
        Some(_) if class.name == "Builder" => Some("a class cannot have a builder of its own name"),
        Some(_) => None,
    };
    let Some(parent) = parent.filter(|_| obstacle.is_none()) else {
        let obstacle = obstacle.unwrap_or_default();
        code.line("");
        code.line(&format!("// No builder: {obstacle}."));
        warnings.push(format!("{}: no Java builder: {obstacle}", class.name));
        return;
    };
    let declared =
        |param: &&Param| format!("{} {}", module.written(&param.ty, false), variable(param));
    code.line("");
    code.comment(
        &[
            format!("Creates objects of the class {}.", class.name),
            class.constructor_doc.clone(),
        ],
        java_comment,
    );
    code.open(&format!(
        "public class Builder extends org.kurento.client.AbstractBuilder<{}> {{",
        class.name
    ));
    let params: Vec<String> = required.iter().map(declared).collect();
    let docs: Vec<String> = required
        .iter()
        .filter(|param| !param.doc.is_empty())
        .map(|param| format!("@param {} {}", variable(param), param.doc))
        .collect();
    code.comment(&docs, java_comment);
    code.open(&format!("public Builder({}) {{", params.join(", ")));
    code.line(&format!(
        "super({}.class, {});",
        class.name,
        variable(parent)
    ));
    for param in &required {
        code.line(&format!(
            "props.add(\"{}\", {});",
            param.name,
            variable(param)
        ));
    }
    code.close("}");
    let (string, object) = (module.lang("String"), module.lang("Object"));
    for (params, call) in [
        (
            "org.kurento.client.Properties properties".to_owned(),
            "withProperties(properties)",
        ),
        (
            format!("{string} name, {object} value"),
            "with(name, value)",
        ),
    ] {
        let name = call.split('(').next().unwrap_or_default();
        code.line("");
        code.line(&format!("@{}", module.lang("Override")));
        code.open(&format!("public Builder {name}({params}) {{"));
        code.line(&format!("return (Builder) super.{call};"));
        code.close("}");
    }
    for param in class.constructor.iter().filter(|param| param.optional) {
        option(code, module, param);
    }
    code.close("}");
}

/// An optional parameter; a boolean can be asked for by its name alone.
fn option(code: &mut Code, module: &Module<'_>, param: &Param) {
    let setter = format!("with{}", capitalized(&param.name));
    let value = variable(param);
    code.line("");
    code.comment(&[value_text(param)], java_comment);
    code.open(&format!(
        "public Builder {setter}({} {value}) {{",
        module.written(&param.ty, false)
    ));
    code.line(&format!("props.add(\"{}\", {value});", param.name));
    code.line("return this;");
    code.close("}");
    let name = param.name.as_str();
    if param.ty == Type::Boolean && !is_java_word(name) && !BUILDER.contains(&name) {
        code.line("");
        code.comment(&[value_text(param)], java_comment);
        code.open(&format!("public Builder {name}() {{"));
        code.line(&format!("return {setter}(true);"));
        code.close("}");
    }
}
