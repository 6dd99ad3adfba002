//! SRTP and SRTCP (RFC 3711, RFC 7714), shaped for a forwarder, without I/O.
//!
//! Received packets are opened in the buffer that they arrived in. Packets to send are assembled
//! and sealed at the end of the caller's buffer, so that one shared payload serves any number of
//! receivers with a single copy each, and several packets to one receiver lie side by side for
//! UDP segmentation offload.
//!
//! The framing is our own because forwarding speed depends on it; the primitives are `ring`'s
//! (AES-GCM) and RustCrypto's (AES counter mode, HMAC-SHA1, which `ring` does not optimise). Tests compare it with
//! `rtc-srtp` in both directions.

mod aead;
mod cipher;
mod counter_mode;
mod index;
mod key_derivation;
mod mki;
mod profile;
mod receiver;
mod replay;
mod sender;
mod sources;
#[cfg(test)]
mod tests;

pub use key_derivation::{MasterKey, MasterKeys};
pub use mki::Mki;
pub use profile::SrtpProfile;
pub use receiver::SrtpReceiver;
pub use sender::SrtpSender;

/// Length of the word with the encryption flag and the SRTCP index. RFC 3711 §3.4.
const SRTCP_INDEX_LEN: usize = 4;
/// Length of the part of an RTCP packet that stays readable. RFC 3711 §3.4.
const RTCP_CLEAR_LEN: usize = 8;
/// The flag that says that an SRTCP packet is encrypted.
const SRTCP_ENCRYPTED: u32 = 0x8000_0000;

/// Why a packet was not protected or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// The packet cannot hold header and authentication tag.
    #[error("SRTP packet too short")]
    TooShort,
    /// The authentication tag does not match: forged, damaged, or of another session.
    #[error("SRTP authentication failed")]
    Authentication,
    /// The packet was received before.
    #[error("SRTP packet replayed")]
    Replayed,
    /// The packet is older than the replay window of 1024 packets.
    #[error("SRTP packet older than the replay window")]
    TooOld,
    /// More synchronisation sources than one session may have.
    #[error("too many SRTP streams in one session")]
    TooManyStreams,
    /// 2^48 packets or 2^31 reports were sent; RFC 3711 §9.2 asks for new keys.
    #[error("SRTP key used up")]
    KeyExhausted,
    /// The keying material has the wrong length or the cipher is not available.
    #[error("SRTP keying material is unusable")]
    Key,
}
