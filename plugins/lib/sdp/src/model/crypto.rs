//! Keys for SRTP inside a description: `a=crypto` (RFC 4568).

use std::{fmt, str::FromStr};

use crate::text::{first_word, from_base64, to_base64, words};

/// Bytes of the master salt, the same for all suites with AES in counter mode (RFC 3711 §8.2).
const SALT_BYTES: usize = 14;

/// Keys of one line at most; several serve for changing the key by its MKI.
const MAX_KEYS: usize = 16;

/// A cipher and its authentication (RFC 4568 §6.2, RFC 6188 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CryptoSuite {
    /// `AES_CM_128_HMAC_SHA1_80`: an authentication tag of 80 bits.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: 32 bits for RTP, 80 for RTCP.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    Aes256CmHmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`.
    Aes256CmHmacSha1_32,
}

impl CryptoSuite {
    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::Aes256CmHmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// Bytes of the master key.
    pub fn key_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16,
            Self::Aes256CmHmacSha1_80 | Self::Aes256CmHmacSha1_32 => 32,
        }
    }

    /// Bytes of the master salt.
    pub fn salt_bytes(self) -> usize {
        SALT_BYTES
    }
}

impl FromStr for CryptoSuite {
    type Err = CryptoError;

    /// Ignores case. The drafts of RFC 6188 had the words of the 256-bit suites in the order of the
    /// 128-bit ones, and some stacks write them so still.
    fn from_str(text: &str) -> Result<Self, CryptoError> {
        match text.to_ascii_uppercase().as_str() {
            "AES_CM_128_HMAC_SHA1_80" => Ok(Self::AesCm128HmacSha1_80),
            "AES_CM_128_HMAC_SHA1_32" => Ok(Self::AesCm128HmacSha1_32),
            "AES_256_CM_HMAC_SHA1_80" | "AES_CM_256_HMAC_SHA1_80" => Ok(Self::Aes256CmHmacSha1_80),
            "AES_256_CM_HMAC_SHA1_32" | "AES_CM_256_HMAC_SHA1_32" => Ok(Self::Aes256CmHmacSha1_32),
            _ => Err(CryptoError("unknown suite")),
        }
    }
}

impl fmt::Display for CryptoSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an `a=crypto` line is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a=crypto: {0}")]
pub struct CryptoError(&'static str);

/// Master key identifier (RFC 3711 §3.1): says in each packet which of several keys it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MasterKeyIdentifier {
    /// The number that stands in the packets.
    pub value: u64,
    /// Bytes that it takes there, 1–128.
    pub bytes: u8,
}

/// One `inline:` key (RFC 4568 §6.1).
#[derive(Clone, PartialEq, Eq)]
pub struct InlineKey {
    /// Master key, as long as the suite asks for.
    pub key: Vec<u8>,
    /// Master salt, 14 bytes.
    pub salt: Vec<u8>,
    /// Packets that the key may protect; `None` is the suite's own limit, 2⁴⁸ for SRTP.
    pub lifetime: Option<u64>,
    /// Present exactly where packets carry one.
    pub mki: Option<MasterKeyIdentifier>,
}

impl fmt::Debug for InlineKey {
    /// Leaves key and salt out, so that they reach no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineKey")
            .field("lifetime", &self.lifetime)
            .field("mki", &self.mki)
            .finish_non_exhaustive()
    }
}

impl InlineKey {
    /// Reads `inline:<base64>[|<lifetime>][|<MKI>:<length>]`.
    fn read(text: &str, suite: CryptoSuite) -> Result<Self, CryptoError> {
        const METHOD: &str = "inline:";
        let (method, text) = text.split_at_checked(METHOD.len()).unwrap_or_default();
        // The only method that there is.
        if !method.eq_ignore_ascii_case(METHOD) {
            return Err(CryptoError("the key is not inline"));
        }
        let mut fields = text.split('|');
        let text = fields.next().unwrap_or_default();
        let mut key = from_base64(text).ok_or(CryptoError("the key is not base64"))?;
        if key.len() != suite.key_bytes() + suite.salt_bytes() {
            return Err(CryptoError("the key has another size than the suite's"));
        }
        let salt = key.split_off(suite.key_bytes());
        let (mut lifetime, mut mki) = (None, None);
        for field in fields {
            // Both are optional, and only an MKI has a colon.
            match field.split_once(':') {
                Some((value, bytes)) if mki.is_none() => mki = Some(identifier(value, bytes)?),
                None if lifetime.is_none() && mki.is_none() => {
                    lifetime = Some(lifetime_of(field)?);
                }
                _ => return Err(CryptoError("text after the key")),
            }
        }
        Ok(Self {
            key,
            salt,
            lifetime,
            mki,
        })
    }
}

