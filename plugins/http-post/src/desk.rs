//! Where requests come to an endpoint.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use hyper::{
    HeaderMap, Request, StatusCode,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE as COOKIES, EXPECT, HeaderValue, SET_COOKIE},
};
use rivero_gst::outlet::Outlet;
use rivero_plugin_api::{
    ElementContext,
    supervise::{contain_future, lock},
};
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

use crate::{
    api::SessionEndpointEvents,
    body::Body,
    failure::Failure,
    server::{Answer, answer},
    session::{COOKIE, Listener, Refusal, Session, Visit},
    upload::Upload,
};

/// A released endpoint's upload is waited for.
const RELEASE_PATIENCE: Duration = Duration::from_secs(5);

impl Listener for ElementContext {
    fn started(&self) {
        self.media_session_started();
    }

    fn terminated(&self) {
        self.media_session_terminated();
    }
}

/// What an endpoint is made of, for those who upload to it.
pub(crate) struct Desk {
    context: ElementContext,
    /// Media is passed on as it is.
    encoded: bool,
    /// Without requests a session is over after this.
    disconnection: Duration,
    /// Bytes of a body.
    limit: u64,
    outlets: Mutex<Vec<Outlet>>,
    /// Whose media goes into the pads.
    stage: tokio::sync::Mutex<()>,
    session: Arc<Session<ElementContext>>,
    released: watch::Sender<bool>,
}

impl Desk {
    pub(crate) fn new(
        context: ElementContext,
        encoded: bool,
        disconnection: Duration,
        limit: u64,
        outlets: Vec<Outlet>,
    ) -> Self {
        Self {
            session: Session::new(context.clone()),
            context,
            encoded,
            disconnection,
            limit,
            outlets: Mutex::new(outlets),
            stage: tokio::sync::Mutex::default(),
            released: watch::Sender::new(false),
        }
    }

    pub(crate) fn context(&self) -> &ElementContext {
        &self.context
    }

    pub(crate) fn is_encoded(&self) -> bool {
        self.encoded
    }

    fn pads(&self) -> MutexGuard<'_, Vec<Outlet>> {
        lock(&self.outlets)
    }

    pub(crate) fn outlets(&self) -> Vec<Outlet> {
        self.pads().clone()
    }

    /// Waits until what came before has been played.
    pub(crate) async fn stage(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.stage.lock().await
    }

    /// Comes when the endpoint is released.
    pub(crate) async fn released(&self) {
        // The sender is our own: it does not go away.
        let _ = self
            .released
            .subscribe()
            .wait_for(|released| *released)
            .await;
    }

    /// Ends the running upload and takes no more.
    pub(crate) fn close(&self) {
        self.released.send_replace(true);
        self.session.close(RELEASE_PATIENCE);
        self.pads().clear();
    }

    /// Answers when the upload has been played, or cannot be.
    pub(crate) async fn post(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let (head, incoming) = request.into_parts();
        let headers = head.headers;
        let boundary = match Content::of(&headers) {
            Content::Media => None,
            Content::Form(boundary) => Some(boundary),
            Content::Other => return not_acceptable(),
        };
        let visit = match self.session.enter(cookie(&headers)) {
            Ok(visit) => visit,
            Err(refusal) => return refused(refusal),
        };
        let cookie = format!(
            "{COOKIE}={}; Path={}; HttpOnly",
            visit.cookie(),
            head.uri.path()
        );
        let body = Body::new(incoming, self.limit);
        let result = match length(&headers) {
            Some(length) if length > self.limit => {
                let failure = Failure::TooLarge(self.limit);
                self.failed(&failure);
                self.clone().leave(visit);
                Err(failure)
            }
            _ => self.play(body.clone(), boundary, visit).await,
        };
        // Who waits for a word to go on does not send what nobody wants.
        if !headers.contains_key(EXPECT) {
            tokio::spawn(body.discard());
        }
        let mut response = match result {
            Ok(()) => answer(StatusCode::OK, "Played."),
            Err(failure) => answer(failure.status(), &failure.to_string()),
        };
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    /// In a task of its own: a client that has sent everything may go.
    async fn play(
        self: Arc<Self>,
        body: Body,
        boundary: Option<String>,
        visit: Visit<ElementContext>,
    ) -> Result<(), Failure> {
        let (verdict, told) = oneshot::channel();
        let number = visit.number();
        tokio::spawn(async move {
            let upload = Upload::new(self.clone(), body, visit, verdict);
            match contain_future(upload.run(boundary)).await {
                Ok(visit) => drop(visit),
                Err(text) => self.context.panicked("an upload", &text),
            }
            self.expire_later(number);
        });
        // Only one that panicked says nothing.
        told.await.unwrap_or(Err(Failure::Panicked))
    }

    /// A request is over; so is the session if no other follows in time.
    fn leave(self: Arc<Self>, visit: Visit<ElementContext>) {
        let number = visit.number();
        drop(visit);
        self.expire_later(number);
    }

    fn expire_later(self: Arc<Self>, number: u64) {
        tokio::spawn(async move {
            tokio::select! {
                () = sleep(self.disconnection) => self.session.expire(number),
                () = self.released() => {}
            }
        });
    }

    /// Tells the application.
    pub(crate) fn failed(&self, failure: &Failure) {
        if let Some((kind, code)) = failure.event() {
            tracing::warn!(endpoint = self.context.id(), "{failure}");
            self.context.error(kind, code, &failure.to_string());
        }
    }
}

