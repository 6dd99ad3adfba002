//! Modules at work: what `kmd check` above level 5 and `kmd fuzz` do with them.
//!
//! The library is loaded by a process for each thing that is done with it (`child.rs`), into a pipeline without a server
//! (crate `rivero-testing`). This side plans what is done (`sequence.rs`, `media.rs`, `values.rs`), and judges what comes of it
//! (`run.rs`).

pub(crate) mod child;
mod leaks;
mod media;
mod plan;
mod process;
mod random;
mod run;
mod sequence;
mod shrink;
mod stage;
mod subject;
mod values;

pub(crate) use plan::{Fault, Finding, Job, Plan, Subject, short};
pub(crate) use random::Random;
pub(crate) use run::{Scratch, run};
pub(crate) use shrink::smallest;
pub(crate) use subject::{Exercised, subjects};
