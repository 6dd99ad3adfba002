//! Which way media takes along one link.

use std::{collections::HashMap, sync::Arc};

use rivero_plugin_api::{Conversion, Format, Packaging, abi::traits::ANY_FORMAT};

use super::{
    bitrate::EncoderRates,
    path::{self, Network, Path, Target},
};
use crate::{
    converters::Converters,
    format::{FormatUse, Formats},
};

/// The format that an element's input is to have, whatever comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForcedFormat {
    /// Encoding, or raw.
    pub codec: ForcedCodec,
    /// Pictures a second as a fraction; `None` as they come.
    pub frame_rate: Option<(u32, u32)>,
    /// Bit/s; `None` leaves it to the rule for encoders.
    pub bitrate: Option<u64>,
}

/// What comes out of a forced conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForcedCodec {
    /// Media of this encoding.
    Encoding(String),
    /// Raw media.
    Raw,
}

/// One conversion on the way, with all that distinguishes it from others: two
/// links whose steps are equal share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    /// Number of the conversion.
    pub(super) conversion: usize,
    pub(super) input: Arc<FormatUse>,
    pub(crate) output: Arc<FormatUse>,
    /// Of the one that encodes: what the consumer's element forces.
    pub(super) frame_rate: Option<(u32, u32)>,
    pub(super) bitrate: Option<u64>,
    /// Of one that encodes: the bitrates of an element that [shows](crate::show) the pad of another one and
    /// has other ones than that.
    pub(crate) rates: Option<EncoderRates>,
    /// Whether media is decoded or encoded.
    pub(crate) transcodes: bool,
    /// Whether encoded media comes out of other media.
    pub(crate) encodes: bool,
    /// Whether what comes out goes to a peer in RTP packets: over a path that has to be tried, to
    /// somebody who can ask for keyframes.
    pub(super) live: bool,
}

impl Step {
    /// What goes in and what comes out.
    pub(crate) fn formats(&self) -> (u32, u32) {
        (self.input.number(), self.output.number())
    }
}

/// What is to be done about a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// One of the ends is not ready.
    Wait,
    /// Media passes as it comes.
    Direct,
    /// Media is converted.
    Convert(Vec<Step>),
    /// There is no way.
    Impossible,
}

/// Plans for the links of one source pad; equal questions are answered once.
pub(crate) struct Planner<'a> {
    formats: &'a Formats,
    converters: Option<&'a dyn Converters>,
    /// Steps that were tried and failed.
    failed: Vec<Step>,
    source: Option<Arc<FormatUse>>,
    known: HashMap<(Arc<[u32]>, Option<ForcedKey>), Decision>,
}

type ForcedKey = (Option<String>, Option<(u32, u32)>, Option<u64>);

impl<'a> Planner<'a> {
    pub(crate) fn new(
        formats: &'a Formats,
        converters: Option<&'a dyn Converters>,
        failed: Vec<Step>,
        source: Option<Arc<FormatUse>>,
    ) -> Self {
        Self {
            formats,
            converters,
            failed,
            source,
            known: HashMap::new(),
        }
    }

    /// The way to a sink that accepts these formats and whose element forces this one.
    pub(crate) fn decide(
        &mut self,
        accepted: &Arc<[u32]>,
        forced: Option<&ForcedFormat>,
    ) -> Decision {
        let Some(source) = self.source.clone().filter(|_| !accepted.is_empty()) else {
            return Decision::Wait;
        };
        let direct = accepted.contains(&source.number()) || accepted.contains(&ANY_FORMAT);
        if direct && forced.is_none() {
            return Decision::Direct;
        }
        let forced_key = forced.map(|forced| {
            let name = match &forced.codec {
                ForcedCodec::Encoding(name) => Some(name.clone()),
                ForcedCodec::Raw => None,
            };
            (name, forced.frame_rate, forced.bitrate)
        });
        let key = (accepted.clone(), forced_key);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let decision = self.plan(&source, accepted, forced);
        let decision = decision.unwrap_or(Decision::Impossible);
        self.known.insert(key, decision.clone());
        decision
    }

    /// Plans around what failed.
    fn plan(
        &self,
        input: &Arc<FormatUse>,
        accepted: &[u32],
        forced: Option<&ForcedFormat>,
    ) -> Option<Decision> {
        let source = self.formats.get(input.number())?;
        let conversions = self.converters.map_or(&[][..], Converters::conversions);
        let packaging_parameters = self
            .converters
            .map_or(&[][..], Converters::packaging_parameters);
        let (targets, through_raw) = self.targets(accepted, forced);
        let mut excluded = Vec::new();
        loop {
            let network = Network {
                conversions,
                packaging_parameters,
                excluded: &excluded,
            };
            let path = path::cheapest(network, &source, &targets, through_raw)?;
            if path.steps.is_empty() {
                return Some(Decision::Direct);
            }
            let steps = self.steps(conversions, input, &path, forced)?;
            match steps.iter().find(|step| self.failed.contains(step)) {
                Some(step) => excluded.push(step.conversion),
                None => return Some(Decision::Convert(steps)),
            }
        }
    }

    /// What the sink takes under the force of its element, and whether the way has
    /// to lead through raw media.
    fn targets(&self, accepted: &[u32], forced: Option<&ForcedFormat>) -> (Vec<Target>, bool) {
        let target = |id: &u32| match *id {
            ANY_FORMAT => Some(Target::Any),
            id => { self.formats.get(id) }.map(|format| Target::Format(Format::clone(&format))),
        };
        let all: Vec<Target> = accepted.iter().filter_map(target).collect();
        match forced.map(|forced| &forced.codec) {
            None => (all, false),
            Some(ForcedCodec::Encoding(name)) => {
                let narrowed = all.into_iter().filter_map(|target| match target {
                    Target::Any => Some(Target::Encoding(name.clone())),
                    Target::Format(format) => {
                        (format.encoding == *name).then_some(Target::Format(format))
                    }
                    other => Some(other),
                });
                (narrowed.collect(), false)
            }
            Some(ForcedCodec::Raw) => {
                let is_raw = |format: &Format| format.packaging == Packaging::Raw;
                let raw: Vec<Target> = all
                    .iter()
                    .filter_map(|target| match target {
                        Target::Any => Some(Target::Raw),
                        Target::Format(format) if is_raw(format) => Some(target.clone()),
                        _ => None,
                    })
                    .collect();
                if raw.is_empty() {
                    (all, true)
                } else {
                    (raw, false)
                }
            }
        }
    }

    fn steps(
        &self,
        conversions: &[Conversion],
        input: &Arc<FormatUse>,
        path: &Path,
        forced: Option<&ForcedFormat>,
    ) -> Option<Vec<Step>> {
        let mut input = input.clone();
        let last = path.steps.last().map(|(_, format)| format.packaging);
        let mut steps = Vec::with_capacity(path.steps.len());
        for (number, format) in &path.steps {
            let conversion = conversions.get(*number)?;
            let output = self.formats.hold(format.clone())?;
            let transcodes = path::re_encodes(conversion);
            let encodes = transcodes && conversion.output.1 != Packaging::Raw;
            steps.push(Step {
                conversion: *number,
                input: std::mem::replace(&mut input, output.clone()),
                output,
                frame_rate: None,
                bitrate: None,
                rates: None,
                transcodes,
                encodes,
                live: encodes && last == Some(Packaging::Rtp),
            });
        }
        if let (Some(step), Some(forced)) =
            (steps.iter_mut().rev().find(|step| step.transcodes), forced)
        {
            step.frame_rate = forced.frame_rate;
            step.bitrate = forced.bitrate;
        }
        Some(steps)
    }
}
