//! The media plane of Rivero: pads, links, fan-out, format negotiation, conversion, flow state.
//!
//! A [`Node`] holds the pads of one media element. Links between pads of one
//! pipeline are requested by `connect` and become active when both pads exist
//! and agree on a format. Producers push bursts into their source pad, which
//! hands them to its consumers from a read-mostly snapshot; that
//! path takes no lock which the control path holds for long.
//!
//! What is deliberately absent: protocol, registry, sessions, JSON and the page of metrics. This crate
//! knows elements by their ids and talks to modules through `rivero-plugin-api`; who uses it gives
//! it [`Converters`], is told of [`NodeEvent`]s, and asks for [`Figures`]. So a test runs it without
//! a server (`tests/` does). Nothing here knows an encoding by name, or parses a payload.
//!
//! The files on the way of a packet, in its order: `source`, `fanout`, `link` with its `order` and
//! `cursor`, `consumer`. Those of the control side: `node` is what is called, `graph` has the lock,
//! `changes` and `refresh` work under it, `deliveries` tell what came of it. No file imports one that
//! imports it, whatever lies between; a test reads the imports.
//!
//! Threads: `media-timers` and `media-flow`, started by [`Plane::start`], and one `converter` for
//! each processor, started with the first conversion. What calls runs on its own thread: packets on the
//! producer's, control on that of whoever changes the graph. The code of a module runs where its [`Owner`]
//! has it run, but for sinks of a group and those that are `inline`: they take packets on the
//! producer's thread.

mod changes;
mod connection;
mod consumer;
mod conversion_counters;
mod convert;
mod converters;
mod cursor;
mod deliveries;
mod demand;
mod depth;
mod element;
mod elements;
mod fanout;
mod flow;
mod format;
mod graph;
mod history;
mod keyframe;
mod latency;
mod layers;
mod link;
mod mismatch;
mod node;
mod order;
mod owner;
mod plane;
mod queries;
mod queue;
mod refresh;
mod ring;
mod show;
mod sink;
mod source;
#[cfg(test)]
mod testbench;
#[cfg(test)]
mod tests;
mod thinning;
mod timers;
mod traffic;
mod upstream;
mod workers;

pub use connection::{Connection, Input, NodeEvent, NodeObserver, Way};
pub use conversion_counters::ConversionFigures;
pub use convert::{
    bitrate::EncoderRates,
    route::{ForcedCodec, ForcedFormat},
};
pub use converters::{ConverterSettings, Converters};
pub use demand::SharedEncoding;
pub use depth::{current as depth, resume as at_depth};
pub use element::{Carried, PadExists};
pub use elements::is_graph_locked;
pub use format::{Formats, RecentFormats};
pub use graph::Graph;
pub use node::Node;
pub use owner::{Job, Owner};
pub use plane::{Figures, Plane};
pub use rivero_plugin_api::MediaKind;
pub use show::NotShown;
pub use sink::Sink;
pub use source::Source;
pub use timers::Timers;
pub use traffic::{
    ESTIMATE_BOUNDS, EstimateFigures, FORWARDING_BOUNDS, TrafficFigures, TranscodedFigures,
};
