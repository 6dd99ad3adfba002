//! The protection of an RTP session as WebRTC has it: SRTP under the keys of DTLS (RFC 5764).

use rivero_rtp::OutgoingHeader;
use rivero_rtp_session::Protect;

use crate::peer::{Peer, PeerError};

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
