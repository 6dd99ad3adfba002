//! What goes into a client's package: which classes with which members, types and events.

use super::additions::Published;
use rivero_idl::{
    Class, ComplexType, Event, Method, Model, Operation, Param, Property, QualifiedName, Register,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Classes, types and events for one package.
pub(super) struct Plan {
    /// Each after the one that it extends.
    pub(super) classes: Vec<ClassPlan>,
    pub(super) types: Vec<Arc<ComplexType>>,
    pub(super) events: Vec<Arc<Event>>,
}

/// A class, and what of it the client does not have yet.
pub(super) struct ClassPlan {
    pub(super) class: Arc<Class>,
    /// The client's own class of this name is extended; it lacks what Rivero adds.
    pub(super) refines: bool,
    pub(super) methods: Vec<Arc<Method>>,
    pub(super) properties: Vec<Arc<Property>>,
    pub(super) events: Vec<Arc<Event>>,
}

/// An operation's name, and all that can be meant by it, what is inherited included.
pub(super) struct Overloads<'a> {
    pub(super) name: String,
    pub(super) operations: Vec<&'a Operation>,
}

impl Plan {
    /// One module.
    pub(super) fn of_module(model: &Model, published: &Published, module: &str) -> Self {
        let classes = model.classes().iter();
        let classes = classes.filter(|class| class.module == module);
        Self::new(model, published, classes.cloned().collect(), |name| {
            name.namespace() == module
        })
    }

    /// These modules, with everything that Rivero adds to the standard ones.
    pub(super) fn of_rivero(model: &Model, published: &Published, modules: &[String]) -> Self {
        let is_given = |namespace: &str| modules.iter().any(|module| module == namespace);
        let classes = model.classes().iter().filter(|class| {
            is_given(&class.namespace)
                || class.namespace == "kurento"
                    && (!published.has_class(class) || is_extended(class, published))
        });
        Self::new(model, published, classes.cloned().collect(), |name| {
            is_given(name.namespace())
                || name.namespace() == "kurento"
                    && !published.has_type(name)
                    && !published.has_event(name)
        })
    }

    fn new(
        model: &Model,
        published: &Published,
        classes: Vec<Arc<Class>>,
        is_own: impl Fn(&QualifiedName) -> bool,
    ) -> Self {
        let mut ordered: Vec<Arc<Class>> = Vec::new();
        for class in classes.iter() {
            let line = class.ancestors().iter().rev().chain([class]);
            for class in line.filter(|member| classes.iter().any(|other| same(other, member))) {
                if !ordered.iter().any(|other| same(other, class)) {
                    ordered.push(Arc::clone(class));
                }
            }
        }
        let types = model.complex_types().iter();
        let events = model.events().iter();
        Self {
            classes: ordered
                .into_iter()
                .map(|class| ClassPlan::new(class, published))
                .collect(),
            types: by_inheritance(types.filter(|complex| is_own(complex.name())).cloned()),
            events: events
                .filter(|event| is_own(&event.name))
                .cloned()
                .collect(),
        }
    }
}

impl Plan {
    pub(super) fn has_class(&self, qualified: &str) -> bool {
        self.classes
            .iter()
            .any(|plan| **plan.class.qualified_name() == *qualified)
    }

    pub(super) fn has_type(&self, name: &QualifiedName) -> bool {
        self.types.iter().any(|complex| complex.name() == name)
    }
}

/// The fields that a register adds to those of the one that it extends.
pub(super) fn own_fields<'r>(model: &Model, register: &'r Register) -> &'r [Param] {
    let parent = register.extends().and_then(|name| model.complex_type(name));
    let inherited = match parent.map(|parent| &**parent) {
        Some(ComplexType::Register(parent)) => parent.fields.len(),
        _ => 0,
    };
    register.fields.get(inherited..).unwrap_or_default()
}

fn same(one: &Class, other: &Class) -> bool {
    one.qualified_name() == other.qualified_name()
}

/// Registers after those that they extend.
fn by_inheritance(types: impl Iterator<Item = Arc<ComplexType>>) -> Vec<Arc<ComplexType>> {
    let mut types: Vec<_> = types.collect();
    types.sort_by_key(|complex| match &**complex {
        ComplexType::Enum(_) => 0,
        ComplexType::Register(register) => register.ancestors.len(),
    });
    types
}

