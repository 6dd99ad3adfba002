//! For the `build.rs` of a module: generates what the module's sources include and what it exports.
//!
//! A module that implements standard classes:
//!
//! ```no_run
//! fn main() -> Result<(), rivero_idl::Error> {
//!     rivero_idl::build::Module::new("passthrough").classes(&["PassThrough"]).generate()
//! }
//! ```
//!
//! A module that brings its own:
//!
//! ```no_run
//! fn main() -> Result<(), rivero_idl::Error> {
//!     rivero_idl::build::Module::new("chroma").descriptor("chroma.kmd.json").generate()
//! }
//! ```
//!
//! A module that converts media says so twice: here, for the host to plan without loading the
//! library, and in `export_module!`. The host compares the two when it loads it.
//!
//! ```no_run
//! use rivero_idl::build::{Module, Packaging::{Frame, Raw}};
//! fn main() -> Result<(), rivero_idl::Error> {
//!     Module::new("jpeg").conversion(("JPEG", Frame), ("I420", Raw), 40).generate()
//! }
//! ```
//!
//! Two files come into `OUT_DIR`: `api.rs` with the code of [`crate::rust`], to be included with
//! `mod api { include!(concat!(env!("OUT_DIR"), "/api.rs")); }`, and `module.json`, the manifest
//! that `export_module!` puts into the library for the host to read without loading it.

use crate::descriptor::Descriptor;
use crate::error::Error;
use crate::model::{Class, Model};
use crate::rust::{Request, generate_for};
use crate::settings::Setting;
use serde::Serialize;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a module offers. Paths are relative to the directory that `build.rs` runs in, which is the
/// crate's.
#[derive(Debug, Clone)]
pub struct Module {
    name: String,
    version: Option<String>,
    classes: Vec<String>,
    types: Vec<String>,
    descriptors: Vec<PathBuf>,
    dependencies: Vec<PathBuf>,
    settings: Vec<PathBuf>,
    conversions: Vec<Conversion>,
    packaging_parameters: Vec<String>,
    inline: bool,
    library: Option<String>,
}

/// How media of an encoding is cut into packets: `Packaging` of plugin-api, by the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Packaging {
    /// RTP packets.
    Rtp,
    /// One encoded frame a packet.
    Frame,
    /// Raw pictures or samples.
    Raw,
}

/// One thing that a module's converters do.
#[derive(Debug, Clone, Serialize)]
struct Conversion {
    input: (String, Packaging),
    output: (String, Packaging),
    cost: u32,
}

/// What the host reads from a library without loading it.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    name: &'a str,
    version: String,
    /// Plain names of the classes that can be created.
    classes: Vec<String>,
    /// The module's own descriptor; null where it implements standard classes only.
    descriptor: Option<&'a Descriptor>,
    /// What its classes read from the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<Setting>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    conversions: &'a [Conversion],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    packaging_parameters: &'a [String],
    /// Its pads take media on the producer's thread.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inline: bool,
    /// For the operator of a server that cannot load it.
    built_with: String,
}

