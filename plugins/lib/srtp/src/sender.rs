//! The sending direction of an SRTP session.

use rivero_rtp::OutgoingHeader;
use smallvec::SmallVec;

use super::cipher::{Cipher, Protect, RtpPacket};
use super::index::PacketIndex;
use super::key_derivation::MasterKey;
use super::mki::Mki;
use super::{RTCP_CLEAR_LEN, SRTCP_ENCRYPTED, SrtpError, SrtpProfile};

/// Streams that we send to one peer.
const MAX_STREAMS: usize = 128;
/// As many as nearly all peers are sent: sound, pictures, and repetitions of these.
const USUAL_STREAMS: usize = 3;

/// Bytes of the longest authentication tag.
const MAX_TRAILER: usize = 16;

/// Packets that one master key may protect (RFC 3711 §9.2).
const MAX_PACKETS: u64 = 1 << 48;

/// How far back a retransmission under its own number may reach, in packets.
///
/// The receiver gives the upper bound: libsrtp's window in browsers has 1,024 packets (libwebrtc sets
/// so many), and what is further back is dropped there. Twice that refuses nothing that could be of
/// use. There has to be a bound because of what a jump back further than that is: not a
/// retransmission, but a stream that begins anew under its SSRC, whose numbers would be used for other
/// packets. Under AES-GCM that gives the authentication key away (RFC 7714 §8.4), in counter mode the
/// content (RFC 3711 §9.1). The estimate of the index (RFC 3711 §3.3.1) leaves 32,768 to find it in.
const MAX_RETRANSMISSION_AGE: u64 = 2048;

/// Protects what is sent to one peer.
pub struct SrtpSender {
    cipher: Cipher,
    profile: SrtpProfile,
    mki: Option<Mki>,
    /// Packets that the key may still protect.
    left: u64,
    streams: SmallVec<[(u32, PacketIndex); USUAL_STREAMS]>,
    /// Index of the last SRTCP packet. One counter serves all senders of the session: it only
    /// has to be unique per SSRC.
    report_index: u32,
}

impl SrtpSender {
    /// # Errors
    /// [`SrtpError::Key`] if `key` does not fit `profile`.
    pub fn new(profile: SrtpProfile, key: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            cipher: Cipher::new(profile, key)?,
            profile,
            mki: None,
            left: MAX_PACKETS,
            streams: SmallVec::new(),
            report_index: 0,
        })
    }

    /// Puts a master key identifier into each packet, before the tag.
    #[must_use]
    pub fn with_mki(mut self, mki: Option<Mki>) -> Self {
        self.mki = mki;
        self
    }

    /// Limits the key to so many packets; 2^48 are the protocol's own limit.
    #[must_use]
    pub fn with_lifetime(mut self, packets: u64) -> Self {
        self.left = self.left.min(packets);
        self
    }

    /// How many packets the key may still protect.
    #[must_use]
    pub fn packets_left(&self) -> u64 {
        self.left
    }

    /// Appends one SRTP packet to `out`: `header`, the concatenated `payload` parts and the padding
    /// encrypted, and the tag. Returns how many bytes were appended; on an error `out` is as before.
    ///
    /// A stream begins with a sequence number below 32768, so that the receiver cannot miss the
    /// first roll-over. Sequence numbers may go back by up to 2048 for retransmissions, but a
    /// number must never be used again **for different bytes** (header extensions included): with
    /// AES-GCM two different packets under one number give the authentication key away. Repeating
    /// the identical packet yields identical bytes and is safe.
    ///
    /// # Errors
    /// [`SrtpError::KeyExhausted`], [`SrtpError::TooManyStreams`], and [`SrtpError::TooOld`] for a
    /// sequence number from before the retransmission limit.
    pub fn protect_rtp(
        &mut self,
        header: &OutgoingHeader<'_>,
        payload: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, SrtpError> {
        if self.left == 0 {
            return Err(SrtpError::KeyExhausted);
        }
        let index = self.next_index(header.ssrc, header.sequence)?;
        self.left -= 1;
        let start = out.len();
        let length: usize = payload.iter().map(|part| part.len()).sum();
        let length = length + usize::from(header.padding);
        out.reserve(header.encoded_len() + length + MAX_TRAILER);
        header.write_to(out);
        let which = RtpPacket {
            ssrc: header.ssrc,
            index,
            header_len: out.len() - start,
        };
        for part in payload {
            out.extend_from_slice(part);
        }
        header.write_padding(out);
        let sealed = self.cipher.seal_rtp(which, start, out);
        self.identify(self.profile.rtp_tag_len(), sealed, start, out)
    }

    fn next_index(&mut self, ssrc: u32, sequence: u16) -> Result<u64, SrtpError> {
        let position = self.streams.iter().position(|(known, _)| *known == ssrc);
        if let Some((_, stream)) = position.and_then(|at| self.streams.get_mut(at)) {
            let index = stream.estimate(sequence).ok_or(SrtpError::KeyExhausted)?;
            // See the constant: its numbers would be used twice.
            if stream.highest() > index + MAX_RETRANSMISSION_AGE {
                return Err(SrtpError::TooOld);
            }
            stream.update(index);
            return Ok(index);
        }
        if self.streams.len() >= MAX_STREAMS {
            return Err(SrtpError::TooManyStreams);
        }
        let mut stream = PacketIndex::default();
        stream.update(u64::from(sequence));
        self.streams.push((ssrc, stream));
        Ok(u64::from(sequence))
    }

    /// Appends the compound RTCP packet `plain` to `out`, protected. Returns how many bytes were
    /// appended; on an error `out` is as before.
    ///
    /// # Errors
    /// [`SrtpError::TooShort`] for less than eight bytes, [`SrtpError::KeyExhausted`].
    pub fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, SrtpError> {
        let ssrc = plain
            .get(4..RTCP_CLEAR_LEN)
            .and_then(|bytes| bytes.first_chunk().copied())
            .map(u32::from_be_bytes)
            .ok_or(SrtpError::TooShort)?;
        let index = self.report_index + 1;
        if index >= SRTCP_ENCRYPTED {
            return Err(SrtpError::KeyExhausted);
        }
        self.report_index = index;
        let start = out.len();
        out.extend_from_slice(plain);
        let sealed = self.cipher.seal_rtcp(ssrc, index, start, out);
        self.identify(self.profile.rtcp_tag_len(), sealed, start, out)
    }

    /// Puts the identifier of the key before the tag, where it has one.
    #[inline]
    fn identify(
        &self,
        tag_len: usize,
        sealed: Result<(), SrtpError>,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, SrtpError> {
        if let (Some(mki), Ok(())) = (&self.mki, &sealed) {
            mki.insert(tag_len, out);
        }
        appended(sealed, start, out)
    }
}

/// How many bytes there are from `start` on; none, and no plain ones, if they could not be sealed.
#[inline]
fn appended(
    sealed: Result<(), SrtpError>,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<usize, SrtpError> {
    if let Err(error) = sealed {
        out.truncate(start);
        return Err(error);
    }
    Ok(out.len() - start)
}
