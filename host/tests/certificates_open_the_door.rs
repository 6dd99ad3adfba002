//! At the TLS listener a certificate of an authority that the operator trusts is as good as a token; every
//! other one ends the handshake, or opens nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::common::certificates::Certificate;
use crate::common::jwt::now;
use crate::common::{Bench, Client, Toys, binding, guard_in, token};
use futures_util::StreamExt;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rivero::auth::Guard;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Who issues certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// What a certificate is about; made for a year from the test on, unless `change` says otherwise.
fn subject(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = subject(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    fn issue(&self, common_name: &str, names: &[&str]) -> Identity {
        self.sign(&subject(common_name, names))
    }

    /// A list of what it has revoked, by serial numbers, valid to the end of a year.
    fn list(&self, revoked: &[u64], year: i32) -> String {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(year, 12, 31),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

impl Identity {
    fn of_files(chain: &Path, key: &Path) -> Identity {
        let chain = CertificateDer::pem_file_iter(chain).unwrap();
        Identity {
            chain: chain.collect::<Result<_, _>>().unwrap(),
            key: PrivateKeyDer::from_pem_file(key).unwrap(),
        }
    }
}

/// A server with a TLS listener, and the directory of its files.
struct Secure {
    server: Certificate,
    bench: Bench,
    guard: Arc<Guard>,
    directory: TempDir,
}

impl Secure {
    async fn start(files: &[(&str, &str)], auth: Value) -> Secure {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        Secure::with(directory, auth, |guard| guard).await
    }

    async fn with(directory: TempDir, auth: Value, change: impl FnOnce(Guard) -> Guard) -> Secure {
        let server = Certificate::new();
        let guard = Arc::new(change(guard_in(directory.path(), auth)));
        let bench = Bench::with(Toys::new(), |options| {
            options.secure = Some((binding(), server.load()));
            options.guard = guard.clone();
        })
        .await;
        Secure {
            server,
            bench,
            guard,
            directory,
        }
    }

    fn address(&self) -> SocketAddr {
        self.bench.secure_address.unwrap()
    }

    /// What somebody connects with; `None` has no certificate.
    fn connector(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsConnector {
        let provider = tokio_rustls::rustls::crypto::ring::default_provider();
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.server.roots.clone());
        let configuration = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .unwrap(),
        };
        Arc::new(configuration).into()
    }

    async fn connect(&self, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address()).await?;
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, stream).await
    }

    /// The answer to a handshake of a WebSocket, head and body; empty if the server has ended the one of TLS.
    async fn answer(&self, connector: &TlsConnector, path: &str) -> String {
        let Ok(mut stream) = self.connect(connector).await else {
            return String::new();
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        // With TLS 1.3 a client hears only now that it is not wanted (RFC 8446 section 4.4.2.4).
        let mut answer = Vec::new();
        if stream.write_all(request.as_bytes()).await.is_ok() {
            while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read_buf(&mut answer).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        }
        String::from_utf8(answer).unwrap()
    }

    /// The status that somebody gets; 0 is an end of the TLS handshake.
    async fn status(&self, identity: Option<&Identity>) -> u16 {
        self.status_with(&self.connector(identity, BOTH), "/kurento")
            .await
    }

    async fn status_with(&self, connector: &TlsConnector, path: &str) -> u16 {
        let answer = self.answer(connector, path).await;
        let status = answer.split(' ').nth(1);
        status.map_or(0, |status| status.parse().unwrap())
    }

    async fn client(&self, identity: &Identity) -> Client<TlsStream<TcpStream>> {
        let connector = self.connector(Some(identity), BOTH);
        let stream = self.connect(&connector).await.unwrap();
        Client::over(stream, "wss://localhost/kurento").await
    }
}

#[tokio::test]
async fn a_certificate_gives_what_its_entry_says() {
    let ca = Authority::new("ca");
    let auth = json!({"clientCertificates": {
        "ca": "ca.pem",
        "principals": {
            "app": {"names": ["DNS:app.example.com"], "quotas": {"pipelines": 1}},
            "operator": {"names": "CN:operator", "scope": "all", "methods": "describe"},
        },
        "others": {"classes": ["MediaPipeline"]},
    }});
    let secure = Secure::start(&[("ca.pem", &ca.pem)], auth).await;
    let mut app = secure.client(&ca.issue("a", &["app.example.com"])).await;
    let pipeline = app.create("MediaPipeline", json!({})).await;
    // Another certificate with the same name is the same principal.
    let mut again = secure.client(&ca.issue("b", &["app.example.com"])).await;
    again.result("describe", json!({"object": pipeline})).await;
    let more = json!({"type": "MediaPipeline"});
    assert_eq!(again.error("create", more.clone()).await.0, 40009);
    let mut operator = secure.client(&ca.issue("operator", &[])).await;
    operator
        .result("describe", json!({"object": pipeline}))
        .await;
    assert_eq!(operator.error("create", more).await.0, 40111);
    // Each of the others is one of its own.
    let (one, two) = (ca.issue("one", &[]), ca.issue("two", &[]));
    let (mut one, mut two) = (secure.client(&one).await, secure.client(&two).await);
    let own = one.create("MediaPipeline", json!({})).await;
    for stranger in [&mut two, &mut app] {
        let (code, _) = stranger.error("describe", json!({"object": own})).await;
        assert_eq!(code, 40101);
    }
    let element = json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": own}});
    assert_eq!(one.error("create", element).await.0, 40108);
}

#[tokio::test]
async fn whoever_shows_no_good_one_learns_nothing() {
    let (ca, other) = (Authority::new("ca"), Authority::new("ca"));
    let auth = json!({
        "tokens": {"app": {"value": token("app")}},
        "clientCertificates": {"ca": "ca.pem", "principals": {"app": {"names": ["CN:app"]}}},
    });
    let secure = Secure::start(&[("ca.pem", &ca.pem)], auth).await;
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = subject("app", &[]);
        change(&mut params);
        ca.sign(&params)
    };
    let good = ca.issue("app", &[]);
    let with_key_of_another = other.issue("app", &[]);
    for (who, identity, expected) in [
        ("the one who is meant", good, 101),
        ("somebody whom nobody knows", ca.issue("App", &[]), 401),
        ("somebody of another authority", with_key_of_another, 0),
        (
            "somebody whose certificate has expired",
            changed(|params| params.not_after = date_time_ymd(2020, 1, 1)),
            0,
        ),
        (
            "somebody whose certificate is not valid yet",
            changed(|params| params.not_before = date_time_ymd(2900, 1, 1)),
            0,
        ),
        (
            "a server",
            changed(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
            }),
            0,
        ),
    ] {
        for version in [&TLS12, &TLS13] {
            let connector = secure.connector(Some(&identity), &[version]);
            let status = secure.status_with(&connector, "/kurento").await;
            assert_eq!(status, expected, "{who} {version:?}");
        }
        let by_token = format!("/kurento?access_token={}", token("app"));
        let connector = secure.connector(Some(&identity), BOTH);
        let status = secure.status_with(&connector, &by_token).await;
        assert_eq!(status, if expected == 0 { 0 } else { 101 }, "{who}");
        let connector = secure.connector(Some(&identity), BOTH);
        let wrong = secure
            .status_with(&connector, "/kurento?access_token=x")
            .await;
        assert_eq!(wrong, if expected == 0 { 0 } else { 401 }, "{who}");
    }
    let none = secure.connector(None, BOTH);
    let unknown = secure.connector(Some(&ca.issue("x", &[])), BOTH);
    for connector in [none, unknown] {
        let answer = secure.answer(&connector, "/kurento").await.to_lowercase();
        assert!(answer.starts_with("http/1.1 401 "), "{answer}");
        assert!(!answer.contains("server:") && answer.contains("content-length: 0\r\n"));
    }
    // Who has a certificate has it at the TLS listener alone.
    assert_eq!(Client::refused(secure.bench.address, "").await, 401);
}

