//! Conversion between the format of a source and what its consumers accept.
//!
//! [`path`] plans, without I/O: the cheapest way over the conversions that the
//! installed modules announce. A [`tree`] holds what runs at one source pad:
//! each stage once, shared by all consumers whose paths begin alike. A
//! [`stage`] is one running converter, in the graph a consumer of what feeds it
//! and a source to what comes after it; its work is done by the [`workers`].
//!
//! *Invariant:* no module code runs on a producer's thread or under the graph's lock.

mod bitrate;
mod counters;
mod output;
mod path;
mod queue;
mod route;
mod runner;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod workers;

pub use bitrate::EncoderRates;
pub(crate) use bitrate::SharedRates;
pub(crate) use counters::Ledger;
pub(crate) use route::{Decision, Planner, Step};
pub use route::{ForcedCodec, ForcedFormat};
pub(crate) use stage::{Place, Stage};
pub(crate) use tree::{Tree, Wiring};
pub(crate) use workers::Workers;

use rivero_plugin_api::{
    Conversion, Error,
    abi::traits::{Converter, ConverterOutput},
};

/// The converters of the installed modules.
pub trait Converters: Send + Sync {
    /// What they do. The position in this list is the number of a conversion, for good.
    fn conversions(&self) -> &[Conversion];

    /// Parameters of formats that belong to the packaging, not to the media.
    fn packaging_parameters(&self) -> &[String];

    /// Starts one between two formats; loads its module first if need be, so it may take
    /// its time.
    ///
    /// # Errors
    /// What the module answers, or why it cannot be loaded.
    fn create(
        &self,
        conversion: usize,
        formats: (u32, u32),
        settings: &serde_json::Value,
        sink: ConverterOutput,
    ) -> Result<Converter, Error>;
}