/// What a request says that its body is.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Media,
    /// With its boundary.
    Form(String),
    /// Surely no media.
    Other,
}

impl Content {
    /// Whatever may be media is taken: many clients do not say, or say what their library does.
    fn of(headers: &HeaderMap) -> Self {
        let Some(kind) = headers.get(CONTENT_TYPE) else {
            return Self::Media;
        };
        let kind = kind.to_str().unwrap_or_default();
        let name = kind.split(';').next().unwrap_or_default().trim();
        match name.to_ascii_lowercase().as_str() {
            "multipart/form-data" => multer::parse_boundary(kind).map_or(Self::Other, Self::Form),
            "application/json" | "application/xml" => Self::Other,
            name if name.starts_with("text/") || name.starts_with("multipart/") => Self::Other,
            _ => Self::Media,
        }
    }
}

/// Of the body, if it is known; hyper has checked that it is a number.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The session's cookie (RFC 6265 §5.4).
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIES).into_iter();
    let mut pairs = all
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

fn not_acceptable() -> Answer {
    answer(
        StatusCode::NOT_ACCEPTABLE,
        "Media is uploaded here: as it is, or as a file in a multipart/form-data form.",
    )
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Stranger => answer(
            StatusCode::BAD_REQUEST,
            "The cookie belongs to another session.",
        ),
        Refusal::Busy => answer(StatusCode::CONFLICT, "Another upload is being played."),
        Refusal::Released => answer(StatusCode::NOT_FOUND, "There is no endpoint here any more."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(kind: &str) -> Content {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        Content::of(&headers)
    }

    #[test]
    fn what_may_be_media_is_taken() {
        assert_eq!(Content::of(&HeaderMap::new()), Content::Media);
        for kind in [
            "video/webm;codecs=vp8",
            "Audio/OGG",
            "application/octet-stream",
            "application/x-www-form-urlencoded", // what curl says unless told otherwise
        ] {
            assert_eq!(content(kind), Content::Media, "{kind}");
        }
        assert_eq!(
            content("Multipart/Form-Data; boundary=\"a b\""),
            Content::Form("a b".to_owned())
        );
        for kind in [
            "text/plain;charset=UTF-8",
            "application/json",
            "multipart/mixed; boundary=a",
            "multipart/form-data",
        ] {
            assert_eq!(content(kind), Content::Other, "{kind}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIES,
            HeaderValue::from_static("a=b; HttpEPCookie=c-d ; e=f"),
        );
        assert_eq!(cookie(&headers), Some("c-d"));
        headers.insert(COOKIES, HeaderValue::from_static("a=b"));
        assert_eq!(cookie(&headers), None);
    }
}
