//! Every committed input goes through its target: those that begin a fuzz run, and those that
//! once found a mistake.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

use std::{fs, path::Path};

#[test]
fn every_committed_input_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in rivero_fuzz::TARGETS {
        let inputs = fs::read_dir(corpus.join(name)).unwrap();
        let inputs: Vec<_> = inputs.map(|input| input.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for input in inputs {
            println!("{}", input.display());
            target(&fs::read(input).unwrap());
        }
    }
}

#[test]
fn no_input_is_without_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for directory in fs::read_dir(corpus).unwrap() {
        let name = directory.unwrap().file_name().into_string().unwrap();
        assert!(rivero_fuzz::target(&name).is_some(), "{name}");
    }
}
