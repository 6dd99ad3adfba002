//! GET, following redirections.

use std::{future::poll_fn, io, ops::RangeInclusive, pin::Pin, time::Duration};

use bytes::Bytes;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Incoming},
    client::conn::http1,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, HeaderMap, LOCATION, RANGE, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rivero_uri::{Access, Location, Policy, Refusal, redact_uri};
use tokio::{task::AbortHandle, time::timeout};
use url::Url;

use crate::{connect, head, status_line::StatusLine};

/// Redirections that are followed one after the other, as many as browsers follow.
const REDIRECTIONS: usize = 20;
/// For a connection, with all addresses of the host.
const CONNECTING: Duration = Duration::from_secs(8);
/// For the head of the answer.
const ANSWERING: Duration = Duration::from_secs(30);
/// Lines of a head at most: servers behind several others have more than browsers expect.
const MOST_LINES: usize = 1024;
/// Bytes of a head at most, and of what is read at once.
const LONGEST_HEAD: usize = 512 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy does not allow to go there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many redirections.
    #[error("{0}: more than {REDIRECTIONS} redirections, one after the other")]
    Redirections(Box<str>),
    /// A redirection to nowhere, or to something other than HTTP.
    #[error("{from} redirects to {to:?}, which is no HTTP URL")]
    Nowhere {
        /// Host of the URL that redirects.
        from: Box<str>,
        /// What it says.
        to: Box<str>,
    },
    /// The network, or a server that does not speak HTTP.
    #[error("{host}: {error}")]
    Network {
        /// Name or address, with the port.
        host: Box<str>,
        /// There was a connection, but no answer that could be read.
        answered: bool,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}

/// The answer to a request: its head, and its body as it comes.
#[derive(Debug)]
pub struct Answer {
    /// Where it came from, after all redirections.
    pub url: Url,
    /// As the server says.
    pub status: StatusCode,
    /// As the server says.
    pub headers: HeaderMap,
    body: Incoming,
    connection: AbortHandle,
}

