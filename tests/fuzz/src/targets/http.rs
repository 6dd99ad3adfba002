//! The path of a request, which decides whether a WebSocket is what the client meant.

use rivero::http::handshake;

pub(crate) fn run(input: &[u8]) {
    if let Ok(path) = std::str::from_utf8(input) {
        std::hint::black_box(handshake::is_path(path, "kurento"));
    }
}
