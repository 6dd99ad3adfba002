//! `kmd docs`

use crate::{Failure, inputs, output};
use rivero_idl::{Descriptor, Model, markdown};
use std::path::PathBuf;

/// Writes a reference of modules in Markdown: their classes with all members, events and complex
/// types.
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
    let mut all = inputs::read(&arguments.dependency)?;
    all.extend(modules);
    let model = Model::new(inputs::with_standard(all)?)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let page = markdown::reference(&model, &names).unwrap_or_default();
    output::write(&page, arguments.output.as_deref())
}
