//! FLV (Adobe Flash Video File Format Specification 10.1, annex E) and what Enhanced RTMP v2 adds to it.
//!
//! Everything here is a pure function of values and bytes: there is no I/O, no clock and no
//! dependency. A file is [`file_header`] and then tags ([`tag`]), each with a body: [`video`],
//! [`audio`] or [`script`]. Messages of RTMP have the same bodies, under the same numbers
//! ([`TagType`]), without the tag around them; [`parse`] reads them, [`enhanced`] writes those that name their encoding
//! by four characters.
//!
//! Times are in ms from the beginning of the file. What units and configurations look like is the
//! business of `rivero-codec`; here they are bytes.

pub mod audio;
mod coding;
pub mod enhanced;
pub mod parse;
pub mod script;
mod tag;
pub mod video;

pub use coding::Coding;
pub use tag::{FLAGS_OFFSET, TAG_HEADER_LENGTH, TagType, file_header, flags, tag};
