//! `kmd new`

mod kind;
mod names;
mod project;
mod property;
mod sdk;

use crate::Failure;
use kind::Kind;
use names::ClassName;
use property::Property;
use std::path::{Path, PathBuf};

/// Makes the project of a module of your own, in Rust: a directory with its descriptor, code and a test, that
/// `cargo build --release` makes a module of.
///
/// `kmd new filter acme.Blur --property strength:int=3` makes `acme/`, whose class `acme.Blur` is a filter with a property that
/// clients read and set.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What the class is to be.
    #[arg(value_enum)]
    kind: Kind,
    /// The class with its module, such as `acme.Blur`.
    class: ClassName,
    /// A property that clients read and set, and may give when they create an object; without a default they have to. Types:
    /// String, boolean, int, int64, float, double.
    #[arg(short, long = "property", value_name = "NAME:TYPE[=DEFAULT]")]
    properties: Vec<Property>,
    /// A filter that works on pictures with OpenCV.
    #[arg(long)]
    opencv: bool,
    /// Where the project is to be, instead of a directory named like the module.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The directory of the crate `rivero-sdk`; without it the one that was installed with this program.
    #[arg(
        long,
        value_name = "DIR",
        env = "RIVERO_SDK",
        conflicts_with = "registry"
    )]
    sdk: Option<PathBuf>,
    /// Take `rivero-sdk` by its version from what cargo has for crates.io, such as a directory source.
    #[arg(long)]
    registry: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments {
        kind,
        class,
        properties,
        opencv,
        ..
    } = arguments;
    if *kind == Kind::Converter && !properties.is_empty() {
        return Err(fails("a converter has no properties: it is no class"));
    }
    if *opencv && *kind != Kind::Filter {
        return Err(fails("--opencv is for filters"));
    }
    property::are_distinct(properties)?;
    let sdk = match arguments.registry {
        true => sdk::Place::Registry,
        false => sdk::Place::find(arguments.sdk.as_deref())?,
    };
    let project = project::Project {
        kind: *kind,
        class,
        properties,
        sdk: &sdk,
        opencv: *opencv,
    };
    let directory = match &arguments.output {
        Some(directory) => directory.clone(),
        None => PathBuf::from(&class.module),
    };
    project.write(&directory)?;
    println!("{}", next_steps(&directory, class));
    Ok(())
}

fn next_steps(directory: &Path, class: &ClassName) -> String {
    let (directory, module) = (directory.display(), &class.module);
    format!(
        "{directory}/src/lib.rs is yours to edit. Then, in {directory}:\n\n    \
         cargo test                                # a pipeline without a server\n    \
         kmd dev                                   # a page that shows what it does, anew at each save\n    \
         cargo build --release\n    \
         kmd check target/release/lib{module}.so\n    \
         cp target/release/lib{module}.so MODULES/{module}.so   # the server takes it up"
    )
}

fn fails(text: impl Into<String>) -> Failure {
    Failure(Some(text.into()))
}
