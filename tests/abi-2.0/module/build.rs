//! Writes what `rivero_idl::build` would: the manifest is JSON in a section of the library, whoever made it.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=module.json");
    let directory = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::copy("module.json", directory.join("module.json"))?;
    Ok(())
}
