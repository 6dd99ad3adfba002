//! RTP and RTCP building blocks shared by modules.
//!
//! Everything here is a pure data structure or state machine: bytes, numbers and
//! [`std::time::Instant`] go in, values come out. There are no sockets, threads or clocks, and
//! nothing that parses bytes from a network can panic or keep memory in proportion to what a
//! peer sends.
//!
//! * [`header`], [`extension`]: the RTP fixed header (RFC 3550 §5.1) and header extensions
//!   (RFC 8285), parsed without copying and written into the caller's buffer.
//! * [`rtcp`]: compound RTCP packets, parsed into one enum and built into one buffer.
//! * [`receiver`], [`sender`]: the statistics that reports carry and that reports bring.
//! * [`nack`]: what to ask for again. [`rtx`]: retransmissions in a stream of their own.
//! * [`window`]: telling repeated packets from new ones.
//! * [`arrivals`]: transport-wide feedback about what was received.
//! * [`rewriter`]: one continuous outgoing stream out of changing sources. [`picture`]: the same for
//!   the numbers of pictures, [`dependency`]: for those of frames in header extensions.
//! * [`remb`]: the loss-based receiver bitrate estimate.
//! * [`codec`]: what a forwarder must know of a payload: keyframe starts and layers.
//! * [`jitter`]: packets back into order, and how long to wait for missing ones.
//! * [`payload`]: frames out of packets and packets out of frames, one file for each payload format.

pub mod arrivals;
pub mod codec;
mod cursor;
pub mod dependency;
pub mod extension;
pub mod header;
pub mod jitter;
pub mod nack;
pub mod ntp;
pub mod payload;
pub mod picture;
pub mod receiver;
pub mod remb;
pub mod rewriter;
pub mod rtcp;
pub mod rtx;
pub mod sender;
pub mod sequence;
pub mod window;

pub use extension::{ExtensionBlock, ExtensionMap, HeaderExtension};
pub use header::{OutgoingHeader, RtpHeader, RtpParseError};
