//! Which file serves which class.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use rivero_idl::{Descriptor, Model, Setting};

use super::{Installed, Refused, State, conversions, provider::Provider};

/// What the files offer together. It is made anew when they change, and never changed.
pub(super) struct Catalogue {
    pub(super) model: Arc<Model>,
    pub(super) installed: Vec<Installed>,
    pub(super) refused: Vec<Refused>,
    pub(super) settings: Vec<Setting>,
    pub(super) providers: HashMap<String, Arc<Provider>>,
    /// All files that serve, in the order in which they were found.
    pub(super) files: Vec<Arc<Provider>>,
    /// Classes that another file than the one that serves them has, too.
    pub(super) shadowed: BTreeSet<Shadowed>,
    /// Those that the modules bring.
    descriptors: Vec<Descriptor>,
    /// What it was made of.
    given: (Vec<Arc<Provider>>, Vec<Refused>),
}

/// A class of two files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shadowed {
    pub(super) class: String,
    /// The file that serves it, and its version.
    pub(super) first: (PathBuf, String),
    /// The file that would, too.
    pub(super) other: (PathBuf, String),
}

impl Catalogue {
    /// Of these files, in order of precedence. The standard model of `former` is kept where no
    /// descriptor has changed.
    pub(super) fn build(
        files: &[Arc<Provider>],
        refused: Vec<Refused>,
        former: Option<&Self>,
    ) -> Result<Self, rivero_idl::Error> {
        let mut catalogue = Self {
            model: Arc::new(Model::standard()?),
            installed: Vec::new(),
            given: (files.to_vec(), refused.clone()),
            refused,
            settings: Vec::new(),
            providers: HashMap::new(),
            files: Vec::new(),
            shadowed: BTreeSet::new(),
            descriptors: Vec::new(),
        };
        for provider in files {
            if let Err(reason) = catalogue.take(provider) {
                let file = provider.file().to_owned();
                catalogue.refused.push(Refused::new(file, &reason));
            }
        }
        if let Some(former) = former.filter(|former| former.descriptors == catalogue.descriptors) {
            catalogue.model = former.model.clone();
        }
        Ok(catalogue)
    }

    /// Made anew of what it was made of.
    pub(super) fn again(&self) -> Result<Self, rivero_idl::Error> {
        let (files, refused) = &self.given;
        Catalogue::build(files, refused.clone(), Some(self))
    }

    /// Whether it would be the same if it were made of these.
    pub(super) fn is_of(&self, files: &[Arc<Provider>], refused: &[Refused]) -> bool {
        let (own, own_refused) = &self.given;
        own.len() == files.len()
            && own
                .iter()
                .zip(files)
                .all(|(own, other)| Arc::ptr_eq(own, other))
            && own_refused == refused
    }

    /// The files that convert media.
    pub(super) fn converters(&self) -> impl Iterator<Item = &Arc<Provider>> {
        let converts = |provider: &&Arc<Provider>| !provider.manifest().conversions.is_empty();
        self.files.iter().filter(converts)
    }

    /// Adds a module, if it fits to those that are there.
    fn take(&mut self, provider: &Arc<Provider>) -> Result<(), String> {
        let (file, manifest) = (provider.file(), provider.manifest());
        let count = manifest.conversions.len();
        if count > conversions::LIMIT {
            let limit = conversions::LIMIT;
            return Err(format!("it lists {count} conversions, more than {limit}"));
        }
        let mut all = self.descriptors.clone();
        all.extend(self.own_descriptor(provider)?);
        let model = if all.len() > self.descriptors.len() {
            Arc::new(Model::with_standard(all.clone()).map_err(|e| e.to_string())?)
        } else {
            self.model.clone()
        };
        let mut name = manifest.name.clone();
        let mut namespace = name.clone();
        let (mut classes, mut shadowed) = (Vec::new(), Vec::new());
        for class in &manifest.classes {
            let known = model.class(class).ok_or_else(|| {
                format!("it names the class {class}, which no descriptor defines")
            })?;
            if known.is_abstract {
                return Err(format!("it names the class {class}, which is abstract"));
            }
            (name, namespace) = (known.module.clone(), known.namespace.clone());
            let of = |provider: &Provider| {
                let origin = provider.origin();
                (origin.file.clone(), origin.version.clone())
            };
            match self.providers.get(class) {
                Some(first) => shadowed.push(Shadowed {
                    class: class.clone(),
                    first: of(first),
                    other: of(provider),
                }),
                None => classes.push(class.clone()),
            }
        }
        self.model = model;
        self.descriptors = all;
        self.shadowed.extend(shadowed);
        self.settings.extend(manifest.settings.iter().cloned());
        provider.set_namespace(&namespace);
        self.installed.push(Installed {
            name,
            version: manifest.version.clone(),
            file: file.to_owned(),
            generation_time: provider.origin().built.clone(),
            generation: provider.origin().number,
            state: State::Live,
            classes: classes.clone(),
        });
        for class in classes {
            self.providers.insert(class, provider.clone());
        }
        self.files.push(provider.clone());
        Ok(())
    }

    fn own_descriptor(&self, provider: &Provider) -> Result<Option<Descriptor>, String> {
        let Some(value) = &provider.manifest().descriptor else {
            return Ok(None);
        };
        let text = value.to_string();
        let descriptor = Descriptor::parse(&provider.file().display().to_string(), &text)
            .map_err(|error| error.to_string())?;
        let known = self.model.descriptor(descriptor.name());
        // An identical second definition adds nothing.
        Ok((known != Some(&descriptor)).then_some(descriptor))
    }
}
