//! RTP and RTCP building blocks shared by modules.
//!
//! Everything here is a pure data structure or state machine: bytes, numbers and
//! [`std::time::Instant`] go in, values come out. There are no sockets, threads or clocks, and
//! nothing that parses bytes from a network can panic or keep memory in proportion to what a
//! peer sends.
//!
//! * [`header`], [`extension`]: the RTP fixed header (RFC 3550 §5.1) and header extensions
//!   (RFC 8285), parsed without copying and written into the caller's buffer.

mod cursor;
pub mod extension;
pub mod header;
pub mod history;
pub mod nack;
pub mod ntp;
pub mod receiver;
pub mod remb;
pub mod rewriter;
pub mod rtcp;
pub mod sender;
pub mod sequence;

pub use extension::{ExtensionBlock, ExtensionMap, HeaderExtension};
pub use header::{OutgoingHeader, RtpHeader, RtpParseError};
