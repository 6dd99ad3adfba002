//! SDP offer/answer (RFC 8866, RFC 3264, RFC 9429) as Kurento speaks it.
//!
//! Three layers, all pure: no sockets, no clocks, no randomness.
//!
//! - [`model`]: a session description as types. [`parse`](fn@parse) makes one from text, its
//!   `Display` writes it back. [`TransportOffer`] tells what a section offers as transport: ICE
//!   and DTLS, keys in the description, or plain RTP.
//! - [`candidate`]: one ICE candidate line (RFC 8839), used inside descriptions and for trickling.
//! - [`negotiate`]: [`answer`], [`offer`] and [`accept_answer`] turn what an endpoint is able to do
//!   ([`LocalConfig`]) and what the peer said into a local description and a [`Negotiated`] session
//!   that names payload types, extensions, sources and transports.
//!
//! Text from a peer is never trusted: its size, the number of its sections and of the entries that
//! are looked up by number are bounded ([`limits`]). Reading is lenient and writing strict: a line
//! that is ill-formed has no effect ([`parse_with`] tells of it), what is no description at all is
//! an [`SdpError`], and so is a section that would be accepted and does not say where its peer is.
//!
//! ```
//! # fn main() -> Result<(), rivero_sdp::SdpError> {
//! let text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/SAVPF 0\r\n";
//! let offer = rivero_sdp::parse(text)?;
//! assert!(offer.media[0].codecs[0].is("pcmu"));
//! # Ok(())
//! # }
//! ```

pub mod candidate;
mod error;
pub mod limits;
pub mod model;
pub mod negotiate;
mod parse;
#[cfg(test)]
mod samples;
mod text;

pub use candidate::{Candidate, CandidateAddress, CandidateError, CandidateKind, TcpType};
pub use error::SdpError;
pub use model::*;
pub use negotiate::*;
pub use parse::{IgnoredLine, parse, parse_with};
