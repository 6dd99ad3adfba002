//! `kmd`: checks module descriptors, prints them, documents them and generates code from them.

mod check;
mod dev;
mod docs;
mod exercise;
mod fuzz;
mod generate;
mod inputs;
mod inspect;
mod module_file;
mod new;
mod output;
mod show;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Works with Kurento module descriptors (*.kmd.json): what a module offers, in classes, complex
/// types and events.
///
/// The standard modules (core, elements, filters) are built in and can be named instead of a file.
/// Where files are expected, a directory stands for all *.kmd.json files directly in it. The files
/// of a split module are joined.
#[derive(Debug, Parser)]
#[command(name = "kmd", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Show(show::Arguments),
    Docs(docs::Arguments),
    /// Generates code: for authors of modules, and for clients of theirs.
    #[command(subcommand)]
    Gen(generate::Target),
    New(new::Arguments),
    Inspect(inspect::Arguments),
    Dev(dev::Arguments),
    Fuzz(fuzz::Arguments),
    #[command(hide = true)]
    Exercise(exercise::child::Arguments),
}

/// Why the command failed, for the last line on standard error; nothing when everything was said.
#[derive(Debug)]
struct Failure(Option<String>);

impl<E: std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Some(error.to_string()))
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Docs(arguments) => docs::run(&arguments),
        Command::Gen(target) => generate::run(&target),
        Command::New(arguments) => new::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Exercise(arguments) => exercise::child::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            if let Some(message) = message {
                eprintln!("{message}");
            }
            ExitCode::FAILURE
        }
    }
}
