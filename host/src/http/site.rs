//! What a listener answers.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_VERSION,
    SERVER, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode};

use super::access::{Claim, Policy, Refusal};
use super::body::Body;
use super::handshake::Handshake;
use super::host::HostPattern;
use super::pages::{Page, PageRequest, Router};

/// What is behind a listener.
#[derive(Debug)]
pub struct Site {
    /// Its pages.
    pub router: Router,
    /// Whether WebSockets are made here.
    pub has_websocket: bool,
    /// Whether it is reached from this machine only.
    pub on_loopback: bool,
    /// Who is answered.
    pub access: Arc<Access>,
}

/// Who is answered, by all listeners alike.
#[derive(Debug, Default)]
pub struct Access {
    /// What the configuration and the machine say.
    pub policy: Policy,
    /// The names in the certificate of the TLS listener, which may be replaced at any time.
    pub certificate: Arc<ArcSwap<Vec<HostPattern>>>,
}

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Answer {
    Page(Page),
    /// Of an area, which says what its fields are.
    Whole(Response<Body>),
    Upgrade {
        accept: String,
    },
}

impl Site {
    /// The answer to a request.
    pub(super) fn answer<B: hyper::body::Body>(
        &self,
        request: &Request<B>,
        from: SocketAddr,
    ) -> Answer {
        let handshake = match self.has_websocket {
            true => Handshake::of(request),
            false => Handshake::None,
        };
        if let Err(refusal) = self.admit(request, &handshake) {
            log(&refusal, from);
            return Answer::Page(refusal.into());
        }
        match handshake {
            // What followed the head would be taken for the first frame.
            Handshake::Complete { .. } if !request.body().is_end_stream() => {
                text(StatusCode::BAD_REQUEST, "A handshake has no body\n")
            }
            Handshake::Complete { accept } => Answer::Upgrade { accept },
            // Kurento's answer, for which health checks look.
            Handshake::Incomplete => {
                text(StatusCode::INTERNAL_SERVER_ERROR, "Incomplete handshake\n")
            }
            Handshake::OtherVersion => text(
                StatusCode::UPGRADE_REQUIRED,
                "WebSocket of version 13 only\n",
            ),
            Handshake::None => self.page(request, from),
        }
    }

    fn admit<B>(&self, request: &Request<B>, handshake: &Handshake) -> Result<(), Refusal> {
        let mut claim = Claim::of(request)?;
        if *handshake == Handshake::Incomplete {
            // Kurento's health check names an origin of its own, whatever the host, and all that it
            // learns is that there is a server.
            claim.origin = None;
        }
        let certificate = self.access.certificate.load();
        self.access
            .policy
            .admit(&claim, &certificate, self.on_loopback)
    }

    fn page<B>(&self, request: &Request<B>, from: SocketAddr) -> Answer {
        let asked = PageRequest {
            path: request.uri().path(),
            query: request.uri().query(),
            headers: request.headers(),
            from,
        };
        if let Some(response) = self.router.answer_in_area(request.method(), &asked) {
            return Answer::Whole(response);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD\n");
        }
        Answer::Page(self.router.answer(&asked))
    }
}

/// Anybody on the network can cause such a line, so that the log limits them as those of any place.
fn log(refusal: &Refusal, from: SocketAddr) {
    match refusal {
        Refusal::Malformed(_) => tracing::debug!(%from, "refused: {refusal}"),
        Refusal::Origin { .. } | Refusal::Host { .. } => {
            tracing::warn!(%from, "refused: {refusal}");
        }
    }
}

impl From<Refusal> for Page {
    fn from(refusal: Refusal) -> Page {
        let status = match refusal {
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::Origin { .. } | Refusal::Host { .. } => StatusCode::FORBIDDEN,
        };
        Page::text(status, format!("{refusal}\n"))
    }
}

fn text(status: StatusCode, text: &'static str) -> Answer {
    Answer::Page(Page::text(status, text))
}

impl Answer {
    /// With the fields that its status asks for. hyper leaves the body out for HEAD.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::default();
        let headers = response.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static(super::SERVER));
        let (status, body) = match self {
            Answer::Whole(mut whole) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
                whole.headers_mut().extend(std::mem::take(headers));
                return whole;
            }
            Answer::Page(page) => {
                // Said here and not by a setting of hyper, which would say it of an upgrade too.
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
                (page.status, page.body)
            }
            Answer::Upgrade { accept } => {
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                // Base64 is always a value.
                if let Ok(accept) = accept.parse() {
                    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
                }
                (StatusCode::SWITCHING_PROTOCOLS, Bytes::new())
            }
        };
        match status {
            StatusCode::SWITCHING_PROTOCOLS => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            _ => {}
        }
        *response.status_mut() = status;
        *response.body_mut() = Body::from(body);
        response
    }
}
