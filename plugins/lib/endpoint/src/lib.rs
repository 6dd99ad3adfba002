//! The bodies of the abstract classes `SdpEndpoint` and `BaseRtpEndpoint`, which every element that
//! negotiates RTP has in common.
//!
//! - [`properties`]: what a client may set, with bounds and errors, and what follows for a session.
//! - [`settings`]: the same two classes in the server's configuration.
//! - [`exchange`]: which offer or answer is allowed when, and what was said so far.
//! - [`error`]: Kurento's codes for what goes wrong in a negotiation.
//! - [`overall`]: the states of an endpoint out of those of its transports.
//! - [`tracks`]: from negotiated media to what the sides of a track are made from.
//! - [`stats`]: the streams of a session as `getStats` has them.
//! - [`bodies!`](bodies): the operations and properties of the classes, for the traits that a module generates
//!   from the descriptor. They ask the endpoint what [`Negotiates`] says.
//!
//! Nothing here knows ICE, DTLS or an address: a transport is the module's.

mod bodies;
pub mod error;
pub mod exchange;
pub mod overall;
pub mod properties;
pub mod settings;
pub mod stats;
pub mod tracks;

pub use bodies::Negotiates;
pub use exchange::Exchange;
pub use overall::Overall;
pub use properties::{Properties, RembParams};

/// What the expansion of [`bodies!`](bodies) names.
#[doc(hidden)]
pub mod reexported {
    pub use rivero_plugin_api::{ElementContext, Result};
    pub use rivero_sdp::OfferOptions;
}
