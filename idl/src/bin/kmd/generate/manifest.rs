//! The descriptor in a module's library, which is read and never run.

use crate::Failure;
use object::{Object, ObjectSection};
use rivero_idl::Descriptor;
use rivero_plugin_api::abi::section::{self, SECTION};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;

/// Whether the file is a library and no text.
pub(super) fn is_library(file: &Path) -> bool {
    let mut magic = [0; 4];
    let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

/// What a library says about its module.
pub(super) struct Manifest {
    /// Its own descriptor; none where it implements standard classes only.
    pub(super) descriptor: Option<Descriptor>,
    /// The classes that it makes.
    pub(super) classes: Vec<String>,
}

/// Reads the section that a module's build writes.
pub(super) fn read(file: &Path) -> Result<Manifest, Failure> {
    let failed = |reason: String| Failure(Some(format!("{}: {reason}", file.display())));
    let content = fs::read(file).map_err(|error| failed(error.to_string()))?;
    let elf = object::File::parse(&*content)
        .map_err(|error| failed(format!("it is no shared library: {error}")))?;
    let section = elf
        .section_by_name(SECTION)
        .ok_or_else(|| failed(format!("it has no {SECTION} section: not a Rivero module")))?;
    let data = section.data().map_err(|error| failed(error.to_string()))?;
    let section = section::decode(data).map_err(|error| failed(error.to_string()))?;
    let manifest: Value = serde_json::from_slice(section.manifest)
        .map_err(|error| failed(format!("its manifest is malformed: {error}")))?;
    let classes = manifest.get("classes").and_then(Value::as_array);
    let descriptor = match manifest.get("descriptor") {
        None | Some(Value::Null) => None,
        Some(descriptor) => Some(Descriptor::parse(
            &file.display().to_string(),
            &descriptor.to_string(),
        )?),
    };
    Ok(Manifest {
        descriptor,
        classes: classes
            .into_iter()
            .flatten()
            .filter_map(|class| class.as_str().map(str::to_owned))
            .collect(),
    })
}
