//! Session keys from master keys (RFC 3711 §4.3, RFC 6188 §3) and master keys from the DTLS
//! exporter (RFC 5764 §4.2).

use rtc_crypto::{BlockCipherAlgorithm, RTCCrypto};

use super::{SrtpError, SrtpProfile};

const BLOCK_LEN: usize = 16;

/// What a session key is for; the value is the label of RFC 3711 §4.3.2.
#[derive(Clone, Copy)]
pub(super) enum KeyPurpose {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// The master key and salt of one direction.
#[derive(Clone)]
pub struct MasterKey {
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl MasterKey {
    /// Lengths must be those of the profile that the key will be used with.
    #[must_use]
    pub fn new(key: &[u8], salt: &[u8]) -> Self {
        Self {
            key: key.to_vec(),
            salt: salt.to_vec(),
        }
    }

    /// Derives `N` bytes for `purpose` with a key derivation rate of zero.
    pub(super) fn derive(
        &self,
        crypto: &dyn RTCCrypto,
        purpose: KeyPurpose,
        len: usize,
    ) -> Result<Vec<u8>, SrtpError> {
        let algorithm = match self.key.len() {
            16 => BlockCipherAlgorithm::Aes128,
            32 => BlockCipherAlgorithm::Aes256,
            _ => return Err(SrtpError::Key),
        };
        let mut input = [0u8; BLOCK_LEN];
        input
            .get_mut(..self.salt.len())
            .ok_or(SrtpError::Key)?
            .copy_from_slice(&self.salt);
        // The label sits in the eighth of the fourteen bytes, left of the 48-bit packet index.
        let [_, _, _, _, _, _, _, label, ..] = &mut input;
        *label ^= purpose as u8;

        let mut derived = Vec::with_capacity(len.next_multiple_of(BLOCK_LEN));
        for counter in 0u16.. {
            if derived.len() >= len {
                break;
            }
            let mut block = input;
            let [.., high, low] = &mut block;
            [*high, *low] = counter.to_be_bytes();
            crypto
                .block_encrypt(algorithm, &self.key, &mut block)
                .map_err(|_| SrtpError::Key)?;
            derived.extend_from_slice(&block);
        }
        derived.truncate(len);
        Ok(derived)
    }
}

/// The master keys of both directions of a session.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    /// Protects what we send.
    pub local: MasterKey,
    /// Opens what we receive.
    pub remote: MasterKey,
}

impl MasterKeys {
    /// Splits the exporter's output: client key, server key, client salt, server salt.
    ///
    /// # Errors
    /// [`SrtpError::Key`] unless `material` has exactly
    /// [`SrtpProfile::keying_material_len`] bytes.
    pub fn from_keying_material(
        profile: SrtpProfile,
        material: &[u8],
        is_dtls_client: bool,
    ) -> Result<Self, SrtpError> {
        if material.len() != profile.keying_material_len() {
            return Err(SrtpError::Key);
        }
        let (keys, salts) = material.split_at(2 * profile.key_len());
        let (client_key, server_key) = keys.split_at(profile.key_len());
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        let client = MasterKey::new(client_key, client_salt);
        let server = MasterKey::new(server_key, server_salt);
        Ok(if is_dtls_client {
            Self {
                local: client,
                remote: server,
            }
        } else {
            Self {
                local: server,
                remote: client,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn derives_the_keys_of_rfc_3711() {
        let provider = rtc_crypto::default_provider().unwrap();
        let master = MasterKey::new(
            &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
            &hex("0EC675AD498AFEEBB6960B3AABE6"),
        );
        let derive = |purpose, len| master.derive(provider.crypto(), purpose, len).unwrap();
        assert_eq!(
            derive(KeyPurpose::RtpEncryption, 16),
            hex("C61E7A93744F39EE10734AFE3FF7A087")
        );
        assert_eq!(
            derive(KeyPurpose::RtpSalt, 14),
            hex("30CBBC08863D8C85D49DB34A9AE1")
        );
        assert_eq!(
            derive(KeyPurpose::RtpAuthentication, 20),
            hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
        );
    }

    /// RFC 6188 §7.2.
    #[test]
    fn derives_the_keys_of_rfc_6188() {
        let provider = rtc_crypto::default_provider().unwrap();
        let master = MasterKey::new(
            &hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
            &hex("3b04803de51ee7c96423ab5b78d2"),
        );
        let derive = |purpose, len| master.derive(provider.crypto(), purpose, len).unwrap();
        assert_eq!(
            derive(KeyPurpose::RtpEncryption, 32),
            hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4")
        );
        assert_eq!(
            derive(KeyPurpose::RtpSalt, 14),
            hex("fa31791685ca444a9e07c6c64e93")
        );
    }

    #[test]
    fn exporter_output_is_split_by_role() {
        let profile = SrtpProfile::AeadAes128Gcm;
        let material: Vec<u8> = (0..56).collect();
        let client = MasterKeys::from_keying_material(profile, &material, true).unwrap();
        let server = MasterKeys::from_keying_material(profile, &material, false).unwrap();
        assert_eq!(client.local.key, server.remote.key);
        assert_eq!(client.remote.salt, server.local.salt);
        assert_eq!(client.local.salt, (32..44).collect::<Vec<u8>>());
        assert!(MasterKeys::from_keying_material(profile, &material[1..], true).is_err());
    }
}