impl Answer {
    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// When the connection ends before the body does
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(io::Error::other(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Asks for a URL, from byte `from` on, and goes where it was moved to. Whatever the answer
/// says besides that is the caller's to judge. Call it on a runtime of tokio.
///
/// Credentials go to the host that the URL names them for, and to no other.
///
/// # Errors
/// [`Error`]
pub async fn get(url: &Url, from: Option<u64>, policy: &Policy) -> Result<Answer, Error> {
    follow(url, from.map(|from| format!("bytes={from}-")), policy).await
}

/// The same, for some bytes only.
///
/// # Errors
/// [`Error`]
pub async fn get_part(
    url: &Url,
    bytes: RangeInclusive<u64>,
    policy: &Policy,
) -> Result<Answer, Error> {
    let range = format!("bytes={}-{}", bytes.start(), bytes.end());
    follow(url, Some(range), policy).await
}

async fn follow(url: &Url, range: Option<String>, policy: &Policy) -> Result<Answer, Error> {
    let mut url = url.clone();
    for _ in 0..=REDIRECTIONS {
        policy.check(&Location::Remote(url.clone()), Access::Read)?;
        let (response, connection) = ask(&url, range.as_deref(), policy).await?;
        let Some(next) = redirection(&url, &response)? else {
            let (head, body) = response.into_parts();
            return Ok(Answer {
                url,
                status: head.status,
                headers: head.headers,
                body,
                connection,
            });
        };
        connection.abort();
        tracing::debug!(from = head::authority(&url), to = %next.path(), "redirected");
        url = next;
    }
    Err(Error::Redirections(head::authority(&url).into()))
}

/// Where the answer sends to; a relative URL keeps the credentials of its base.
fn redirection(url: &Url, response: &Response<Incoming>) -> Result<Option<Url>, Error> {
    let moved = [301, 302, 303, 307, 308].contains(&response.status().as_u16());
    let Some(location) = response.headers().get(LOCATION).filter(|_| moved) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(location.as_bytes());
    match url.join(text.trim()) {
        Ok(next) if matches!(next.scheme(), "http" | "https") => Ok(Some(next)),
        _ => Err(Error::Nowhere {
            from: head::authority(url).into(),
            to: redact_uri(&text).into(),
        }),
    }
}

async fn ask(
    url: &Url,
    range: Option<&str>,
    policy: &Policy,
) -> Result<(Response<Incoming>, AbortHandle), Error> {
    let failed = |error: io::Error, answered: bool| Error::Network {
        host: head::authority(url).into(),
        answered,
        error,
    };
    let network = |error| failed(error, false);
    let late = |_| network(io::ErrorKind::TimedOut.into());
    let stream = timeout(CONNECTING, connect::connect(url, policy))
        .await
        .map_err(late)?
        .map_err(network)?;
    let mut request = Request::get(head::target(url))
        .header(HOST, head::authority(url))
        .header(USER_AGENT, head::user_agent())
        // Media is packed as well as it can be.
        .header(ACCEPT_ENCODING, "identity");
    if let Some(credentials) = head::basic(url) {
        request = request.header(AUTHORIZATION, credentials);
    }
    if let Some(range) = range {
        request = request.header(RANGE, range);
    }
    let request = request
        .body(String::new())
        .map_err(|error| network(connect::invalid(error.to_string())))?;
    let (mut sender, connection) = lenient()
        .handshake(TokioIo::new(StatusLine::new(stream)))
        .await
        .map_err(|error| network(io::Error::other(error)))?;
    // Its failures are those of the request or of the body, which say more.
    let connection = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    let answer = timeout(ANSWERING, sender.send_request(request)).await;
    match answer {
        Ok(Ok(response)) => Ok((response, connection)),
        Ok(Err(error)) => {
            connection.abort();
            Err(failed(io::Error::other(error), true))
        }
        Err(elapsed) => {
            connection.abort();
            Err(late(elapsed))
        }
    }
}

/// Reads what cameras and radios answer: lines that RFC 9112 forbids cost no more than themselves.
fn lenient() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .max_headers(MOST_LINES)
        .max_buf_size(LONGEST_HEAD);
    builder
}

#[cfg(test)]
mod tests {
    use rivero_uri::UriSettings;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers a request with what `answer` makes of its first line and head;
    /// gives its origin.
    async fn server(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let text = answer(&path, &head);
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        origin
    }

    fn moved(to: &str) -> String {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
    }

    fn ok(body: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn policy(settings: &str) -> Policy {
        Policy::new(&serde_json::from_str::<UriSettings>(settings).unwrap())
    }

    async fn fetch(url: &str, settings: &str) -> Result<String, Error> {
        let mut answer = get(&url.parse().unwrap(), None, &policy(settings)).await?;
        let mut body = Vec::new();
        while let Some(bytes) = answer.next().await.unwrap() {
            body.extend(bytes);
        }
        Ok(String::from_utf8(body).unwrap())
    }

    #[tokio::test]
    async fn redirections_are_followed_relative_ones_too() {
        let origin = server(|path, _| match path {
            "/a/b?c" => moved("../d"),
            "/d" => moved("/e"),
            _ => ok(path),
        })
        .await;
        assert_eq!(fetch(&format!("{origin}/a/b?c"), "{}").await.unwrap(), "/e");
    }

    #[tokio::test]
    async fn odd_heads_are_read() {
        let many: String = (0..400)
            .map(|number| format!("X-{number}: a\r\n"))
            .collect();
        let long = format!("X-Long: {}\r\n", "a".repeat(60_000));
        for lines in [
            "Server : x\r\n",
            "X-Folded: a\r\n  b\r\n\tc\r\n",
            "no colon\r\n",
            ": no name\r\n",
            "X-Name: Köln\r\n",
            "Köln: x\r\n",
            "X-Empty:\r\n",
            "X Y: z\r\n",
            &many,
            &long,
        ] {
            for status in ["HTTP/1.1 200 OK", "HTTP/1.0 200", "ICY 200 OK"] {
                let head = format!("{status}\r\n{lines}Content-Length: 4\r\n\r\nbody");
                let origin = server(move |_, _| head.clone()).await;
                let body = fetch(&origin, "{}").await;
                assert_eq!(body.unwrap(), "body", "{status}, {lines:.40}");
            }
        }
    }

    #[tokio::test]
    async fn a_radio_has_no_end_but_that_of_its_connection() {
        let origin = server(|_, _| "ICY 200 OK\nicy-name:x\n\nsound".to_owned()).await;
        assert_eq!(fetch(&origin, "{}").await.unwrap(), "sound");
    }

    #[tokio::test]
    async fn a_circle_ends() {
        let origin = server(|_, _| moved("/again")).await;
        let error = fetch(&origin, "{}").await.unwrap_err();
        assert!(matches!(error, Error::Redirections(_)), "{error}");
    }

    #[tokio::test]
    async fn every_hop_is_checked() {
        let origin = server(|path, _| {
            let to = match path {
                "/metadata" => "http://169.254.169.254/latest",
                "/number" => "http://2852039166/",
                "/mapped" => "//[::ffff:169.254.169.254]/",
                "/name" => "http://localhost:1/",
                "/file" => "file:///etc/passwd",
                _ => "gopher://x/",
            };
            moved(to)
        })
        .await;
        for path in ["/metadata", "/number", "/mapped"] {
            let error = fetch(&format!("{origin}{path}"), "{}").await.unwrap_err();
            assert!(matches!(error, Error::Refused(_)), "{path}: {error}");
        }
        for path in ["/file", "/gopher"] {
            let error = fetch(&format!("{origin}{path}"), "{}").await.unwrap_err();
            assert!(matches!(error, Error::Nowhere { .. }), "{path}: {error}");
        }
        let listed = r#"{"allowedHosts": "127.0.0.1"}"#;
        let error = fetch(&format!("{origin}/name"), listed).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }

    #[tokio::test]
    async fn what_a_name_resolves_to_is_checked() {
        // Covered by a pattern only, so it must not lead into the machine.
        let listed = r#"{"allowedHosts": "*"}"#;
        let error = fetch("http://localhost:9/", listed).await.unwrap_err();
        assert!(error.to_string().contains("is internal"), "{error}");
    }

    #[tokio::test]
    async fn credentials_stay_with_their_host() {
        let has = |head: &str| ok(&head.to_lowercase().contains("authorization").to_string());
        let other = server(move |_, head| has(head)).await;
        let away = format!("{other}/");
        let origin = server(move |path, head| match path {
            "/near" => moved("/here"),
            "/far" => moved(&away),
            _ => has(head),
        })
        .await;
        let with = origin.replace("http://", "http://me:secret@");
        let nowhere = server(|_, _| moved("gopher://me:secret@x/")).await;
        let error = fetch(&nowhere, "{}").await.unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(fetch(&format!("{with}/near"), "{}").await.unwrap(), "true");
        assert_eq!(fetch(&format!("{with}/far"), "{}").await.unwrap(), "false");
    }
}
