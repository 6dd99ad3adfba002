//! AES-GCM for SRTP and SRTCP (RFC 7714).

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::cipher::{KeyPurposes, PerProtocol, Protect, RtpPacket};
use super::key_derivation::MasterKey;
use super::{RTCP_CLEAR_LEN, SRTCP_ENCRYPTED, SRTCP_INDEX_LEN, SrtpError, SrtpProfile};

/// Length of the authentication tag.
const TAG_LEN: usize = 16;
const SALT_LEN: usize = 12;

/// The keys of one direction.
pub(super) struct AeadCipher(PerProtocol<SessionKeys>);

struct SessionKeys {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

impl SessionKeys {
    fn derive(
        profile: SrtpProfile,
        master: &MasterKey,
        purposes: KeyPurposes,
    ) -> Result<Self, SrtpError> {
        let provider = rtc_crypto::default_provider().map_err(|_| SrtpError::Key)?;
        let algorithm = match profile {
            SrtpProfile::AeadAes256Gcm => &AES_256_GCM,
            _ => &AES_128_GCM,
        };
        let key = master.derive(provider.crypto(), purposes.encryption, profile.key_len())?;
        let salt = master.derive(provider.crypto(), purposes.salt, SALT_LEN)?;
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, &key).map_err(|_| SrtpError::Key)?),
            salt: salt.try_into().map_err(|_| SrtpError::Key)?,
        })
    }

    /// The initialisation vector: the salt combined with SSRC and `index`, which is the 48-bit
    /// packet index of RTP or the 31-bit index of RTCP. RFC 7714 §8.1 and §9.1.
    #[inline]
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = [0u8; SALT_LEN];
        let value = (u128::from(ssrc) << 48) | u128::from(index);
        let [_, _, _, _, unique @ ..] = value.to_be_bytes();
        for ((byte, unique), salt) in nonce.iter_mut().zip(unique).zip(self.salt) {
            *byte = unique ^ salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// An SRTCP packet without the encryption flag is authenticated only. RFC 7714 §9.3.
    fn verify_clear_rtcp(
        &self,
        nonce: Nonce,
        word: u32,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let plain_len = packet.len().saturating_sub(TAG_LEN);
        let (plain, tag) = packet.split_at_mut(plain_len);
        let mut associated = plain.to_vec();
        associated.extend_from_slice(&word.to_be_bytes());
        self.key
            .open_in_place(nonce, Aad::from(&associated), tag)
            .map_err(|_| SrtpError::Authentication)?;
        Ok(plain_len)
    }
}

impl AeadCipher {
    pub(super) fn new(profile: SrtpProfile, master: &MasterKey) -> Result<Self, SrtpError> {
        PerProtocol::derive(|purposes| SessionKeys::derive(profile, master, purposes)).map(Self)
    }
}

impl Protect for AeadCipher {
    #[inline]
    fn seal_rtp(&self, which: RtpPacket, start: usize, out: &mut Vec<u8>) -> Result<(), SrtpError> {
        let keys = &self.0.rtp;
        let packet = out.get_mut(start..).ok_or(SrtpError::TooShort)?;
        let (header, payload) = packet
            .split_at_mut_checked(which.header_len)
            .ok_or(SrtpError::TooShort)?;
        let nonce = keys.nonce(which.ssrc, which.index);
        let tag = keys
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(&*header), payload)
            .map_err(|_| SrtpError::Key)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    #[inline]
    fn open_rtp(&self, which: RtpPacket, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let keys = &self.0.rtp;
        let (header, sealed) = packet
            .split_at_mut_checked(which.header_len)
            .ok_or(SrtpError::TooShort)?;
        if sealed.len() < TAG_LEN {
            return Err(SrtpError::TooShort);
        }
        let nonce = keys.nonce(which.ssrc, which.index);
        let plain = keys
            .key
            .open_in_place(nonce, Aad::from(&*header), sealed)
            .map_err(|_| SrtpError::Authentication)?;
        Ok(which.header_len + plain.len())
    }

