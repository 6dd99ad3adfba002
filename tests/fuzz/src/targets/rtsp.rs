//! Both sides of an RTSP connection, before the first zero byte and after it.

use rivero_proxy::rtsp::{Output, Session, Target};
use rivero_uri::{Policy, UriSettings};

const PREFIX: &str = "rtsp://127.0.0.1:9/token";

pub(crate) fn run(input: &[u8]) {
    let mut sides = input.splitn(2, |byte| *byte == 0);
    let (client, server) = (sides.next(), sides.next().unwrap_or_default());
    let target = "rtsp://me:secret@192.0.2.7/a"
        .parse()
        .ok()
        .and_then(|url| Target::new(&url));
    let Some(target) = target else { return };
    let policy = Policy::new(&UriSettings::default());
    let mut session = Session::new(target, PREFIX.to_owned(), policy);
    let mut out = Output::default();
    session.connected([192, 0, 2, 7].into(), &mut out);
    let _ = session.on_client(client.unwrap_or_default(), &mut out);
    for piece in server.chunks(50) {
        if session.on_server(piece, &mut out).is_err() || out.moves {
            break;
        }
    }
    let told = String::from_utf8_lossy(&out.to_client);
    assert!(!told.contains("\nLocation:"), "{told}");
}
