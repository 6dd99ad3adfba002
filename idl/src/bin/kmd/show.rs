//! `kmd show`

use crate::{Failure, inputs, output};

/// Prints merged descriptors as JSON.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// core, elements or filters, descriptor files, or directories with them. Several modules give
    /// an array.
    #[arg(required = true, value_name = "NAME|FILE")]
    modules: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let modules = inputs::named_or_read(&arguments.modules)?;
    let text = match modules.as_slice() {
        [module] => serde_json::to_string_pretty(module)?,
        modules => serde_json::to_string_pretty(modules)?,
    };
    output::write(&format!("{text}\n"), None)
}