impl fmt::Display for InlineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [self.key.as_slice(), &self.salt].concat();
        write!(f, "inline:{}", to_base64(&key))?;
        match self.lifetime {
            Some(packets) if packets.is_power_of_two() => write!(f, "|2^{}", packets.ilog2())?,
            Some(packets) => write!(f, "|{packets}")?,
            None => {}
        }
        match self.mki {
            Some(mki) => write!(f, "|{}:{}", mki.value, mki.bytes),
            None => Ok(()),
        }
    }
}

fn identifier(value: &str, bytes: &str) -> Result<MasterKeyIdentifier, CryptoError> {
    const MAX_BYTES: u8 = 128;
    let bytes = bytes.parse().ok();
    let bytes = bytes.filter(|bytes| (1..=MAX_BYTES).contains(bytes));
    match (value.parse(), bytes) {
        (Ok(value), Some(bytes)) => Ok(MasterKeyIdentifier { value, bytes }),
        _ => Err(CryptoError("the MKI is not <number>:<length>")),
    }
}

/// `2^<exponent>` or a number of packets.
fn lifetime_of(text: &str) -> Result<u64, CryptoError> {
    let packets: Option<u64> = match text.strip_prefix("2^") {
        Some(exponent) => exponent
            .parse()
            .ok()
            .and_then(|exponent| 1u64.checked_shl(exponent)),
        None => text.parse().ok(),
    };
    packets
        .filter(|packets| *packets > 0)
        .ok_or(CryptoError("the lifetime is not a number"))
}

/// `a=crypto:<tag> <suite> <keys> [<session parameters>]` (RFC 4568 §4): the key that the writer
/// protects its own packets with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// 1–9 digits; the answer repeats that of the line it chose (RFC 4568 §5.1.2).
    pub tag: u32,
    /// Cipher and authentication.
    pub suite: CryptoSuite,
    /// Never empty. Several differ by their MKI.
    pub keys: Vec<InlineKey>,
    /// Session parameters (RFC 4568 §6.3) as written: `KDR=…`, `UNENCRYPTED_SRTCP` …
    pub session_parameters: Vec<String>,
}

impl Crypto {
    /// Whether plain SRTP is meant. A session parameter changes the protocol, so a line with one
    /// that the reader does not follow must not be chosen (RFC 4568 §6.3.7); those with a hyphen in
    /// front may be ignored, and so may the size of the peer's replay window, which is its own
    /// affair.
    pub fn is_plain_srtp(&self) -> bool {
        let ignorable = |parameter: &String| {
            parameter.starts_with('-') || parameter.to_ascii_uppercase().starts_with("WSH=")
        };
        self.session_parameters.iter().all(ignorable)
    }
}

impl FromStr for Crypto {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, CryptoError> {
        const MAX_TAG_DIGITS: usize = 9;
        let (tag, rest) = first_word(text);
        let (suite, rest) = first_word(rest);
        let (keys, session_parameters) = first_word(rest);
        let tag = Some(tag)
            .filter(|tag| tag.len() <= MAX_TAG_DIGITS)
            .and_then(|tag| tag.parse().ok())
            .ok_or(CryptoError("the tag is not a number"))?;
        let suite = suite.parse()?;
        let keys: Result<Vec<InlineKey>, CryptoError> = keys
            .split(';')
            .take(MAX_KEYS)
            .map(|key| InlineKey::read(key, suite))
            .collect();
        let keys = keys?;
        // All or none (RFC 4568 §6.1): the length decides where a packet's tag begins.
        let lengths = keys.iter().map(|key| key.mki.map(|mki| mki.bytes));
        let lengths: Vec<Option<u8>> = lengths.collect();
        let alike = lengths.windows(2).all(|pair| pair.first() == pair.last());
        if !alike || (keys.len() > 1 && lengths.first() == Some(&None)) {
            return Err(CryptoError("the MKIs of the keys do not fit"));
        }
        Ok(Self {
            tag,
            suite,
            keys,
            session_parameters: words(session_parameters).map(str::to_owned).collect(),
        })
    }
}

