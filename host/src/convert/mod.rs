//! Values between the wire and the objects, converted as the descriptors say.
//!
//! What comes in is what clients may write (numbers for strings, null for anything); what an
//! object gets is exactly typed. What an object answers is checked the other way round, so that
//! no client sees a value that its descriptor does not announce.

mod incoming;
mod outgoing;

pub use incoming::{Converted, Incoming, Place};
pub use outgoing::{Mismatch, label_event, outgoing};
