//! What makes a stream unplayable.

/// Why a playlist or a segment is not played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text does not begin as RFC 8216 §4.3.1.1 asks for.
    #[error("what the playlist's URL leads to is no HLS playlist: it does not begin with #EXTM3U")]
    NoPlaylist,
    /// A line that cannot be left out makes no sense.
    #[error("the HLS playlist is broken in line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More than is read.
    #[error("the HLS playlist has more than {0}, which is more than is accepted")]
    TooMuch(&'static str),
    /// Neither segments nor variants.
    #[error("the HLS playlist names nothing that could be played")]
    Empty,
    /// A way of encryption that is not supported.
    #[error(
        "the HLS stream is encrypted with {0}; AES-128 with the key format \"identity\" is played only"
    )]
    Encryption(String),
    /// Something that the standard knows and this crate does not.
    #[error("the HLS playlist uses {0}, which is not supported")]
    Unsupported(&'static str),
    /// What was decrypted is nothing that was encrypted with that key.
    #[error("a segment cannot be decrypted: its key does not fit, or it is not whole")]
    Cipher,
    /// A segment that makes no sense.
    #[error("a segment of the HLS stream is broken: {0}")]
    Segment(&'static str),
    /// A segment in no known container.
    #[error(
        "a segment of the HLS stream is neither an MPEG-2 transport stream nor fragmented MP4 nor packed audio"
    )]
    Container,
}
