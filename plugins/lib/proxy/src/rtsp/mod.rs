//! RTSP 1.0 (RFC 2326) as far as a proxy between a client and a server has to understand it. No I/O.

mod credentials;
mod description;
mod message;
mod reply;
mod session;
mod splitter;
mod target;
mod transport;
mod upkeep;

pub use session::{Output, Session};
pub use target::Target;
