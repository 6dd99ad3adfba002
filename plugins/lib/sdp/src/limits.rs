//! Upper bounds on what a peer's description may hold.
//!
//! They are far above what any known stack sends and keep both memory and the look-ups by number
//! (payload type, SSRC) cheap for hostile input.

/// Bytes of a whole description. A Chromium offer has about 10 kB per video section.
pub const MAX_BYTES: usize = 512 * 1024;

/// Media sections of a description, rejected ones included.
pub const MAX_SECTIONS: usize = 128;

/// `a=group` lines; each names [`MAX_SECTIONS`] sections at most. Every section is looked up in all
/// of them. A browser writes one, two with lip synchronisation.
pub const MAX_GROUPS: usize = 32;

/// Formats of one m= line; RTP has no more payload types (RFC 3550 §5.1).
pub const MAX_FORMATS: usize = 128;

/// RTCP feedback entries of one format.
pub const MAX_FEEDBACK: usize = 32;

/// Bytes of one RTCP feedback entry; longer ones are ignored.
pub const MAX_FEEDBACK_BYTES: usize = 64;

/// Sources (`a=ssrc`) and source groups of one section.
pub const MAX_SOURCES: usize = 512;

/// Header extensions of one level. The session's are copied into every section.
pub const MAX_EXTENSIONS: usize = 64;

/// Bytes of the value of an `a=extmap` or `a=ice-options` line.
pub const MAX_DEFAULT_BYTES: usize = 512;

/// ICE candidates of one section.
pub const MAX_CANDIDATES: usize = 256;
