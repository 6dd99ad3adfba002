//! The cheapest way from one format to another: pure planning.
//!
//! Nodes are an encoding and a packaging, and whether the media was encoded anew
//! on the way: only then can the parameters of the target be chosen freely, while
//! media that was merely packed anew keeps those it was made with.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use rivero_plugin_api::{Conversion, Format, Packaging};

/// Longer paths are not looked for.
const MAX_STEPS: usize = 8;

/// What a consumer takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Whatever comes.
    Any,
    /// This format.
    Format(Format),
    /// This encoding, however it is packed and whatever its parameters.
    Encoding(String),
    /// Raw media of any kind.
    Raw,
}

/// What is installed, as far as a plan needs it.
#[derive(Clone, Copy)]
pub(crate) struct Network<'a> {
    pub(crate) conversions: &'a [Conversion],
    /// Names of parameters that belong to the packaging, not to the media.
    pub(crate) packaging_parameters: &'a [String],
    /// Numbers of conversions that are not to be used.
    pub(crate) excluded: &'a [usize],
}

/// A way from a source to one of its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// Each conversion with the format that comes out of it; empty where the
    /// source has what the target wants.
    pub(crate) steps: Vec<(usize, Format)>,
    /// Index of the target that it leads to.
    pub(crate) target: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Node<'a> {
    encoding: &'a str,
    packaging: u8,
    /// Encoded anew: its parameters are those that were asked for.
    fresh: bool,
    /// Was raw on the way.
    was_raw: bool,
    /// Is not as it came: where the packaging has parameters, they can be chosen.
    converted: bool,
}

impl<'a> Node<'a> {
    fn source(format: &'a Format) -> Self {
        Self {
            encoding: &format.encoding,
            packaging: format.packaging.number(),
            fresh: false,
            was_raw: format.packaging == Packaging::Raw,
            converted: false,
        }
    }

    fn after(self, conversion: &'a Conversion) -> Option<Self> {
        let (encoding, packaging) = (&conversion.input.0, conversion.input.1.number());
        let fits = self.encoding == encoding && self.packaging == packaging;
        fits.then(|| Self {
            encoding: &conversion.output.0,
            packaging: conversion.output.1.number(),
            fresh: self.fresh || re_encodes(conversion),
            was_raw: self.was_raw || conversion.output.1 == Packaging::Raw,
            converted: true,
        })
    }

    fn is(self, encoding: &str, packaging: Packaging) -> bool {
        self.encoding == encoding && self.packaging == packaging.number()
    }
}

/// A target named before others is encoded for unless that costs so many times as much as for the
/// cheapest of them: what a browser prefers may be what takes a whole core.
const DEARER: u64 = 3;

/// The best path from `source` to one of `targets`: the cheapest on which nothing is encoded anew, and
/// of equally cheap ones that to the target named first. Where media has to be encoded, the cheapest
/// path to the target named first, if that is not [much dearer](DEARER) than another. With
/// `through_raw` only paths on which the media is raw once.
pub(crate) fn cheapest(
    network: Network<'_>,
    source: &Format,
    targets: &[Target],
    through_raw: bool,
) -> Option<Path> {
    let start = Node::source(source);
    let mut search = Search::from(start);
    // By target: the cheapest path on which something is encoded anew.
    let mut encoded: HashMap<usize, (u64, Vec<usize>)> = HashMap::new();
    let mut packed: Option<(u64, usize, Vec<usize>)> = None;
    while let Some((cost, node, steps)) = search.next() {
        if packed.as_ref().is_some_and(|(found, ..)| cost > *found) {
            break;
        }
        let reached = (0..).zip(targets).filter(|(_, target)| {
            (!through_raw || node.was_raw) && reaches(network, source, target, node)
        });
        for (target, _) in reached {
            if node.fresh {
                encoded
                    .entry(target)
                    .or_insert_with(|| (cost, steps.clone()));
            } else if packed.as_ref().is_none_or(|(_, known, _)| target < *known) {
                packed = Some((cost, target, steps.clone()));
            }
        }
        search.go_on(network, cost, node, &steps);
    }
    let preferred = || {
        let least = encoded.values().map(|(cost, _)| *cost).min()?;
        let affordable = encoded
            .iter()
            .filter(|(_, (cost, _))| *cost <= least.saturating_mul(DEARER));
        let (target, (_, steps)) = affordable.min_by_key(|(target, _)| **target)?;
        Some((*target, steps.clone()))
    };
    let (target, steps) = packed
        .map(|(_, target, steps)| (target, steps))
        .or_else(preferred)?;
    let wanted = targets.get(target)?;
    Some(Path {
        steps: formats(network, source, wanted, &steps),
        target,
    })
}

/// Whether media is decoded or encoded. RTP knows some encodings by names of its
/// own: between packets and frames media is packed anew whatever the names.
pub(super) fn re_encodes(conversion: &Conversion) -> bool {
    let ((from, as_input), (to, as_output)) = (&conversion.input, &conversion.output);
    let packs = matches!(
        (*as_input, *as_output),
        (Packaging::Rtp, Packaging::Frame) | (Packaging::Frame, Packaging::Rtp)
    );
    from != to && !packs
}

