use super::*;
use pkcs8::PrivateKeyInfo;
use rcgen::generate_simple_self_signed;

/// Certificate and key, both as PEM.
fn certificate() -> (String, String) {
    let made = generate_simple_self_signed(["localhost".into()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// The key, encrypted as `openssl pkcs8 -topk8` does: PBKDF2 with SHA-256, AES-256 in CBC mode.
fn encrypt(key: &str, password: &str) -> String {
    let (_, document) = SecretDocument::from_pem(key).unwrap();
    let parameters =
        pkcs8::pkcs5::pbes2::Parameters::pbkdf2_sha256_aes256cbc(2048, b"12345678", &[7; 16])
            .unwrap();
    PrivateKeyInfo::try_from(document.as_bytes())
        .unwrap()
        .encrypt_with_params(parameters, password)
        .unwrap()
        .to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF)
        .unwrap()
        .to_string()
}

fn problem(pem: &str, password: &str) -> String {
    certified_key(pem.as_bytes(), password)
        .unwrap_err()
        .to_string()
}

#[test]
fn chain_and_key_come_in_any_order() {
    let (certificate, key) = certificate();
    for pem in [
        format!("{certificate}{key}"),
        format!("Bag Attributes\n{key}\nsubject=x\n{certificate}"),
    ] {
        assert!(certified_key(pem.as_bytes(), "").is_ok(), "{pem}");
        assert!(certified_key(pem.as_bytes(), "unused").is_ok());
    }
}

#[test]
fn encrypted_keys_open_with_their_password() {
    let (certificate, key) = certificate();
    let pem = format!("{certificate}{}", encrypt(&key, "secret"));
    assert!(certified_key(pem.as_bytes(), "secret").is_ok());
    assert!(problem(&pem, "").contains("secure.password is empty"));
    assert!(problem(&pem, "other").starts_with("its key cannot be decrypted"));
    let cut = pem.replace("-----END ENCRYPTED", "-----END");
    assert!(!problem(&cut, "secret").is_empty());
}

#[test]
fn unusable_files_are_told_apart() {
    let (certificate_a, key_a) = certificate();
    let (_, key_b) = certificate();
    assert_eq!(problem("", ""), "it contains no certificate");
    assert_eq!(problem(&key_a, ""), "it contains no certificate");
    assert_eq!(problem(&certificate_a, ""), "it contains no private key");
    assert!(problem(&format!("{certificate_a}{key_b}"), "").contains("does not belong"));
    let half = &certificate_a[..certificate_a.len() / 2];
    assert!(!problem(&format!("{half}\n{key_a}"), "").is_empty());
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert!(problem(&format!("{certificate_a}{old}"), "x").contains("openssl pkcs8 -topk8"));
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(!problem(&format!("{empty}{key_a}"), "").is_empty());
}

#[test]
fn errors_name_the_file_on_one_line() {
    let error = Certificate::load("/nowhere/cert.pem".as_ref(), "")
        .err()
        .unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with("Cannot use the certificate /nowhere/cert.pem: ") && !text.contains('\n'),
        "{text}"
    );
}
