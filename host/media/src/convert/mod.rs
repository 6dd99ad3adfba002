//! Conversion between the format of a source and what its consumers accept.
//!
//! [`path`] plans, without I/O: the cheapest way over the conversions that the
//! installed modules announce; [`route`] makes of it what is to be done about one link. A [`tree`]
//! holds what runs at one source pad: each stage once, shared by all consumers whose paths begin
//! alike. A [`stage`] is one running converter, in the graph a consumer of what feeds it
//! and a source to what comes after it; its work is done by the [workers](crate::workers).
//!
//! *Invariant:* no module code runs on a producer's thread or under the graph's lock.

pub(crate) mod bitrate;
mod heritage;
mod output;
mod path;
pub(crate) mod route;
mod runner;
pub(crate) mod stage;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
mod worth;
