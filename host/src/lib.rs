//! Rivero, a plugin-host media server that speaks the Kurento protocol

pub mod error;
pub mod media;
pub mod modules;
