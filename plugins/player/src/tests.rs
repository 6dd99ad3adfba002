//! GStreamer's sources and servers that would send them elsewhere.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use rivero_gst::{bus::Report, gst, gst::prelude::*, playback::Notice};
use rivero_uri::{Location, Policy, UriSettings};

use crate::{
    failure::Failure,
    playback::{Origin, Playback},
    source::{Setup, Way},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A playback of a URI under a policy, and its errors.
fn play(uri: &str, settings: &str) -> (Playback, mpsc::Receiver<rivero_gst::StreamError>) {
    rivero_gst::init().unwrap();
    let settings: UriSettings = serde_json::from_str(settings).unwrap();
    let location = Location::parse(uri, &settings.default_path).unwrap();
    let way = Way::to(&location, &Policy::new(&settings), Setup::new(100, None)).unwrap();
    let Way::Element(source) = way else {
        panic!("{way:?}")
    };
    let (errors, received) = mpsc::channel();
    let errors = Mutex::new(errors);
    let tell = Arc::new(move |notice: Notice| {
        if let Notice::Report(Report::Error(error)) = notice {
            let _ = errors.lock().unwrap().send(error);
        }
    });
    let playback = Playback::new(Origin::Element(source), false, Vec::new(), tell).unwrap();
    let _ = playback.pipeline().set_state(gst::State::Playing);
    (playback, received)
}

/// A server on an address of loopback that serves each connection with `serve`.
fn server(host: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), serve.clone());
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Two ports beside each other, as RTP and RTCP want them.
fn pair(host: &str) -> (UdpSocket, UdpSocket) {
    loop {
        let first = UdpSocket::bind((host, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if port.is_multiple_of(2)
            && let Ok(second) = UdpSocket::bind((host, port + 1))
        {
            return (first, second);
        }
    }
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim_start_matches(':').trim()
}

/// A camera that says in SETUP and in its description that packets are to go to `elsewhere`.
fn misleading_camera(host: &str, elsewhere: &'static str, ports: (u16, u16)) -> SocketAddr {
    server(host, move |mut stream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() {
            head.push(byte[0]);
            if !head.ends_with(b"\r\n\r\n") {
                continue;
            }
            let request = String::from_utf8_lossy(&std::mem::take(&mut head)).into_owned();
            let sequence = header(&request, "CSeq");
            let transport = header(&request, "Transport");
            let more = match request.split(' ').next().unwrap_or_default() {
                "OPTIONS" => "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n".to_owned(),
                "DESCRIBE" => {
                    let body = format!(
                        "v=0\r\no=- 1 1 IN IP4 {elsewhere}\r\ns=x\r\nc=IN IP4 {elsewhere}\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 {elsewhere}\r\na=control:rtsp://{elsewhere}/track\r\n"
                    );
                    format!(
                        "Content-Type: application/sdp\r\nContent-Base: rtsp://{elsewhere}/\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    )
                }
                "SETUP" => format!(
                    "Session: 1\r\nTransport: {};source={elsewhere};destination={elsewhere};server_port={}-{}\r\n\r\n",
                    transport.split(',').next().unwrap_or_default(),
                    ports.0,
                    ports.1
                ),
                _ => "Session: 1\r\n\r\n".to_owned(),
            };
            let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{more}");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

#[test]
fn a_camera_cannot_have_packets_sent_to_another_host() {
    sends_to_the_camera_only("127.0.0.1");
}

#[test]
fn nor_can_one_that_is_reached_over_ipv6() {
    sends_to_the_camera_only("::1");
}

fn sends_to_the_camera_only(host: &'static str) {
    const ELSEWHERE: &str = "127.0.0.2";
    let (rtp, rtcp) = pair(host);
    let ports = [&rtp, &rtcp].map(|socket| socket.local_addr().unwrap().port());
    let foreign = ports.map(|port| UdpSocket::bind((ELSEWHERE, port)).unwrap());
    let visited = TcpListener::bind((ELSEWHERE, 0)).unwrap();
    visited.set_nonblocking(true).unwrap();
    let camera = misleading_camera(host, ELSEWHERE, (ports[0], ports[1]));
    let (playback, _errors) = play(
        &format!("rtspu://{camera}/a"),
        r#"{"allowedHosts": "127.0.0.1, ::1"}"#,
    );
    // What opens firewalls goes to the camera itself …
    rtp.set_read_timeout(Some(PATIENCE)).unwrap();
    rtp.recv_from(&mut [0; 2048]).unwrap();
    drop(playback);
    // … and nothing to where it says.
    for socket in foreign {
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv_from(&mut [0; 2048]).is_err());
    }
    assert!(visited.accept().is_err());
}

#[test]
fn a_refused_redirection_is_told_as_such_and_without_secrets() {
    let camera = server("127.0.0.1", |mut stream| {
        let mut head = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut head) {
            let request = String::from_utf8_lossy(&head[..length]).into_owned();
            let answer = format!(
                "RTSP/1.0 302 Found\r\nCSeq: {}\r\nLocation: rtsp://me:secret@169.254.169.254/latest\r\n\r\n",
                header(&request, "CSeq")
            );
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let (playback, errors) = play(&format!("rtsp://me:secret@{camera}/a"), "{}");
    let error = errors.recv_timeout(PATIENCE).unwrap();
    let failure = playback.failure(error);
    assert!(matches!(failure, Failure::Uri(_)), "{failure}");
    let text = failure.to_string();
    assert!(
        text.contains("169.254.169.254") && !text.contains("secret"),
        "{text}"
    );
}

/// A text of AMF 0.
fn amf(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes
}

/// `_error` of a server that wants to be asked elsewhere (`ex.redirect`), as one chunk.
fn rtmp_redirection(to: &str) -> Vec<u8> {
    let property = |name: &str, value: &str| [amf(name), vec![2], amf(value)].concat();
    let payload = [
        vec![2],
        amf("_error"),
        vec![0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 5, 3],
        property("level", "error"),
        property("code", "NetConnection.Connect.Rejected"),
        property("description", "[ redirect ]"),
        [
            amf("ex"),
            vec![3],
            amf("code"),
            vec![0, 0x40, 0x72, 0xe0, 0, 0, 0, 0, 0],
        ]
        .concat(),
        property("redirect", to),
        vec![0, 0, 9, 0, 0, 9],
    ]
    .concat();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    // A chunk size that holds it, then the command on chunk stream 3.
    let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0x10, 0];
    bytes.extend([3, 0, 0, 0, length[1], length[2], length[3], 20, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

#[test]
fn an_rtmp_server_does_not_redirect_and_is_told_its_own_url() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = format!("rtmp://{}/live", elsewhere.local_addr().unwrap());
    let (commands, received) = mpsc::channel();
    let commands = Mutex::new(commands);
    let address = server("127.0.0.1", move |mut stream| {
        let mut handshake = [0; 1537];
        if stream.read_exact(&mut handshake).is_err() {
            return;
        }
        let echo = handshake[1..].to_vec();
        stream
            .write_all(&[vec![3], vec![0; 1536], echo].concat())
            .unwrap();
        stream.read_exact(&mut handshake[..1536]).unwrap();
        let (mut command, mut piece) = (Vec::new(), [0; 4096]);
        while !command.windows(5).any(|five| five == b"tcUrl") || command.len() < 200 {
            let length = stream.read(&mut piece).unwrap();
            command.extend_from_slice(&piece[..length]);
        }
        commands.lock().unwrap().send(command).unwrap();
        let _ = stream.write_all(&rtmp_redirection(&to));
        // Until the client has enough of it.
        while matches!(stream.read(&mut piece), Ok(1..)) {}
    });
    let (playback, errors) = play(&format!("rtmp://{address}/live/stream"), "{}");
    let command = received.recv_timeout(PATIENCE).unwrap();
    let error = errors.recv_timeout(PATIENCE).unwrap();
    assert!(elsewhere.accept().is_err(), "it went there");
    // Chunks of 128 bytes have a byte between them.
    let text = String::from_utf8_lossy(&command).replace('\u{c3}', "");
    assert!(text.contains("live") && !text.contains("token"), "{text}");
    let own = playback.names().unwrap().public(&text);
    assert_eq!(own, text, "nothing of the proxy's is told");
    let failure = playback.failure(error).to_string();
    assert!(
        !failure.contains(".c(") && !failure.contains('\n'),
        "{failure}"
    );
}
