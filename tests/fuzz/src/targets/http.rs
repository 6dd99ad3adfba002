//! The head of an HTTP request, before it becomes a WebSocket.

use rivero::protocol::http;

pub(crate) fn run(input: &[u8]) {
    if let Some((head, length)) = http::parse(input) {
        assert!(length <= input.len());
        std::hint::black_box(head);
    }
    if let Ok(target) = std::str::from_utf8(input) {
        std::hint::black_box(http::is_path(target, "kurento"));
    }
}
