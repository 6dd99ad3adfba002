//! For the `build.rs` of a module, whose `main` often has one line:
//!
//! ```no_run
//! rivero_sdk::build::descriptor("acme.kmd.json");
//! ```

use std::{path::Path, process::exit};

use rivero_idl::Descriptor;
pub use rivero_idl::{
    Error,
    build::{Module, Packaging},
};

/// A module of this name, whose code names nothing but this crate.
#[must_use]
pub fn module(name: &str) -> Module {
    Module::new(name).library("rivero_sdk")
}

/// Generates the code of a module with this descriptor. What is wrong with it is an error of the build, what is
/// doubtful a warning.
pub fn descriptor(path: impl AsRef<Path>) {
    let path = path.as_ref();
    println!("cargo::rerun-if-changed={}", path.display());
    let described = finished(Descriptor::read(path));
    tell_warnings(described.clone());
    generate(module(described.name()).descriptor(path));
}

/// Generates the code of a module; what is wrong is an error of the build.
pub fn generate(module: Module) {
    finished(module.generate());
}

fn finished<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
        exit(1)
    })
}

/// Errors are told where they stop the build.
fn tell_warnings(descriptor: Descriptor) {
    let name = descriptor.file().to_owned();
    let Ok(mut all) = rivero_idl::standard_descriptors() else {
        return;
    };
    all.push(descriptor);
    let problems = rivero_idl::check(&all);
    let of_this = problems
        .iter()
        .filter(|problem| *problem.location.file == *name);
    for problem in of_this.filter(|problem| problem.severity == rivero_idl::Severity::Warning) {
        println!("cargo::warning={problem}");
    }
}
