//! A connection to a service: gRPC by tonic over HTTP/2 by hyper, to addresses that the policy of URIs has seen.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri, uri::PathAndQuery};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rivero_http::Dialer;
use rivero_plugin_api::supervise::contain_future;
use tokio::{task::AbortHandle, time::timeout};
use tonic::{body::Body, client::Grpc, metadata::MetadataValue};
use tower_service::Service;

use crate::{
    failure::Failure,
    message::{Images, PATH, SampleImage},
    target::Target,
};

/// For a connection, with all addresses of the host and the handshakes.
const CONNECTING: Duration = Duration::from_secs(5);
/// For a picture and its answer.
const ANSWERING: Duration = Duration::from_secs(10);
/// Bytes of an answer, which is `Empty`, and of its fields.
const LONGEST_ANSWER: usize = 16 << 10;
const LONGEST_HEAD: u32 = 16 << 10;
/// Bytes of a picture that wait in the connection.
const SEND_BUFFER: usize = 256 << 10;

/// See the head of this file. Closed when dropped.
pub(crate) struct Channel {
    grpc: Grpc<Requests>,
    requests: http2::SendRequest<Body>,
    origin: String,
    driver: AbortHandle,
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Channel {
    /// Connects. Call it on a runtime of tokio.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn open(target: &Target, dialer: &Dialer) -> Result<Self, Failure> {
        let opening = timeout(CONNECTING, Self::connect(target, dialer));
        opening.await.unwrap_or_else(|_| {
            Err(Failure::Silent {
                origin: target.origin.clone(),
                within: CONNECTING,
            })
        })
    }

    async fn connect(target: &Target, dialer: &Dialer) -> Result<Self, Failure> {
        let origin = &target.origin;
        let connection = dialer
            .dial(&target.host, target.port, target.is_encrypted)
            .await
            .map_err(|error| Failure::of_dialing(origin, error))?;
        let (requests, driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(LONGEST_HEAD)
            .max_send_buf_size(SEND_BUFFER)
            .handshake(TokioIo::new(connection.stream))
            .await
            .map_err(|error| Failure::Protocol {
                origin: origin.clone(),
                error,
            })?;
        let driver = tokio::spawn(async move {
            // Why it ended is told by the call that it fails; an idle connection may end as it likes.
            let ended = contain_future(driver).await;
            tracing::debug!(?ended, "a connection to a service of images has ended");
        });
        let uri = Uri::try_from(origin.as_str()).unwrap_or_default();
        let grpc = Grpc::with_origin(Requests(requests.clone()), uri)
            .max_decoding_message_size(LONGEST_ANSWER);
        Ok(Self {
            grpc,
            requests,
            origin: origin.clone(),
            driver: driver.abort_handle(),
        })
    }

    /// Whether it can be used no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Sends a picture, and waits for the answer.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn deliver(&mut self, image: SampleImage) -> Result<(), Failure> {
        let mut request = tonic::Request::new(image);
        request.set_timeout(ANSWERING);
        let agent = MetadataValue::from_static(rivero_http::user_agent());
        request.metadata_mut().insert("user-agent", agent);
        let path = PathAndQuery::from_static(PATH);
        match timeout(ANSWERING, self.grpc.unary(request, path, Images)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(Failure::of_call(&self.origin, &status)),
            Err(_) => Err(Failure::Silent {
                origin: self.origin.clone(),
                within: ANSWERING,
            }),
        }
    }
}

/// The connection as tonic knows it.
struct Requests(http2::SendRequest<Body>);

impl Service<Request<Body>> for Requests {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
