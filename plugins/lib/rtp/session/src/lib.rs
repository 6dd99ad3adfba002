//! An RTP session with one peer (RFC 3550) without I/O: bytes and [`Instant`]s go in, datagrams and
//! calls on pads come out. There is no socket, thread or clock in it, and no path: who owns a
//! [`Session`] hands it what arrived, tells it when its timer is due, and sends what it gives.
//!
//! - [`session`]: the tracks of one peer with what they share: regular reports, feedback in both
//!   directions, what the path carries, pacing, and whether media is alive.
//! - [`receiver`]: what the peer sends of one kind of media, as packets for a source pad.
//! - [`sender`]: what the peer is sent of one kind of media, out of what a sink pad gets.
//! - [`digits`]: what the peer dials, and what is dialled for it, in place of its sound (RFC 4733).
//!
//! The seams are four traits, as narrow as what is asked of the other side:
//!
//! - [`Protect`]: SRTP, whatever agreed on its keys (DTLS, SDES), or nothing at all.
//! - [`Datagrams`]: takes the datagrams of a burst, so that they can leave in one system call.
//! - [`Deliver`]: where a receiver's packets go; the module boundary's `SourcePad` is one.
//! - [`Feed`]: what feeds a sender and can be asked for keyframes and former packets; `SinkPad` is one.
//!
//! Feedback goes out as RTP/AVPF has it (RFC 4585), in compounds of reduced size (RFC 5506) where
//! nothing else is to be said.
//!
//! [`Instant`]: std::time::Instant

mod clock;
pub mod digits;
mod extensions;
mod losses;
mod pads;
mod protect;
pub mod receiver;
pub mod sender;
pub mod session;

pub use clock::PipelineClock;
pub use digits::{Digit, DigitFormats};
pub use pads::{Deliver, Feed};
pub use protect::{Datagrams, Paddings, Protect};
pub use receiver::{Encodings, ReceivedFormat, Receiver, ReceiverConfig, StreamDescription};
pub use sender::{Retransmissions, SendBounds, Sender, SenderConfig, SentFormat};
pub use session::{Profile, Session, SessionEvent, SessionSnapshot, Track};
