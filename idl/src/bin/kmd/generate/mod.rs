//! `kmd gen`

mod additions;
mod c;
mod clients;
mod java;
mod javascript;
mod manifest;
mod names;
mod package;
mod plan;
mod rust;
mod section;
mod text;
mod tree;
mod typescript;

use crate::Failure;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Target {
    Rust(rust::Arguments),
    Js(clients::NpmArguments),
    Ts(clients::TypedArguments),
    Java(clients::JavaArguments),
    C(c::Arguments),
}

pub(crate) fn run(target: &Target) -> Result<(), Failure> {
    match target {
        Target::Rust(arguments) => rust::run(arguments),
        Target::Js(arguments) => clients::javascript(arguments),
        Target::Ts(arguments) => clients::typescript(arguments),
        Target::Java(arguments) => clients::java(arguments),
        Target::C(arguments) => c::run(arguments),
    }
}
