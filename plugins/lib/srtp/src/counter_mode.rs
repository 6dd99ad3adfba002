//! AES counter mode with HMAC-SHA1 for SRTP and SRTCP (RFC 3711 §4.1.1, §4.2.1).

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipher};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::index::rollover_counter;
use super::key_derivation::{KeyPurpose, MasterKey};
use super::{RTCP_CLEAR_LEN, SRTCP_ENCRYPTED, SRTCP_INDEX_LEN, SrtpError};

/// Length of the truncated authentication tag.
const TAG_LEN: usize = 10;
const KEY_LEN: usize = 16;
const AUTHENTICATION_KEY_LEN: usize = 20;
const SALT_LEN: usize = 14;

/// Keys of one direction; RTP and RTCP have their own.
pub(super) struct CounterModeCipher {
    rtp: Half,
    rtcp: Half,
}

struct Half {
    cipher: Aes128,
    /// Keyed once; every packet starts from a copy.
    authentication: Hmac<Sha1>,
    /// The session salt times 2^16.
    salt: u128,
}

impl Half {
    fn new(
        master: &MasterKey,
        [encryption, authentication, salt]: [KeyPurpose; 3],
    ) -> Result<Self, SrtpError> {
        let provider = rtc_crypto::default_provider().map_err(|_| SrtpError::Key)?;
        let crypto = provider.crypto();
        let key = master.derive(crypto, encryption, KEY_LEN)?;
        let authentication = master.derive(crypto, authentication, AUTHENTICATION_KEY_LEN)?;
        let salt = master
            .derive(crypto, salt, SALT_LEN)?
            .iter()
            .fold(0u128, |salt, byte| salt << 8 | u128::from(*byte));
        Ok(Self {
            cipher: Aes128::new_from_slice(&key).map_err(|_| SrtpError::Key)?,
            authentication: <Hmac<Sha1> as Mac>::new_from_slice(&authentication)
                .map_err(|_| SrtpError::Key)?,
            salt: salt << 16,
        })
    }

    /// Encryption and decryption are the same. RFC 3711 §4.1.1 defines the counter's start.
    fn apply_keystream(&self, ssrc: u32, index: u64, data: &mut [u8]) -> Result<(), SrtpError> {
        let start = self.salt ^ (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
        let core = ctr::CtrCore::inner_iv_slice_init(&self.cipher, &start.to_be_bytes())
            .map_err(|_| SrtpError::Key)?;
        let mut keystream: Ctr128BE<&Aes128> =
            ctr::cipher::StreamCipherCoreWrapper::from_core(core);
        keystream.apply_keystream(data);
        Ok(())
    }

    fn tag(&self, parts: [&[u8]; 2]) -> [u8; TAG_LEN] {
        let mut context = self.authentication.clone();
        for part in parts {
            context.update(part);
        }
        let full = context.finalize().into_bytes();
        let mut tag = [0; TAG_LEN];
        for (tag, byte) in tag.iter_mut().zip(full) {
            *tag = byte;
        }
        tag
    }

    fn verify(&self, parts: [&[u8]; 2], received: &[u8]) -> Result<(), SrtpError> {
        let mut context = self.authentication.clone();
        for part in parts {
            context.update(part);
        }
        if received.len() != TAG_LEN {
            return Err(SrtpError::Authentication);
        }
        // Compares in constant time.
        context
            .verify_truncated_left(received)
            .map_err(|_| SrtpError::Authentication)
    }
}

impl CounterModeCipher {
    pub(super) fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        use KeyPurpose::{
            RtcpAuthentication, RtcpEncryption, RtcpSalt, RtpAuthentication, RtpEncryption, RtpSalt,
        };
        Ok(Self {
            rtp: Half::new(master, [RtpEncryption, RtpAuthentication, RtpSalt])?,
            rtcp: Half::new(master, [RtcpEncryption, RtcpAuthentication, RtcpSalt])?,
        })
    }

    /// Encrypts the packet that begins at `start` of `out` and appends the tag.
    pub(super) fn seal_rtp(
        &self,
        ssrc: u32,
        index: u64,
        header_len: usize,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let packet = out.get_mut(start..).ok_or(SrtpError::TooShort)?;
        let payload = packet.get_mut(header_len..).ok_or(SrtpError::TooShort)?;
        self.rtp.apply_keystream(ssrc, index, payload)?;
        let tag = self
            .rtp
            .tag([packet, &rollover_counter(index).to_be_bytes()]);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens `packet` in place and returns the length of the plain packet.
    pub(super) fn open_rtp(
        &self,
        ssrc: u32,
        index: u64,
        header_len: usize,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let plain_len = packet
            .len()
            .checked_sub(TAG_LEN)
            .filter(|len| *len >= header_len)
            .ok_or(SrtpError::TooShort)?;
        let (packet, tag) = packet.split_at_mut(plain_len);
        self.rtp
            .verify([packet, &rollover_counter(index).to_be_bytes()], tag)?;
        let payload = packet.get_mut(header_len..).ok_or(SrtpError::TooShort)?;
        self.rtp.apply_keystream(ssrc, index, payload)?;
        Ok(plain_len)
    }

    /// Encrypts the RTCP packet that begins at `start` of `out`; appends index and tag.
    pub(super) fn seal_rtcp(
        &self,
        ssrc: u32,
        index: u32,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let body = out
            .get_mut(start + RTCP_CLEAR_LEN..)
            .ok_or(SrtpError::TooShort)?;
        self.rtcp.apply_keystream(ssrc, u64::from(index), body)?;
        out.extend_from_slice(&(SRTCP_ENCRYPTED | index).to_be_bytes());
        let packet = out.get(start..).ok_or(SrtpError::TooShort)?;
        let tag = self.rtcp.tag([packet, &[]]);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// The word with flag and index of an SRTCP packet.
    pub(super) fn rtcp_index_word(packet: &[u8]) -> Option<u32> {
        let end = packet.len().checked_sub(TAG_LEN)?;
        packet
            .get(..end)?
            .last_chunk()
            .copied()
            .map(u32::from_be_bytes)
    }

    /// Opens the SRTCP `packet` in place and returns the length of the plain packet.
    pub(super) fn open_rtcp(
        &self,
        ssrc: u32,
        word: u32,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let authenticated_len = packet
            .len()
            .checked_sub(TAG_LEN)
            .filter(|len| *len >= RTCP_CLEAR_LEN + SRTCP_INDEX_LEN)
            .ok_or(SrtpError::TooShort)?;
        let (packet, tag) = packet.split_at_mut(authenticated_len);
        self.rtcp.verify([packet, &[]], tag)?;
        let plain_len = authenticated_len - SRTCP_INDEX_LEN;
        if word & SRTCP_ENCRYPTED != 0 {
            let index = u64::from(word & !SRTCP_ENCRYPTED);
            let body = packet
                .get_mut(RTCP_CLEAR_LEN..plain_len)
                .ok_or(SrtpError::TooShort)?;
            self.rtcp.apply_keystream(ssrc, index, body)?;
        }
        Ok(plain_len)
    }
}
