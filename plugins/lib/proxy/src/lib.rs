//! The connections of RTSP and RTMP sources, made by the server itself.
//!
//! GStreamer's sources look names up by themselves, follow redirections, send what a server tells them to where it
//! tells them to, and ask proxies of the environment. So they get a URL of a [`Proxy`] instead, a listener on loopback
//! that makes each connection by a [`rivero_http::Dialer`] and reads what both sides say:
//!
//! ```text
//! rtspsrc ──rtsp://127.0.0.1:port/token/…──> proxy ──pinned, checked address──> camera
//!    no password, no other host               │ answers 401, follows 3xx through the policy, confines Transport and c=
//! ```
//!
//! [`rtsp`] is what is said, without I/O; [`rtmp`] the same for the first message of an RTMP client.

mod failure;
mod proxy;
pub mod rtmp;
pub mod rtsp;

pub use failure::Failure;
pub use proxy::{Names, Proxy};
