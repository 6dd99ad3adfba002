//! One request and its answer on a connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::body::Body;
use super::site::{Answer, Site};
use crate::auth::Principal;

/// Bytes of a request head at most; clients send a few hundred. hyper reads no less than this.
const MAX_HEAD: usize = 8 << 10;
/// Header fields of a request head at most.
const MAX_FIELDS: usize = 64;
/// How long a client may take to send its head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an exchange may take, head, body and answer included: a client that neither sends nor
/// reads holds its connection no longer than this.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take no piece of an answer that goes on.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may go on sending after its answer.
const LINGER: Duration = Duration::from_secs(2);

/// A connection that became a WebSocket.
#[derive(Debug)]
pub struct Upgraded<S> {
    /// The stream, on which the answer to the handshake was sent.
    pub stream: S,
    /// What the client sent after its handshake, as far as it was read.
    pub rest: Bytes,
    /// Path of the request target. Its query may carry a credential, and goes no further.
    pub path: String,
    /// On whose behalf the connection acts.
    pub principal: Arc<Principal>,
}

/// Answers the request of a connection; `None` if it is over afterwards.
///
/// Connections are not kept for a second request: those who ask for pages come every few seconds,
/// and an idle connection would need a limit of its own.
///
/// `certificate` is what the client has shown in the handshake of TLS.
pub async fn exchange<S>(
    stream: S,
    from: SocketAddr,
    certificate: Option<&CertificateDer<'_>>,
    site: &Site,
) -> Option<Upgraded<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let upgraded_at = OnceLock::new();
    let taken: OnceLock<Arc<AtomicU64>> = OnceLock::new();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let answer = site.answer(&request, from, certificate);
        if let Answer::Upgrade { principal, .. } = &answer {
            let _ = upgraded_at.set((request.uri().path().to_owned(), principal.clone()));
        }
        let taken = &taken;
        Box::pin(async move {
            let response = answer.when_due().await.into_response();
            if let Body::Stream(pieces) = response.body() {
                let _ = taken.set(pieces.taken());
            }
            Ok::<_, Infallible>(response)
        })
    });
    // In a box, which is given back before the WebSocket begins: thousands of idle connections
    // would keep room for a state of hyper that is over.
    let mut connection = Box::new(builder().serve_connection(TokioIo::new(stream), service));
    // Shutting down is left to `hang_up`; and a WebSocket goes on with the stream itself, without
    // hyper's boxed one in between.
    let answered = poll_fn(|cx| connection.poll_without_shutdown(cx));
    match in_time(answered, || taken.get().map(|taken| taken.load(Relaxed))).await {
        Ok(Ok(())) => {}
        // hyper has answered what is malformed or too large.
        Ok(Err(error)) => tracing::debug!(%from, %error, "no request"),
        Err(Elapsed) => {
            tracing::debug!(%from, "no complete exchange within 30 s");
            return None;
        }
    }
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    let Some((path, principal)) = upgraded_at.get().cloned() else {
        hang_up(stream).await;
        return None;
    };
    Some(Upgraded {
        stream,
        rest: parts.read_buf,
        path,
        principal,
    })
}

/// An exchange took too long.
struct Elapsed;

/// Waits for an exchange as long as it may take. An answer that goes on may do so for as long as its
/// client takes pieces of it; `taken` counts them, `None` for any other answer.
async fn in_time<T>(
    exchange: impl Future<Output = T>,
    taken: impl Fn() -> Option<u64>,
) -> Result<T, Elapsed> {
    let mut exchange = pin!(exchange);
    let mut seen = None;
    loop {
        let patience = if seen.is_none() {
            EXCHANGE_TIMEOUT
        } else {
            PIECE_TIMEOUT
        };
        if let Ok(done) = timeout(patience, &mut exchange).await {
            return Ok(done);
        }
        let now = taken();
        if now.is_none() || now == seen {
            return Err(Elapsed);
        }
        seen = now;
    }
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        // `printf … | nc` sends no more than its request and wants the answer nevertheless.
        .half_close(true)
        // Scripts look for `Server:`, although names are the same in any case.
        .title_case_headers(true);
    builder
}

/// Ends a connection after its answer. Closing a socket from which not all was read resets it, and
/// the answer may be lost with that (RFC 9112 section 9.6).
async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let goodbye = async {
        stream.shutdown().await?;
        let mut scratch = vec![0; 4 << 10];
        while stream.read(&mut scratch).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(LINGER, goodbye).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Page, Pieces, Router};
    use hyper::StatusCode;
    use tokio::io::duplex;
    use tokio::time::Instant;

    /// More than fits between client and server.
    const LARGE: usize = 1 << 20;

    fn site() -> Site {
        Site {
            router: Router::new(|_| Page::text(StatusCode::OK, vec![b'x'; LARGE])),
            has_websocket: true,
            on_loopback: true,
            access: Arc::default(),
        }
    }

    /// How long the server has patience with a client that sends this and reads nothing.
    async fn patience(sent: &str) -> Duration {
        let (mut client, server) = duplex(1024);
        client.write_all(sent.as_bytes()).await.unwrap();
        let begun = Instant::now();
        let from = ([127, 0, 0, 1], 1).into();
        assert!(
            exchange(server, from, None, &site()).await.is_none(),
            "{sent}"
        );
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn heads_bodies_and_answers_have_their_time() {
        let head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        for begun in ["", "G", head.trim_end()] {
            let lasted = patience(begun).await;
            assert!(
                lasted >= HEAD_TIMEOUT && lasted <= HEAD_TIMEOUT + 2 * LINGER,
                "{begun} {lasted:?}"
            );
        }
        assert_eq!(patience(head).await.as_secs(), EXCHANGE_TIMEOUT.as_secs());
        // A body is not waited for: the answer does not depend on it.
        let endless = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(patience(endless).await <= 2 * LINGER);
    }

    /// A site whose only page goes on for ever, a second and 1 KB a piece.
    fn endless() -> Site {
        let pieces = || {
            futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Some((Bytes::from(vec![b'x'; 1 << 10]), ()))
            })
        };
        Site {
            router: Router::new(|_| Page::text(StatusCode::NOT_FOUND, ""))
                .area("/console", move |_, _| {
                    hyper::Response::new(Body::Stream(Pieces::new(pieces())))
                }),
            ..site()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_go_on_as_long_as_somebody_reads() {
        let (mut client, server) = duplex(1024);
        let from = ([127, 0, 0, 1], 1).into();
        let begun = Instant::now();
        let served =
            tokio::spawn(async move { exchange(server, from, None, &endless()).await.is_none() });
        let request = b"GET /console/api HTTP/1.1\r\nHost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut part = vec![0; 64 << 10];
        while begun.elapsed() < 4 * PIECE_TIMEOUT {
            assert!(client.read(&mut part).await.unwrap() > 0);
        }
        // Nobody reads any more.
        let stopped = Instant::now();
        assert!(served.await.unwrap());
        let lasted = stopped.elapsed();
        assert!(
            lasted >= PIECE_TIMEOUT && lasted < 4 * PIECE_TIMEOUT,
            "{lasted:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_slowly_arrives_whole() {
        let (mut client, server) = duplex(1024);
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let from = ([127, 0, 0, 1], 1).into();
        let served =
            tokio::spawn(async move { exchange(server, from, None, &site()).await.is_none() });
        client.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let mut part = vec![0; 64 << 10];
        loop {
            match client.read(&mut part).await.unwrap() {
                0 => break,
                length => answer.extend_from_slice(part.get(..length).unwrap()),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(answer.len() > LARGE && served.await.unwrap());
    }
}
