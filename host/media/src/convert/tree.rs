//! The conversions of one source pad: each once, in a tree that begins at the pad.

use std::{collections::HashMap, sync::Arc};

use rivero_plugin_api::{Error, MediaKind};

use super::{
    route::Step,
    stage::{Place, Stage},
};
use crate::{
    converters::Converters, fanout::FanOut, link::Link, plane::Plane, sink::Sink, source::Source,
};

/// What runs, and what could not.
#[derive(Default)]
pub(crate) struct Tree {
    /// By all steps from the pad on.
    stages: HashMap<Vec<Step>, Arc<Stage>>,
    /// Not tried again before a format changes.
    failures: Vec<(Step, Error)>,
    /// The pad's format when the failures happened.
    format: u32,
}

/// Who consumes what of one source pad and of its conversions, while that is being changed: the
/// parts that are touched, as they are to be.
pub(crate) struct Wiring {
    root: Arc<Source>,
    branches: HashMap<Vec<Step>, Branch>,
    /// All consumers are entered again; else those that are there stay.
    anew: bool,
}

/// A source with its consumers.
pub(crate) struct Branch {
    pub(crate) source: Arc<Source>,
    pub(crate) consumers: FanOut,
    /// Somebody begins to consume who needs a keyframe.
    pub(crate) fresh: bool,
}

impl Wiring {
    /// Every consumer of the pad is entered again.
    pub(crate) fn anew(root: &Arc<Source>) -> Self {
        let mut wiring = Self {
            root: root.clone(),
            branches: HashMap::new(),
            anew: true,
        };
        wiring.touch(&[], root);
        wiring
    }

    /// Some consumer of the pad comes or goes.
    pub(crate) fn changing(root: &Arc<Source>) -> Self {
        Self {
            root: root.clone(),
            branches: HashMap::new(),
            anew: false,
        }
    }

    pub(crate) fn is_anew(&self) -> bool {
        self.anew
    }

    fn touch(&mut self, path: &[Step], source: &Arc<Source>) -> &mut Branch {
        let anew = self.anew;
        self.branches.entry(path.to_vec()).or_insert_with(|| {
            let consumers = source.consumers();
            Branch {
                source: source.clone(),
                consumers: if anew { consumers.emptied() } else { consumers },
                fresh: false,
            }
        })
    }

    fn branch(&mut self, tree: &Tree, path: &[Step]) -> Option<&mut Branch> {
        let source = match path {
            [] => self.root.clone(),
            path => tree.stages.get(path)?.output.clone(),
        };
        Some(self.touch(path, &source))
    }

    /// Lets `sink` consume what comes out after `path`; gives the source of that.
    pub(crate) fn add(
        &mut self,
        tree: &Tree,
        path: &[Step],
        link: &Arc<Link>,
        sink: &Arc<Sink>,
    ) -> Option<Arc<Source>> {
        let source = self.branch(tree, path)?.source.clone();
        if !sink.is_fed_by(&source) {
            // Another stream: it begins with a keyframe of its own, and has other layers.
            self.remove(tree, link);
            link.deactivate();
            link.reset_layers();
        }
        let consumer = sink.consumer();
        // Only a group is told which packets were left out on purpose.
        link.set_whole(!consumer.is_grouped());
        source.select_layer(link, consumer.budget());
        let begins = link.activate();
        sink.set_feed(Some((source.clone(), link.clone())));
        let is_listed = link.feed() == Some(source.id()) && !self.anew;
        let branch = self.branch(tree, path)?;
        branch.fresh |= begins && !source.has_recent_keyframe(link.choice().encoding);
        if !is_listed {
            link.set_feed(Some(source.id()));
            let is_new = begins && source.kind() == MediaKind::Video;
            branch.consumers.add(link.clone(), consumer.clone(), is_new);
        }
        Some(source)
    }

    /// Takes a link out of the consumers among which it is.
    pub(crate) fn remove(&mut self, tree: &Tree, link: &Arc<Link>) {
        let Some(pad) = link.feed() else { return };
        link.set_feed(None);
        let path = match pad == self.root.id() {
            true => Some(Vec::new()),
            false => tree.path_to(pad),
        };
        // Anew, nobody is there who was not entered.
        let path = path.filter(|path| !self.anew || self.branches.contains_key(path));
        if let Some(path) = path
            && let Some(branch) = self.branch(tree, &path)
        {
            branch.consumers.remove(link);
        }
    }

