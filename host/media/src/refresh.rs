//! Deciding anew which links of a source pad carry media, and by which way.
//!
//! A round has three phases, all of them while the graph is locked, so that no other change comes in
//! between.
//!
//! 1. `begin` takes the pad's conversions out of its element, so that the round can change them while
//!    it looks at other elements. They are put back at the end, in the same breath.
//! 2. `decide` plans a way for each link in question, makes the conversions that the way needs, and
//!    enters the link among the consumers of its end. The lists of consumers that this changes are
//!    copies, which producers do not see: they go on with those they have. A list is copied only
//!    when it is touched, so that who joins one branch costs nothing in another.
//! 3. `finish` takes out the conversions that nobody consumes any more, which can only be known once
//!    all links are decided about. Then it publishes the copies, those farthest from the pad first:
//!    the other way round a new conversion would put out its first keyframe before anybody
//!    consumes it. What is not needed is ended after that, when nothing leads there any more; and
//!    last come the events, since until then nothing has changed for anybody.

use std::{collections::BTreeSet, sync::Arc};

use rivero_plugin_api::{Error, MediaKind};

use crate::{
    changes::Locked,
    connection::{NodeEvent, PadKey},
    convert::{
        route::{Decision, Planner, Step},
        stage::{Place, Stage},
        tree::{Tree, Wiring},
    },
    converters::Converters,
    deliveries::Delivery,
    fanout::FanOut,
    link::Link,
    mismatch,
    sink::Sink,
    source::Source,
};

/// One round of decisions.
struct Round {
    source: Arc<Source>,
    place: Place,
    converters: Option<Arc<dyn Converters>>,
    tree: Tree,
    wiring: Wiring,
    /// Whose link made media be decoded or encoded, and why, if this round did.
    cause: Option<String>,
    /// Elements whose links were decided about; those of the pad's own element are not all.
    sources: BTreeSet<Arc<str>>,
}

