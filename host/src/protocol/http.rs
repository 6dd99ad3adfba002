//! The HTTP/1.1 request with which a connection begins, and the answers to it
//! (RFC 6455 section 4.2).
//!
//! Parsed here and not by the WebSocket crate, because health checks of Kurento count
//! on two odd answers: 500 to an upgrade without key or version, 426 to a plain GET.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Bytes of a request head at most; clients send a few hundred.
const MAX_HEAD: usize = 8 << 10;
/// Header fields of a request head at most.
const MAX_FIELDS: usize = 64;
/// How long a client may take to send its head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The `Server` field of every answer.
const SERVER: &str = concat!("Rivero/", env!("CARGO_PKG_VERSION"));

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A complete WebSocket handshake.
    Upgrade {
        /// `Sec-WebSocket-Key`.
        key: String,
        /// Request target, query string included.
        target: String,
    },
    /// An upgrade that lacks the key or the version: a health check.
    IncompleteUpgrade,
    /// Any other request.
    Plain {
        /// Request target, query string included.
        target: String,
    },
    /// Not HTTP/1.1, or larger than a head may be.
    Malformed,
}

/// A head, and the bytes that came after it.
#[derive(Debug)]
pub struct Received {
    /// The request.
    pub head: Head,
    /// The beginning of what follows the head.
    pub rest: Vec<u8>,
}

/// Reads a request head.
///
/// # Errors
/// When the connection breaks, ends, or takes more than 10 s.
pub async fn receive<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Received> {
    tokio::time::timeout(HEAD_TIMEOUT, read_head(stream))
        .await
        .map_err(|_| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                "no complete request head within 10 s",
            )
        })?
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Received> {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match parse(&buffer) {
            Some((head, length)) => {
                return Ok(Received {
                    head,
                    rest: buffer.split_off(length.min(buffer.len())),
                });
            }
            None if buffer.len() >= MAX_HEAD => {
                return Ok(Received {
                    head: Head::Malformed,
                    rest: Vec::new(),
                });
            }
            None => {}
        }
    }
}

/// Parses a head; `None` while it is incomplete, otherwise with its length in bytes.
#[must_use]
pub fn parse(buffer: &[u8]) -> Option<(Head, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some((Head::Malformed, buffer.len())),
    };
    let target = request.path.unwrap_or("/").to_owned();
    let field = |name: &str| {
        let found = request
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let lists = |name: &str, word: &str| {
        field(name).is_some_and(|value| {
            value
                .split(',')
                .any(|item| item.trim().eq_ignore_ascii_case(word))
        })
    };
    let upgrade = request.method == Some("GET")
        && lists("Upgrade", "websocket")
        && lists("Connection", "upgrade");
    let head = match (
        upgrade,
        field("Sec-WebSocket-Key"),
        field("Sec-WebSocket-Version"),
    ) {
        (true, Some(key), Some("13")) if !key.is_empty() => Head::Upgrade {
            key: key.to_owned(),
            target,
        },
        (true, ..) => Head::IncompleteUpgrade,
        (false, ..) => Head::Plain { target },
    };
    Some((head, length))
}

/// Whether `target` names the configured WebSocket path (`kurento`): leading slash and
/// query string do not count, a trailing slash does.
#[must_use]
pub fn is_path(target: &str, path: &str) -> bool {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    target.strip_prefix('/').unwrap_or(target) == path.strip_prefix('/').unwrap_or(path)
}

/// Completes a handshake.
///
/// # Errors
/// When the connection breaks.
pub async fn accept<S: AsyncWrite + Unpin>(stream: &mut S, key: &str) -> io::Result<()> {
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: {SERVER}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    // TLS may still hold what the socket did not take at once.
    stream.flush().await
}

/// Sends an answer that ends the connection; `status` is code and reason.
///
/// # Errors
/// When the connection breaks.
pub async fn answer<S: AsyncWrite + Unpin>(
    stream: &mut S,
    status: &str,
    content_type: &str,
    body: &str,
) -> io::Result<()> {
    let upgrade = if status.starts_with("426") {
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    } else {
        ""
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nServer: {SERVER}\r\n{upgrade}Content-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Option<Head> {
        parse(text.as_bytes()).map(|(head, _)| head)
    }

    #[test]
    fn recognises_the_handshake() {
        let text = "GET /kurento?a=1 HTTP/1.1\r\nHost: x\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhl\r\nSec-WebSocket-Version: 13\r\n\r\n";
        assert_eq!(
            head(text),
            Some(Head::Upgrade {
                key: "dGhl".into(),
                target: "/kurento?a=1".into()
            })
        );
        assert_eq!(
            parse(format!("{text}rest").as_bytes()).unwrap().1,
            text.len()
        );
        for cut in 0..text.len() {
            assert_eq!(head(&text[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn tells_health_checks_from_plain_requests() {
        let probe =
            "GET /kurento HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(head(probe), Some(Head::IncompleteUpgrade));
        let plain = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(
            head(plain),
            Some(Head::Plain {
                target: "/health".into()
            })
        );
        assert_eq!(head("\u{16}\u{3}\u{1}\r\n\r\n"), Some(Head::Malformed));
    }

    #[test]
    fn the_path_is_compared_without_query() {
        assert!(is_path("/kurento", "kurento") && is_path("/kurento?x=1", "/kurento"));
        assert!(
            !is_path("/kurento/", "kurento")
                && !is_path("/", "kurento")
                && !is_path("/kurentoX", "kurento")
        );
    }

    #[tokio::test]
    async fn endless_heads_are_cut_off() {
        let mut endless: &[u8] = &[b'a'; 20_000];
        assert_eq!(receive(&mut endless).await.unwrap().head, Head::Malformed);
        let mut short: &[u8] = b"GET / HTTP/1.1\r\n";
        assert!(receive(&mut short).await.is_err());
    }
}