impl Module {
    /// A module of this name. With a descriptor it must be the descriptor's.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: None,
            classes: Vec::new(),
            types: Vec::new(),
            descriptors: Vec::new(),
            dependencies: Vec::new(),
            settings: Vec::new(),
            conversions: Vec::new(),
            packaging_parameters: Vec::new(),
            inline: false,
            library: None,
        }
    }

    /// The module's version. Without it, that of the descriptor, else that of the crate.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// Classes that the module implements, besides the concrete ones of its descriptor.
    #[must_use]
    pub fn classes(mut self, names: &[&str]) -> Self {
        self.classes
            .extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Complex types that the sources need besides those in the signatures of the classes, such as
    /// statistics.
    #[must_use]
    pub fn types(mut self, names: &[&str]) -> Self {
        self.types
            .extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// A file of the module's own descriptor. A module split into several files has several.
    #[must_use]
    pub fn descriptor(mut self, path: impl Into<PathBuf>) -> Self {
        self.descriptors.push(path.into());
        self
    }

    /// The descriptor of a module that this one imports; of a standard module it is not needed.
    #[must_use]
    pub fn dependency(mut self, path: impl Into<PathBuf>) -> Self {
        self.dependencies.push(path.into());
        self
    }

    /// A file that declares what the module's classes read from the server's configuration: a
    /// JSON list of [`Setting`]s. The server tells an operator of keys that are not in it. There
    /// may be several.
    #[must_use]
    pub fn settings(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.push(path.into());
        self
    }

    /// A converter of the module: from one encoding (as in `Format`, upper case) and packaging to
    /// another. `cost` is relative to others, copying a frame being 1; the host takes the cheapest path.
    #[must_use]
    pub fn conversion(
        mut self,
        input: (&str, Packaging),
        output: (&str, Packaging),
        cost: u32,
    ) -> Self {
        let end = |(encoding, packaging): (&str, Packaging)| (encoding.to_owned(), packaging);
        self.conversions.push(Conversion {
            input: end(input),
            output: end(output),
            cost,
        });
        self
    }

    /// Parameters of formats that belong to the packaging and not to the media, such as
    /// `packetization-mode`: where they differ, packing anew is enough.
    #[must_use]
    pub fn packaging_parameters(mut self, names: &[&str]) -> Self {
        self.packaging_parameters
            .extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Has sink pads get packets on the thread of whoever produces them, and not on one of the module. That
    /// costs no queue and no change of threads, and is for pads that put media into a queue of their own, or
    /// hand it on: what they do has to be done in a few microseconds, since the producer and all whom it
    /// feeds wait for it. The server counts what takes longer than 5 ms.
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// Has the code name this crate alone, see [`crate::rust::generate_for`].
    #[must_use]
    pub fn library(mut self, name: &str) -> Self {
        self.library = Some(name.to_owned());
        self
    }

    /// Writes the files into cargo's `OUT_DIR` and tells cargo what they depend on.
    ///
    /// # Errors
    /// What is wrong with the descriptor or the request, naming file and place.
    pub fn generate(self) -> Result<(), Error> {
        let directory = env::var_os("OUT_DIR").ok_or_else(|| {
            Error::Generate(
                "OUT_DIR is not set: this is for build.rs, elsewhere use generate_into".to_owned(),
            )
        })?;
        println!("cargo::rerun-if-changed=build.rs");
        let files = self.descriptors.iter().chain(&self.dependencies);
        for path in files.chain(&self.settings) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        self.generate_into(Path::new(&directory))
    }

    /// Writes the files into `directory`, which must exist.
    ///
    /// # Errors
    /// What is wrong with the descriptor or the request, naming file and place.
    pub fn generate_into(self, directory: &Path) -> Result<(), Error> {
        let own = self.own_descriptor()?;
        let mut descriptors = Vec::new();
        for path in &self.dependencies {
            descriptors.push(Descriptor::read(path)?);
        }
        descriptors.extend(own.clone());
        let model = Model::with_standard(descriptors)?;
        let classes = self.implemented(&model, own.as_ref())?;
        let names = |name: fn(&Class) -> String| {
            classes.iter().map(|class| name(class)).collect::<Vec<_>>()
        };
        let request = Request {
            classes: names(|class| class.qualified_name().to_string()),
            types: self.types.clone(),
        };
        let manifest = Manifest {
            name: &self.name,
            version: self.own_version(own.as_ref()),
            classes: names(|class| class.name.clone()),
            descriptor: own.as_ref(),
            settings: self.own_settings(&model)?,
            conversions: &self.conversions,
            packaging_parameters: &self.packaging_parameters,
            inline: self.inline,
            built_with: built_with(),
        };
        let manifest =
            serde_json::to_string(&manifest).map_err(|error| Error::Generate(error.to_string()))?;
        let code = generate_for(&model, &request, self.library.as_deref())?;
        write(&directory.join("api.rs"), &code)?;
        write(&directory.join("module.json"), &manifest)
    }

    fn own_descriptor(&self) -> Result<Option<Descriptor>, Error> {
        if self.descriptors.is_empty() {
            return Ok(None);
        }
        let parts: Result<Vec<_>, _> = self
            .descriptors
            .iter()
            .map(|path| Descriptor::read(path))
            .collect();
        let descriptor = Descriptor::merge(parts?)?;
        if descriptor.name() != self.name {
            let message = format!(
                "{}: the descriptor is of module '{}', build.rs says '{}'",
                descriptor.file(),
                descriptor.name(),
                self.name
            );
            return Err(Error::Generate(message));
        }
        Ok(Some(descriptor))
    }

    fn own_settings(&self, model: &Model) -> Result<Vec<Setting>, Error> {
        let mut settings = Vec::new();
        for path in &self.settings {
            settings.extend(settings_of(path, model)?);
        }
        Ok(settings)
    }

    /// The classes that can be created: those named, then those of the own descriptor.
    fn implemented<'m>(
        &self,
        model: &'m Model,
        own: Option<&Descriptor>,
    ) -> Result<Vec<&'m Class>, Error> {
        let mut classes: Vec<&Class> = Vec::new();
        let own_classes = own.iter().flat_map(|descriptor| &descriptor.remote_classes);
        let own_classes = own_classes
            .filter(|class| !class.is_abstract)
            .map(|class| class.name.as_str());
        for name in self.classes.iter().map(String::as_str).chain(own_classes) {
            let class = model
                .class(name)
                .ok_or_else(|| Error::Generate(format!("there is no class '{name}'")))?;
            if class.is_abstract {
                return Err(Error::Generate(format!(
                    "class '{name}' is abstract, nothing can implement it alone"
                )));
            }
            if !classes
                .iter()
                .any(|known| known.qualified_name() == class.qualified_name())
            {
                classes.push(class);
            }
        }
        Ok(classes)
    }

    fn own_version(&self, own: Option<&Descriptor>) -> String {
        let of_descriptor = || own.and_then(|descriptor| descriptor.version.clone());
        let of_crate = || env::var("CARGO_PKG_VERSION").ok();
        self.version
            .clone()
            .or_else(of_descriptor)
            .or_else(of_crate)
            .unwrap_or_else(|| "0.0.0".to_owned())
    }
}

fn settings_of(path: &Path, model: &Model) -> Result<Vec<Setting>, Error> {
    let invalid = |message: String| Error::Generate(format!("{}: {message}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| Error::io(path, &error))?;
    let settings: Vec<Setting> =
        serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    match settings
        .iter()
        .find(|setting| model.class(&setting.class).is_none())
    {
        Some(lost) => Err(invalid(format!("there is no class '{}'", lost.class))),
        None => Ok(settings),
    }
}

/// Versions of this crate, which are those of plugin-api, and of the compiler.
fn built_with() -> String {
    let own = concat!("rivero-plugin-api ", env!("CARGO_PKG_VERSION"));
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output().ok();
    let version = output.and_then(|output| String::from_utf8(output.stdout).ok());
    let version = version.map(|text| format!(", {}", text.trim()));
    format!("{own}{}", version.unwrap_or_default())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| Error::io(path, &error))
}
