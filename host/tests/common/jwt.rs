//! JSON Web Tokens of all kinds, the forbidden ones included.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{hmac, rand};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// Made for these tests, and good for nothing else.
const RSA_KEY: &str = include_str!("rsa-of-the-tests.pem");
pub const RSA_PUBLIC_KEY: &str = include_str!("rsa-of-the-tests.pub.pem");
/// What precedes the 32 bytes of a public key of Ed25519 (RFC 8410 section 4).
const ED25519_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Who signs.
pub enum Signer {
    Hs256(Vec<u8>),
    Rs256(Box<RsaKeyPair>),
    EdDsa(Ed25519KeyPair),
    /// Nobody.
    None,
}

impl Signer {
    pub fn rsa() -> Signer {
        let der = PrivatePkcs8KeyDer::from_pem_slice(RSA_KEY.as_bytes()).unwrap();
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        Signer::Rs256(Box::new(pair))
    }

    pub fn ed25519() -> Signer {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Signer::EdDsa(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    /// The bytes of the public key of Ed25519.
    pub fn ed25519_key(&self) -> &[u8] {
        match self {
            Signer::EdDsa(pair) => pair.public_key().as_ref(),
            _ => panic!("it has no such key"),
        }
    }

    /// The same in PEM.
    pub fn ed25519_pem(&self) -> String {
        let der = [&ED25519_PREFIX[..], self.ed25519_key()].concat();
        let padded = base64(&der, b'+', b'/');
        format!("-----BEGIN PUBLIC KEY-----\n{padded}\n-----END PUBLIC KEY-----\n")
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Hs256(_) => "HS256",
            Signer::Rs256(_) => "RS256",
            Signer::EdDsa(_) => "EdDSA",
            Signer::None => "none",
        }
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Signer::Hs256(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Signer::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let random: &dyn rand::SecureRandom = &SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, random, message, &mut signature)
                    .unwrap();
                signature
            }
            Signer::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Signer::None => Vec::new(),
        }
    }

    /// A token with these claims.
    pub fn token(&self, claims: Value) -> String {
        self.with_header(json!({"alg": self.algorithm(), "typ": "JWT"}), claims)
    }

    pub fn with_header(&self, header: Value, claims: Value) -> String {
        let part = |value: Value| url_safe(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = url_safe(&self.signature(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// Claims of a subject, which expire in so many seconds.
pub fn claims(subject: &str, seconds: i64) -> Value {
    json!({"sub": subject, "exp": now() + seconds})
}

pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// Without padding (RFC 7515 section 2).
pub fn url_safe(bytes: &[u8]) -> String {
    base64(bytes, b'-', b'_').trim_end_matches('=').to_owned()
}

fn base64(bytes: &[u8], sixty_two: u8, sixty_three: u8) -> String {
    let mut digits: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .collect();
    digits.extend([sixty_two, sixty_three]);
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4 {
            let digit = digits[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() {
                '='
            } else {
                digit.into()
            });
        }
    }
    text
}
