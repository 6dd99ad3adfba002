//! The receiving direction of an SRTP session.

use rivero_rtp::RtpHeader;

use super::cipher::{Cipher, Protect, RtpPacket};
use super::index::PacketIndex;
use super::key_derivation::MasterKey;
use super::mki::Mki;
use super::sources::{Place, Sources};
use super::{SRTCP_ENCRYPTED, SrtpError, SrtpProfile};

/// Opens what one peer sends.
pub struct SrtpReceiver {
    cipher: Cipher,
    profile: SrtpProfile,
    mki: Option<Mki>,
    /// Highest indexes of sources that this key has not opened a packet of, but the one before has.
    inherited: Vec<(u32, u64)>,
    pub(super) streams: Sources,
    reports: Sources,
}

impl SrtpReceiver {
    /// # Errors
    /// [`SrtpError::Key`] if `key` does not fit `profile`.
    pub fn new(profile: SrtpProfile, key: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            cipher: Cipher::new(profile, key)?,
            profile,
            mki: None,
            inherited: Vec::new(),
            streams: Sources::default(),
            reports: Sources::default(),
        })
    }

    /// Expects a master key identifier in each packet, before the tag.
    #[must_use]
    pub fn with_mki(mut self, mki: Option<Mki>) -> Self {
        self.mki = mki;
        self
    }

    /// Takes the place of `former`, whose key the peer has given up. Senders either go on with the roll-over
    /// counters of their streams or begin at 0: with the first packet of each it shows which.
    #[must_use]
    pub fn succeeding(mut self, former: &Self) -> Self {
        self.inherited = former.streams.all_highest();
        self
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
        let packet = without_mki(self.mki.as_ref(), self.profile.rtp_tag_len(), packet)?;
        let place = self.streams.place(ssrc);
        let inherited = match place {
            Place::New => self.inherited_highest(ssrc),
            _ => None,
        };
        let highest = PacketIndex::after(self.streams.highest(place).or(inherited));
        let index = highest.estimate(header.sequence);
        let index = index.ok_or(SrtpError::TooOld)?;
        self.streams.check(place, index)?;
        let mut which = RtpPacket {
            ssrc,
            index,
            header_len: usize::from(header.header_len),
        };
        let mut opened = self.cipher.open_rtp(which, packet);
        if inherited.is_some() && opened == Err(SrtpError::Authentication) {
            which.index = u64::from(header.sequence);
            opened = self.cipher.open_rtp(which, packet);
        }
        let len = opened?;
        // Only now: a forged packet must not move the window (RFC 3711 §3.3).
        self.streams.accept(ssrc, place, which.index);
        if inherited.is_some() {
            self.inherited.retain(|(known, _)| *known != ssrc);
        }
        Ok(len)
    }

    fn inherited_highest(&self, ssrc: u32) -> Option<u64> {
        let mut inherited = self.inherited.iter();
        let known = inherited.find(|(known, _)| *known == ssrc);
        known.map(|(_, highest)| *highest)
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
        let packet = without_mki(self.mki.as_ref(), self.profile.rtcp_tag_len(), packet)?;
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

/// The packet without the identifier of its key.
///
/// # Errors
/// [`SrtpError::Authentication`] if it is for another key.
#[inline]
fn without_mki<'a>(
    mki: Option<&Mki>,
    tag_len: usize,
    packet: &'a mut [u8],
) -> Result<&'a mut [u8], SrtpError> {
    let Some(mki) = mki else { return Ok(packet) };
    let len = mki.remove(tag_len, packet);
    let len = len.ok_or(SrtpError::Authentication)?;
    packet.get_mut(..len).ok_or(SrtpError::TooShort)
}
