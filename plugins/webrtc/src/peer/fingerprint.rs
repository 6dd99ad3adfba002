//! Certificate fingerprints as SDP carries them (RFC 8122 §5).

use std::fmt;
use std::str::FromStr;

use ring::digest;

/// A hash over a DER certificate, with the hash function that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashFunction {
    /// `sha-1`, of old stacks that have nothing better.
    Sha1,
    /// `sha-256`.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl HashFunction {
    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn digest(self, data: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data)
    }
}

/// What is wrong with the text of a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Not `function HH:HH:…`.
    #[error("malformed certificate fingerprint `{0}`")]
    Malformed(String),
    /// The hash function is unknown.
    #[error("hash function `{0}` of a fingerprint is not supported")]
    HashFunction(String),
}

/// A certificate fingerprint; its text form is the value of an `a=fingerprint` line. A peer with
/// several certificates has a hash of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    function: HashFunction,
    /// Not empty.
    hashes: Vec<Vec<u8>>,
}

impl Fingerprint {
    /// The `sha-256` fingerprint of a DER certificate.
    #[must_use]
    pub fn sha256(certificate: &[u8]) -> Self {
        let function = HashFunction::Sha256;
        Self {
            function,
            hashes: vec![function.digest(certificate).as_ref().to_vec()],
        }
    }

    /// Of all that a peer signals those that count: the ones with its best hash function
    /// (RFC 8122 §5). `None` without any.
    #[must_use]
    pub fn best(of: impl Iterator<Item = Self>) -> Option<Self> {
        of.reduce(|mut best, mut other| {
            if other.function > best.function {
                return other;
            }
            if other.function == best.function {
                best.hashes.append(&mut other.hashes);
            }
            best
        })
    }

    /// Whether this is the fingerprint of `certificate` (DER).
    #[must_use]
    pub fn matches(&self, certificate: &[u8]) -> bool {
        let digest = self.function.digest(certificate);
        self.hashes.iter().any(|hash| hash == digest.as_ref())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name())?;
        for (position, byte) in self.hashes.iter().take(1).flatten().enumerate() {
            let separator = if position == 0 { ' ' } else { ':' };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || FingerprintError::Malformed(text.chars().take(200).collect());
        let (name, hash) = text.trim().split_once(' ').ok_or_else(malformed)?;
        let (function, len) = match name.to_ascii_lowercase().as_str() {
            "sha-1" => (HashFunction::Sha1, 20),
            "sha-256" => (HashFunction::Sha256, 32),
            "sha-384" => (HashFunction::Sha384, 48),
            "sha-512" => (HashFunction::Sha512, 64),
            _ => {
                return Err(FingerprintError::HashFunction(
                    name.chars().take(40).collect(),
                ));
            }
        };
        let hash: Vec<u8> = hash
            .trim()
            .split(':')
            .take(len + 1)
            .map(|byte| {
                u8::from_str_radix(byte, 16)
                    .ok()
                    .filter(|_| byte.len() == 2)
            })
            .collect::<Option<_>>()
            .ok_or_else(malformed)?;
        if hash.len() != len {
            return Err(malformed());
        }
        Ok(Self {
            function,
            hashes: vec![hash],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree() {
        let fingerprint = Fingerprint::sha256(b"certificate");
        let text = fingerprint.to_string();
        assert!(text.starts_with("sha-256 "));
        assert_eq!(text.len(), 8 + 32 * 3 - 1);
        assert_eq!(text.parse(), Ok(fingerprint.clone()));
        assert_eq!(text.to_lowercase().parse(), Ok(fingerprint.clone()));
        assert!(fingerprint.matches(b"certificate"));
        assert!(!fingerprint.matches(b"another"));
    }

    #[test]
    fn of_several_the_best_function_counts_with_all_its_certificates() {
        let parse = |text: String| text.parse::<Fingerprint>().unwrap();
        let sha1 = || parse(format!("sha-1 {}", vec!["AB"; 20].join(":")));
        let [one, other] = [&b"one"[..], b"other"].map(Fingerprint::sha256);
        let best = |all: Vec<Fingerprint>| Fingerprint::best(all.into_iter());
        let both = best(vec![sha1(), one.clone(), other.clone(), sha1()]).unwrap();
        assert!(both.matches(b"one") && both.matches(b"other") && !both.matches(b"third"));
        assert_eq!(both.to_string(), one.to_string());
        assert_eq!(best(vec![sha1()]), Some(sha1()));
        assert_eq!(best(Vec::new()), None);
    }

    #[test]
    fn refuses_unknown_and_malformed_ones() {
        assert!(matches!(
            "md5 AA:BB".parse::<Fingerprint>(),
            Err(FingerprintError::HashFunction(_))
        ));
        for text in [
            "",
            "sha-256",
            "sha-256 AA:BB",
            "sha-256 +1:GG",
            &"sha-256 AA:".repeat(99),
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
