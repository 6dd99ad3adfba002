//! `kmd gen js`, `kmd gen ts` and `kmd gen java`

use super::additions::Published;
use super::package::{Package, package_name};
use super::plan::{self, Plan};
use super::tree::Tree;
use super::{java, javascript, manifest, typescript};
use crate::{Failure, inputs};
use rivero_idl::{Descriptor, Model, STANDARD_MODULES};
use std::fs;
use std::path::{Path, PathBuf};

/// Generates the npm package of a module for the JavaScript of kurento-client.
///
/// A folder `kurento-module-NAME` for each module, with `package.json` and the code in one file, which
/// Node.js, bundlers and pages take. The unmodified kurento-client takes it by
/// `kurentoClient.register(require('kurento-module-NAME'))`.
#[derive(Debug, clap::Args)]
pub(crate) struct NpmArguments {
    #[command(flatten)]
    common: Common,
    /// One package `kurento-module-rivero` of all these modules, and of what Rivero adds to the
    /// standard classes.
    #[arg(long)]
    rivero: bool,
}

/// Generates the npm package of a module with declarations for TypeScript.
///
/// The same as `kmd gen js`, and `lib/index.d.ts` beside the code.
#[derive(Debug, clap::Args)]
pub(crate) struct TypedArguments {
    #[command(flatten)]
    npm: NpmArguments,
}

/// Generates Java sources of a module for kurento-client: interfaces with builders, complex types
/// and events.
///
/// The output directory is a source root: the sources are in a folder for each package,
/// `org/kurento/module/NAME` unless the descriptor's `code.api.java.packageName` says otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct JavaArguments {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Modules: libraries (*.so, whose code is not run), descriptors (*.kmd.json), or directories with
    /// either.
    #[arg(required = true, value_name = "FILE|DIR")]
    modules: Vec<PathBuf>,
    /// Descriptor or library of a module that is imported; nothing is generated for it. The
    /// standard modules are known.
    #[arg(short, long, value_name = "FILE")]
    dependency: Vec<PathBuf>,
    /// Directory to write to; it is made if it is not there. What is there already with the same
    /// content is not touched.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// The modules to generate for, and all that is known.
struct Modules {
    names: Vec<String>,
    model: Model,
    published: Published,
}

pub(super) fn javascript(arguments: &NpmArguments) -> Result<(), Failure> {
    npm(arguments, false)
}

pub(super) fn typescript(arguments: &TypedArguments) -> Result<(), Failure> {
    npm(&arguments.npm, true)
}

fn npm(arguments: &NpmArguments, is_typed: bool) -> Result<(), Failure> {
    let modules = Modules::read(&arguments.common)?;
    let mut tree = Tree::default();
    if arguments.rivero {
        let plan = Plan::of_rivero(&modules.model, &modules.published, &modules.names);
        let package = Package::of_rivero();
        modules.add_package(&mut tree, &package, &plan, &modules.names, is_typed)?;
    } else {
        for name in &modules.names {
            let Some(descriptor) = modules.model.descriptor(name) else {
                continue;
            };
            let own = std::slice::from_ref(name);
            let plan = Plan::of_module(&modules.model, &modules.published, name);
            let imports = plan::imports(&plan, own).into_iter();
            let package = Package::of_module(descriptor, &modules.model, imports)?;
            refuse_unregistrable(descriptor)?;
            modules.add_package(&mut tree, &package, &plan, own, is_typed)?;
        }
    }
    tree.write(&arguments.common.output)
}

pub(super) fn java(arguments: &JavaArguments) -> Result<(), Failure> {
    let modules = Modules::read(&arguments.common)?;
    let mut tree = Tree::default();
    for name in &modules.names {
        if let Some(descriptor) = modules.model.descriptor(name) {
            let plan = Plan::of_module(&modules.model, &modules.published, name);
            java::add(&mut tree, descriptor, &plan, &modules.model)?;
        }
    }
    tree.write(&arguments.common.output)
}

