//! Head of a module: name, version, imports.

use super::Checker;
use crate::descriptor::{Descriptor, Import, STANDARD_MODULES};
use crate::error::Location;
use crate::version::{VersionRange, is_development, parse_version};
use semver::Version;

impl Checker<'_> {
    /// Two modules must not share the namespace `kurento` unless they are standard ones.
    pub(super) fn check_module_names(&mut self) {
        for module in self.symbols.modules {
            if module.name() == "kurento" {
                self.error(
                    &module.location,
                    "the name 'kurento' belongs to the standard modules",
                );
            }
        }
    }

    pub(super) fn check_module(&mut self, module: &Descriptor) {
        let at = &module.location;
        if module.name.is_none() {
            self.error(at, "none of the module's files has a name");
        } else {
            self.check_id_name(at, "module", module.name());
        }
        for place in &module.unknown_members {
            self.warning(place, "is no member of a descriptor, it has no effect");
        }
        let version = match &module.version {
            None => {
                self.error(at, "none of the module's files has a version");
                None
            }
            Some(version) => self.checked_version(at, version),
        };
        self.check_imports(module, version.as_ref());
    }

    fn checked_version(&mut self, at: &Location, version: &str) -> Option<Version> {
        let version = parse_version(version);
        version
            .map_err(|message| self.error(&at.below("version"), message))
            .ok()
    }

    fn check_imports(&mut self, module: &Descriptor, version: Option<&Version>) {
        let at = &module.location;
        match &module.kurento_version {
            Some(range) if module.name() != "core" => {
                let core = Import {
                    name: "core".to_owned(),
                    version: range.clone(),
                    ..Import::default()
                };
                self.check_import(&at.below("kurentoVersion"), &core, version);
            }
            Some(_) => {}
            None if STANDARD_MODULES.contains(&module.name()) => {}
            None => self.error(at, "none of the module's files has a kurentoVersion"),
        }
        for (index, import) in module.imports.iter().enumerate() {
            let at = at.below(format_args!("imports[{index}]"));
            self.check_import(&at, import, version);
            if self.leads_back(module, import) {
                let message = format!(
                    "the import of '{}' leads back to '{}'",
                    import.name,
                    module.name()
                );
                self.error(&at, message);
            }
        }
    }

    fn check_import(&mut self, at: &Location, import: &Import, importer: Option<&Version>) {
        let range: VersionRange = match import.version.parse() {
            Ok(range) => range,
            Err(message) => return self.error(at, message),
        };
        if range.names_development() && importer.is_some_and(|version| !is_development(version)) {
            let message = format!(
                "a release may not need the development version {}",
                import.version
            );
            self.error(at, message);
        }
        let found = self
            .symbols
            .modules
            .iter()
            .find(|module| module.name() == import.name);
        let Some(found) = found else {
            let message = format!("module '{}' is not known", import.name);
            return self.error(at, message);
        };
        let version = found.version.as_deref().unwrap_or_default();
        if parse_version(version).is_ok_and(|version| !range.contains(&version)) {
            let message = format!(
                "needs {} {}, found version {version}",
                import.name, import.version
            );
            self.error(at, message);
        }
    }

    /// Whether following the imports of `import` reaches `module` again.
    fn leads_back(&self, module: &Descriptor, import: &Import) -> bool {
        let mut reached: Vec<&str> = vec![&import.name];
        let mut next = 0;
        while let Some(name) = reached.get(next).copied() {
            if name == module.name() {
                return true;
            }
            let found = self
                .symbols
                .modules
                .iter()
                .find(|module| module.name() == name);
            for further in found.iter().flat_map(|module| &module.imports) {
                if !reached.contains(&further.name.as_str()) {
                    reached.push(&further.name);
                }
            }
            next += 1;
        }
        false
    }
}
