//! A source that is given a proxy's URL reaches no host but those that the policy allows, and its password nobody but
//! the host that it was given for: servers write down what they get.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed call fails the test"
)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use rivero_http::Dialer;
use rivero_proxy::Proxy;
use rivero_uri::{Policy, UriSettings};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that answers each request with what `answer` makes of it, and writes everything down.
struct Server {
    address: SocketAddr,
    got: Arc<Mutex<String>>,
}

impl Server {
    fn new(host: &str, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::<Mutex<String>>::default();
        let (written, answer) = (got.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, written, answer) =
                    (stream.unwrap(), written.clone(), answer.clone());
                written.lock().unwrap().push_str("(connected)\n");
                thread::spawn(move || {
                    while let Some(request) = read_message(&mut stream) {
                        written.lock().unwrap().push_str(&request);
                        let sequence = header(&request, "CSeq").unwrap_or_default();
                        let text = answer(&request).replacen(
                            "\r\n",
                            &format!("\r\nCSeq: {sequence}\r\n"),
                            1,
                        );
                        if stream.write_all(text.as_bytes()).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, got }
    }

    fn got(&self) -> String {
        self.got.lock().unwrap().clone()
    }
}

fn read_message(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    let mut text = String::from_utf8(head).unwrap();
    let length = header(&text, "Content-Length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    text.push_str(&String::from_utf8(body).unwrap());
    Some(text)
}

fn header(message: &str, name: &str) -> Option<String> {
    let line = message
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    Some(line.to_owned())
}

fn ok() -> String {
    "RTSP/1.0 200 OK\r\n\r\n".to_owned()
}

fn moved(status: u16, to: &str) -> String {
    format!("RTSP/1.0 {status} Moved\r\nLocation: {to}\r\n\r\n")
}

/// Asks for the password first, then gives that answer.
fn with_password(request: &str, answer: String) -> String {
    if request.contains("Authorization: ") {
        answer
    } else {
        "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"camera\"\r\n\r\n".to_owned()
    }
}

fn policy(settings: &str) -> Policy {
    Policy::new(&serde_json::from_str::<UriSettings>(settings).unwrap())
}

/// What a source is answered that asks for a URL through a proxy; `None` if its connection is closed.
fn describe(proxy: &Proxy) -> Option<String> {
    let rest = proxy.url().strip_prefix("rtsp://").unwrap();
    let mut stream = TcpStream::connect(rest.split('/').next().unwrap()).unwrap();
    let request = format!("DESCRIBE {} RTSP/1.0\r\nCSeq: 7\r\n\r\n", proxy.url());
    stream.write_all(request.as_bytes()).unwrap();
    read_message(&mut stream)
}

fn open(url: &str, settings: &str) -> Proxy {
    Proxy::open(&url.parse().unwrap(), Dialer::new(policy(settings))).unwrap()
}

#[test]
fn a_redirection_that_the_policy_forbids_is_refused() {
    for (status, settings) in [
        (301, r#"{"allowedHosts": "127.0.0.1"}"#),
        (302, r#"{"allowedHosts": "127.0.0.1"}"#),
        (303, r#"{"internalHosts": "127.0.0.1"}"#),
        (
            307,
            r#"{"uriPolicy": "strict", "allowedSchemes": "rtsp", "allowedHosts": "127.0.0.1"}"#,
        ),
        (
            308,
            r#"{"uriPolicy": "strict", "allowedSchemes": "rtsp", "allowedHosts": "*", "internalHosts": "127.0.0.1/32"}"#,
        ),
    ] {
        let forbidden = Server::new("127.0.0.2", |_| ok());
        let to = format!("rtsp://me:secret@{}/b", forbidden.address);
        let camera = Server::new("127.0.0.1", move |request| {
            with_password(request, moved(status, &to))
        });
        let proxy = open(&format!("rtsp://me:secret@{}/a", camera.address), settings);
        assert_eq!(describe(&proxy), None, "{status}");
        let failure = proxy.failure().unwrap();
        assert!(failure.contains("127.0.0.2"), "{failure}");
        assert!(!failure.contains("secret"), "{failure}");
        assert!(camera.got().contains("Authorization: Basic"));
        assert_eq!(forbidden.got(), "", "{status}");
    }
}

#[test]
fn a_redirection_that_the_policy_allows_is_followed_without_the_password() {
    let other = Server::new("127.0.0.1", |request| with_password(request, ok()));
    let to = format!("rtsp://{}/b", other.address);
    let camera = Server::new("127.0.0.1", move |request| {
        with_password(request, moved(302, &to))
    });
    let proxy = open(&format!("rtsp://me:secret@{}/a", camera.address), "{}");
    // The other host asks for a password, and none was given for it.
    let answer = describe(&proxy).unwrap();
    assert!(answer.starts_with("RTSP/1.0 401 "), "{answer}");
    assert_eq!(header(&answer, "CSeq").as_deref(), Some("7"));
    assert!(
        other.got().contains("DESCRIBE rtsp://127.0.0.1:"),
        "{}",
        other.got()
    );
    assert!(!other.got().contains("Authorization"), "{}", other.got());
}

#[test]
fn a_name_that_has_another_address_the_second_time_is_asked_about_again() {
    let camera = Server::new("127.0.0.1", |_| ok());
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = lookups.clone();
    let resolve = move |name: &str, port: u16| {
        assert_eq!(name, "camera.test");
        let address = match counted.fetch_add(1, Relaxed) {
            0 => [127, 0, 0, 1],
            _ => [169, 254, 169, 254],
        };
        Ok(vec![SocketAddr::from((address, port))])
    };
    let url = format!("rtsp://camera.test:{}/a", camera.address.port());
    let dialer = Dialer::with_resolver(policy("{}"), resolve);
    let proxy = Proxy::open(&url.parse().unwrap(), dialer).unwrap();
    assert!(describe(&proxy).unwrap().starts_with("RTSP/1.0 200 "));
    assert_eq!(lookups.load(Relaxed), 1, "once for a connection");
    assert!(
        camera.got().contains(&format!("DESCRIBE {url} RTSP/1.0")),
        "{}",
        camera.got()
    );
    assert_eq!(describe(&proxy), None);
    assert!(proxy.failure().unwrap().contains("169.254.169.254"));
}

#[test]
fn nobody_is_connected_to_for_a_stranger() {
    let camera = Server::new("127.0.0.1", |_| ok());
    let proxy = open(&format!("rtsp://me:secret@{}/a", camera.address), "{}");
    let authority = proxy.url().split('/').nth(2).unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let request = format!("DESCRIBE rtsp://{authority}/a RTSP/1.0\r\nCSeq: 7\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(read_message(&mut stream), None);
    assert_eq!(camera.got(), "");
}

#[test]
fn a_proxy_ends_with_its_owner() {
    let camera = Server::new("127.0.0.1", |_| ok());
    let proxy = open(&format!("rtsp://{}/a", camera.address), "{}");
    let authority = proxy.url().split('/').nth(2).unwrap().to_owned();
    drop(proxy);
    let ended = (0..2000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        TcpStream::connect(&authority).is_err()
    });
    assert!(ended);
}
