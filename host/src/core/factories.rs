//! Where objects of modules come from.

use std::collections::HashSet;
use std::sync::Arc;

use rivero_idl::Model;

use crate::error::CallError;
use crate::modules::{Factory, Installed, Modules, Refused};
use crate::observe::metrics::Family;

/// What the core needs of the installed modules; tests put their own in its place.
pub trait Factories: Send + Sync {
    /// The standard classes and those of the modules, at this moment.
    fn model(&self) -> Arc<Model>;
    /// The modules in use.
    fn installed(&self) -> Vec<Installed>;
    /// The files that were not taken, and why.
    fn refused(&self) -> Vec<Refused> {
        Vec::new()
    }
    /// Whether some module creates objects of this class (plain name).
    fn provides(&self, class: &str) -> bool;
    /// What creates objects of this class at this moment.
    ///
    /// # Errors
    /// 40108 when no module provides it
    fn factory(&self, class: &str) -> Result<Factory, CallError>;
    /// What the modules measure.
    fn metrics(&self) -> Vec<Family> {
        Vec::new()
    }
    /// Ends what was measured of objects and libraries that are gone; `lives` knows objects by their ids.
    fn tidy_metrics(&self, _lives: &dyn Fn(&str) -> bool) {}
    /// The names of the files of the modules in use, unless nobody knows.
    fn names(&self) -> Option<HashSet<String>> {
        None
    }
}

impl Factories for Modules {
    fn model(&self) -> Arc<Model> {
        Modules::model(self)
    }

    fn installed(&self) -> Vec<Installed> {
        Modules::installed(self)
    }

    fn refused(&self) -> Vec<Refused> {
        Modules::refused(self)
    }

    fn provides(&self, class: &str) -> bool {
        Modules::provides(self, class)
    }

    fn factory(&self, class: &str) -> Result<Factory, CallError> {
        Modules::factory(self, class)
    }

    fn metrics(&self) -> Vec<Family> {
        Modules::metrics(self)
    }

    fn tidy_metrics(&self, lives: &dyn Fn(&str) -> bool) {
        Modules::tidy_metrics(self, lives);
    }

    fn names(&self) -> Option<HashSet<String>> {
        Some(Modules::names(self))
    }
}
