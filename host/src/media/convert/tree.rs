//! The conversions of one source pad: each once, in a tree that begins at the pad.

use std::{collections::HashMap, sync::Arc};

use rivero_plugin_api::Error;

use super::{Converters, Place, Stage, route::Step};
use crate::media::{fanout::FanOut, link::Link, plane::Plane, sink::Sink, source::Source};

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

/// Who consumes what of one source pad and of its conversions, as it is to be.
pub(crate) struct Wiring {
    branches: HashMap<Vec<Step>, Branch>,
}

/// A source with its consumers.
pub(crate) struct Branch {
    pub(crate) source: Arc<Source>,
    pub(crate) consumers: FanOut,
    /// Somebody begins to consume.
    pub(crate) fresh: bool,
}

impl Branch {
    fn of(source: Arc<Source>) -> Self {
        Self {
            source,
            consumers: FanOut::default(),
            fresh: false,
        }
    }
}

impl Wiring {
    pub(crate) fn of(source: Arc<Source>) -> Self {
        Self {
            branches: HashMap::from([(Vec::new(), Branch::of(source))]),
        }
    }

    /// Lets `sink` consume what comes out after `path`; gives the source of that.
    pub(crate) fn add(
        &mut self,
        path: &[Step],
        link: &Arc<Link>,
        sink: &Arc<Sink>,
    ) -> Option<Arc<Source>> {
        let branch = self.branches.get_mut(path)?;
        if !sink.is_fed_by(&branch.source) {
            // Another stream: it begins with a keyframe of its own, and has other layers.
            link.set_active(false);
            link.forget_wish();
        }
        link.take_whole(!sink.is_grouped());
        link.set_estimate(sink.estimate());
        branch.source.select_layer(link);
        branch.fresh |= link.set_active(true) && !branch.source.can_greet(link.wanted());
        sink.set_feed(Some((branch.source.clone(), link.clone())));
        branch.consumers.add(link.clone(), sink.clone());
        Some(branch.source.clone())
    }

    /// Those farthest from the pad first, so that nothing is pushed into the void.
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

    pub(crate) fn forget_failures(&mut self) {
        self.failures.clear();
    }

    /// Takes note that the last step of `path` failed. `false` when it is an old one
    /// that runs no more.
    pub(crate) fn note_failure(&mut self, path: &[Step], error: &Error) -> bool {
        let Some(step) = path.last() else {
            return false;
        };
        let ran = self.stages.contains_key(path);
        if ran {
            self.failures.push((step.clone(), error.clone()));
        }
        ran
    }

    pub(crate) fn failures(&self) -> &[(Step, Error)] {
        &self.failures
    }

    /// Sees to it that all stages of `path` are there and wired.
    pub(crate) fn grow(
        &mut self,
        plane: &Arc<Plane>,
        converters: &Arc<dyn Converters>,
        place: &Place,
        path: &[Step],
        wiring: &mut Wiring,
    ) -> Option<()> {
        for length in 1..=path.len() {
            let (before, upto) = (path.get(..length - 1)?, path.get(..length)?);
            if wiring.branches.contains_key(upto) {
                continue;
            }
            let stage = match self.stages.get(upto) {
                Some(stage) => stage.clone(),
                None => Arc::new(Stage::new(plane, converters.clone(), place, upto)?),
            };
            self.stages.insert(upto.to_vec(), stage.clone());
            wiring.add(before, &stage.link, &stage.input)?;
            let branch = Branch::of(stage.output.clone());
            wiring.branches.insert(upto.to_vec(), branch);
        }
        Some(())
    }

    /// Takes out the stages that nobody consumes any more.
    pub(crate) fn prune(&mut self, wiring: &Wiring) -> Vec<Arc<Stage>> {
        let gone = |path: &Vec<Step>, _: &mut Arc<Stage>| !wiring.branches.contains_key(path);
        self.stages
            .extract_if(gone)
            .map(|(_, stage)| stage)
            .collect()
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
