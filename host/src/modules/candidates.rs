//! The files in the modules directories, and what is known of each.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Discovery, Refused, discovery,
    discovery::{Manifest, Places},
    generation::Origin,
    loader::Needs,
    probe::{Identity, Passed, Probes},
    provider::Provider,
    trust,
};
use crate::observe::civil_time::CivilTime;

/// Between a failed trial and the next of the same content, which may find what this one missed;
/// doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// What a name in a modules directory stands for at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sighting {
    /// A file.
    File {
        /// Which content.
        identity: Identity,
        /// Why it must not be used, whatever it contains.
        distrust: Option<String>,
    },
    /// Nothing that could be a module.
    Unusable(String),
}

/// The names in the order in which they were found, and what they stood for.
pub(super) type Sightings = Vec<(PathBuf, Sighting)>;

/// All that is known of the files.
pub(super) struct Candidates {
    directories: Vec<PathBuf>,
    anyone_may_write: bool,
    probes: Probes,
    known: BTreeMap<PathBuf, Candidate>,
    /// How many contents there were under the name of a module.
    numbers: HashMap<String, u64>,
}

struct Candidate {
    seen: Sighting,
    /// What serves: of this content, or of an earlier one that is loaded.
    provider: Option<Arc<Provider>>,
    /// What is wrong with this content.
    refusal: Option<String>,
    needs: Needs,
    retry: Option<Retry>,
}

/// A trial that is to be repeated.
struct Retry {
    at: Instant,
    pause: Duration,
}

/// A content that was looked at, before it is known whether it can take its place.
pub(super) struct Verdict {
    pub(super) file: PathBuf,
    seen: Sighting,
    pub(super) outcome: Result<Arc<Provider>, String>,
    needs: Needs,
    /// Whether a trial failed, which another day may go well.
    was_tried: bool,
}

impl Candidates {
    pub(super) fn new(discovery: &Discovery) -> Self {
        Self {
            directories: discovery.directories.clone(),
            anyone_may_write: discovery.anyone_may_write,
            probes: Probes::new(discovery),
            known: BTreeMap::new(),
            numbers: HashMap::new(),
        }
    }

    /// Looks at the names, and reads none of the files. Besides, the directories whose changes
    /// may change what is seen.
    pub(super) fn look(&self) -> (Sightings, Places) {
        let search = discovery::find(&self.directories);
        let sighting = |(path, root, problem): discovery::Found| {
            let seen = match problem {
                Some(reason) => Sighting::Unusable(reason),
                None => self.sight(&path, &root)?,
            };
            Some((path, seen))
        };
        let sightings = search.found.into_iter().filter_map(sighting).collect();
        (sightings, search.places)
    }

    /// `None` for a file that has gone meanwhile.
    fn sight(&self, path: &Path, root: &Path) -> Option<Sighting> {
        let distrust = || trust::distrust(path, root);
        Some(Sighting::File {
            identity: Identity::of(path)?,
            distrust: (!self.anyone_may_write).then(distrust).flatten(),
        })
    }

    /// What was seen of each name when it was looked at last.
    pub(super) fn seen(&self) -> BTreeMap<&Path, &Sighting> {
        let known = self.known.iter();
        known
            .map(|(path, candidate)| (path.as_path(), &candidate.seen))
            .collect()
    }

    /// The files whose trial is to be repeated now.
    pub(super) fn due(&self, now: Instant) -> Vec<PathBuf> {
        let is_due = |candidate: &Candidate| {
            candidate
                .retry
                .as_ref()
                .is_some_and(|retry| retry.at <= now)
        };
        let due = self.known.iter().filter(|(_, candidate)| is_due(candidate));
        due.map(|(path, _)| path.clone()).collect()
    }

    /// Forgets a name that is not there any more.
    pub(super) fn forget(&mut self, path: &Path) {
        self.known.remove(path);
    }

    /// Reads and tries out files.
    pub(super) fn judge(&mut self, files: &[(PathBuf, Sighting)]) -> Vec<Verdict> {
        let read: Vec<Result<Manifest, String>> = { files.iter() }
            .map(|(path, seen)| match seen {
                Sighting::Unusable(reason) => Err(reason.clone()),
                Sighting::File { distrust, .. } => match distrust {
                    Some(reason) => Err(reason.clone()),
                    None => discovery::read_manifest(path).map_err(|error| error.to_string()),
                },
            })
            .collect();
        let readable = files
            .iter()
            .zip(&read)
            .filter(|(_, manifest)| manifest.is_ok());
        let readable: Vec<&Path> = readable.map(|((path, _), _)| path.as_path()).collect();
        let mut tried = self.probes.run(&readable).into_iter();
        let verdict = |((path, seen), manifest): (&(PathBuf, Sighting), Result<Manifest, _>)| {
            let was_read = manifest.is_ok();
            let outcome = manifest.and_then(|manifest| {
                let passed = tried
                    .next()
                    .unwrap_or_else(|| Err("it was not tried".to_owned()))?;
                Ok(self.provider(path, manifest, passed))
            });
            Verdict {
                file: path.clone(),
                seen: seen.clone(),
                was_tried: was_read && outcome.is_err(),
                needs: Needs::of(path)
                    .ok()
                    .filter(|_| was_read)
                    .unwrap_or_default(),
                outcome,
            }
        };
        files.iter().zip(read).map(verdict).collect()
    }
}

