//! What stands between a session and the wire.

use rivero_rtp::OutgoingHeader;
use smallvec::SmallVec;

/// Bytes of padding for each packet of a burst. As many as most bursts have need no memory of their own.
pub type Paddings = SmallVec<[u8; 16]>;

/// Protects what a session sends: SRTP under keys that DTLS or SDES brought, or, for plain RTP,
/// nothing. Sessions are generic over it, because every packet to every viewer passes it.
pub trait Protect {
    /// Why a packet cannot be sent.
    type Error;

    /// Whether something protected now could leave: the peer's keys and a path to it are known. While
    /// it is false a session makes no reports, retransmissions or probes.
    fn can_send(&self) -> bool;

    /// Appends one packet to `out`: the header, then the `payload` parts, then the header's padding. Gives how many bytes that
    /// were. One number is never used for two different packets (RFC 3711 §9.1); what a session
    /// repeats under its number is the same to the bit.
    ///
    /// # Errors
    /// Whatever keeps it from being sent; `out` is as before then.
    fn protect_rtp(
        &mut self,
        header: &OutgoingHeader<'_>,
        payload: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, Self::Error>;

    /// Appends the compound RTCP packet `plain` to `out`. Gives how many bytes that were.
    ///
    /// # Errors
    /// Whatever keeps it from being sent; `out` is as before then.
    fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, Self::Error>;
}

/// Takes the datagrams of a burst one after the other. Not a queue of buffers: the owner's own memory
/// is written into, so that datagrams lie side by side as UDP segmentation offload needs them.
pub trait Datagrams {
    /// Lets `write` append one datagram; nothing is to be sent where it gives false.
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool);

    /// By how many bytes to pad packets of these lengths, in the order in which they will be added, so
    /// that they leave in few messages. Empty where padding saves none.
    fn paddings(&self, _lengths: &[usize]) -> Paddings {
        Paddings::new()
    }
}
