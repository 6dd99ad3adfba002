//! Publishers that come to us: one server for all ingests of the process, which begins with the first and ends with the
//! last.
//!
//! A connection is a [`visit`]: it asks for the [`Seat`] of a path, and keeps it while it is alive.

mod seat;
mod server;
mod visit;

pub(crate) use seat::Seat;
pub(crate) use server::{Address, Lease};