impl fmt::Display for Crypto {
    /// The value of the attribute.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.tag, self.suite)?;
        for (position, key) in self.keys.iter().enumerate() {
            let separator = if position == 0 { "" } else { ";" };
            write!(f, "{separator}{key}")?;
        }
        let mut parameters = self.session_parameters.iter();
        parameters.try_for_each(|parameter| write!(f, " {parameter}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    fn read(text: &str) -> Crypto {
        text.parse()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn long(bytes: usize) -> String {
        to_base64(&vec![7; bytes])
    }

    #[test]
    fn lines_round_trip() {
        for text in [
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20|1:4"),
            format!("3 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|1000|1:4;inline:{KEY}|2^20|2:4"),
            format!("999999999 AES_256_CM_HMAC_SHA1_80 inline:{}|7:1", long(46)),
            format!("0 AES_256_CM_HMAC_SHA1_32 inline:{} KDR=1 -x", long(46)),
        ] {
            assert_eq!(read(&text).to_string(), text);
        }
    }

    #[test]
    fn key_and_salt_are_told_apart() {
        let crypto = read(&format!(
            "1 aes_cm_128_hmac_sha1_80  inline:{KEY}|2^20|1:32"
        ));
        let [key] = crypto.keys.as_slice() else {
            panic!("{crypto:?}")
        };
        assert_eq!((key.key.len(), key.salt.len()), (16, 14));
        assert!(key.key.starts_with(&[0x3D, 0x2D, 0x6E]));
        assert_eq!(key.lifetime, Some(1 << 20));
        assert_eq!(key.mki.unwrap().bytes, 32);
        let other = read(&format!("1 AES_CM_256_HMAC_SHA1_32 inline:{}", long(46)));
        assert_eq!(other.suite, CryptoSuite::Aes256CmHmacSha1_32);
        assert_eq!(other.keys[0].key.len(), 32);
    }

    #[test]
    fn padding_may_be_missing() {
        let padded = long(46);
        assert!(padded.ends_with("=="));
        let text = |key: &str| format!("1 AES_256_CM_HMAC_SHA1_80 inline:{key}");
        assert_eq!(
            read(&text(padded.trim_end_matches('='))),
            read(&text(&padded))
        );
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in [
            String::new(),
            "1".to_owned(),
            "1 AES_CM_128_HMAC_SHA1_80".to_owned(),
            format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}"),
            "1 AES_CM_128_HMAC_SHA1_80 inline:".to_owned(),
            "1 AES_CM_128_HMAC_SHA1_80 inline:???".to_owned(),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|0"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^64"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:0"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:129"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4|2^20"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4;inline:{KEY}"),
        ] {
            assert!(text.parse::<Crypto>().is_err(), "{text}");
        }
    }

    #[test]
    fn session_parameters_that_change_the_protocol() {
        for (parameters, plain) in [
            ("", true),
            ("WSH=128", true),
            ("-future=1", true),
            ("KDR=1", false),
            ("UNENCRYPTED_SRTCP", false),
            ("WSH=64 UNAUTHENTICATED_SRTP", false),
        ] {
            let text = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} {parameters}");
            assert_eq!(read(&text).is_plain_srtp(), plain, "{parameters}");
        }
    }

    #[test]
    fn keys_stay_out_of_logs() {
        let crypto = read(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
        let shown = format!("{crypto:?}");
        assert!(!shown.contains("61") && !shown.contains("key:") && !shown.contains(KEY));
    }
}
