//! AES counter mode with HMAC-SHA1 for SRTP and SRTCP (RFC 3711 §4.1.1, §4.2.1).

use ctr::Ctr128BE;
use ctr::cipher::{
    BlockCipher, BlockEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, consts::U16,
};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::cipher::{KeyPurposes, PerProtocol, Protect, RtpPacket};
use super::index::rollover_counter;
use super::key_derivation::{KeyPurpose, MasterKey};
use super::{RTCP_CLEAR_LEN, SRTCP_ENCRYPTED, SRTCP_INDEX_LEN, SrtpError, SrtpProfile};

const AUTHENTICATION_KEY_LEN: usize = 20;
const SALT_LEN: usize = 14;

/// AES with keys of either length.
pub(super) trait Aes:
    KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16>
{
}

impl Aes for aes::Aes128 {}
impl Aes for aes::Aes256 {}

/// The keys of one direction.
pub(super) struct CounterModeCipher<C>(PerProtocol<SessionKeys<C>>);

struct SessionKeys<C> {
    cipher: C,
    /// Bytes of the truncated authentication tag.
    tag_len: usize,
    /// Keyed once; every packet starts from a copy.
    authentication: Hmac<Sha1>,
    /// The session salt times 2^16.
    salt: u128,
}

impl<C: Aes> SessionKeys<C> {
    fn derive(
        master: &MasterKey,
        purposes: KeyPurposes,
        tag_len: usize,
    ) -> Result<Self, SrtpError> {
        let provider = rtc_crypto::default_provider().map_err(|_| SrtpError::Key)?;
        let crypto = provider.crypto();
        let key = master.derive(crypto, purposes.encryption, C::key_size())?;
        let authentication =
            master.derive(crypto, purposes.authentication, AUTHENTICATION_KEY_LEN)?;
        let salt = master
            .derive(crypto, purposes.salt, SALT_LEN)?
            .iter()
            .fold(0u128, |salt, byte| salt << 8 | u128::from(*byte));
        Ok(Self {
            cipher: C::new_from_slice(&key).map_err(|_| SrtpError::Key)?,
            tag_len,
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
        let mut keystream: Ctr128BE<&C> = ctr::cipher::StreamCipherCoreWrapper::from_core(core);
        keystream.apply_keystream(data);
        Ok(())
    }

    fn apply_to_payload(&self, which: RtpPacket, packet: &mut [u8]) -> Result<(), SrtpError> {
        let payload = packet.get_mut(which.header_len..);
        let payload = payload.ok_or(SrtpError::TooShort)?;
        self.apply_keystream(which.ssrc, which.index, payload)
    }

    /// Appends the tag of the parts to `out`.
    fn append_tag(
        &self,
        start: usize,
        rollover: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let mut context = self.authentication.clone();
        context.update(out.get(start..).ok_or(SrtpError::TooShort)?);
        context.update(rollover);
        let full = context.finalize().into_bytes();
        let tag = full.get(..self.tag_len).ok_or(SrtpError::Key)?;
        out.extend_from_slice(tag);
        Ok(())
    }

    fn verify(&self, parts: [&[u8]; 2], received: &[u8]) -> Result<(), SrtpError> {
        let mut context = self.authentication.clone();
        for part in parts {
            context.update(part);
        }
        if received.len() != self.tag_len {
            return Err(SrtpError::Authentication);
        }
        // Compares in constant time.
        context
            .verify_truncated_left(received)
            .map_err(|_| SrtpError::Authentication)
    }
}

impl<C: Aes> CounterModeCipher<C> {
    pub(super) fn new(profile: SrtpProfile, master: &MasterKey) -> Result<Self, SrtpError> {
        let tag_len = |purposes: KeyPurposes| match purposes.encryption {
            KeyPurpose::RtpEncryption => profile.rtp_tag_len(),
            _ => profile.rtcp_tag_len(),
        };
        let keys = |purposes| SessionKeys::derive(master, purposes, tag_len(purposes));
        PerProtocol::derive(keys).map(Self)
    }
}

impl<C: Aes> Protect for CounterModeCipher<C> {
    fn seal_rtp(&self, which: RtpPacket, start: usize, out: &mut Vec<u8>) -> Result<(), SrtpError> {
        let keys = &self.0.rtp;
        let packet = out.get_mut(start..).ok_or(SrtpError::TooShort)?;
        keys.apply_to_payload(which, packet)?;
        // The tag covers what was encrypted, and the part of the index that is not sent. RFC 3711 §4.2.
        keys.append_tag(start, &rollover_counter(which.index).to_be_bytes(), out)
    }

    fn open_rtp(&self, which: RtpPacket, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let keys = &self.0.rtp;
        let (packet, tag) = split_tag(packet, keys.tag_len, which.header_len)?;
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
        keys.append_tag(start, &[], out)
    }

    /// It stands before the tag. RFC 3711 §3.4.
    fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32> {
        let end = packet.len().checked_sub(self.0.rtcp.tag_len)?;
        packet
            .get(..end)?
            .last_chunk()
            .copied()
            .map(u32::from_be_bytes)
    }

    fn open_rtcp(&self, ssrc: u32, word: u32, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let keys = &self.0.rtcp;
        let (packet, tag) = split_tag(packet, keys.tag_len, RTCP_CLEAR_LEN + SRTCP_INDEX_LEN)?;
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
fn split_tag(
    packet: &mut [u8],
    tag_len: usize,
    shortest: usize,
) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    let authenticated = packet
        .len()
        .checked_sub(tag_len)
        .filter(|len| *len >= shortest)
        .ok_or(SrtpError::TooShort)?;
    Ok(packet.split_at_mut(authenticated))
}
