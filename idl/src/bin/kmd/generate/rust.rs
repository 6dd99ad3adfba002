//! `kmd gen rust`

use crate::{Failure, inputs, output};
use rivero_idl::{Model, rust};
use std::path::PathBuf;

/// Generates traits, parameters, complex types and event emitters for the author of a module in
/// Rust.
///
/// It is the text that rivero_idl::build writes from a module's build.rs; use this to look at it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Class to implement; may be repeated. Without it, all concrete classes in the files.
    #[arg(short, long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Complex type that is needed besides those in the signatures of the classes; may be repeated.
    #[arg(short, long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Descriptors of modules other than the standard ones.
    files: Vec<PathBuf>,
    /// Where to write instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let modules = inputs::read(&arguments.files)?;
    let mut request = rust::Request {
        classes: arguments.classes.clone(),
        types: arguments.types.clone(),
    };
    if request.classes.is_empty() {
        let classes = modules.iter().flat_map(|module| &module.remote_classes);
        request.classes = classes
            .filter(|class| !class.is_abstract)
            .map(|class| class.name.clone())
            .collect();
    }
    if request.classes.is_empty() && request.types.is_empty() {
        return Err(Failure(Some(
            "nothing to generate: give --class, --type or descriptor files".to_owned(),
        )));
    }
    let model = Model::new(inputs::with_standard(modules)?)?;
    output::write(
        &rust::generate(&model, &request)?,
        arguments.output.as_deref(),
    )
}
