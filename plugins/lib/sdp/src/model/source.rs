//! RTP sources that a section announces (RFC 5576).

use super::Attribute;

/// The `a=ssrc:<ssrc> …` lines of one SSRC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Synchronisation source.
    pub ssrc: u32,
    /// `cname`: sources with the same one share a clock (RFC 3550 §6.5.1).
    pub cname: Option<String>,
    /// The other attributes (`msid`, `label` …) in their order.
    pub attributes: Vec<Attribute>,
}

impl Source {
    /// A source that announces nothing but its cname.
    pub fn new(ssrc: u32, cname: impl Into<String>) -> Self {
        Self {
            ssrc,
            cname: Some(cname.into()),
            attributes: Vec::new(),
        }
    }
}

/// `a=ssrc-group:<semantics> <ssrc> …` (RFC 5576 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceGroup {
    /// `FID` (a stream and its retransmission), `SIM` (simulcast layers), `FEC-FR` …
    pub semantics: String,
    /// Members in their order.
    pub ssrcs: Vec<u32>,
}

impl SourceGroup {
    /// A stream and its retransmission stream (RFC 5888 §8.2, RFC 4588 §8.3).
    pub fn flow_identification(ssrc: u32, rtx_ssrc: u32) -> Self {
        Self {
            semantics: "FID".to_owned(),
            ssrcs: vec![ssrc, rtx_ssrc],
        }
    }

    /// The retransmission stream that belongs to `ssrc`, if this group says so.
    pub fn rtx_of(&self, ssrc: u32) -> Option<u32> {
        match self.ssrcs.as_slice() {
            [primary, rtx] if self.semantics == "FID" && *primary == ssrc => Some(*rtx),
            _ => None,
        }
    }
}
