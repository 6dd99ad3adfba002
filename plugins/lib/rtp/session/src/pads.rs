//! What a session needs of the pads on the other side of the module boundary, and no more: so that
//! a test can stand in for the server. Both are called a few times a burst at most, through a
//! function pointer already, so a session keeps them as trait objects.

use rivero_plugin_api::{Encoding, Packet, SinkPad, SourcePad, Upstream};

/// Where the packets of a [`Receiver`](crate::Receiver) go.
pub trait Deliver: Send + Sync {
    /// Goes into [`Packet::origin`]; always the same, unique in the process.
    fn id(&self) -> u32;

    /// Takes a burst of packets of one format.
    fn push(&self, packets: &[Packet]);

    /// The format of what comes from now on; `None` before it is known and when it ends.
    fn set_format(&self, format: Option<u32>);

    /// The encodings that the packets' layers refer to.
    fn set_encodings(&self, encodings: &[Encoding]);
}

impl Deliver for SourcePad {
    fn id(&self) -> u32 {
        Self::id(self)
    }

    fn push(&self, packets: &[Packet]) {
        Self::push(self, packets);
    }

    fn set_format(&self, format: Option<u32>) {
        Self::set_format(self, format);
    }

    fn set_encodings(&self, encodings: &[Encoding]) {
        Self::set_encodings(self, encodings);
    }
}

/// What feeds a [`Sender`](crate::Sender).
pub trait Feed: Send + Sync {
    /// The formats that can be sent now; nothing comes while there are none.
    fn set_accepted(&self, formats: &[u32]);

    /// Asks the source for something, or tells it what arrives.
    fn upstream(&self, message: Upstream);

    /// A recent packet of the present source, to be sent again.
    fn history(&self, ssrc: u32, sequence: u16) -> Option<Packet>;

    /// Bit/s of the next better encoding that the source has, where only the estimate of the path
    /// keeps it back.
    fn next_bitrate(&self) -> Option<u64>;
}

impl Feed for SinkPad {
    fn set_accepted(&self, formats: &[u32]) {
        Self::set_accepted(self, formats);
    }

    fn upstream(&self, message: Upstream) {
        Self::upstream(self, message);
    }

    fn history(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        Self::history(self, ssrc, sequence)
    }

    fn next_bitrate(&self) -> Option<u64> {
        Self::next_bitrate(self)
    }
}
