//! The keys of an endpoint: those that its client gave it, or random ones.

use rand::Rng;
use rivero_plugin_api::{Error, Result};
use rivero_sdp::{CryptoSuite, InlineKey};

use crate::api::{self, SDES};

/// In the order of preference.
const SUITES: [CryptoSuite; 4] = [
    CryptoSuite::AesCm128HmacSha1_80,
    CryptoSuite::AesCm128HmacSha1_32,
    CryptoSuite::Aes256CmHmacSha1_80,
    CryptoSuite::Aes256CmHmacSha1_32,
];

/// Our keys by suite.
#[derive(Clone)]
pub(super) struct Keys {
    /// The client wants encryption, with one suite.
    pub(super) required: bool,
    pub(super) by_suite: Vec<(CryptoSuite, InlineKey)>,
}

impl Keys {
    /// What the constructor's parameter means. Without a suite nothing is required, as in Kurento, and any
    /// peer that has keys of its own gets random ones.
    ///
    /// # Errors
    /// 40107 for a key that does not fit the suite.
    pub(super) fn new(wanted: &SDES) -> Result<Self> {
        let Some(suite) = wanted.crypto.map(suite) else {
            return Ok(Self {
                required: false,
                by_suite: SUITES.map(|suite| (suite, random(suite))).to_vec(),
            });
        };
        let key = match (&wanted.key, &wanted.key_base64) {
            (Some(_), Some(_)) => {
                return Err(refused("give one of key and keyBase64, not both"));
            }
            (Some(text), None) => of_bytes(suite, text.as_bytes().to_vec())?,
            (None, Some(text)) => of_bytes(suite, decoded(suite, text)?)?,
            (None, None) => random(suite),
        };
        Ok(Self {
            required: true,
            by_suite: vec![(suite, key)],
        })
    }
}

/// Puts new random keys in the place of those that are not in use: one that was given up has numbers behind it that must
/// not come twice (RFC 3711 §9.1).
pub(super) fn renew(keys: &mut [(CryptoSuite, InlineKey)], in_use: &[&InlineKey]) {
    for (suite, key) in keys {
        if !in_use.contains(&&*key) {
            *key = random(*suite);
        }
    }
}

fn suite(suite: api::CryptoSuite) -> CryptoSuite {
    match suite {
        api::CryptoSuite::Aes128CmHmacSha1_32 => CryptoSuite::AesCm128HmacSha1_32,
        api::CryptoSuite::Aes128CmHmacSha1_80 => CryptoSuite::AesCm128HmacSha1_80,
        api::CryptoSuite::Aes256CmHmacSha1_32 => CryptoSuite::Aes256CmHmacSha1_32,
        api::CryptoSuite::Aes256CmHmacSha1_80 => CryptoSuite::Aes256CmHmacSha1_80,
    }
}

fn length(suite: CryptoSuite) -> usize {
    suite.key_bytes() + suite.salt_bytes()
}

fn random(suite: CryptoSuite) -> InlineKey {
    let mut random = rand::rng();
    let mut bytes = |count: usize| (0..count).map(|_| random.random()).collect();
    InlineKey {
        key: bytes(suite.key_bytes()),
        salt: bytes(suite.salt_bytes()),
        lifetime: None,
        mki: None,
    }
}

fn of_bytes(suite: CryptoSuite, mut bytes: Vec<u8>) -> Result<InlineKey> {
    if bytes.len() != length(suite) {
        let (has, needs) = (bytes.len(), length(suite));
        tracing::debug!(has, needs, %suite, "a key and salt of another size");
        // Kurento's words, which clients compare.
        return Err(Error::illegal_parameter("Master key size is wrong"));
    }
    let salt = bytes.split_off(suite.key_bytes());
    Ok(InlineKey {
        key: bytes,
        salt,
        lifetime: None,
        mki: None,
    })
}

/// Base64 (RFC 4648 §4), of any length, so that a wrong one can be told.
fn decoded(suite: CryptoSuite, text: &str) -> Result<Vec<u8>> {
    let text = text.trim();
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let values: Option<Vec<u8>> = digits.bytes().map(value).collect();
    let values = values.filter(|values| values.len() % 4 != 1 && padding <= 2);
    let values = values.ok_or_else(|| {
        refused(&format!(
            "keyBase64 is not Base64 of the {} bytes that {suite} needs",
            length(suite)
        ))
    })?;
    let decoded = values.chunks(4).flat_map(|group| {
        let bits = group
            .iter()
            .fold(0u32, |bits, value| bits << 6 | u32::from(*value));
        let bits = bits << (6 * (4 - group.len()));
        let [_, bytes @ ..] = bits.to_be_bytes();
        bytes.into_iter().take(group.len() - 1)
    });
    Ok(decoded.collect())
}

fn refused(text: &str) -> Error {
    Error::illegal_parameter(format!("crypto: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(suite: Option<api::CryptoSuite>, key: &str, base64: &str) -> Result<Keys> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Keys::new(&SDES {
            key: text(key),
            key_base64: text(base64),
            crypto: suite,
        })
    }

    #[test]
    fn keys_are_given_as_text_or_as_base64_or_made() {
        let suite = Some(api::CryptoSuite::Aes128CmHmacSha1_80);
        let text = "abcdefghijklmnopqrstuvwxyzabcd";
        let given = keys(suite, text, "").unwrap();
        let (_, key) = &given.by_suite[0];
        assert!(given.required && key.key == text.as_bytes()[..16]);
        let coded = keys(suite, "", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNk").unwrap();
        assert_eq!(coded.by_suite, given.by_suite);
        let long = Some(api::CryptoSuite::Aes256CmHmacSha1_32);
        let one = keys(long, "", "").unwrap();
        assert_ne!(one.by_suite, keys(long, "", "").unwrap().by_suite);
        assert_eq!(one.by_suite[0].1.key.len(), 32);
        let none = keys(None, "", "").unwrap();
        assert!(!none.required && none.by_suite.len() == 4);
    }

    #[test]
    fn keys_that_are_not_in_use_are_made_anew() {
        let mut all = keys(None, "", "").unwrap().by_suite;
        let before = all.clone();
        renew(&mut all, &[&before[2].1]);
        let is_same: Vec<bool> = all.iter().zip(&before).map(|(a, b)| a == b).collect();
        assert_eq!(is_same, [false, false, true, false]);
    }

    #[test]
    fn keys_of_another_length_and_other_text_are_refused() {
        let suite = Some(api::CryptoSuite::Aes128CmHmacSha1_32);
        for (key, base64) in [
            ("short", ""),
            ("", "AAAA"),
            ("", "not base64!"),
            ("", "A"),
            ("", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmN==="),
            ("abcdefghijklmnopqrstuvwxyzabcd", "AAAA"),
        ] {
            let error = keys(suite, key, base64).err().unwrap();
            assert_eq!(error.code, 40107, "{key} {base64}");
        }
    }
}
