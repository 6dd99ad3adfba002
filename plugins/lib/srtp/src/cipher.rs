//! The ciphers behind one interface: the rest of the crate does not know which one a session has.

use super::aead::AeadCipher;
use super::counter_mode::CounterModeCipher;
use super::key_derivation::{KeyPurpose, MasterKey};
use super::{SrtpError, SrtpProfile};

/// Which RTP packet it is. A cipher makes its nonce or its counter of SSRC and index, so that no two
/// packets under one key have the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct RtpPacket {
    pub(super) ssrc: u32,
    /// Roll-over counter and sequence number, 48 bits. RFC 3711 §3.3.1.
    pub(super) index: u64,
    /// Bytes that stay readable: the fixed header, CSRCs and header extensions.
    pub(super) header_len: usize,
}

/// Something for RTP and the same for RTCP: their keys are derived apart (RFC 3711 §4.3.2).
pub(super) struct PerProtocol<T> {
    pub(super) rtp: T,
    pub(super) rtcp: T,
}

/// What the session keys of one protocol are derived for.
#[derive(Clone, Copy)]
pub(super) struct KeyPurposes {
    pub(super) encryption: KeyPurpose,
    /// AES-GCM has none: its tag comes from the encryption key.
    pub(super) authentication: KeyPurpose,
    pub(super) salt: KeyPurpose,
}

impl<T> PerProtocol<T> {
    /// Derives both.
    pub(super) fn derive(
        keys: impl Fn(KeyPurposes) -> Result<T, SrtpError>,
    ) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: keys(KeyPurposes {
                encryption: KeyPurpose::RtpEncryption,
                authentication: KeyPurpose::RtpAuthentication,
                salt: KeyPurpose::RtpSalt,
            })?,
            rtcp: keys(KeyPurposes {
                encryption: KeyPurpose::RtcpEncryption,
                authentication: KeyPurpose::RtcpAuthentication,
                salt: KeyPurpose::RtcpSalt,
            })?,
        })
    }
}

/// What a cipher does with the packets of one direction.
pub(super) trait Protect {
    /// Encrypts the packet that begins at `start` of `out` and appends the tag. After an error `out`
    /// may be changed from `start` on.
    fn seal_rtp(&self, which: RtpPacket, start: usize, out: &mut Vec<u8>) -> Result<(), SrtpError>;

    /// Opens `packet` in place and returns the length of the plain packet.
    fn open_rtp(&self, which: RtpPacket, packet: &mut [u8]) -> Result<usize, SrtpError>;

    /// Encrypts the RTCP packet that begins at `start` of `out`; appends tag, and flag and index. After
    /// an error `out` may be changed from `start` on.
    fn seal_rtcp(
        &self,
        ssrc: u32,
        index: u32,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError>;

    /// The word with flag and index of an SRTCP packet, which stands behind or before the tag.
    fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32>;

    /// Opens the SRTCP `packet`, which has this word, in place and returns the length of the plain
    /// packet.
    fn open_rtcp(&self, ssrc: u32, word: u32, packet: &mut [u8]) -> Result<usize, SrtpError>;
}

/// Keys and cipher of one direction. Boxed, because expanded keys are large and differ in size; an enum
/// rather than a trait object, so that the calls for each packet can be inlined.
pub(super) enum Cipher {
    Aead(Box<AeadCipher>),
    CounterMode128(Box<CounterModeCipher<aes::Aes128>>),
    CounterMode256(Box<CounterModeCipher<aes::Aes256>>),
}

impl Cipher {
    pub(super) fn new(profile: SrtpProfile, key: &MasterKey) -> Result<Self, SrtpError> {
        match profile {
            SrtpProfile::AeadAes128Gcm | SrtpProfile::AeadAes256Gcm => {
                AeadCipher::new(profile, key).map(|cipher| Self::Aead(Box::new(cipher)))
            }
            SrtpProfile::Aes128CmHmacSha1_80 | SrtpProfile::Aes128CmHmacSha1_32 => {
                let cipher = CounterModeCipher::new(profile, key)?;
                Ok(Self::CounterMode128(Box::new(cipher)))
            }
            SrtpProfile::Aes256CmHmacSha1_80 | SrtpProfile::Aes256CmHmacSha1_32 => {
                let cipher = CounterModeCipher::new(profile, key)?;
                Ok(Self::CounterMode256(Box::new(cipher)))
            }
        }
    }
}

/// Calls a method of the cipher that there is.
macro_rules! with_cipher {
    ($cipher:expr, $name:ident => $call:expr) => {
        match $cipher {
            Cipher::Aead($name) => $call,
            Cipher::CounterMode128($name) => $call,
            Cipher::CounterMode256($name) => $call,
        }
    };
}

impl Protect for Cipher {
    #[inline]
    fn seal_rtp(&self, which: RtpPacket, start: usize, out: &mut Vec<u8>) -> Result<(), SrtpError> {
        with_cipher!(self, cipher => cipher.seal_rtp(which, start, out))
    }

    #[inline]
    fn open_rtp(&self, which: RtpPacket, packet: &mut [u8]) -> Result<usize, SrtpError> {
        with_cipher!(self, cipher => cipher.open_rtp(which, packet))
    }

    fn seal_rtcp(
        &self,
        ssrc: u32,
        index: u32,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        with_cipher!(self, cipher => cipher.seal_rtcp(ssrc, index, start, out))
    }

    fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32> {
        with_cipher!(self, cipher => cipher.rtcp_index_word(packet))
    }

    fn open_rtcp(&self, ssrc: u32, word: u32, packet: &mut [u8]) -> Result<usize, SrtpError> {
        with_cipher!(self, cipher => cipher.open_rtcp(ssrc, word, packet))
    }
}
