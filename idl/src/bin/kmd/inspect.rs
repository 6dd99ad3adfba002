//! `kmd inspect`

use crate::module_file::{Manifest, ModuleFile};
use crate::{Failure, output};
use rivero_idl::{Class, Descriptor, Model, Param};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Prints what a module says of itself: versions, classes with their members, conversions, settings, and what it needs.
/// None of its code is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The library.
    file: PathBuf,
    /// Print JSON, with the descriptor.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.file;
    let file = ModuleFile::read(path)?;
    let Some(manifest) = &file.manifest else {
        let reason = file.foreign.or(file.unreadable);
        let reason = reason.unwrap_or_else(|| "it has no section .rivero.module".to_owned());
        let text = format!("{}: no module: {reason}", path.display());
        return Err(Failure(Some(text)));
    };
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&as_json(&file, manifest))? + "\n",
        false => as_text(path, &file, manifest),
    };
    output::write(&text, None)
}

fn as_json(file: &ModuleFile, manifest: &Manifest) -> Value {
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "abi": file.abi.map(|(major, minor)| format!("{major}.{minor}")),
        "unwinds": file.unwinds,
        "builtWith": manifest.built_with,
        "classes": manifest.classes,
        "conversions": manifest.conversions,
        "settings": manifest.settings,
        "inline": manifest.inline,
        "needs": file.needs,
        "runPath": file.run_path,
        "size": file.size,
        "descriptor": manifest.descriptor,
    })
}

fn as_text(path: &Path, file: &ModuleFile, manifest: &Manifest) -> String {
    let mut text = String::new();
    let mut line = |head: &str, rest: &str| {
        if !rest.is_empty() {
            // A String takes everything.
            let _ = writeln!(text, "{head:<12}{rest}");
        }
    };
    line(
        "file",
        &format!("{} ({} KiB)", path.display(), file.size.div_ceil(1024)),
    );
    line("module", &format!("{} {}", manifest.name, manifest.version));
    let (major, minor) = file.abi.unwrap_or_default();
    let panics = if file.unwinds { "unwind" } else { "abort" };
    line("ABI", &format!("{major}.{minor}, panics {panics}"));
    line(
        "built with",
        manifest.built_with.as_deref().unwrap_or_default(),
    );
    line("needs", &file.needs.join(" "));
    line("run path", &file.run_path.join(":"));
    if manifest.inline {
        line("pads", "inline: they take media on the producer's thread");
    }
    for conversion in &manifest.conversions {
        let ((from, packed), (to, packed_so)) = (&conversion.input, &conversion.output);
        let cost = conversion.cost;
        line(
            "conversion",
            &format!("{from} {packed:?} to {to} {packed_so:?}, cost {cost}"),
        );
    }
    for setting in &manifest.settings {
        line(
            "setting",
            &format!("{}.{}: {}", setting.class, setting.key, setting.kind),
        );
    }
    let model = model(manifest);
    for name in &manifest.classes {
        let class = model.as_ref().and_then(|model| model.class(name));
        let described = class.map_or_else(|| name.clone(), |class| described(class));
        line("class", &described);
        for member in class.into_iter().flat_map(|class| members(class)) {
            line("", &member);
        }
    }
    text
}

/// The classes; `None` where the descriptor cannot be read by itself, since it imports others.
fn model(manifest: &Manifest) -> Option<Model> {
    let own = manifest.descriptor.as_ref();
    let own = own.and_then(|own| Descriptor::parse(&manifest.name, &own.to_string()).ok());
    Model::with_standard(own.into_iter().collect()).ok()
}

fn described(class: &Class) -> String {
    let parent = class
        .parent()
        .map(|parent| format!(" extends {}", parent.name));
    format!("{}{}", class.qualified_name(), parent.unwrap_or_default())
}

/// What the class has itself, a line each.
fn members(class: &Class) -> Vec<String> {
    let parameters = |all: &[Param]| all.iter().map(parameter).collect::<Vec<_>>().join(", ");
    let mut members = vec![format!("create({})", parameters(&class.constructor))];
    members.extend(class.own_properties().map(|property| {
        let kept = if property.is_writable() {
            ""
        } else {
            ", read only"
        };
        format!("{}: {}{kept}", property.name, property.ty)
    }));
    members.extend(class.own_methods().map(|method| {
        let returns = method.returns.as_ref().map(|ty| format!(": {ty}"));
        format!(
            "{}({}){}",
            method.name,
            parameters(&method.params),
            returns.unwrap_or_default()
        )
    }));
    members.extend(
        class
            .own_events()
            .map(|event| format!("event {}", event.name)),
    );
    members
}

fn parameter(parameter: &Param) -> String {
    let default = parameter
        .default
        .as_ref()
        .map(|default| format!(" = {default}"));
    format!(
        "{}: {}{}",
        parameter.name,
        parameter.ty,
        default.unwrap_or_default()
    )
}
