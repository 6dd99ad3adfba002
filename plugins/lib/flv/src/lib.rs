//! FLV with H.264 and AAC (Adobe Flash Video File Format Specification 10.1, annex E).
//!
//! Everything here is a pure function from values to bytes: there is no I/O, no clock and no
//! dependency. A file is [`file_header`] and then tags ([`tag`]), each with a body: [`video`],
//! [`audio`] or [`script`]. Messages of RTMP have the same bodies, under the same numbers
//! ([`TagType`]), without the tag around them.
//!
//! Times are in ms from the beginning of the file. What units and configurations look like is the
//! business of `rivero-codec`; here they are bytes.

pub mod audio;
pub mod script;
mod tag;
pub mod video;

pub use tag::{FLAGS_OFFSET, TAG_HEADER_LENGTH, TagType, file_header, flags, tag};
