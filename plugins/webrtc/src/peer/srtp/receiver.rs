//! The receiving direction of an SRTP session.

use rivero_rtp::RtpHeader;

use super::counter_mode::CounterModeCipher;
use super::index::PacketIndex;
use super::key_derivation::MasterKey;
use super::replay::ReplayWindow;
use super::{Cipher, SRTCP_ENCRYPTED, SrtpError, SrtpProfile};

/// Streams of one peer; simulcast with repair streams needs a handful per track.
const MAX_STREAMS: usize = 128;

/// Opens what one peer sends.
pub struct SrtpReceiver {
    cipher: Cipher,
    /// State of a stream exists only after one of its packets was authenticated, so that forged
    /// packets cannot fill the table.
    pub(super) streams: Vec<ReceivedStream>,
    reports: Vec<ReceivedReports>,
}

pub(super) struct ReceivedStream {
    ssrc: u32,
    index: PacketIndex,
    replay: ReplayWindow,
}

struct ReceivedReports {
    ssrc: u32,
    replay: ReplayWindow,
}

impl SrtpReceiver {
    /// # Errors
    /// [`SrtpError::Key`] if `key` does not fit `profile`.
    pub fn new(profile: SrtpProfile, key: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            cipher: Cipher::new(profile, key)?,
            streams: Vec::new(),
            reports: Vec::new(),
        })
    }

    /// Opens an SRTP packet in place; `header` was parsed from `packet`. Returns the length of the
    /// plain packet, which begins where `packet` begins.
    ///
    /// After an error the content of `packet` is unspecified.
    ///
    /// # Errors
    /// All but [`SrtpError::KeyExhausted`].
    pub fn unprotect_rtp(
        &mut self,
        header: &RtpHeader,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let ssrc = header.ssrc;
        let position = self.streams.iter().position(|s| s.ssrc == ssrc);
        let stream = position.and_then(|at| self.streams.get_mut(at));
        let index = match &stream {
            Some(stream) => {
                let index = stream.index.estimate(header.sequence);
                let index = index.ok_or(SrtpError::TooOld)?;
                stream.replay.check(index)?;
                index
            }
            None => u64::from(header.sequence),
        };
        let header_len = usize::from(header.header_len);
        let len = match &mut self.cipher {
            Cipher::Aead(cipher) => cipher.open_rtp(ssrc, index, header_len, packet)?,
            Cipher::CounterMode(cipher) => cipher.open_rtp(ssrc, index, header_len, packet)?,
        };
        let stream = match stream {
            Some(stream) => stream,
            None => new_entry(
                &mut self.streams,
                ReceivedStream {
                    ssrc,
                    index: PacketIndex::default(),
                    replay: ReplayWindow::default(),
                },
            )?,
        };
        stream.index.update(index);
        stream.replay.accept(index);
        Ok(len)
    }

    /// Opens an SRTCP packet in place and returns the length of the plain compound packet.
    ///
    /// After an error the content of `packet` is unspecified.
    ///
    /// # Errors
    /// All but [`SrtpError::KeyExhausted`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = packet
            .get(4..8)
            .and_then(|bytes| bytes.first_chunk().copied())
            .map(u32::from_be_bytes)
            .ok_or(SrtpError::TooShort)?;
        let word = match &self.cipher {
            Cipher::Aead(_) => packet.last_chunk().copied().map(u32::from_be_bytes),
            Cipher::CounterMode(_) => CounterModeCipher::rtcp_index_word(packet),
        }
        .ok_or(SrtpError::TooShort)?;
        let index = u64::from(word & !SRTCP_ENCRYPTED);

        let position = self.reports.iter().position(|s| s.ssrc == ssrc);
        let reports = position.and_then(|at| self.reports.get_mut(at));
        if let Some(reports) = &reports {
            reports.replay.check(index)?;
        }
        let len = match &mut self.cipher {
            Cipher::Aead(cipher) => cipher.open_rtcp(ssrc, word, packet)?,
            Cipher::CounterMode(cipher) => cipher.open_rtcp(ssrc, word, packet)?,
        };
        let reports = match reports {
            Some(reports) => reports,
            None => new_entry(
                &mut self.reports,
                ReceivedReports {
                    ssrc,
                    replay: ReplayWindow::default(),
                },
            )?,
        };
        reports.replay.accept(index);
        Ok(len)
    }
}

fn new_entry<T>(entries: &mut Vec<T>, entry: T) -> Result<&mut T, SrtpError> {
    if entries.len() >= MAX_STREAMS {
        return Err(SrtpError::TooManyStreams);
    }
    entries.push(entry);
    entries.last_mut().ok_or(SrtpError::TooManyStreams)
}
