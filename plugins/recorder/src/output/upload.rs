//! Uploads: one POST whose body is sent while it is recorded (RFC 9112 §7.1).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rivero_uri::Policy;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::timeout,
};
use url::Url;

use crate::container::Output;

/// For a connection, with all addresses of the host.
const CONNECTING: Duration = Duration::from_secs(8);
/// A server that takes nothing for so long is given up, as is one that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Chunks on their way to the network.
const QUEUE: usize = 8;
/// Bytes of one piece of the body.
const PIECE: usize = 1 << 20;

/// The body of a running POST.
pub(crate) struct Upload {
    pieces: Option<mpsc::Sender<Bytes>>,
    /// The end of the exchange.
    done: oneshot::Receiver<io::Result<()>>,
    length: u64,
}

impl Upload {
    /// Connects and begins the request.
    pub(crate) async fn begin(
        url: &Url,
        content_type: &'static str,
        policy: &Policy,
    ) -> io::Result<Self> {
        let stream = timeout(CONNECTING, rivero_http::connect(url, policy)).await??;
        let (pieces, body) = mpsc::channel(QUEUE);
        let request = request(url, content_type, body)?;
        let (end, done) = oneshot::channel();
        tokio::spawn(async move {
            let result = exchange(stream, request).await;
            // Nobody waits any more when the recording is gone.
            let _ = end.send(result);
        });
        Ok(Self {
            pieces: Some(pieces),
            done,
            length: 0,
        })
    }

    /// What the server or the network said; only once.
    fn end(&mut self) -> io::Result<()> {
        let answer = Handle::current().block_on(timeout(PATIENCE, &mut self.done));
        match answer {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the server does not answer",
            )),
        }
    }
}

impl Output for Upload {
    /// Called on a thread that may block.
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        for piece in data.chunks(PIECE) {
            let Some(pieces) = &self.pieces else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            let sent = pieces.send(Bytes::copy_from_slice(piece));
            match Handle::current().block_on(timeout(PATIENCE, sent)) {
                Ok(Ok(())) => self.length += piece.len() as u64,
                Ok(Err(_)) => {
                    self.pieces = None;
                    self.end()?;
                    let text = "the server ended the upload before it was complete";
                    return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
                }
                Err(_) => {
                    self.pieces = None;
                    let text = "the server takes no more data";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
            }
        }
        Ok(())
    }

    fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn can_patch(&self) -> bool {
        false
    }

    fn next_file(&mut self) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "an upload cannot be split",
        ))
    }

    fn close(&mut self) -> io::Result<()> {
        match self.pieces.take() {
            Some(pieces) => drop(pieces),
            None => return Ok(()),
        }
        self.end()
    }
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.into())
}

fn request(
    url: &Url,
    content_type: &'static str,
    body: mpsc::Receiver<Bytes>,
) -> io::Result<Request<Pieces>> {
    let mut request = Request::post(rivero_http::target(url))
        .header(HOST, rivero_http::authority(url))
        .header(CONTENT_TYPE, content_type)
        .header(USER_AGENT, rivero_http::user_agent());
    if let Some(credentials) = rivero_http::basic(url) {
        request = request.header(AUTHORIZATION, credentials);
    }
    request
        .body(Pieces(body))
        .map_err(|error| invalid(error.to_string()))
}

async fn exchange(
    stream: Box<dyn rivero_http::Stream>,
    request: Request<Pieces>,
) -> io::Result<()> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let answer = async move { sender.send_request(request).await.map_err(io::Error::other) };
    let driven = async move {
        // Its failures are those of the request, which says more.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        response = answer => check(&response?),
        () = driven => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

fn check(response: &Response<Incoming>) -> io::Result<()> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    Err(io::Error::other(format!("the server answered {status}")))
}

/// The body, in pieces as they come.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