/// kurento-client takes a package's members for classes, but for these.
fn refuse_unregistrable(descriptor: &Descriptor) -> Result<(), Failure> {
    let special = ["abstracts", "complexTypes", "name", "version"];
    let class = descriptor
        .remote_classes
        .iter()
        .find(|class| special.contains(&class.name.as_str()));
    match class {
        Some(class) => Err(Failure(Some(format!(
            "{}: kurento-client cannot have a class '{}': it takes this member of a package for something else",
            descriptor.file(),
            class.name
        )))),
        None => Ok(()),
    }
}

impl Modules {
    fn read(arguments: &Common) -> Result<Self, Failure> {
        let given = read(&arguments.modules)?;
        let mut names: Vec<String> = Vec::new();
        for descriptor in &given {
            if !names.iter().any(|name| name == descriptor.name()) {
                names.push(descriptor.name().to_owned());
            }
        }
        if let Some(standard) = names
            .iter()
            .find(|name| STANDARD_MODULES.contains(&name.as_str()))
        {
            return Err(Failure(Some(format!(
                "the module '{standard}' is part of kurento-client; what Rivero adds to it is in kurento-module-rivero"
            ))));
        }
        let mut all = match arguments.dependency.as_slice() {
            [] => Vec::new(),
            dependencies => read(dependencies)?,
        };
        all.extend(given);
        Ok(Self {
            names,
            model: Model::new(inputs::with_standard(all)?)?,
            published: Published::read()?,
        })
    }

    fn add_package(
        &self,
        tree: &mut Tree,
        package: &Package,
        plan: &Plan,
        own: &[String],
        is_typed: bool,
    ) -> Result<(), Failure> {
        let mut imports = Vec::new();
        for module in plan::imports(plan, own) {
            if let Some(descriptor) = self.model.descriptor(&module) {
                imports.push((module, package_name(descriptor)?));
            }
        }
        let folder = Path::new(&package.name);
        let created = plan.classes.iter().find(|plan| !plan.class.is_abstract);
        let created = created.map(|plan| plan.class.qualified_name().to_string());
        tree.add(folder.join("package.json"), package.manifest()?);
        tree.add(folder.join("README.md"), package.readme(created.as_deref()));
        let code = javascript::index(package, plan, &self.model, &imports);
        tree.add(folder.join("lib/index.js"), code);
        if is_typed {
            let declarations = typescript::declarations(package, plan, &self.model);
            tree.add(folder.join("lib/index.d.ts"), declarations);
        }
        Ok(())
    }
}

/// The descriptors in these files and directories. In a directory, libraries without a descriptor of their own are
/// passed over, since they make classes that kurento-client has.
fn read(paths: &[PathBuf]) -> Result<Vec<Descriptor>, Failure> {
    let mut texts = Vec::new();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let (libraries, descriptors) = files_in(path)?;
            for library in libraries {
                found.extend(manifest::read(&library)?.descriptor);
            }
            texts.extend(descriptors);
        } else if manifest::is_library(path) {
            let manifest = manifest::read(path)?;
            let descriptor = manifest.descriptor.ok_or_else(|| {
                Failure(Some(format!(
                    "{}: it has no classes of its own, only standard ones, which kurento-client has: {}",
                    path.display(),
                    manifest.classes.join(", ")
                )))
            })?;
            found.push(descriptor);
        } else {
            texts.push(path.clone());
        }
    }
    if !texts.is_empty() {
        found.extend(inputs::read(&texts)?);
    }
    if found.is_empty() {
        return Err(Failure(Some(
            "nothing to generate: no module among these files brings classes of its own".to_owned(),
        )));
    }
    Ok(found)
}

/// Libraries and descriptors directly in a directory, each by name.
fn files_in(directory: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let unreadable = |error| Failure(Some(format!("{}: {error}", directory.display())));
    let (mut libraries, mut descriptors) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".kmd.json") && path.is_file() {
            descriptors.push(path);
        } else if name.ends_with(".so") && manifest::is_library(&path) {
            libraries.push(path);
        }
    }
    if libraries.is_empty() && descriptors.is_empty() {
        return Err(Failure(Some(format!(
            "{}: no *.so and no *.kmd.json file in it",
            directory.display()
        ))));
    }
    libraries.sort();
    descriptors.sort();
    Ok((libraries, descriptors))
}