#[tokio::test]
async fn where_it_is_required_a_token_is_not_enough() {
    let ca = Authority::new("ca");
    let auth = json!({
        "tokens": {"app": {"value": token("app")}},
        "clientCertificates": {"ca": "ca.pem", "required": true},
    });
    let secure = Secure::start(&[("ca.pem", &ca.pem)], auth).await;
    let by_token = format!("/kurento?access_token={}", token("app"));
    let any = ca.issue("any", &[]);
    for (identity, path, expected) in [
        (None, "/kurento", 0),
        (None, by_token.as_str(), 0),
        (Some(&any), "/kurento", 401),
        (Some(&any), &by_token, 101),
    ] {
        let connector = secure.connector(identity, BOTH);
        assert_eq!(
            secure.status_with(&connector, path).await,
            expected,
            "{path}"
        );
    }
    // The other listener knows tokens only.
    let mut client = Client::bearing(secure.bench.address, &token("app")).await;
    client.result("ping", json!({})).await;
}

#[tokio::test]
async fn what_is_revoked_or_replaced_counts_from_the_next_connection_on() {
    let (ca, next) = (Authority::new("ca"), Authority::new("next"));
    let with_serial = |serial: u64| {
        let mut params = subject("app", &[]);
        params.serial_number = Some(SerialNumber::from(serial));
        ca.sign(&params)
    };
    let (first, second) = (with_serial(7), with_serial(8));
    let auth = json!({"clientCertificates": {"ca": "ca.pem", "crl": "crl.pem", "others": {}}});
    let files = [("ca.pem", &*ca.pem), ("crl.pem", &*ca.list(&[], 2900))];
    let secure = Secure::start(&files, auth).await;
    // One that would take up its session again (RFC 8446 section 2.2), where nothing is verified anew.
    let (again, again12) = (
        secure.connector(Some(&first), BOTH),
        secure.connector(Some(&first), &[&TLS12]),
    );
    for connector in [&again, &again12] {
        assert_eq!(secure.status_with(connector, "/kurento").await, 101);
    }
    let mut early = secure.client(&first).await;
    let put = |name: &str, text: &str| {
        std::fs::write(secure.directory.path().join(name), text).unwrap();
        // The server looks as well, and may have been first.
        secure.guard.reload()
    };
    put("crl.pem", &ca.list(&[7], 2900)).unwrap();
    for connector in [&again, &again12] {
        assert_eq!(secure.status_with(connector, "/kurento").await, 0);
    }
    assert_eq!(secure.status(Some(&first)).await, 0);
    assert_eq!(secure.status(Some(&second)).await, 101);
    assert!(put("crl.pem", "half a list").is_err());
    assert_eq!(secure.status(Some(&second)).await, 101);
    // It may be that somebody keeps the new one away.
    put("crl.pem", &ca.list(&[], 2024)).unwrap();
    assert_eq!(secure.status(Some(&second)).await, 0);
    // One of an authority that has no list says nothing about itself.
    put("crl.pem", &ca.list(&[], 2900)).unwrap();
    put("ca.pem", &format!("{}{}", next.pem, ca.pem)).unwrap();
    assert_eq!(secure.status(Some(&next.issue("app", &[]))).await, 0);
    let lists = format!("{}{}", ca.list(&[], 2900), next.list(&[], 2900));
    put("crl.pem", &lists).unwrap();
    assert_eq!(secure.status(Some(&next.issue("app", &[]))).await, 101);
    assert_eq!(secure.status(Some(&second)).await, 101);
    put("ca.pem", &next.pem).unwrap();
    assert_eq!(secure.status(Some(&second)).await, 0);
    early.create("MediaPipeline", json!({})).await;
}

