//! RTMP (Adobe's Real-Time Messaging Protocol 1.0, AMF 0) as a client that publishes. No I/O and no clock: bytes of the
//! server go in, bytes for it and what it said come out.
//!
//! * [`Target`]: where a URL leads.
//! * [`Publisher`]: one connection, from the handshake to the end.
//! * [`ChunkReader`], [`ChunkWriter`]: messages in chunks, one file for each way.
//! * [`amf0`]: values of commands and of metadata.

pub(crate) mod amf0;
mod chunk_reader;
mod chunk_writer;
mod handshake;
mod login;
mod message;
mod publisher;
mod target;

pub(crate) use handshake::RANDOM;
pub(crate) use message::Message;
pub(crate) use message::{AUDIO, DATA, VIDEO};
pub(crate) use publisher::{Again, Failure, Publisher, Said};
pub(crate) use target::Target;

#[cfg(test)]
pub(crate) use chunk_writer::ChunkWriter;
#[cfg(test)]
pub(crate) use message::COMMAND;
