//! The receiving direction of an SRTP session.

use rivero_rtp::RtpHeader;

use super::cipher::{Cipher, Protect, RtpPacket};
use super::index::PacketIndex;
use super::key_derivation::MasterKey;
use super::sources::Sources;
use super::{SRTCP_ENCRYPTED, SrtpError, SrtpProfile};

/// Opens what one peer sends.
pub struct SrtpReceiver {
    cipher: Cipher,
    pub(super) streams: Sources,
    reports: Sources,
}

impl SrtpReceiver {
    /// # Errors
    /// [`SrtpError::Key`] if `key` does not fit `profile`.
    pub fn new(profile: SrtpProfile, key: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            cipher: Cipher::new(profile, key)?,
            streams: Sources::default(),
            reports: Sources::default(),
        })
    }

    /// Opens an SRTP packet in place; `header` was parsed from `packet`. Returns the length of the
    /// plain packet, which begins where `packet` begins.
    ///
    /// After an error the content of `packet` is unspecified.
    ///
    /// # Errors
    /// All but [`SrtpError::KeyExhausted`] and [`SrtpError::TooManyStreams`].
    pub fn unprotect_rtp(
        &mut self,
        header: &RtpHeader,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let ssrc = header.ssrc;
        let place = self.streams.place(ssrc);
        let highest = PacketIndex::after(self.streams.highest(place));
        let index = highest.estimate(header.sequence);
        let index = index.ok_or(SrtpError::TooOld)?;
        self.streams.check(place, index)?;
        let which = RtpPacket {
            ssrc,
            index,
            header_len: usize::from(header.header_len),
        };
        let len = self.cipher.open_rtp(which, packet)?;
        // Only now: a forged packet must not move the window (RFC 3711 §3.3).
        self.streams.accept(ssrc, place, index);
        Ok(len)
    }

    /// Opens an SRTCP packet in place and returns the length of the plain compound packet.
    ///
    /// After an error the content of `packet` is unspecified.
    ///
    /// # Errors
    /// All but [`SrtpError::KeyExhausted`] and [`SrtpError::TooManyStreams`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = packet
            .get(4..8)
            .and_then(|bytes| bytes.first_chunk().copied())
            .map(u32::from_be_bytes)
            .ok_or(SrtpError::TooShort)?;
        let word = self.cipher.rtcp_index_word(packet);
        let word = word.ok_or(SrtpError::TooShort)?;
        let index = u64::from(word & !SRTCP_ENCRYPTED);

        let place = self.reports.place(ssrc);
        self.reports.check(place, index)?;
        let len = self.cipher.open_rtcp(ssrc, word, packet)?;
        self.reports.accept(ssrc, place, index);
        Ok(len)
    }
}