#[tokio::test]
async fn an_expired_one_begins_nothing_and_its_connection_ends() {
    let ca = Authority::new("ca");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), &ca.pem).unwrap();
    let auth = json!({"clientCertificates": {"ca": "ca.pem", "others": {}}});
    let secure = Secure::with(directory, auth, |guard| {
        guard.with_grace(Duration::from_secs(2))
    })
    .await;
    let expiry = now() + 3;
    let mut params = subject("app", &[]);
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(expiry.unsigned_abs());
    let identity = ca.sign(&params);
    let mut client = secure.client(&identity).await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    while now() <= expiry {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let more = json!({"type": "MediaPipeline"});
    let (code, text) = client.error("create", more).await;
    assert!(
        code == 40007 && text.contains("certificate has expired"),
        "{text}"
    );
    client.result("release", json!({"object": pipeline})).await;
    loop {
        match client.socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                assert_eq!(frame.code, CloseCode::Policy);
                assert_eq!(frame.reason.as_str(), "The certificate has expired");
                break;
            }
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(secure.status(Some(&identity)).await, 0);
}

/// The commands of a section of the documentation, block by block.
fn commands() -> Vec<String> {
    let document = include_str!("../../docs/security.md");
    let section = document
        .split("\n## Certificates of clients\n")
        .nth(1)
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_documented_commands_make_what_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let run = |script: &str| {
        let mut shell = Command::new("sh");
        let done = shell
            .args(["-e", "-c", script])
            .current_dir(directory.path())
            .output();
        let done = done.unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    let [make, revoke] = &commands()[..] else {
        panic!("{:?}", commands())
    };
    run(make);
    let files = ["clients-ca.pem", "clients.crl.pem"].map(|name| {
        let text = std::fs::read_to_string(at(name)).unwrap();
        (name, text)
    });
    let files = [0, 1].map(|index| (files[index].0, files[index].1.as_str()));
    let auth = json!({"clientCertificates": {
        "ca": "clients-ca.pem", "crl": "clients.crl.pem", "required": true,
        "principals": {"app": {"names": ["DNS:app.example.com"]}},
    }});
    let secure = Secure::start(&files, auth).await;
    let identity = Identity::of_files(&at("app.pem"), &at("app.key"));
    assert_eq!(secure.status(Some(&identity)).await, 101);
    assert_eq!(secure.status(None).await, 0);
    run(revoke);
    let list = secure.directory.path().join("clients.crl.pem");
    std::fs::copy(at("clients.crl.pem"), list).unwrap();
    secure.guard.reload().unwrap();
    assert_eq!(secure.status(Some(&identity)).await, 0);
}
