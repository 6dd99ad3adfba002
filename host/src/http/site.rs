//! What a listener answers.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_VERSION, SERVER, UPGRADE, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::access::{Claim, Policy, Refusal};
use super::body::Body;
use super::handshake::Handshake;
use super::host::HostPattern;
use super::pages::{Page, PageRequest, Router};
use crate::auth::{self, Credential, Delay, Guard, Principal, Scope};

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
    pub policy: ArcSwap<Policy>,
    /// The names in the certificate of the TLS listener, which may be replaced at any time.
    pub certificate: Arc<ArcSwap<Vec<HostPattern>>>,
    /// Who knows the credentials.
    pub guard: Arc<Guard>,
}

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Answer {
    Page(Page),
    /// Nothing but the status.
    Status(StatusCode),
    /// It takes a credential; `by_people`: a browser may ask for it.
    Refused {
        refusal: auth::Refusal,
        by_people: bool,
    },
    /// Of an area, which says what its fields are.
    Whole(Response<Body>),
    Upgrade {
        accept: String,
        principal: Arc<Principal>,
    },
}

impl Site {
    /// The answer to a request.
    pub(super) fn answer<B: hyper::body::Body>(
        &self,
        request: &Request<B>,
        from: SocketAddr,
        certificate: Option<&CertificateDer<'_>>,
    ) -> Answer {
        let handshake = match self.has_websocket {
            true => Handshake::of(request),
            false => Handshake::None,
        };
        if let Err(refusal) = self.admit(request, &handshake) {
            log(&refusal, from);
            return Answer::Page(refusal.into());
        }
        if handshake == Handshake::Incomplete {
            // Kurento's answer, for which health checks look; it tells no more than that there is a server.
            return text(StatusCode::INTERNAL_SERVER_ERROR, "Incomplete handshake\n");
        }
        let (headers, query) = (request.headers(), request.uri().query());
        // Programs speak on the WebSocket, and people look at what has only pages.
        let credential = match self.has_websocket {
            true => Credential::of(headers, query),
            false => Credential::of_page(headers, query),
        };
        let guard = &self.access.guard;
        let identified = guard.identify(&credential, certificate, from.ip());
        match handshake {
            Handshake::None | Handshake::Incomplete => self.page(request, from, identified),
            handshake => match identified {
                Ok(principal) => upgrade(request, handshake, principal),
                Err(refusal) => self.refused(refusal),
            },
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
            .load()
            .admit(&claim, &certificate, self.on_loopback)
    }

    fn refused(&self, refusal: auth::Refusal) -> Answer {
        Answer::Refused {
            refusal,
            by_people: !self.has_websocket,
        }
    }

    /// The one place that says who sees a page: whoever shows a credential for all objects.
    /// Others get the status of those that are [for anybody](Router::status), and no more.
    fn page<B>(
        &self,
        request: &Request<B>,
        from: SocketAddr,
        identified: Result<Arc<Principal>, auth::Refusal>,
    ) -> Answer {
        let path = request.uri().path();
        let sees_all = matches!(&identified, Ok(principal) if principal.scope == Scope::All);
        if !sees_all && !self.router.tells_status(path) {
            return match identified {
                Ok(_) => Answer::Status(StatusCode::FORBIDDEN),
                Err(refusal) => self.refused(refusal),
            };
        }
        let asked = PageRequest {
            path,
            query: request.uri().query(),
            headers: request.headers(),
            from,
            sees_all,
        };
        if sees_all && let Some(response) = self.router.answer_in_area(request.method(), &asked) {
            return Answer::Whole(response);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return match sees_all {
                true => text(status, "Only GET and HEAD\n"),
                false => Answer::Status(status),
            };
        }
        let page = self.router.answer(&asked);
        match sees_all {
            true => Answer::Page(page),
            false => Answer::Status(page.status),
        }
    }
}

/// The answer to somebody who may have a WebSocket.
fn upgrade<B: hyper::body::Body>(
    request: &Request<B>,
    handshake: Handshake,
    principal: Arc<Principal>,
) -> Answer {
    match handshake {
        // What followed the head would be taken for the first frame.
        Handshake::Complete { .. } if !request.body().is_end_stream() => {
            text(StatusCode::BAD_REQUEST, "A handshake has no body\n")
        }
        Handshake::Complete { accept } => Answer::Upgrade { accept, principal },
        _ => text(
            StatusCode::UPGRADE_REQUIRED,
            "WebSocket of version 13 only\n",
        ),
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
    /// The answer when it is due: who guesses credentials does not get it at once.
    pub(super) async fn when_due(self) -> Answer {
        if let Answer::Refused {
            refusal: auth::Refusal::Wrong(delay),
            ..
        } = &self
        {
            Delay::over(delay).await;
        }
        self
    }

    /// With the fields that its status asks for. hyper leaves the body out for HEAD.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::default();
        let headers = response.headers_mut();
        let close = HeaderValue::from_static("close");
        let (status, body) = match self {
            Answer::Whole(mut whole) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
                whole.headers_mut().extend(std::mem::take(headers));
                return whole;
            }
            Answer::Page(page) => {
                headers.insert(SERVER, HeaderValue::from_static(super::SERVER));
                // Said here and not by a setting of hyper, which would say it of an upgrade too.
                headers.insert(CONNECTION, close);
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
                (page.status, page.body)
            }
            // Not even what the server is.
            Answer::Status(status) => {
                headers.insert(CONNECTION, close);
                (status, Bytes::new())
            }
            Answer::Refused { refusal, by_people } => {
                headers.insert(CONNECTION, close);
                let (status, (name, value)) = challenge(&refusal);
                headers.insert(name, HeaderValue::from_static(value));
                if by_people && status == StatusCode::UNAUTHORIZED {
                    // In a field of its own: browsers look at the first challenge of each (RFC 7617).
                    let password = HeaderValue::from_static(r#"Basic realm="media""#);
                    headers.append(WWW_AUTHENTICATE, password);
                }
                (status, Bytes::new())
            }
            Answer::Upgrade { accept, .. } => {
                headers.insert(SERVER, HeaderValue::from_static(super::SERVER));
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

/// Status and field of a refusal (RFC 6750 section 3).
fn challenge(refusal: &auth::Refusal) -> (StatusCode, (HeaderName, &'static str)) {
    let ask = |challenge| (StatusCode::UNAUTHORIZED, (WWW_AUTHENTICATE, challenge));
    match refusal {
        auth::Refusal::Missing => ask(r#"Bearer realm="media""#),
        auth::Refusal::Wrong(_) => ask(r#"Bearer realm="media", error="invalid_token""#),
        auth::Refusal::Unheard => (StatusCode::TOO_MANY_REQUESTS, (RETRY_AFTER, "4")),
    }
}
