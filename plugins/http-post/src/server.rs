//! The HTTP server of all endpoints: it begins with the first and ends with the last.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rivero_http::{listen, public_host};
use rivero_plugin_api::{Error, Result, supervise::lock};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{cors, desk::Desk, settings::ServerSettings};

/// Connections at a time; further ones wait.
const CONNECTIONS: usize = 1024;
/// The head of a request has to come within this.
const HEAD: Duration = Duration::from_secs(20);
/// Threads that wait for disks and GStreamer; they end when they have nothing to do.
const BLOCKING_THREADS: usize = 16;
const IDLE_THREAD: Duration = Duration::from_secs(1);
/// At the end clients have so long to take their answers: longer than one that failed is listened to.
const ENDING: Duration = Duration::from_secs(12);
/// Until another attempt when no connection can be taken.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// What a client gets.
pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer of one line of text, or of none.
pub(crate) fn answer(status: StatusCode, text: &str) -> Answer {
    let mut line = text.to_owned();
    if !line.is_empty() {
        line.push('\n');
    }
    let mut response = Response::new(Full::new(Bytes::from(line)));
    *response.status_mut() = status;
    if !text.is_empty() {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
    }
    response
}

/// Endpoints by the paths of their URLs.
type Routes = Arc<Mutex<HashMap<String, Arc<Desk>>>>;

/// The running server, and how many endpoints it has.
struct Running {
    runtime: Runtime,
    accepting: Vec<JoinHandle<()>>,
    reception: Reception,
    /// `host:port` in URLs.
    authority: String,
    leases: usize,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// An endpoint's URL; dropping it gives it up.
pub(crate) struct Lease {
    path: String,
    url: String,
}

impl Lease {
    /// A new URL whose requests go to `desk`.
    ///
    /// # Errors
    /// 40300 when nobody can listen where the settings say
    pub(crate) fn new(desk: Arc<Desk>, settings: &ServerSettings) -> Result<Self> {
        let mut running = lock(&RUNNING);
        if running.is_none() {
            *running = Some(Running::start(settings).map_err(|error| refused(settings, &error))?);
        }
        let Some(server) = &mut *running else {
            return Err(Error::unexpected("there is no HTTP server"));
        };
        let path = format!("/{}", Uuid::new_v4());
        let url = format!("http://{}{path}", server.authority);
        server.leases += 1;
        lock(&server.reception.routes).insert(path.clone(), desk);
        Ok(Self { path, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut running = lock(&RUNNING);
        let Some(server) = &mut *running else {
            return;
        };
        lock(&server.reception.routes).remove(&self.path);
        server.leases -= 1;
        if server.leases == 0
            && let Some(server) = running.take()
        {
            // Under the lock: whoever comes next finds the port free.
            server.end();
        }
    }
}

fn refused(settings: &ServerSettings, error: &io::Error) -> Error {
    let (address, port) = (settings.address(), settings.port());
    let text = format!(
        "uploads cannot be taken at {address} port {port} (HttpEndpoint.serverAddress, serverPort): {error}"
    );
    Error::new(40300, "HTTP_END_POINT_REGISTRATION_ERROR", text)
}

impl Running {
    fn start(settings: &ServerSettings) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(IDLE_THREAD)
            .thread_name("http-post")
            .enable_all()
            .build()?;
        let listeners = listen(settings.address(), settings.port())?;
        let bound = listeners.first().map(TcpListener::local_addr);
        let bound = bound.unwrap_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()))?;
        let authority = authority(settings, bound);
        let reception = Reception::new();
        let mut accepting = Vec::new();
        for listener in listeners {
            let _context = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener)?;
            accepting.push(runtime.spawn(reception.clone().accept(listener)));
        }
        tracing::info!(%bound, authority, "uploads are taken");
        Ok(Self {
            runtime,
            accepting,
            reception,
            authority,
            leases: 0,
        })
    }

    /// Listens no more when it returns. Who is connected may still take an answer.
    fn end(self) {
        for accepting in self.accepting {
            accepting.abort();
            // It ends by being aborted.
            let _ = self.runtime.block_on(accepting);
        }
        let (reception, runtime) = (self.reception, self.runtime);
        let handle = runtime.handle().clone();
        handle.spawn(async move {
            let _ = timeout(ENDING, reception.close()).await;
            runtime.shutdown_background();
        });
    }
}

/// What URLs name.
fn authority(settings: &ServerSettings, bound: SocketAddr) -> String {
    let host = public_host(settings.announced(), settings.address(), bound);
    format!("{host}:{}", bound.port())
}

/// What connections have in common.
#[derive(Clone)]
struct Reception {
    routes: Routes,
    places: Arc<Semaphore>,
    closing: Arc<watch::Sender<bool>>,
}

impl Reception {
    fn new() -> Self {
        Self {
            routes: Routes::default(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            closing: Arc::new(watch::Sender::new(false)),
        }
    }

    async fn accept(self, listener: tokio::net::TcpListener) {
        while let Ok(place) = self.places.clone().acquire_owned().await {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(EXHAUSTED).await;
                continue;
            };
            let reception = self.clone();
            tokio::spawn(async move {
                if let Err(error) = reception.attend(stream).await {
                    tracing::debug!(%error, "a connection of an upload ended");
                }
                drop(place);
            });
        }
    }

    async fn attend(self, stream: tokio::net::TcpStream) -> hyper::Result<()> {
        let service = service_fn(|request| serve(self.routes.clone(), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut closing = self.closing.subscribe();
        tokio::select! {
            served = connection.as_mut() => return served,
            // The sender is our own: it does not go away.
            _ = closing.wait_for(|closing| *closing) => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }

    /// Waits until all connections have ended; those that nothing is asked on do so at once.
    async fn close(self) {
        self.closing.send_replace(true);
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }
}

async fn serve(
    routes: Routes,
    request: Request<Incoming>,
) -> std::result::Result<Answer, Infallible> {
    let headers = request.headers().clone();
    let desk = lock(&routes).get(request.uri().path()).cloned();
    let mut response = match desk {
        None => answer(StatusCode::NOT_FOUND, "There is no endpoint here."),
        Some(desk) => match *request.method() {
            Method::POST => desk.post(request).await,
            Method::OPTIONS => cors::preflight(&headers),
            _ => wrong_method(),
        },
    };
    cors::permit(&headers, response.headers_mut());
    Ok(response)
}

fn wrong_method() -> Answer {
    let mut response = answer(
        StatusCode::METHOD_NOT_ALLOWED,
        "Media is uploaded here, by POST.",
    );
    response.headers_mut().insert(ALLOW, cors::METHODS);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> ServerSettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn urls_name_what_is_announced_or_listened_at() {
        let bound = "127.0.0.1:9091".parse().unwrap();
        let named = |json| authority(&settings(json), bound);
        assert_eq!(named("{}"), "localhost:9091");
        assert_eq!(named(r#"{"serverAddress": "::1"}"#), "[::1]:9091");
        assert_eq!(
            named(r#"{"serverAddress": "::1", "announcedAddress": "media.example"}"#),
            "media.example:9091"
        );
    }

    #[test]
    fn a_port_in_use_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen("127.0.0.1", port).unwrap_err();
        let settings = settings(&format!(
            r#"{{"serverAddress": "127.0.0.1", "serverPort": {port}}}"#
        ));
        let error = refused(&settings, &error);
        assert_eq!(error.code, 40300);
    }
}