    /// How many consume what comes out after `path`.
    fn consumers(&self, path: &[Step], stage: &Stage) -> usize {
        match self.branches.get(path) {
            Some(branch) => branch.consumers.len(),
            None if self.anew => 0,
            None => stage.output.consumer_count(),
        }
    }

    /// What was touched, those farthest from the pad first, so that nothing is pushed into the
    /// void.
    pub(crate) fn into_branches(self) -> Vec<Branch> {
        let mut branches: Vec<_> = self.branches.into_iter().collect();
        branches.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        branches.into_iter().map(|(_, branch)| branch).collect()
    }
}

impl Tree {
    /// The pad has this format now; after a change everything is worth another try.
    pub(crate) fn set_format(&mut self, format: u32) {
        if std::mem::replace(&mut self.format, format) != format {
            self.failures.clear();
        }
    }

    /// `true` when there were some.
    pub(crate) fn forget_failures(&mut self) -> bool {
        let failed = !self.failures.is_empty();
        self.failures.clear();
        failed
    }

    /// Records that the last step of `path` failed. `false` when it is an old one
    /// that runs no more.
    pub(crate) fn record_failure(&mut self, path: &[Step], error: &Error) -> bool {
        let Some(step) = path.last() else {
            return false;
        };
        let ran = self.stages.contains_key(path);
        if ran {
            // Whatever bitrates it had: plans are compared before they get theirs.
            let step = Step {
                rates: None,
                ..step.clone()
            };
            self.failures.push((step, error.clone()));
        }
        ran
    }

    pub(crate) fn failures(&self) -> &[(Step, Error)] {
        &self.failures
    }

    /// Sees to it that all stages of `path` are there and wired.
    pub(crate) fn build(
        &mut self,
        plane: &Arc<Plane>,
        converters: &Arc<dyn Converters>,
        place: &Place,
        path: &[Step],
        wiring: &mut Wiring,
    ) -> Option<()> {
        for length in 1..=path.len() {
            let (before, upto) = (path.get(..length - 1)?, path.get(..length)?);
            let known = self.stages.get(upto).cloned();
            if known.is_some() && (!wiring.anew || wiring.branches.contains_key(upto)) {
                continue;
            }
            let stage = match known {
                Some(stage) => stage,
                None => {
                    let feeding = self.stages.get(before).map(Arc::as_ref);
                    let converters = converters.clone();
                    Arc::new(Stage::new(plane, converters, place, upto, feeding)?)
                }
            };
            self.stages.insert(upto.to_vec(), stage.clone());
            wiring.add(self, before, &stage.link, &stage.input)?;
            wiring.touch(upto, &stage.output);
        }
        Some(())
    }

    /// Takes out the stages that nobody consumes any more.
    pub(crate) fn remove_unused(&mut self, wiring: &mut Wiring) -> Vec<Arc<Stage>> {
        let mut paths: Vec<Vec<Step>> = self.stages.keys().cloned().collect();
        // The last of a row first: without it the one before it may have no consumer left.
        paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
        let mut gone = Vec::new();
        for path in paths {
            let Some(stage) = self.stages.get(&path).cloned() else {
                continue;
            };
            if wiring.consumers(&path, &stage) == 0 {
                wiring.remove(self, &stage.link);
                wiring.branches.remove(&path);
                self.stages.remove(&path);
                gone.push(stage);
            }
        }
        gone
    }

    /// The conversions up to the one with this output.
    fn path_to(&self, pad: u32) -> Option<Vec<Step>> {
        let mut stages = self.stages.iter();
        let found = stages.find(|(_, stage)| stage.output.id() == pad);
        found.map(|(path, _)| path.clone())
    }

    /// The stages along a path, in order.
    pub(crate) fn along<'a>(&'a self, path: &'a [Step]) -> impl Iterator<Item = &'a Arc<Stage>> {
        (1..=path.len()).filter_map(|length| self.stages.get(path.get(..length)?))
    }

    pub(crate) fn stages(&self) -> impl Iterator<Item = &Arc<Stage>> {
        self.stages.values()
    }

    /// Whether anything is decoded or encoded here.
    pub(crate) fn is_transcoding(&self) -> bool {
        self.stages().any(|stage| stage.step.transcodes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.failures.is_empty()
    }
}
