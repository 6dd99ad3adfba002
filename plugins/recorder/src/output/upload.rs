//! Uploads: one POST whose body is sent while it is recorded (RFC 9112 §7.1).

use std::{
    collections::VecDeque,
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
    sync::{mpsc, oneshot},
    task::AbortHandle,
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

/// The body of a running POST. It ends with this, answered or not, and so does its connection.
pub(crate) struct Upload {
    /// What was appended and is not on its way yet.
    waiting: VecDeque<Bytes>,
    /// Whether all of the body was appended.
    is_closed: bool,
    pieces: Option<mpsc::Sender<Bytes>>,
    /// The end of the exchange.
    done: oneshot::Receiver<io::Result<()>>,
    exchange: AbortHandle,
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
        let exchange = tokio::spawn(async move {
            let result = exchange(stream, request).await;
            // Nobody waits any more when the recording is gone.
            let _ = end.send(result);
        });
        Ok(Self {
            waiting: VecDeque::new(),
            is_closed: false,
            pieces: Some(pieces),
            done,
            exchange: exchange.abort_handle(),
            length: 0,
        })
    }

    /// Sends what was appended, as fast as the server takes it; after [`Output::close`] waits for
    /// its answer, too. `progress` is called whenever a piece is on its way.
    ///
    /// # Errors
    /// What the server or the network said; [`io::ErrorKind::TimedOut`] when they say nothing for
    /// 30 s. There is no going on afterwards.
    pub(crate) async fn deliver(&mut self, progress: &(dyn Fn() + Sync)) -> io::Result<()> {
        while let Some(piece) = self.waiting.pop_front() {
            let Some(pieces) = &self.pieces else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            match timeout(PATIENCE, pieces.send(piece)).await {
                Ok(Ok(())) => progress(),
                Ok(Err(_)) => {
                    self.answer().await?;
                    let text = "the server ended the upload before it was complete";
                    return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
                }
                Err(_) => {
                    let text = "the server takes no more data";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
            }
        }
        match self.is_closed {
            true => self.answer().await,
            false => Ok(()),
        }
    }

    /// Ends the body; what the server or the network said, only once.
    async fn answer(&mut self) -> io::Result<()> {
        self.pieces = None;
        match timeout(PATIENCE, &mut self.done).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(_) => {
                let text = "the server does not answer";
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // A server that was given up must not keep a socket for as long as it likes.
        self.exchange.abort();
    }
}

impl Output for Upload {
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        let pieces = data.chunks(PIECE).map(Bytes::copy_from_slice);
        self.waiting.extend(pieces);
        self.length += data.len() as u64;
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

    /// There is no way to ask that of a server.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn next_file(&mut self) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "an upload cannot be split",
        ))
    }

    fn close(&mut self) -> io::Result<()> {
        self.is_closed = true;
        Ok(())
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

#[cfg(test)]
mod tests {
    use rivero_uri::UriSettings;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    /// More than the buffers of a connection take.
    const MUCH: usize = 64 << 20;

    async fn begin(listener: &TcpListener) -> Upload {
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let policy = Policy::new(&UriSettings::default());
        let url = url.parse().unwrap();
        Upload::begin(&url, "video/webm", &policy).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_nothing_is_given_up_and_its_connection_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut upload = begin(&listener).await;
        let (mut connection, _) = listener.accept().await.unwrap();
        upload.append(&vec![0; MUCH]).unwrap();
        let error = upload.deliver(&|| {}).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        drop(upload);
        let mut arrived = Vec::new();
        // Its end, by whatever way the system tells of it.
        let _ = connection.read_to_end(&mut arrived).await;
        assert!(arrived.len() < MUCH);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_given_up_and_its_connection_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut upload = begin(&listener).await;
        let (mut connection, _) = listener.accept().await.unwrap();
        upload.append(b"a little").unwrap();
        upload.close().unwrap();
        let error = upload.deliver(&|| {}).await.unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");

        drop(upload);
        let mut arrived = Vec::new();
        connection.read_to_end(&mut arrived).await.unwrap();
        assert!(arrived.ends_with(b"\r\n0\r\n\r\n"));
    }
}