/// Whether the server has more of the class than kurento-client. Objects of an abstract class are those of
/// classes that extend it, but for the server's manager, which no client creates.
fn is_extended(class: &Class, published: &Published) -> bool {
    let is_instantiated = !class.is_abstract || class.name == "ServerManager";
    let has_more = class
        .methods()
        .iter()
        .any(|method| !published.has_method(&method.declared_by, &method.name))
        || class
            .properties()
            .iter()
            .any(|property| !published.has_property(&property.declared_by, &property.name))
        || class
            .events()
            .iter()
            .any(|event| !published.raises(&event.declared_by, event.event.name.name()));
    is_instantiated && has_more
}

impl ClassPlan {
    fn new(class: Arc<Class>, published: &Published) -> Self {
        let refines = published.has_class(&class);
        let own = class.qualified_name();
        // What an ancestor declares is inherited, unless the client's own ancestor has no such member.
        let is_new = |declared_by: &QualifiedName, is_published: bool| {
            if declared_by == own && !refines {
                return true;
            }
            let by_client = class.ancestors().iter().any(|ancestor| {
                ancestor.qualified_name() == declared_by && published.has_class(ancestor)
            });
            (by_client || declared_by == own) && !is_published
        };
        let methods = class.methods().iter().filter(|method| {
            let is_published = published.has_method(&method.declared_by, &method.name);
            is_new(&method.declared_by, is_published)
        });
        let properties = class.properties().iter().filter(|property| {
            let is_published = published.has_property(&property.declared_by, &property.name);
            is_new(&property.declared_by, is_published)
        });
        let events = class.events().iter().filter(|event| {
            let is_published = published.raises(&event.declared_by, event.event.name.name());
            is_new(&event.declared_by, is_published)
        });
        Self {
            methods: methods.cloned().collect(),
            properties: properties.cloned().collect(),
            events: events.map(|event| Arc::clone(&event.event)).collect(),
            refines,
            class,
        }
    }

    /// Whether no object is of this very class. What takes the place of a class of the client has objects,
    /// the server's manager too, whose class is abstract.
    pub(super) fn is_abstract(&self) -> bool {
        self.class.is_abstract && !self.refines
    }

    /// The client's class, or the one of this package, that this one extends.
    pub(super) fn base(&self) -> String {
        if self.refines {
            return self.class.qualified_name().to_string();
        }
        let parent = self.class.parent().map(|parent| parent.qualified_name());
        parent.map_or_else(|| "kurento.MediaObject".to_owned(), ToString::to_string)
    }

    /// The operations that this class brings, by name and in the order of the descriptor; properties first.
    pub(super) fn operations(&self) -> Vec<Overloads<'_>> {
        let mut names: Vec<String> = Vec::new();
        let mut add = |name: String| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        for property in &self.properties {
            add(format!("get{}", super::names::capitalized(&property.name)));
            if property.is_writable() {
                add(format!("set{}", super::names::capitalized(&property.name)));
            }
        }
        for method in &self.methods {
            add(method.name.clone());
        }
        let overloads = names.into_iter().map(|name| Overloads {
            operations: self.class.operations(&name).iter().collect(),
            name,
        });
        overloads.collect()
    }

    /// Whether an operation is one that this class brings itself.
    pub(super) fn brings(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Method(method) => self.methods.iter().any(|own| own == method),
            Operation::Getter(property) | Operation::Setter(property) => {
                self.properties.iter().any(|own| own == property)
            }
        }
    }
}

/// The modules whose classes and types a plan uses without having them.
pub(super) fn imports(plan: &Plan, own: &[String]) -> BTreeSet<String> {
    let parents = plan.classes.iter().filter_map(|class| class.class.parent());
    let registers = plan.types.iter().filter_map(|complex| match &**complex {
        ComplexType::Register(register) => register.extends(),
        ComplexType::Enum(_) => None,
    });
    let namespaces = parents
        .map(|class| class.namespace.clone())
        .chain(registers.map(|name| name.namespace().to_owned()));
    namespaces
        .filter(|namespace| namespace != "kurento" && !own.contains(namespace))
        .collect()
}
