//! Rivero, a plugin-host media server that speaks the Kurento protocol

pub mod accounts;
pub mod aliases;
pub mod auth;
pub mod config;
pub mod console;
pub mod convert;
pub mod core;
pub mod error;
pub mod events;
pub mod handover;
pub mod http;
pub mod jsonrpc;
pub mod lanes;
pub mod lifecycle;
pub mod modules;
pub mod observe;
mod pages;
pub mod protocol;
pub mod redact;
pub mod registry;
pub mod regular_file;
pub mod reload;
pub mod server;
pub mod signals;
pub mod startup;
mod systemd;
mod tasks;
