//! One signed request to a store, and its answer.

use std::{
    convert::Infallible,
    fs::File,
    future::poll_fn,
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1,
    header::{CONTENT_LENGTH, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use ring::digest;
use rivero_uri::Policy;
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};
use url::Url;

use super::{
    answer::{self, Failure},
    object::Object,
    sign::{self, Signed},
    store::Store,
};

/// For a connection, with all addresses of the host.
const CONNECTING: Duration = Duration::from_secs(8);
/// A store that takes nothing for so long is given up.
const TAKING: Duration = Duration::from_secs(30);
/// One that does not answer is given up after this: it may have to bring what it got to disks in other places first.
const ANSWERING: Duration = Duration::from_secs(60);
/// A store may take minutes to put an object together, and sends spaces meanwhile.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// After a connection has broken, its answer is there already or does not come.
const LATE_ANSWER: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read; those to what is asked here have a few hundred.
const LONGEST_ANSWER: usize = 64 << 10;
/// Bytes that are read from a file, and given to the network, at once.
const PIECE: usize = 256 << 10;
/// Pieces on their way to the network.
const QUEUE: usize = 4;

/// What is sent with a request.
pub(super) enum Content {
    Text(String),
    /// Bytes of a file.
    Part {
        file: Arc<File>,
        start: u64,
        length: u64,
    },
}

/// A request without what all of them have.
pub(super) struct Call<'a> {
    pub(super) method: &'static str,
    pub(super) object: &'a Object,
    pub(super) query: &'a [(&'a str, String)],
    pub(super) content_type: Option<&'a str>,
    pub(super) content: Content,
}

/// What a store answered to a request that it carried out.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// Sends a request, and reads the answer.
///
/// # Errors
/// [`Failure`]
pub(super) async fn exchange(
    store: &Store,
    policy: &Policy,
    call: Call<'_>,
) -> Result<Answer, Failure> {
    let (url, path) = store.place(call.object);
    let network = |error| Failure::Network {
        host: rivero_http::authority(&url),
        error,
    };
    let hash = hash(&call.content).await.map_err(Failure::Spool)?;
    let (body, source) = body(call.content);
    let head = Head {
        method: call.method,
        path: &path,
        query: call.query,
        content_type: call.content_type,
        hash: &hash,
    };
    let request = request(store, &url, &head, body).map_err(network)?;
    let stream = timeout(CONNECTING, rivero_http::connect(&url, policy)).await;
    let stream = stream
        .map_err(|_| network(late("there is no connection")))?
        .map_err(network)?;
    let (status, headers, body) =
        converse(stream, request, source)
            .await
            .map_err(|error| match error {
                Broken::Source(error) => Failure::Spool(error),
                Broken::Network(error) => network(error),
            })?;
    match answer::refusal(status, &body) {
        Some(refusal) => Err(Failure::Refused(refusal)),
        None => Ok(Answer { headers, body }),
    }
}

