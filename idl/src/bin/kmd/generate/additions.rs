//! What Rivero has beyond Kurento 7.3 in the standard modules, which kurento-client knows nothing of.

use crate::Failure;
use rivero_idl::{Class, QualifiedName};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

const PUBLISHED: &str = include_str!("../../../../interfaces/published-7.3.json");

/// The standard classes and types as kurento-client has them.
pub(super) struct Published {
    classes: HashMap<String, Members>,
    types: HashSet<String>,
    events: HashSet<String>,
}

#[derive(Default)]
struct Members {
    methods: HashSet<String>,
    properties: HashSet<String>,
    events: HashSet<String>,
}

#[derive(Deserialize)]
struct File {
    modules: Vec<Module>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Module {
    #[serde(default)]
    remote_classes: Vec<ClassFacts>,
    #[serde(default)]
    complex_types: Vec<Named>,
    #[serde(default)]
    events: Vec<Named>,
}

#[derive(Deserialize)]
struct ClassFacts {
    name: String,
    #[serde(default)]
    methods: Vec<Named>,
    #[serde(default)]
    properties: Vec<Named>,
    #[serde(default)]
    events: Vec<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

fn names(named: Vec<Named>) -> HashSet<String> {
    named.into_iter().map(|named| named.name).collect()
}

impl Published {
    pub(super) fn read() -> Result<Self, Failure> {
        let file: File = serde_json::from_str(PUBLISHED)?;
        let mut all = Self {
            classes: HashMap::new(),
            types: HashSet::new(),
            events: HashSet::new(),
        };
        for module in file.modules {
            all.types.extend(names(module.complex_types));
            all.events.extend(names(module.events));
            for class in module.remote_classes {
                let members = Members {
                    methods: names(class.methods),
                    properties: names(class.properties),
                    events: class.events.into_iter().collect(),
                };
                all.classes.insert(class.name, members);
            }
        }
        Ok(all)
    }

    /// Whether kurento-client has this class.
    pub(super) fn has_class(&self, class: &Class) -> bool {
        class.namespace == "kurento" && self.classes.contains_key(&class.name)
    }

    pub(super) fn has_type(&self, name: &QualifiedName) -> bool {
        name.namespace() == "kurento" && self.types.contains(name.name())
    }

    pub(super) fn has_event(&self, name: &QualifiedName) -> bool {
        name.namespace() == "kurento" && self.events.contains(name.name())
    }

    pub(super) fn has_method(&self, class: &QualifiedName, method: &str) -> bool {
        self.members(class)
            .is_some_and(|members| members.methods.contains(method))
    }

    pub(super) fn has_property(&self, class: &QualifiedName, property: &str) -> bool {
        self.members(class)
            .is_some_and(|members| members.properties.contains(property))
    }

    pub(super) fn raises(&self, class: &QualifiedName, event: &str) -> bool {
        self.members(class)
            .is_some_and(|members| members.events.contains(event))
    }

    fn members(&self, class: &QualifiedName) -> Option<&Members> {
        let is_standard = class.namespace() == "kurento";
        self.classes.get(class.name()).filter(|_| is_standard)
    }
}
