//! ICE and DTLS attributes of a section.

use std::{fmt, str::FromStr};

use crate::text::first_word;

/// ICE user fragment and password (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IceCredentials {
    /// Ours has 4–256 characters, a peer's 1–256 bytes.
    pub ufrag: String,
    /// Ours has 22–256 characters, a peer's 1–256 bytes.
    pub password: String,
}

impl fmt::Debug for IceCredentials {
    /// Leaves the password out, so that it reaches no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

/// Who opens the DTLS association: `a=setup` (RFC 4145 §4, RFC 8842 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// The writer is the client.
    Active,
    /// The writer is the server.
    Passive,
    /// The writer leaves it to the reader; only in offers.
    ActPass,
    /// No association for now.
    HoldConn,
}

impl Setup {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Setup {
    type Err = String;

    /// Ignores case.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "active" => Ok(Self::Active),
            "passive" => Ok(Self::Passive),
            "actpass" => Ok(Self::ActPass),
            "holdconn" => Ok(Self::HoldConn),
            other => Err(format!("unknown setup role '{other}'")),
        }
    }
}

/// Hash of a DTLS certificate: `a=fingerprint:<hash> <bytes>` (RFC 8122 §5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Name of the hash in lower case, e.g. `sha-256`.
    pub algorithm: String,
    /// The digest of the certificate in DER form, never empty.
    pub digest: Vec<u8>,
}

impl Fingerprint {
    /// SHA-256 of a certificate.
    pub fn sha256(digest: [u8; 32]) -> Self {
        Self {
            algorithm: "sha-256".to_owned(),
            digest: digest.to_vec(),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.algorithm)?;
        for (position, byte) in self.digest.iter().enumerate() {
            let separator = if position == 0 { ' ' } else { ':' };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (algorithm, digest) = first_word(text);
        if digest.is_empty() {
            return Err("fingerprint without a digest".to_owned());
        }
        let digest = digest
            .split(':')
            .map(hex_byte)
            .collect::<Option<Vec<u8>>>()
            .filter(|digest| digest.len() <= 64)
            .ok_or("fingerprint digest is not pairs of hexadecimal digits")?;
        Ok(Self {
            algorithm: hash_name(algorithm),
            digest,
        })
    }
}

/// The name of a hash as RFC 8122 §5 registers it. Some write the names of their libraries:
/// `sha256`, `SHA_256`.
fn hash_name(text: &str) -> String {
    let name = text.to_ascii_lowercase();
    let digits = name.strip_prefix("sha").unwrap_or_default();
    match digits.trim_start_matches(['-', '_']) {
        digits @ ("1" | "224" | "256" | "384" | "512") => format!("sha-{digits}"),
        _ => name,
    }
}

fn hex_byte(text: &str) -> Option<u8> {
    // from_str_radix would take a sign for a digit.
    let two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    two_digits
        .then(|| u8::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_written_in_upper_case() {
        let fingerprint: Fingerprint = "SHA-256 0a:FF:10".parse().unwrap();
        assert_eq!(fingerprint.digest, [0x0a, 0xff, 0x10]);
        assert_eq!(fingerprint.to_string(), "sha-256 0A:FF:10");
    }

    #[test]
    fn hashes_by_the_names_of_libraries() {
        for text in ["sha256 AB", "SHA-256 ab", "Sha_256  AB", "sha-256\tAB"] {
            let fingerprint: Fingerprint = text.parse().unwrap();
            assert_eq!(fingerprint.to_string(), "sha-256 AB", "{text}");
        }
        let other: Fingerprint = "md5 AB".parse().unwrap();
        assert_eq!(other.algorithm, "md5");
    }

    #[test]
    fn malformed_fingerprints() {
        for text in [
            "",
            "sha-256",
            "sha-256 ",
            "sha-256 A",
            "sha-256 0a:+1",
            "sha-256 0a::",
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_password_stays_out_of_logs() {
        let credentials = IceCredentials {
            ufrag: "abcd".into(),
            password: "secret".into(),
        };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
