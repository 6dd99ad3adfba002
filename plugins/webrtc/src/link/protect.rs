//! The seams of an RTP session as WebRTC has them: SRTP under the keys of DTLS (RFC 5764), and bursts
//! that leave through a shard's sockets.

use rivero_rtp::OutgoingHeader;
use rivero_rtp_session::{Datagrams, Paddings, Protect};

use crate::{
    peer::{Peer, PeerError},
    shard::Outgoing,
};

impl Protect for Peer {
    type Error = PeerError;

    fn can_send(&self) -> bool {
        self.path().is_some()
    }

    #[inline]
    fn protect_rtp(
        &mut self,
        header: &OutgoingHeader<'_>,
        payload: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, PeerError> {
        Self::protect_rtp(self, header, payload, out)
    }

    fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, PeerError> {
        Self::protect_rtcp(self, plain, out)
    }
}

impl Datagrams for Outgoing<'_> {
    #[inline]
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        Self::add(self, write);
    }

    #[inline]
    fn paddings(&self, lengths: &[usize]) -> Paddings {
        Self::paddings(self, lengths)
    }
}