impl Candidates {
    fn provider(
        &mut self,
        file: &Path,
        manifest: Manifest,
        passed: Option<Passed>,
    ) -> Arc<Provider> {
        let number = self.numbers.entry(manifest.name.clone()).or_default();
        *number += 1;
        let origin = Origin {
            file: file.to_owned(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            number: *number,
            built: built(file),
        };
        Provider::new(origin, manifest, passed)
    }

    /// Notes a verdict. Where the new content cannot serve, and the old one is loaded, that goes on.
    /// The result is what is wrong and was not known before.
    pub(super) fn settle(&mut self, verdict: Verdict, now: Instant) -> Option<Refused> {
        let Verdict {
            file,
            seen,
            outcome,
            needs,
            was_tried,
        } = verdict;
        let former = self.known.remove(&file);
        let (provider, refusal) = match outcome {
            Ok(provider) => (Some(provider), None),
            Err(reason) => {
                let loaded = former.as_ref().and_then(|former| former.provider.clone());
                let loaded = loaded.filter(|provider| provider.generation().is_some());
                (loaded, Some(reason))
            }
        };
        let same = former.as_ref().filter(|former| former.seen == seen);
        let known = same.and_then(|former| former.refusal.clone());
        // A trial may fail in other words each time: an operator has read the first ones.
        let news = refusal.clone().filter(|_| known.is_none());
        let refusal = refusal.and(known.or(news.clone()));
        let retry = was_tried.then(|| {
            let last = same.and_then(|former| former.retry.as_ref());
            let pause = last.map_or(FIRST_RETRY, |retry| (retry.pause * 2).min(LONGEST_RETRY));
            let at = now + pause;
            Retry { at, pause }
        });
        let news = news.map(|reason| Refused::new(file.clone(), &reason));
        let candidate = Candidate {
            seen,
            provider,
            refusal,
            needs,
            retry,
        };
        self.known.insert(file, candidate);
        news
    }

    /// What serves a name at present.
    pub(super) fn provider_of(&self, file: &Path) -> Option<&Arc<Provider>> {
        self.known.get(file)?.provider.as_ref()
    }

    /// The files that can serve, and the refused ones, in the order of what was seen.
    pub(super) fn sorted(&self, seen: &Sightings) -> (Vec<Arc<Provider>>, Vec<Refused>) {
        let known = { seen.iter() }.filter_map(|(path, _)| Some((path, self.known.get(path)?)));
        let known: Vec<_> = known.collect();
        let serving = known.iter().filter_map(|(_, one)| one.provider.clone());
        let refused = known.iter().filter_map(|(path, one)| {
            let reason = one.refusal.as_ref()?;
            Some(Refused::new((*path).clone(), reason))
        });
        (serving.collect(), refused.collect())
    }

    /// Libraries that this process can have one of by their names, and that two modules have each
    /// of their own: both modules get the one that is loaded first. One line for each.
    pub(super) fn doubles(&self) -> BTreeSet<String> {
        let mut files: BTreeMap<String, BTreeMap<PathBuf, &Path>> = BTreeMap::new();
        let serving = { self.known.iter() }.filter(|(_, candidate)| candidate.provider.is_some());
        for (module, candidate) in serving {
            let mut add = |name: String, file: &Path| {
                let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
                files
                    .entry(name)
                    .or_default()
                    .entry(real)
                    .or_insert(module.as_path());
            };
            let directory = module.parent().unwrap_or(Path::new("/"));
            if let Some(soname) = &candidate.needs.soname {
                add(soname.clone(), module);
            }
            for neighbour in candidate.needs.neighbours(directory) {
                add(neighbour.name, &neighbour.file);
            }
        }
        let several = files.into_iter().filter(|(_, of)| of.len() > 1);
        let in_words = several.map(|(name, of)| {
            let modules: Vec<String> = of.values().map(|path| path.display().to_string()).collect();
            let modules = modules.join(" and ");
            format!("{modules} each have a library {name} of their own, of which a process has one: the one that is loaded first serves both")
        });
        in_words.collect()
    }
}

/// The file's modification time in UTC, as Kurento's modules say when they were generated; empty
/// where unknown.
fn built(file: &Path) -> String {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    let in_words = |time| CivilTime::from(time).in_words();
    modified.map(in_words).unwrap_or_default()
}
