//! What a bad network does to datagrams, as a model in virtual time.
//!
//! [`Direction`] says of each datagram when it arrives, if at all. The relay beside it and the
//! tests of congestion control drive the same model.

mod direction;

pub use direction::{Arrivals, Conditions, Direction};
