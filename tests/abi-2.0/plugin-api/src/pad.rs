//! The ends of links.

use abi_stable::std_types::{ROption, RResult, RSlice};

use crate::{
    Encoding, Packet, Result, SinkSelection, Upstream,
    abi::{
        module, traits,
        types::{AbiEncoding, AbiUpstream},
    },
};

/// The description of a pad unless there are several of one kind.
pub const DEFAULT_DESCRIPTION: &str = "default";

/// What a source hears from its consumers, on threads of the module. A call that does not return at once is
/// told of, and its element gets no media until it does.
pub trait SourceHandler: Send + Sync + 'static {
    /// A message from downstream; keyframe requests come already coalesced.
    fn upstream(&self, message: Upstream) {
        let _ = message;
    }

    /// The number of consumers changed.
    fn consumers(&self, count: u32) {
        let _ = count;
    }
}

impl SourceHandler for () {}

/// What arrives at a sink, on threads of the module. A call that does not return at once is told of, and its
/// element gets no media until it does.
pub trait SinkHandler: Send + Sync + 'static {
    /// Media, in order. On the producer's thread where `build.rs` says `inline`. Not called when the
    /// pad belongs to a group.
    fn packets(&self, packets: &[Packet]) {
        let _ = packets;
    }

    /// The format of what arrives from now on, `None` when nothing is connected. No packet of a stream
    /// comes before this has returned.
    fn format(&self, format: Option<u32>) {
        let _ = format;
    }
}

impl SinkHandler for () {}

/// Takes a burst once for many sinks that live on one thread of a module.
pub trait SinkGroup: Send + Sync + 'static {
    /// Called on the producer's thread: queue and wake, never block.
    fn push_batch(&self, packets: &[Packet], sinks: &[SinkSelection]);
}

/// A group as pads refer to it.
pub struct SinkGroupHandle(traits::SinkGroup);

impl SinkGroupHandle {
    /// Wraps a group for use by any number of pads.
    pub fn new(group: impl SinkGroup) -> Self {
        Self(module::sink_group(group))
    }

    pub(crate) fn share(&self) -> traits::SinkGroup {
        traits::AbiSinkGroup_TO::from_sabi(self.0.obj.shallow_clone())
    }
}

/// Media out. Closed when dropped.
pub struct SourcePad {
    pad: traits::SourcePad,
    id: u32,
}

impl SourcePad {
    pub(crate) fn new(pad: traits::SourcePad) -> Self {
        let id = pad.id();
        Self { pad, id }
    }

    /// Goes into [`Packet::origin`]; unique in the process.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Hands a burst to all consumers. Cut into pieces of 64 packets; never blocks.
    pub fn push(&self, packets: &[Packet]) {
        for burst in packets.chunks(64) {
            self.pad.push(RSlice::from_slice(burst));
        }
    }

    /// What flows from now on; `None` before it is known and when it ends.
    pub fn set_format(&self, format: Option<u32>) {
        self.pad.set_format(format.unwrap_or(0));
    }

    /// Shows what another pad of the same pipeline and kind sends, such as one that a hub has opened for all of
    /// its ports: whoever consumes this pad consumes that one from now on, and what is pushed into this one
    /// reaches nobody. `None`: itself again, as it also is when the other one closes.
    ///
    /// Of what several pads show each conversion is made once. The consumers count as those of the pad that
    /// is shown: its handler is told of them and of what they say.
    ///
    /// # Errors
    /// 40107 where the other pad is of another kind or pipeline, closed, or shows another one itself, and where
    /// this one is shown by others.
    pub fn show(&self, pad: Option<&Self>) -> Result<()> {
        match self.pad.show(pad.map_or(0, Self::id)) {
            RResult::ROk(()) => Ok(()),
            RResult::RErr(error) => Err(error.into()),
        }
    }

    /// The encodings that packets refer to by [`Layer`](crate::Layer).
    pub fn set_encodings(&self, encodings: &[Encoding]) {
        let encodings: Vec<AbiEncoding> = encodings.iter().map(AbiEncoding::from).collect();
        self.pad.set_encodings(RSlice::from_slice(&encodings));
    }
}

impl Drop for SourcePad {
    fn drop(&mut self) {
        self.pad.close();
    }
}

/// Media in. Closed when dropped.
pub struct SinkPad(traits::SinkPad);

impl SinkPad {
    pub(crate) fn new(pad: traits::SinkPad) -> Self {
        Self(pad)
    }

    /// Acceptable formats in order of preference; links wait while it is empty.
    pub fn set_accepted(&self, formats: &[u32]) {
        self.0.set_accepted(RSlice::from_slice(formats));
    }

    /// Takes whatever comes; [`SinkHandler::format`] tells what it is.
    pub fn accept_any(&self) {
        self.set_accepted(&[traits::ANY_FORMAT]);
    }

    /// Sends a message towards the source.
    pub fn upstream(&self, message: Upstream) {
        self.0.upstream(AbiUpstream::from(message));
    }

    /// A recent packet of what feeds this pad now, for retransmission (RFC 4585 NACK).
    pub fn history(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        match self.0.history(ssrc, sequence) {
            ROption::RSome(packet) => Some(packet),
            ROption::RNone => None,
        }
    }

    /// Bit/s of the next better encoding that the source has, while this pad gets a lesser one
    /// because of its [`BandwidthEstimate`](Upstream::BandwidthEstimate).
    pub fn next_bitrate(&self) -> Option<u64> {
        Some(self.0.next_bitrate()).filter(|bitrate| *bitrate > 0)
    }
}

impl Drop for SinkPad {
    fn drop(&mut self) {
        self.0.close();
    }
}
