//! What has changed between two moments, for those who want to know.

use std::sync::Arc;

use super::{Installed, Refused, catalogue::Catalogue, provider::Provider};

/// A change of what the modules directories offer.
#[derive(Debug, Clone)]
pub enum Change {
    /// A file that was not there serves.
    Added(Installed),
    /// Another content serves in place of one of the same file or the same module.
    Upgraded(Installed),
    /// A file is gone; it makes no objects any more.
    Removed(Installed),
    /// A file cannot be used as it is.
    Failed(Refused),
}

impl Change {
    /// Says it in the log; failures are said with the refusals.
    pub(super) fn tell(&self) {
        let (what, installed) = match self {
            Self::Added(installed) => ("module added", installed),
            Self::Upgraded(installed) => ("module upgraded", installed),
            Self::Removed(installed) => ("module removed", installed),
            Self::Failed(_) => return,
        };
        let Installed {
            name,
            version,
            file,
            generation,
            ..
        } = installed;
        tracing::info!(file = %file.display(), name, version, generation, "{what}");
    }
}

/// What is different in `new`; `failed`: what cannot be used and was not known so before.
pub(super) fn between(old: &Catalogue, new: &Catalogue, failed: &[Refused]) -> Vec<Change> {
    let mut changes = Vec::new();
    let entries = |catalogue: &Catalogue| -> Vec<(Arc<Provider>, Installed)> {
        let both = catalogue.files.iter().zip(&catalogue.installed);
        both.map(|(provider, installed)| (provider.clone(), installed.clone()))
            .collect()
    };
    let (before, after) = (entries(old), entries(new));
    let is_in = |list: &[(Arc<Provider>, Installed)], provider: &Arc<Provider>| {
        list.iter().any(|(other, _)| Arc::ptr_eq(other, provider))
    };
    let mut gone: Vec<_> = before
        .iter()
        .filter(|(own, _)| !is_in(&after, own))
        .collect();
    for (provider, installed) in after.iter().filter(|(own, _)| !is_in(&before, own)) {
        let origin = provider.origin();
        let of_file = gone
            .iter()
            .position(|(old, _)| old.file() == provider.file());
        let of_name = || {
            gone.iter()
                .position(|(old, _)| old.origin().name == origin.name)
        };
        match of_file.or_else(of_name) {
            Some(position) => {
                gone.remove(position);
                changes.push(Change::Upgraded(installed.clone()));
            }
            None => changes.push(Change::Added(installed.clone())),
        }
    }
    changes.extend(
        gone.into_iter()
            .map(|(_, installed)| Change::Removed(installed.clone())),
    );
    // Beside those that failed by themselves, those that do not fit to the others.
    let is_known = |refused: &&Refused| !old.refused.contains(refused);
    let news = new.refused.iter().filter(is_known);
    let mut all: Vec<Refused> = news.cloned().collect();
    all.extend(
        failed
            .iter()
            .filter(|one| !new.refused.contains(one))
            .cloned(),
    );
    changes.extend(all.into_iter().map(Change::Failed));
    changes
}

/// Logs what is refused now and was not before.
pub(super) fn tell_of_refused(old: &[Refused], new: &[Refused]) {
    for refused in new.iter().filter(|refused| !old.contains(refused)) {
        let file = refused.printable_file();
        tracing::warn!(%file, "module refused: {}", refused.reason);
    }
}

/// Logs which classes two files have, as far as that is news.
pub(super) fn tell_of_shadowed(old: Option<&Catalogue>, new: &Catalogue) {
    let is_news =
        |one: &&super::catalogue::Shadowed| old.is_none_or(|old| !old.shadowed.contains(one));
    for one in new.shadowed.iter().filter(is_news) {
        let ((first, first_version), (file, version)) = (&one.first, &one.other);
        let class = &one.class;
        let (first, file) = (first.display(), file.display());
        if first_version == version {
            tracing::info!(class, %first, %file, version, "class is served by the file found first");
        } else {
            tracing::warn!(class, %first, first_version, %file, version, "class is served by the file found first, of another version");
        }
    }
}