/// Dijkstra's algorithm over the conversions.
struct Search<'a> {
    queue: BinaryHeap<Reverse<(u64, Vec<usize>, Node<'a>)>>,
    known: HashMap<Node<'a>, u64>,
}

impl<'a> Search<'a> {
    fn from(start: Node<'a>) -> Self {
        Self {
            queue: BinaryHeap::from([Reverse((0, Vec::new(), start))]),
            known: HashMap::from([(start, 0)]),
        }
    }

    fn next(&mut self) -> Option<(u64, Node<'a>, Vec<usize>)> {
        loop {
            let Reverse((cost, steps, node)) = self.queue.pop()?;
            if self.known.get(&node).is_none_or(|known| cost <= *known) {
                return Some((cost, node, steps));
            }
        }
    }

    fn go_on(&mut self, network: Network<'a>, cost: u64, node: Node<'a>, steps: &[usize]) {
        if steps.len() >= MAX_STEPS {
            return;
        }
        for (number, conversion) in network.conversions.iter().enumerate() {
            let Some(after) = node.after(conversion) else {
                continue;
            };
            // A step costs at least 1: what adds nothing is not made longer for nothing.
            let cost = cost + u64::from(conversion.cost.max(1));
            let dearer = self.known.get(&after).is_some_and(|known| cost >= *known);
            if dearer || network.excluded.contains(&number) {
                continue;
            }
            self.known.insert(after, cost);
            let steps = steps.iter().copied().chain([number]).collect();
            self.queue.push(Reverse((cost, steps, after)));
        }
    }
}

fn reaches(network: Network<'_>, source: &Format, target: &Target, node: Node<'_>) -> bool {
    match target {
        Target::Any => true,
        Target::Encoding(encoding) => node.encoding == encoding,
        Target::Raw => node.packaging == Packaging::Raw.number(),
        Target::Format(format) if !node.is(&format.encoding, format.packaging) => false,
        Target::Format(_) if node.fresh => true,
        Target::Format(format) if node.converted => {
            agrees(source, format, |name| is_packaging(network, name))
        }
        // What is sent as it came must be just what the peer negotiated.
        Target::Format(format) if format.packaging == Packaging::Rtp => source == format,
        Target::Format(format) => agrees(source, format, |name| is_packaging(network, name)),
    }
}

fn is_packaging(network: Network<'_>, name: &str) -> bool {
    network.packaging_parameters.iter().any(|own| own == name)
}

/// Whether media made as `source` says can be taken for `wanted`: nothing
/// contradicts; what one of them leaves open fits.
fn agrees(source: &Format, wanted: &Format, packaging: impl Fn(&str) -> bool) -> bool {
    let open = |a: u32, b: u32| a == b || a == 0 || b == 0;
    open(source.clock_rate, wanted.clock_rate)
        && open(source.channels.into(), wanted.channels.into())
        && wanted.parameters.iter().all(|(name, value)| {
            let mut own = source.parameters.iter();
            let own = own.find(|(known, _)| known == name);
            packaging(name) || own.is_none_or(|(_, own)| own == value)
        })
}

/// The format after each step.
fn formats(
    network: Network<'_>,
    source: &Format,
    target: &Target,
    steps: &[usize],
) -> Vec<(usize, Format)> {
    let mut fresh = false;
    let mut out = Vec::with_capacity(steps.len());
    for (index, number) in steps.iter().enumerate() {
        let Some(conversion) = network.conversions.get(*number) else {
            return Vec::new();
        };
        fresh |= re_encodes(conversion);
        let is_last = index + 1 == steps.len();
        let format = match target {
            Target::Format(wanted) if is_last && (fresh || wanted.packaging == Packaging::Rtp) => {
                wanted.clone()
            }
            _ => between(network, source, target, conversion, fresh),
        };
        out.push((*number, format));
    }
    out
}

/// A format on the way: the source's values as long as its encoding is kept, the
/// target's once that is reached, nothing in particular otherwise.
fn between(
    network: Network<'_>,
    source: &Format,
    target: &Target,
    conversion: &Conversion,
    fresh: bool,
) -> Format {
    let (encoding, packaging) = conversion.output.clone();
    let wanted = match target {
        Target::Format(wanted) if wanted.encoding == encoding => Some(wanted),
        _ => None,
    };
    let own = (!fresh).then_some(source);
    let models = || own.into_iter().chain(wanted);
    let clock_rate = models()
        .map(|model| model.clock_rate)
        .find(|rate| *rate > 0);
    let channels = models()
        .map(|model| model.channels)
        .find(|count| *count > 0);
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in models().flat_map(|model| &model.parameters) {
        // An encoder has to know how its frames will be packed: they may have to fit.
        let foreign = !fresh && packaging != Packaging::Rtp && is_packaging(network, name);
        if !foreign && !parameters.iter().any(|(known, _)| known == name) {
            parameters.push((name.clone(), value.clone()));
        }
    }
    parameters.sort();
    Format {
        encoding,
        packaging,
        clock_rate: clock_rate.unwrap_or(0),
        channels: channels.unwrap_or(0),
        parameters,
    }
}