    fn seal_rtcp(
        &self,
        ssrc: u32,
        index: u32,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let keys = &self.0.rtcp;
        let word = (SRTCP_ENCRYPTED | index).to_be_bytes();
        let packet = out.get_mut(start..).ok_or(SrtpError::TooShort)?;
        let (clear, body) = packet
            .split_first_chunk_mut::<RTCP_CLEAR_LEN>()
            .ok_or(SrtpError::TooShort)?;
        let associated = associated_data(*clear, word);
        let nonce = keys.nonce(ssrc, u64::from(index));
        let tag = keys
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(associated), body)
            .map_err(|_| SrtpError::Key)?;
        out.extend_from_slice(tag.as_ref());
        out.extend_from_slice(&word);
        Ok(())
    }

    /// It is the last of the packet. RFC 7714 §9.2.
    fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32> {
        packet.last_chunk().copied().map(u32::from_be_bytes)
    }

    fn open_rtcp(&self, ssrc: u32, word: u32, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let keys = &self.0.rtcp;
        let nonce = keys.nonce(ssrc, u64::from(word & !SRTCP_ENCRYPTED));
        let sealed_len = packet
            .len()
            .checked_sub(SRTCP_INDEX_LEN)
            .filter(|len| *len >= RTCP_CLEAR_LEN + TAG_LEN)
            .ok_or(SrtpError::TooShort)?;
        let (packet, _) = packet.split_at_mut(sealed_len);
        if word & SRTCP_ENCRYPTED == 0 {
            return keys.verify_clear_rtcp(nonce, word, packet);
        }
        let (clear, sealed) = packet
            .split_first_chunk_mut::<RTCP_CLEAR_LEN>()
            .ok_or(SrtpError::TooShort)?;
        let associated = associated_data(*clear, word.to_be_bytes());
        let plain = keys
            .key
            .open_in_place(nonce, Aad::from(associated), sealed)
            .map_err(|_| SrtpError::Authentication)?;
        Ok(RTCP_CLEAR_LEN + plain.len())
    }
}

/// What the tag of an encrypted SRTCP packet covers besides: its readable part and the word with flag and
/// index. RFC 7714 §9.2.
fn associated_data(clear: [u8; RTCP_CLEAR_LEN], word: [u8; SRTCP_INDEX_LEN]) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = clear;
    let [w, x, y, z] = word;
    [a, b, c, d, e, f, g, h, w, x, y, z]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        (0..digits.len() / 2)
            .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    /// A cipher with the session key and salt of RFC 7714 §16, which are not derived.
    fn cipher() -> AeadCipher {
        let keys = || {
            let key: Vec<u8> = (0..16).collect();
            SessionKeys {
                key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap()),
                salt: hex("517569642070726f2071756f").try_into().unwrap(),
            }
        };
        AeadCipher(PerProtocol {
            rtp: keys(),
            rtcp: keys(),
        })
    }

    /// RFC 7714 §16.1.1.
    #[test]
    fn seals_and_opens_the_rtp_packet_of_rfc_7714() {
        let plain = hex(
            "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973
             20646976 69736120 696e2070 61727465 73207472 6573",
        );
        let sealed = hex(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca
             be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833 899d7f27 beb16a91
             52cf765e e4390cce",
        );
        let which = RtpPacket {
            ssrc: 0x5501_a0b2,
            index: 0xf17b,
            header_len: 12,
        };
        let mut packet = plain.clone();
        cipher().seal_rtp(which, 0, &mut packet).unwrap();
        assert_eq!(packet, sealed);
        let len = cipher().open_rtp(which, &mut packet).unwrap();
        assert_eq!(packet[..len], plain);
    }

    #[test]
    fn unencrypted_reports_are_authenticated() {
        let cipher = cipher();
        let plain = [0x80, 201, 0, 1, 0, 0, 0, 5];
        let word = 7u32;
        let mut associated = plain.to_vec();
        associated.extend_from_slice(&word.to_be_bytes());
        let keys = &cipher.0.rtcp;
        let tag = keys
            .key
            .seal_in_place_separate_tag(keys.nonce(5, 7), Aad::from(&associated), &mut [])
            .unwrap();
        let mut packet = plain.to_vec();
        packet.extend_from_slice(tag.as_ref());
        packet.extend_from_slice(&word.to_be_bytes());
        let mut forged = packet.clone();
        forged[1] = 200;
        assert_eq!(cipher.open_rtcp(5, word, &mut packet), Ok(8));
        assert_eq!(
            cipher.open_rtcp(5, word, &mut forged),
            Err(SrtpError::Authentication)
        );
    }
}
