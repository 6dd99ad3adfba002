//! What can go wrong with a session description.

/// Why a description could not be read or negotiated.
///
/// The variants are kept apart so that an endpoint can map them to Kurento codes: [`Empty`],
/// [`TooLarge`] and [`Parse`] say that the text is no SDP (40201), [`Configuration`] that the local
/// side asks for something impossible (40207), [`SectionCount`] and [`SectionMismatch`] that an
/// answer does not belong to the offer (40206), [`NoCommonTransport`] that a peer's section cannot
/// be reached (40205 while processing an offer, 40206 while processing an answer).
///
/// [`Empty`]: SdpError::Empty
/// [`TooLarge`]: SdpError::TooLarge
/// [`Parse`]: SdpError::Parse
/// [`Configuration`]: SdpError::Configuration
/// [`SectionCount`]: SdpError::SectionCount
/// [`SectionMismatch`]: SdpError::SectionMismatch
/// [`NoCommonTransport`]: SdpError::NoCommonTransport
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Nothing but white space.
    #[error("the session description is empty")]
    Empty,

    /// Longer than [`MAX_BYTES`](crate::limits::MAX_BYTES).
    #[error("the session description has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Length of the text in bytes.
        bytes: usize,
        /// The bound that it exceeds.
        limit: usize,
    },

    /// A line that does not follow RFC 8866 or the attribute's own grammar.
    #[error("line {line}: {reason}")]
    Parse {
        /// Line number, counted from 1.
        line: usize,
        /// What is wrong with the line, as a phrase.
        reason: String,
    },

    /// A section was acceptable but says too little (or the wrong thing) about ICE or DTLS.
    #[error("media section {mline_index}: {reason}")]
    NoCommonTransport {
        /// Position of the m= line, counted from 0.
        mline_index: usize,
        /// What is missing or does not fit.
        reason: &'static str,
    },

    /// An answer has the sections of the offer (RFC 3264 §6). One that lacks some is taken; one
    /// with more of them, or with none, is not.
    #[error("the answer has {answered} media sections, the offer has {offered}")]
    SectionCount {
        /// Sections of the offer.
        offered: usize,
        /// Sections of the answer.
        answered: usize,
    },

    /// A section of the answer does not continue the offer's section.
    #[error("media section {mline_index} of the answer does not fit the offer: {reason}")]
    SectionMismatch {
        /// Position of the m= line, counted from 0.
        mline_index: usize,
        /// What differs.
        reason: &'static str,
    },

    /// The local configuration cannot be expressed in an offer.
    #[error("local configuration: {0}")]
    Configuration(String),
}
