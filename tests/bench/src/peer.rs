//! The module's own peer, without its sockets, for the load.

// It is tested where it lives.
#[cfg(not(test))]
#[path = "../../../plugins/webrtc/src/peer/mod.rs"]
pub mod peer;

#[cfg(not(test))]
pub use peer::*;
