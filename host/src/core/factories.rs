//! Where objects of modules come from.

use std::sync::Arc;

use rivero_idl::Model;
use serde_json::Value;

use crate::error::CallError;
use crate::modules::{Installed, Instance, Modules, ObjectContext};
use crate::observe::metrics::Family;

/// What the core needs of the installed modules; tests put their own in its place.
pub trait Factories: Send + Sync {
    /// The standard classes and those of the modules, at this moment.
    fn model(&self) -> Arc<Model>;
    /// The modules in use.
    fn installed(&self) -> Vec<Installed>;
    /// Whether some module creates objects of this class (plain name).
    fn provides(&self, class: &str) -> bool;
    /// The module that creates objects of this class, by the name of its file.
    fn module_of(&self, class: &str) -> String;
    /// What the modules measure.
    fn metrics(&self) -> Vec<Family> {
        Vec::new()
    }
    /// Creates an object; may block.
    ///
    /// # Errors
    /// Whatever the module says.
    fn create(
        &self,
        class: &str,
        context: ObjectContext,
        params: Value,
    ) -> Result<Arc<dyn Instance>, CallError>;
}

impl Factories for Modules {
    fn model(&self) -> Arc<Model> {
        Modules::model(self)
    }

    fn installed(&self) -> Vec<Installed> {
        Modules::installed(self)
    }

    fn provides(&self, class: &str) -> bool {
        Modules::provides(self, class)
    }

    fn module_of(&self, class: &str) -> String {
        Modules::module_of(self, class)
    }

    fn metrics(&self) -> Vec<Family> {
        Modules::metrics(self)
    }

    fn create(
        &self,
        class: &str,
        context: ObjectContext,
        params: Value,
    ) -> Result<Arc<dyn Instance>, CallError> {
        Modules::create(self, class, context, params)
    }
}