impl Locked<'_> {
    /// Brings all that one source pad feeds up to date.
    pub(crate) fn refresh(&mut self, id: &Arc<str>, key: &PadKey) {
        let Some((mut round, links)) = self.begin(id, key, Wiring::anew) else {
            return;
        };
        self.decide(&mut round, &links);
        self.finish(round);
    }

    /// Brings one link up to date. What else its source pad feeds stays as it is, so that who joins
    /// an audience of thousands costs no more than who joins one of ten.
    pub(crate) fn refresh_link(&mut self, link: &Arc<Link>) {
        let (id, key) = self.pad_of(link);
        let Some((mut round, _)) = self.begin(&id, &key, Wiring::changing) else {
            return;
        };
        self.decide(&mut round, std::slice::from_ref(link));
        self.finish(round);
    }

    /// Ends what a link carries that is not there any more.
    pub(crate) fn end_link(&mut self, link: &Arc<Link>) {
        let (id, key) = self.pad_of(link);
        let Some((mut round, _)) = self.begin(&id, &key, Wiring::changing) else {
            return;
        };
        round.wiring.remove(&round.tree, link);
        link.deactivate();
        round.sources.insert(link.connection.source.clone());
        self.finish(round);
    }

    fn decide(&mut self, round: &mut Round, links: &[Arc<Link>]) {
        let (plane, converters) = (self.plane.clone(), round.converters.clone());
        let failures = round.tree.failures().iter();
        let mut planner = Planner::new(
            plane.formats(),
            converters.as_deref(),
            failures.map(|(step, _)| step.clone()).collect(),
            round.source.format_use(),
        );
        for link in links {
            let connection = &link.connection;
            round.sources.insert(connection.source.clone());
            let Some(sink) = self.sink(&connection.sink, &connection.sink_key()) else {
                round.wiring.remove(&round.tree, link);
                link.deactivate();
                continue;
            };
            let forced = self
                .elements
                .get(&connection.sink)
                .and_then(|element| element.forced.get(&connection.kind));
            match planner.decide(&sink.accepted(), forced) {
                Decision::Wait => self.deactivate(round, link, sink),
                Decision::Direct => self.activate(round, &[], link, sink),
                Decision::Convert(mut path) => {
                    let rates = self.own_rates(&round.place, link);
                    for step in path.iter_mut().filter(|step| step.encodes) {
                        step.rates = rates;
                    }
                    self.activate(round, &path, link, sink);
                }
                Decision::Impossible => {
                    self.raise_unconvertible(round, link, &sink);
                    self.deactivate(round, link, sink);
                }
            }
        }
    }

    fn begin(
        &mut self,
        id: &Arc<str>,
        key: &PadKey,
        wiring: fn(&Arc<Source>) -> Wiring,
    ) -> Option<(Round, Vec<Arc<Link>>)> {
        let element = self.elements.get_mut(id)?;
        let source = element.sources.get(key)?.clone();
        let wiring = wiring(&source);
        let mut links = match wiring.is_anew() {
            true => element.outputs.get(key).cloned().unwrap_or_default(),
            false => Vec::new(),
        };
        let shown_by = match wiring.is_anew() {
            true => element.shown_by.get(key).cloned().unwrap_or_default(),
            false => Vec::new(),
        };
        let mut tree = element.conversions.remove(key).unwrap_or_default();
        tree.set_format(source.format());
        let place = Place {
            failures: self.failures.clone(),
            element: id.clone(),
            key: key.clone(),
            rates: element.rates.clone(),
            measuring: self.measuring.clone(),
        };
        let round = Round {
            wiring,
            source,
            place,
            converters: self.plane.converters(),
            tree,
            cause: None,
            sources: BTreeSet::new(),
        };
        links.extend(self.links_of(&shown_by));
        Some((round, links))
    }

    /// A link that carries nothing.
    fn deactivate(&mut self, round: &mut Round, link: &Arc<Link>, sink: Arc<Sink>) {
        round.wiring.remove(&round.tree, link);
        link.deactivate();
        sink.set_feed(None);
        self.set_sink_format(sink, 0);
    }

    /// Lets a link carry what comes out after `path`.
    fn activate(&mut self, round: &mut Round, path: &[Step], link: &Arc<Link>, sink: Arc<Sink>) {
        let built = match (&round.converters, path) {
            (_, []) => Some(()),
            (Some(converters), path) => {
                let (place, wiring) = (&round.place, &mut round.wiring);
                round
                    .tree
                    .build(self.plane, converters, place, path, wiring)
            }
            (None, _) => None,
        };
        let (tree, wiring) = (&round.tree, &mut round.wiring);
        let feed = built.and_then(|()| wiring.add(tree, path, link, &sink));
        let Some(feed) = feed else {
            return self.deactivate(round, link, sink);
        };
        let first = round.source.hop();
        let stages = round.tree.along(path).map(|stage| stage.output.hop());
        let transcodes = path.iter().any(|step| step.transcodes);
        let is_new = link.set_route(std::iter::once(first).chain(stages).collect(), transcodes);
        if is_new && transcodes {
            let ends = [first.format, feed.format()].map(|number| self.plane.formats().get(number));
            if let [Some(sent), Some(got)] = ends {
                link.count_transcoded(self.plane.transcoded_link([&sent, &got]));
            }
            let cause = self.mismatch_in_words(round.source.format(), link, &sink);
            let kind = link.connection.kind.as_str().to_lowercase();
            self.log_formats(link, &sink);
            tracing::info!("TRANSCODING ACTIVE for {kind}: {cause}");
            round.cause.get_or_insert(cause);
        }
        self.set_sink_format(sink, feed.format());
    }

    /// Who sends what, and who accepts what.
    fn mismatch_in_words(&self, sent: u32, link: &Link, sink: &Sink) -> String {
        let formats = self.plane.formats();
        let accepted = sink.accepted();
        let accepted: Vec<_> = accepted.iter().filter_map(|id| formats.get(*id)).collect();
        let (sent, accepted) = mismatch::in_words(formats.get(sent).as_deref(), &accepted);
        let (source, sink) = (&link.connection.source, &link.connection.sink);
        format!("{source} sends {sent}, {sink} accepts {accepted}")
    }

    /// The formats in full, by the words that Kurento's users look for.
    fn log_formats(&self, link: &Link, sink: &Sink) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let formats = self.plane.formats();
        let route = link.route();
        let way: Vec<String> = route
            .iter()
            .map(|hop| formats.describe(hop.format))
            .collect();
        let accepted = sink.accepted();
        let accepted: Vec<String> = accepted.iter().map(|id| formats.describe(*id)).collect();
        tracing::debug!("Upstream provided caps: converted {}", way.join(" → "));
        tracing::debug!("Downstream wanted caps: {}", accepted.join(" or "));
    }

    fn finish(&mut self, mut round: Round) {
        let gone = round.tree.remove_unused(&mut round.wiring);
        let is_video = round.place.key.kind == MediaKind::Video;
        let mut carries = false;
        for branch in round.wiring.into_branches() {
            carries |= branch.consumers.len() > 0;
            let fresh = branch.fresh && is_video;
            self.install(branch.source, branch.consumers, fresh);
        }
        gone.into_iter().for_each(|stage| self.discard(stage));
        let Place {
            element: id, key, ..
        } = round.place;
        if let Some(element) = self.elements.get_mut(&id)
            && !round.tree.is_empty()
        {
            element.conversions.insert(key.clone(), round.tree);
        }
        for other in round.sources.iter().filter(|source| **source != id) {
            let carries = self.carries(other, key.kind).0;
            self.raise_transcoding(other, key.kind, carries, round.cause.clone());
        }
        self.raise_transcoding(&id, key.kind, carries, round.cause);
    }

    fn install(&mut self, source: Arc<Source>, consumers: FanOut, needs_keyframe: bool) {
        let count = consumers.len();
        source.set_consumers(consumers);
        // What is on its way already tells how many there are then.
        if !source.is_told_of(count) {
            let (told, owner) = (source.clone(), source.owner().cloned());
            let tell = move || told.notify_of_consumers();
            self.events.push(Delivery::to(owner.as_ref(), tell));
        }
        self.events.push(Delivery::Here(Box::new(move || {
            source.on_consumers(count);
            if needs_keyframe {
                source.request_keyframe();
            }
        })));
    }

    /// Ends a stage that nobody consumes.
    fn discard(&mut self, stage: Arc<Stage>) {
        stage.output.set_consumers(FanOut::default());
        stage.input.set_feed(None);
        stage.link.deactivate();
        let stop = move || stage.stop();
        self.events.push(Delivery::Here(Box::new(stop)));
    }

    /// Ends all conversions of a source pad that is gone.
    pub(crate) fn discard_conversions(&mut self, id: &Arc<str>, key: &PadKey) {
        let element = self.elements.get_mut(id);
        let tree = element.and_then(|element| element.conversions.remove(key));
        for stage in tree.iter().flat_map(Tree::stages) {
            self.discard(stage.clone());
        }
        self.raise_transcoding(id, key.kind, false, None);
    }

    /// Tells an element when its media began or ceased to be decoded or encoded; also
    /// that it is not, when it first reaches somebody.
    fn raise_transcoding(
        &mut self,
        id: &Arc<str>,
        kind: MediaKind,
        carries: bool,
        cause: Option<String>,
    ) {
        let shows = self.carries(id, kind).1;
        let Some(element) = self.elements.get_mut(id) else {
            return;
        };
        let mut trees = element.conversions.iter();
        let active = shows || trees.any(|(key, tree)| key.kind == kind && tree.is_transcoding());
        let former = element.transcoding.get(&kind).copied();
        if former == Some(active) || (former.is_none() && !carries) || kind == MediaKind::Data {
            return;
        }
        element.transcoding.insert(kind, active);
        let mut reason = cause;
        if former == Some(true) {
            let text = format!("nobody needs it of {id} any more");
            let kind = kind.as_str().to_lowercase();
            tracing::info!("TRANSCODING INACTIVE for {kind}: {text}");
            reason = Some(text);
        }
        let event = NodeEvent::Transcoding {
            kind,
            active,
            reason,
        };
        self.raise(id, event);
    }

    /// A conversion ended by itself: other ways are tried, else its consumers are told.
    pub(crate) fn conversion_failed(
        &mut self,
        id: &Arc<str>,
        key: &PadKey,
        path: &[Step],
        error: &Error,
    ) {
        let tree = self
            .elements
            .get_mut(id)
            .and_then(|element| element.conversions.get_mut(key));
        if tree.is_some_and(|tree| tree.record_failure(path, error)) {
            let formats = self.plane.formats();
            let (input, output) = path.last().map_or((0, 0), Step::formats);
            tracing::warn!(
                source = &**id,
                "the conversion from {} to {} failed: {}",
                formats.describe(input),
                formats.describe(output),
                error.message
            );
            self.refresh(id, key);
        }
    }

    fn raise_unconvertible(&mut self, round: &Round, link: &Link, sink: &Sink) {
        let formats = self.plane.formats();
        let causes: Vec<String> = round
            .tree
            .failures()
            .iter()
            .map(|(step, error)| {
                let (input, output) = step.formats();
                let (input, output) = (formats.describe(input), formats.describe(output));
                format!(
                    "the conversion from {input} to {output} failed: {}",
                    error.message
                )
            })
            .collect();
        let cause = if causes.is_empty() {
            "no installed module converts between them".to_owned()
        } else {
            causes.join("; ")
        };
        let mismatch = self.mismatch_in_words(round.source.format(), link, sink);
        let reason = format!("{mismatch}, and {cause}");
        if link.is_new_reason(&reason) {
            let kind = link.connection.kind;
            let id = link.connection.sink.clone();
            self.raise(&id, NodeEvent::Unconvertible { kind, reason });
        }
    }
}
