//! HTTP Live Streaming (RFC 8216), as far as it can be told from bytes.
//!
//! There is no I/O and no clock here. Whoever plays a stream fetches what the playlists name, and asks:
//!
//! * [`playlist`]: what a playlist says, with all URLs resolved.
//! * [`choice`]: which variant of a master playlist is played, and which rendition of its sound.
//! * [`window`]: where a stream begins, which segment comes next, and when a live playlist is to be loaded again.
//! * [`cipher`]: segments that are encrypted as a whole (AES-128).
//! * [`demux`]: frames out of segments: MPEG-2 transport streams, fragments of MP4 and packed audio.
//! * [`timeline`]: where the times of a segment lie among those of all segments.
//!
//! Whatever comes from outside is bounded: texts and entries by [`playlist`], what is kept of a segment by [`demux`].

pub mod choice;
pub mod cipher;
pub mod demux;
pub mod playlist;
pub mod timeline;
pub mod window;

mod error;

pub use error::Error;
