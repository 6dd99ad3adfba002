//! The media plane: pads, links, fan-out, conversion, flow state.
//!
//! A [`Node`] holds the pads of one media element. Links between pads of one
//! pipeline are requested by `connect` and become active when both pads exist
//! and agree on a format. Producers push bursts into their source pad, which
//! hands them to its consumers from a read-mostly snapshot ([`fanout`]); that
//! path takes no lock which the control path holds for long.
//!
//! *Invariant:* nothing here knows an encoding by name, or parses a payload.

#[cfg(test)]
mod bench;
mod changes;
mod connection;
mod convert;
mod cursor;
mod depth;
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
mod plane;
mod queries;
mod refresh;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod thinning;
mod timers;

pub use connection::{Connection, NodeEvent, NodeObserver, Way};
pub use convert::{Converters, EncoderRates, ForcedCodec, ForcedFormat};
pub use format::{Formats, RecentFormats};
pub use graph::Graph;
pub use node::Node;
pub use plane::{Plane, SharedEncoding};
pub use rivero_plugin_api::MediaKind;
pub use sink::Sink;
pub use source::Source;
pub use timers::Timers;
