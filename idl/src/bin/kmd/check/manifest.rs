//! What a module says of itself.

use super::rules::Facts;
use crate::inputs;
use rivero_idl::{
    Class, Descriptor, Model, Problem, Setting, SettingKind, Severity, parse_version,
};
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn has_name(facts: &Facts<'_>) -> Vec<String> {
    let (name, manifest) = (&facts.manifest.name, facts.manifest);
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match (
        name.trim().is_empty(),
        manifest.descriptor.is_some() && !is_plain,
    ) {
        (true, _) => vec!["it has none".to_owned()],
        (_, true) => vec![format!("it is named '{name}'")],
        _ => Vec::new(),
    }
}

pub(super) fn has_version(facts: &Facts<'_>) -> Vec<String> {
    let version = &facts.manifest.version;
    let error = parse_version(version).err();
    error
        .into_iter()
        .map(|_| format!("it says '{version}'"))
        .collect()
}

pub(super) fn offers_something(facts: &Facts<'_>) -> Vec<String> {
    let manifest = facts.manifest;
    let mut seen = HashSet::new();
    let mut breaches: Vec<String> = manifest
        .classes
        .iter()
        .filter(|class| !seen.insert(*class))
        .map(|class| format!("the class '{class}' is named twice"))
        .collect();
    if manifest.classes.is_empty() && manifest.conversions.is_empty() {
        breaches.push("it offers nothing".to_owned());
    }
    breaches
}

fn problems(facts: &Facts<'_>, severity: Severity) -> Vec<String> {
    let Some(own) = &facts.manifest.descriptor else {
        return Vec::new();
    };
    let own = match Descriptor::parse("descriptor", &own.to_string()) {
        Ok(own) => own,
        Err(error) if severity == Severity::Error => return vec![error.to_string()],
        Err(_) => return Vec::new(),
    };
    let mut all = facts.dependencies.to_vec();
    all.push(own);
    let Ok(all) = inputs::with_standard(all) else {
        return Vec::new();
    };
    let problems: Vec<Problem> = rivero_idl::check(&all);
    let of_this = problems
        .iter()
        .filter(|problem| problem.severity == severity && *problem.location.file == *"descriptor");
    of_this.map(ToString::to_string).collect()
}

pub(super) fn is_described(facts: &Facts<'_>) -> Vec<String> {
    problems(facts, Severity::Error)
}

pub(super) fn has_no_warnings(facts: &Facts<'_>) -> Vec<String> {
    problems(facts, Severity::Warning)
}

/// `None` where the descriptor is wrong, which is told elsewhere.
fn model(facts: &Facts<'_>) -> Option<Model> {
    let own = facts.manifest.descriptor.as_ref();
    let own = own.map(|own| Descriptor::parse("descriptor", &own.to_string()));
    let own = own.transpose().ok()?;
    let mut all = facts.dependencies.to_vec();
    all.extend(own);
    Model::new(inputs::with_standard(all).ok()?).ok()
}

/// What `check` finds wrong with each class that can be created.
fn of_classes(
    facts: &Facts<'_>,
    check: impl Fn(&str, Option<&Class>) -> Option<String>,
) -> Vec<String> {
    let Some(model) = model(facts) else {
        return Vec::new();
    };
    let classes = facts.manifest.classes.iter();
    let found = classes.filter_map(|name| check(name, model.class(name).map(|class| &**class)));
    found.collect()
}

pub(super) fn classes_exist(facts: &Facts<'_>) -> Vec<String> {
    of_classes(facts, |name, class| match class {
        None => Some(format!("there is no class '{name}'")),
        Some(class) if class.is_abstract => Some(format!("the class '{name}' is abstract")),
        Some(_) => None,
    })
}

pub(super) fn is_in_pipeline(facts: &Facts<'_>) -> Vec<String> {
    of_classes(facts, |name, class| {
        let class = class.filter(|class| class.is_a("MediaElement") || class.is_a("Hub"))?;
        let mut parameters = class.constructor.iter();
        let has_pipeline = parameters.any(|parameter| {
            parameter.name == "mediaPipeline" && parameter.ty.to_string().ends_with("MediaPipeline")
        });
        (!has_pipeline).then(|| format!("the constructor of '{name}' has no such parameter"))
    })
}

pub(super) fn settings_fit(facts: &Facts<'_>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut breaches = Vec::new();
    for setting in &facts.manifest.settings {
        let name = format!("{}.{}", setting.class, setting.key);
        breaches.extend(misfit(setting).map(|reason| format!("{name} {reason}")));
        if !seen.insert(name.clone()) {
            breaches.push(format!("{name} is there twice"));
        }
    }
    breaches
}

/// The default is for people, and may be any text.
fn misfit(setting: &Setting) -> Option<String> {
    match setting.kind {
        SettingKind::Integer { min, max } if min > max => Some(format!("is from {min} to {max}")),
        SettingKind::Choice { ref values } if values.is_empty() => {
            Some("leaves nothing to choose".to_owned())
        }
        _ => None,
    }
}

pub(super) fn conversions_fit(facts: &Facts<'_>) -> Vec<String> {
    let mut breaches = Vec::new();
    for conversion in &facts.manifest.conversions {
        let (from, to) = (&conversion.input, &conversion.output);
        let name = format!("{} {:?} to {} {:?}", from.0, from.1, to.0, to.1);
        if from == to {
            breaches.push(format!("{name} changes nothing"));
        }
        if conversion.cost == 0 {
            breaches.push(format!("{name} costs nothing"));
        }
        if [from, to]
            .iter()
            .any(|end| end.0.is_empty() || end.0 != end.0.to_uppercase())
        {
            breaches.push(format!("{name} has small letters"));
        }
    }
    breaches
}

pub(super) fn is_documented(facts: &Facts<'_>) -> Vec<String> {
    let own = facts.manifest.descriptor.as_ref();
    let classes = own.and_then(|own| own.get("remoteClasses")?.as_array());
    let mut breaches = Vec::new();
    for class in classes.into_iter().flatten() {
        let name = text(class, "name");
        breaches.extend(silent(class).then(|| format!("the class '{name}' has no doc")));
        for members in ["properties", "methods"] {
            let members = class.get(members).and_then(Value::as_array);
            for member in members
                .into_iter()
                .flatten()
                .filter(|member| silent(member))
            {
                breaches.push(format!("'{name}.{}' has no doc", text(member, "name")));
            }
        }
    }
    breaches
}

fn silent(described: &Value) -> bool {
    text(described, "doc").trim().is_empty()
}

fn text<'a>(described: &'a Value, member: &str) -> &'a str {
    described
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
