//! `kmd docs`

use crate::{Failure, inputs, output};
use rivero_idl::{Descriptor, Model, markdown};
use std::fmt::Write;
use std::path::PathBuf;

/// Writes a reference of modules in Markdown: their classes with all members, events and complex
/// types.
///
/// A page about more than one module begins with a list of them and their classes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// core, elements or filters, descriptor files, or directories with them. Nothing stands for
    /// all standard modules.
    #[arg(value_name = "NAME|FILE")]
    modules: Vec<String>,
    /// Descriptor of a module that is imported but not to be documented.
    #[arg(short, long, value_name = "FILE")]
    dependency: Vec<PathBuf>,
    /// Where to write instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let modules = if arguments.modules.is_empty() {
        rivero_idl::standard_descriptors()?
    } else {
        inputs::named_or_read(&arguments.modules)?
    };
    let names: Vec<String> = modules
        .iter()
        .map(|module| Descriptor::name(module).to_owned())
        .collect();
    let contents = if modules.len() > 1 {
        contents(&modules)
    } else {
        String::new()
    };
    let mut all = inputs::read(&arguments.dependency)?;
    all.extend(modules);
    let model = Model::new(inputs::with_standard(all)?)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let page = markdown::reference(&model, &names).unwrap_or_default();
    output::write(&format!("{contents}{page}"), arguments.output.as_deref())
}

/// A table of modules and their classes, each a link to its heading in the reference.
fn contents(modules: &[Descriptor]) -> String {
    let mut table = "# Contents\n\n| module | version | classes |\n|---|---|---|\n".to_owned();
    for module in modules {
        let classes = module.remote_classes.iter().map(|class| {
            let anchor = class.name.to_lowercase();
            format!("[{}](#{anchor})", class.name)
        });
        let classes = classes.collect::<Vec<_>>().join(", ");
        let version = module.version.as_deref().unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(table, "| `{}` | {version} | {classes} |", module.name());
    }
    table + "\n"
}