fn late(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// The SHA-256 of what is sent: the store checks it, so that nothing is changed on the way.
async fn hash(content: &Content) -> io::Result<String> {
    match content {
        Content::Text(text) => Ok(sign::hash(text.as_bytes())),
        Content::Part {
            file,
            start,
            length,
        } => {
            let (file, start, length) = (file.clone(), *start, *length);
            tokio::task::spawn_blocking(move || {
                let mut context = digest::Context::new(&digest::SHA256);
                let mut buffer = vec![0; PIECE];
                let mut done = 0;
                while done < length {
                    let piece = piece_of(&mut buffer, length - done);
                    file.read_exact_at(piece, start + done)?;
                    context.update(piece);
                    done += piece.len() as u64;
                }
                Ok(sign::hex(context.finish().as_ref()))
            })
            .await
            .map_err(io::Error::other)?
        }
    }
}

/// As much of a buffer as there is left.
fn piece_of(buffer: &mut [u8], left: u64) -> &mut [u8] {
    let length = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    buffer.get_mut(..length).unwrap_or_default()
}

struct Head<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a [(&'a str, String)],
    content_type: Option<&'a str>,
    hash: &'a str,
}

fn request(store: &Store, url: &Url, head: &Head<'_>, body: Sent) -> io::Result<Request<Sent>> {
    let stamp = sign::stamp(SystemTime::now());
    let content_type = head
        .content_type
        .map(|content_type| ("content-type", content_type.to_owned()));
    let token = store.credentials.token();
    let token = token.map(|token| ("x-amz-security-token", token.to_owned()));
    let mut headers = vec![
        ("host", rivero_http::authority(url)),
        ("x-amz-content-sha256", head.hash.to_owned()),
        ("x-amz-date", stamp.clone()),
    ];
    headers.extend(content_type.into_iter().chain(token));
    headers.sort_unstable();
    let signed = Signed {
        method: head.method,
        path: head.path,
        query: head.query,
        headers: &headers,
        body: head.hash,
    };
    let authorization = sign::authorization(&signed, &stamp, &store.region, &store.credentials);
    let target = match sign::canonical_query(head.query) {
        query if query.is_empty() => head.path.to_owned(),
        query => format!("{}?{query}", head.path),
    };
    let mut request = Request::builder()
        .method(head.method)
        .uri(target)
        .header(USER_AGENT, rivero_http::user_agent())
        // Also where it is 0: stores want to be told.
        .header(CONTENT_LENGTH, body.left)
        .header("authorization", authorization);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request
        .body(body)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// The body of a request, and where its pieces come from.
fn body(content: Content) -> (Sent, Option<Source>) {
    match content {
        Content::Text(text) => {
            let left = text.len() as u64;
            let whole = Some(Bytes::from(text)).filter(|text| !text.is_empty());
            let pieces = Pieces::Whole(whole);
            (Sent { pieces, left }, None)
        }
        Content::Part {
            file,
            start,
            length,
        } => {
            let (pieces, received) = mpsc::channel(QUEUE);
            let source = Source {
                file,
                start,
                end: start + length,
                pieces,
            };
            let pieces = Pieces::Coming(received);
            let left = length;
            (Sent { pieces, left }, Some(source))
        }
    }
}

/// What breaks off an exchange.
enum Broken {
    Source(io::Error),
    Network(io::Error),
}

impl Broken {
    /// With what is behind it: hyper's own words say little.
    fn of(error: hyper::Error) -> Self {
        let source = std::error::Error::source(&error);
        let reason = source.map_or_else(String::new, |source| format!(": {source}"));
        Self::Network(io::Error::other(format!("{error}{reason}")))
    }
}

async fn converse(
    stream: Box<dyn rivero_http::Stream>,
    request: Request<Sent>,
    source: Option<Source>,
) -> Result<(StatusCode, HeaderMap, String), Broken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(Broken::of)?;
    // Its failures are those of the request, which says more.
    let connection = tokio::spawn(async move { drop(connection.await) });
    let _connection = Ended(connection.abort_handle());
    let mut answer = std::pin::pin!(sender.send_request(request));
    let mut patience = ANSWERING;
    if let Some(source) = source {
        // A store that refuses answers before it has everything.
        tokio::select! {
            biased;
            response = &mut answer => return read(response.map_err(Broken::of)?).await,
            fed = source.feed() => match fed {
                Ok(()) => {}
                Err(Broken::Network(error)) if error.kind() == io::ErrorKind::BrokenPipe => patience = LATE_ANSWER,
                Err(error) => return Err(error),
            },
        }
    }
    match timeout(patience, answer).await {
        Ok(response) => read(response.map_err(Broken::of)?).await,
        Err(_) => Err(Broken::Network(late("the store does not answer"))),
    }
}

/// A connection that ends with this.
struct Ended(AbortHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(response: Response<Incoming>) -> Result<(StatusCode, HeaderMap, String), Broken> {
    let (head, mut body) = response.into_parts();
    let mut text = Vec::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Ok(frame) = timeout(LONGEST_SILENCE, frame).await else {
            return Err(Broken::Network(late("the store does not end its answer")));
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(Broken::of)?;
        if let Ok(data) = frame.into_data() {
            text.extend_from_slice(&data);
        }
        // What only keeps the connection alive is no part of the answer.
        if text.iter().all(u8::is_ascii_whitespace) {
            text.clear();
        }
        if text.len() > LONGEST_ANSWER {
            text.truncate(LONGEST_ANSWER);
            break;
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((head.status, head.headers, text))
}

/// Where the pieces of a body come from.
struct Source {
    file: Arc<File>,
    start: u64,
    end: u64,
    pieces: mpsc::Sender<Bytes>,
}

impl Source {
    /// Reads and gives out all of it. [`io::ErrorKind::BrokenPipe`]: nobody takes it any more.
    async fn feed(self) -> Result<(), Broken> {
        let mut at = self.start;
        while at < self.end {
            let (file, left) = (self.file.clone(), self.end - at);
            let piece = tokio::task::spawn_blocking(move || {
                let mut buffer = vec![0; PIECE];
                let length = piece_of(&mut buffer, left).len();
                buffer.truncate(length);
                file.read_exact_at(&mut buffer, at)?;
                Ok(Bytes::from(buffer))
            });
            let piece = piece
                .await
                .map_err(|error| Broken::Source(io::Error::other(error)))?;
            let piece = piece.map_err(Broken::Source)?;
            at += piece.len() as u64;
            match timeout(TAKING, self.pieces.send(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Broken::Network(io::ErrorKind::BrokenPipe.into())),
                Err(_) => return Err(Broken::Network(late("the store takes no more data"))),
            }
        }
        Ok(())
    }
}

/// A body of known length.
struct Sent {
    pieces: Pieces,
    left: u64,
}

enum Pieces {
    Whole(Option<Bytes>),
    Coming(mpsc::Receiver<Bytes>),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.pieces {
            Pieces::Whole(whole) => Poll::Ready(whole.take()),
            Pieces::Coming(pieces) => pieces.poll_recv(context),
        };
        piece.map(|piece| {
            let piece = piece?;
            self.left = self.left.saturating_sub(piece.len() as u64);
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
