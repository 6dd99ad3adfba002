//! AES counter mode with HMAC-SHA1 for SRTP and SRTCP (RFC 3711 §4.1.1, §4.2.1).

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipher};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::cipher::{KeyPurposes, PerProtocol, Protect, RtpPacket};
use super::index::rollover_counter;
use super::key_derivation::MasterKey;
use super::{RTCP_CLEAR_LEN, SRTCP_ENCRYPTED, SRTCP_INDEX_LEN, SrtpError};

/// Length of the truncated authentication tag.
const TAG_LEN: usize = 10;
const KEY_LEN: usize = 16;
const AUTHENTICATION_KEY_LEN: usize = 20;
const SALT_LEN: usize = 14;

/// The keys of one direction.
pub(super) struct CounterModeCipher(PerProtocol<SessionKeys>);

struct SessionKeys {
    cipher: Aes128,
    /// Keyed once; every packet starts from a copy.
    authentication: Hmac<Sha1>,
    /// The session salt times 2^16.
    salt: u128,
}

impl SessionKeys {
    fn derive(master: &MasterKey, purposes: KeyPurposes) -> Result<Self, SrtpError> {
        let provider = rtc_crypto::default_provider().map_err(|_| SrtpError::Key)?;
        let crypto = provider.crypto();
        let key = master.derive(crypto, purposes.encryption, KEY_LEN)?;
        let authentication =
            master.derive(crypto, purposes.authentication, AUTHENTICATION_KEY_LEN)?;
        let salt = master
            .derive(crypto, purposes.salt, SALT_LEN)?
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

    fn apply_to_payload(&self, which: RtpPacket, packet: &mut [u8]) -> Result<(), SrtpError> {
        let payload = packet.get_mut(which.header_len..);
        let payload = payload.ok_or(SrtpError::TooShort)?;
        self.apply_keystream(which.ssrc, which.index, payload)
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
        PerProtocol::derive(|purposes| SessionKeys::derive(master, purposes)).map(Self)
    }
}

impl Protect for CounterModeCipher {
    fn seal_rtp(&self, which: RtpPacket, start: usize, out: &mut Vec<u8>) -> Result<(), SrtpError> {
        let keys = &self.0.rtp;
        let packet = out.get_mut(start..).ok_or(SrtpError::TooShort)?;
        keys.apply_to_payload(which, packet)?;
        // The tag covers what was encrypted, and the part of the index that is not sent. RFC 3711 §4.2.
        let tag = keys.tag([packet, &rollover_counter(which.index).to_be_bytes()]);
        out.extend_from_slice(&tag);
        Ok(())
    }

    fn open_rtp(&self, which: RtpPacket, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let keys = &self.0.rtp;
        let (packet, tag) = split_tag(packet, which.header_len)?;
        keys.verify([packet, &rollover_counter(which.index).to_be_bytes()], tag)?;
        keys.apply_to_payload(which, packet)?;
        Ok(packet.len())
    }

    fn seal_rtcp(
        &self,
        ssrc: u32,
        index: u32,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let keys = &self.0.rtcp;
        let body = out
            .get_mut(start + RTCP_CLEAR_LEN..)
            .ok_or(SrtpError::TooShort)?;
        keys.apply_keystream(ssrc, u64::from(index), body)?;
        out.extend_from_slice(&(SRTCP_ENCRYPTED | index).to_be_bytes());
        let packet = out.get(start..).ok_or(SrtpError::TooShort)?;
        let tag = keys.tag([packet, &[]]);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// It stands before the tag. RFC 3711 §3.4.
    fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32> {
        let end = packet.len().checked_sub(TAG_LEN)?;
        packet
            .get(..end)?
            .last_chunk()
            .copied()
            .map(u32::from_be_bytes)
    }

    fn open_rtcp(&self, ssrc: u32, word: u32, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let keys = &self.0.rtcp;
        let (packet, tag) = split_tag(packet, RTCP_CLEAR_LEN + SRTCP_INDEX_LEN)?;
        keys.verify([packet, &[]], tag)?;
        let plain_len = packet.len() - SRTCP_INDEX_LEN;
        if word & SRTCP_ENCRYPTED != 0 {
            let index = u64::from(word & !SRTCP_ENCRYPTED);
            let body = packet
                .get_mut(RTCP_CLEAR_LEN..plain_len)
                .ok_or(SrtpError::TooShort)?;
            keys.apply_keystream(ssrc, index, body)?;
        }
        Ok(plain_len)
    }
}

/// A packet of at least `shortest` bytes, and the tag behind it.
fn split_tag(packet: &mut [u8], shortest: usize) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    let authenticated = packet
        .len()
        .checked_sub(TAG_LEN)
        .filter(|len| *len >= shortest)
        .ok_or(SrtpError::TooShort)?;
    Ok(packet.split_at_mut(authenticated))
}
