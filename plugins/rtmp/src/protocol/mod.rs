//! RTMP (Adobe's Real-Time Messaging Protocol 1.0, AMF 0) as a client that publishes or plays, and as a server that is
//! published to. No I/O and no clock: bytes of the other side go in, bytes for it and what it said come out.
//!
//! * [`Target`]: where a URL leads. [`path`]: what both sides take for the same stream.
//! * [`Client`]: one connection to a server, from the handshake to the end.
//! * [`Session`]: one connection of somebody who publishes to us.
//! * [`ChunkReader`], [`ChunkWriter`]: messages in chunks, one file for each way.
//! * [`amf0`]: values of commands and of metadata.

pub(crate) mod amf0;
mod chunk_reader;
mod chunk_writer;
mod client;
mod enhanced;
mod handshake;
mod login;
mod message;
mod paths;
mod session;
mod target;
mod window;

pub(crate) use client::{Again, Client, Failure, Role, Said};
pub(crate) use handshake::RANDOM;
pub(crate) use message::{AUDIO, DATA, Message, VIDEO};
pub(crate) use paths::path;
pub(crate) use session::{Request, Session, Violation};
pub(crate) use target::Target;

#[cfg(test)]
pub(crate) use chunk_writer::ChunkWriter;
#[cfg(test)]
pub(crate) use message::COMMAND;
