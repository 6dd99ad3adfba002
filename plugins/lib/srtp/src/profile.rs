//! The protection profiles that DTLS-SRTP may choose, and the suites of session descriptions.

/// A protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2), or a crypto suite of SDES (RFC 4568 §6.2, RFC 6188 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrtpProfile {
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `AES_CM_128_HMAC_SHA1_80`, the one that every peer has.
    Aes128CmHmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    Aes128CmHmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`, of SDES only.
    Aes256CmHmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`, of SDES only.
    Aes256CmHmacSha1_32,
}

impl SrtpProfile {
    /// Bytes of the master key.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmHmacSha1_80 | Self::Aes128CmHmacSha1_32 => 16,
            Self::AeadAes256Gcm | Self::Aes256CmHmacSha1_80 | Self::Aes256CmHmacSha1_32 => 32,
        }
    }

    /// Bytes of the master salt.
    #[must_use]
    pub fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            _ => 14,
        }
    }

    /// Bytes of the authentication tag of RTP. Reports have 10 under either kind of HMAC-SHA1
    /// (RFC 4568 §6.2.2): a forged one would do more harm.
    #[must_use]
    pub fn rtp_tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::Aes128CmHmacSha1_80 | Self::Aes256CmHmacSha1_80 => 10,
            Self::Aes128CmHmacSha1_32 | Self::Aes256CmHmacSha1_32 => 4,
        }
    }

    /// The same of RTCP.
    #[must_use]
    pub fn rtcp_tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            _ => 10,
        }
    }

    /// Bytes that the DTLS exporter has to supply: two keys and two salts. RFC 5764 §4.2.
    #[must_use]
    pub fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}
