//! The binary interface between the host and its modules, version 2.
//!
//! This is the only place of the crate with `unsafe`: it owns raw memory that
//! crosses compilation units ([`bytes`]) and the tables of functions that both
//! sides call ([`traits`]). Authors never name anything in here; the host and
//! the expansion of [`export_module!`](crate::export_module) do.
//!
//! Every entry, in both directions, goes through [`guard`]: a panic never
//! crosses the boundary, it becomes an error on the object it happened in.
#![allow(unsafe_code, missing_docs)]

pub mod bytes;
pub mod details;
pub mod guard;
pub mod heap;
pub mod module;
pub mod packet;
pub mod section;
pub mod timer;
pub mod traits;
pub mod types;

pub use abi_stable;

/// A module and a host with different majors refuse each other.
pub const ABI_MAJOR: u16 = 2;
/// Additions only; both sides use what both know.
pub const ABI_MINOR: u16 = 0;
