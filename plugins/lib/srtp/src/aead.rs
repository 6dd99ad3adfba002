//! AES-GCM for SRTP and SRTCP (RFC 7714).

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::key_derivation::{KeyPurpose, MasterKey};
use super::{RTCP_CLEAR_LEN, SRTCP_ENCRYPTED, SRTCP_INDEX_LEN, SrtpError, SrtpProfile};

/// Length of the authentication tag.
const TAG_LEN: usize = 16;
const SALT_LEN: usize = 12;

/// Keys of one direction; RTP and RTCP have their own.
pub(super) struct AeadCipher {
    rtp: Half,
    rtcp: Half,
}

struct Half {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

impl Half {
    fn new(
        profile: SrtpProfile,
        master: &MasterKey,
        encryption: KeyPurpose,
        salt: KeyPurpose,
    ) -> Result<Self, SrtpError> {
        let provider = rtc_crypto::default_provider().map_err(|_| SrtpError::Key)?;
        let algorithm = match profile {
            SrtpProfile::AeadAes256Gcm => &AES_256_GCM,
            _ => &AES_128_GCM,
        };
        let key = master.derive(provider.crypto(), encryption, profile.key_len())?;
        let salt = master.derive(provider.crypto(), salt, SALT_LEN)?;
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
}

impl AeadCipher {
    pub(super) fn new(profile: SrtpProfile, master: &MasterKey) -> Result<Self, SrtpError> {
        use KeyPurpose::{RtcpEncryption, RtcpSalt, RtpEncryption, RtpSalt};
        Ok(Self {
            rtp: Half::new(profile, master, RtpEncryption, RtpSalt)?,
            rtcp: Half::new(profile, master, RtcpEncryption, RtcpSalt)?,
        })
    }

    /// Seals the packet that begins at `start` of `out` and appends the tag.
    #[inline]
    pub(super) fn seal_rtp(
        &self,
        ssrc: u32,
        index: u64,
        header_len: usize,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let packet = out.get_mut(start..).ok_or(SrtpError::TooShort)?;
        let (header, payload) = packet
            .split_at_mut_checked(header_len)
            .ok_or(SrtpError::TooShort)?;
        let tag = self
            .rtp
            .key
            .seal_in_place_separate_tag(self.rtp.nonce(ssrc, index), Aad::from(&*header), payload)
            .map_err(|_| SrtpError::Key)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens `packet` in place and returns the length of the plain packet.
    #[inline]
    pub(super) fn open_rtp(
        &self,
        ssrc: u32,
        index: u64,
        header_len: usize,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let (header, sealed) = packet
            .split_at_mut_checked(header_len)
            .ok_or(SrtpError::TooShort)?;
        if sealed.len() < TAG_LEN {
            return Err(SrtpError::TooShort);
        }
        let plain = self
            .rtp
            .key
            .open_in_place(self.rtp.nonce(ssrc, index), Aad::from(&*header), sealed)
            .map_err(|_| SrtpError::Authentication)?;
        Ok(header_len + plain.len())
    }

    /// Seals the RTCP packet that begins at `start` of `out`; appends tag and index.
    pub(super) fn seal_rtcp(
        &self,
        ssrc: u32,
        index: u32,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let word = (SRTCP_ENCRYPTED | index).to_be_bytes();
        let packet = out.get_mut(start..).ok_or(SrtpError::TooShort)?;
        let (clear, body) = packet
            .split_first_chunk_mut::<RTCP_CLEAR_LEN>()
            .ok_or(SrtpError::TooShort)?;
        let tag = self
            .rtcp
            .key
            .seal_in_place_separate_tag(
                self.rtcp.nonce(ssrc, u64::from(index)),
                Aad::from(associated_data(*clear, word)),
                body,
            )
            .map_err(|_| SrtpError::Key)?;
        out.extend_from_slice(tag.as_ref());
        out.extend_from_slice(&word);
        Ok(())
    }

    /// Opens the SRTCP `packet` in place and returns the length of the plain packet.
    pub(super) fn open_rtcp(
        &self,
        ssrc: u32,
        word: u32,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let nonce = self.rtcp.nonce(ssrc, u64::from(word & !SRTCP_ENCRYPTED));
        let sealed_len = packet
            .len()
            .checked_sub(SRTCP_INDEX_LEN)
            .filter(|len| *len >= RTCP_CLEAR_LEN + TAG_LEN)
            .ok_or(SrtpError::TooShort)?;
        let (packet, _) = packet.split_at_mut(sealed_len);
        if word & SRTCP_ENCRYPTED == 0 {
            return self.verify_clear_rtcp(nonce, word, packet);
        }
        let (clear, sealed) = packet
            .split_first_chunk_mut::<RTCP_CLEAR_LEN>()
            .ok_or(SrtpError::TooShort)?;
        let plain = self
            .rtcp
            .key
            .open_in_place(
                nonce,
                Aad::from(associated_data(*clear, word.to_be_bytes())),
                sealed,
            )
            .map_err(|_| SrtpError::Authentication)?;
        Ok(RTCP_CLEAR_LEN + plain.len())
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
        self.rtcp
            .key
            .open_in_place(nonce, Aad::from(&associated), tag)
            .map_err(|_| SrtpError::Authentication)?;
        Ok(plain_len)
    }
}

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
        let half = || {
            let key: Vec<u8> = (0..16).collect();
            Half {
                key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap()),
                salt: hex("517569642070726f2071756f").try_into().unwrap(),
            }
        };
        AeadCipher {
            rtp: half(),
            rtcp: half(),
        }
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
        let mut packet = plain.clone();
        cipher()
            .seal_rtp(0x5501_a0b2, 0xf17b, 12, 0, &mut packet)
            .unwrap();
        assert_eq!(packet, sealed);
        let len = cipher()
            .open_rtp(0x5501_a0b2, 0xf17b, 12, &mut packet)
            .unwrap();
        assert_eq!(packet[..len], plain);
    }

    #[test]
    fn unencrypted_reports_are_authenticated() {
        let cipher = cipher();
        let plain = [0x80, 201, 0, 1, 0, 0, 0, 5];
        let word = 7u32;
        let mut associated = plain.to_vec();
        associated.extend_from_slice(&word.to_be_bytes());
        let tag = cipher
            .rtcp
            .key
            .seal_in_place_separate_tag(cipher.rtcp.nonce(5, 7), Aad::from(&associated), &mut [])
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
