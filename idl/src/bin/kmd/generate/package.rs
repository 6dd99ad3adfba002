//! The npm package around the code: its names, versions and what it depends on.

use crate::Failure;
use rivero_idl::{Descriptor, Model};
use serde_json::{Map, Value, json};

/// What `package.json` says.
pub(super) struct Package {
    /// `kurento-module-lens`, unless the descriptor's `code.api.js.nodeName` says otherwise.
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    /// Range of versions of kurento-client.
    client: String,
    /// Packages of other modules, with their versions.
    pub(super) dependencies: Vec<(String, String)>,
    /// The module as the server's `getInfo` lists it, which kurento-client asks for when it connects.
    pub(super) module: Option<String>,
}

/// A member of the descriptor's `code`, which says what its modules are called elsewhere.
pub(super) fn code<'d>(descriptor: &'d Descriptor, path: &[&str]) -> Option<&'d str> {
    let mut value = descriptor.code.as_ref()?;
    for step in path {
        value = value.get(step)?;
    }
    value.as_str()
}

/// The npm package of a module.
pub(super) fn package_name(descriptor: &Descriptor) -> Result<String, Failure> {
    let Some(name) = code(descriptor, &["api", "js", "nodeName"]) else {
        return Ok(format!(
            "kurento-module-{}",
            descriptor.name().to_lowercase()
        ));
    };
    let is_part = |part: &str| {
        let mut characters = part.chars();
        let begins = characters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
        begins
            && characters
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._~".contains(c))
    };
    let (scope, own) = match name.strip_prefix('@').and_then(|name| name.split_once('/')) {
        Some((scope, own)) => (Some(scope), own),
        None => (None, name),
    };
    if scope.is_none_or(is_part) && is_part(own) {
        return Ok(name.to_owned());
    }
    Err(Failure(Some(format!(
        "{}: code.api.js.nodeName: '{name}' can be no npm package: lower-case letters, digits, '-', '.' and '_' only",
        descriptor.file()
    ))))
}

impl Package {
    /// Of one module.
    pub(super) fn of_module(
        descriptor: &Descriptor,
        model: &Model,
        imports: impl Iterator<Item = String>,
    ) -> Result<Self, Failure> {
        let mut dependencies = Vec::new();
        for module in imports {
            let Some(other) = model.descriptor(&module) else {
                continue;
            };
            let import = descriptor
                .imports
                .iter()
                .find(|import| import.name == module);
            let range = match import {
                Some(import) => import
                    .npm_version
                    .clone()
                    .unwrap_or_else(|| npm_range(&import.version)),
                None => "*".to_owned(),
            };
            dependencies.push((package_name(other)?, range));
        }
        let name = descriptor.name();
        let description = code(descriptor, &["api", "js", "npmDescription"]);
        Ok(Self {
            name: package_name(descriptor)?,
            version: descriptor.version.clone().unwrap_or_default(),
            description: description.map_or_else(
                || format!("The classes of the module {name} for kurento-client"),
                str::to_owned,
            ),
            client: npm_range(descriptor.kurento_version.as_deref().unwrap_or("*")),
            dependencies,
            module: Some(name.to_owned()),
        })
    }

    /// `kurento-module-rivero`. It names no module of the server, since it is to work with one that has
    /// some of its modules only.
    pub(super) fn of_rivero() -> Self {
        Self {
            name: "kurento-module-rivero".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "What Rivero has beyond Kurento, for kurento-client".to_owned(),
            client: "^7.0.0".to_owned(),
            dependencies: Vec::new(),
            module: None,
        }
    }

    /// `package.json`.
    pub(super) fn manifest(&self) -> Result<String, Failure> {
        let dependencies: Map<String, Value> = self
            .dependencies
            .iter()
            .map(|(name, range)| (name.clone(), json!(range)))
            .collect();
        let mut manifest = json!({
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "keywords": ["kurento", "module"],
            "main": "lib/index.js",
            "files": ["lib"],
            "peerDependencies": { "kurento-client": self.client },
        });
        if let Some(members) = manifest.as_object_mut() {
            if !dependencies.is_empty() {
                members.insert("dependencies".to_owned(), Value::Object(dependencies));
            }
            // Of others' modules nobody knows here.
            if self.module.is_none() {
                members.insert("license".to_owned(), json!("Apache-2.0"));
            }
        }
        Ok(format!("{}\n", serde_json::to_string_pretty(&manifest)?))
    }

    /// `README.md`.
    pub(super) fn readme(&self, example: Option<&str>) -> String {
        let name = &self.name;
        let created = example.unwrap_or("Class");
        format!(
            "# {name}\n\n\
             {}. Generated by `kmd`; changes are lost.\n\n\
             ```js\n\
             const kurentoClient = require('kurento-client');\n\
             kurentoClient.register(require('{name}')); // before the client is made\n\
             const client = await kurentoClient('ws://localhost:8888/kurento');\n\
             const pipeline = await client.create('MediaPipeline');\n\
             const object = await pipeline.create('{created}', {{}});\n\
             ```\n\n\
             Operations take their parameters in the descriptor's order and a callback at the end, and return a\n\
             promise, which is rejected when the server refuses the call. A property `zoom` is `getZoom()` and\n\
             `setZoom(value)`. An operation whose name kurento-client uses itself (`then`, `release` …) has an\n\
             underscore at its end. Registers may be plain objects.\n\n\
             In a page without a bundler, load `lib/index.js` by a `<script>` after kurento-client: it registers itself.\n",
            self.description.trim_end_matches('.')
        )
    }
}

/// A descriptor's range as npm writes it.
fn npm_range(range: &str) -> String {
    let words = range.split_whitespace().filter_map(|word| match word {
        "AND" | "&" | "&&" => None,
        "OR" | "|" | "||" => Some("||"),
        word => Some(word),
    });
    words.collect::<Vec<_>>().join(" ")
}
