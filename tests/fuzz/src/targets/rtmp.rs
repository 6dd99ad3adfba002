//! What a client of RTMP sends after the handshake.

use rivero_proxy::rtmp::{Client, Names};

/// C0, C1 and C2.
const HANDSHAKE: usize = 3073;

pub(crate) fn run(input: &[u8]) {
    let mut client = Client::new(Names {
        own: "rtmp://127.0.0.1:9/token".to_owned(),
        public: "rtmp://camera".to_owned(),
        token: "token".to_owned(),
    });
    let mut out = Vec::new();
    let _ = client.on_client(&[0; HANDSHAKE], &mut out);
    for piece in input.chunks(100) {
        if client.on_client(piece, &mut out).is_err() {
            return;
        }
    }
}
