//! Pages: what a GET gets that wants no WebSocket.

use std::net::SocketAddr;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Response, StatusCode};

use super::body::Body;

/// A request for a page.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// Who asks.
    pub from: SocketAddr,
    /// Whether he has shown a credential for all objects, or none is asked for. Otherwise nothing
    /// but the status of the page is sent.
    pub sees_all: bool,
}

/// The answer to such a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Usually 200.
    pub status: StatusCode,
    /// Media type.
    pub content_type: &'static str,
    /// What HEAD does not get.
    pub body: Bytes,
}

impl Page {
    /// A text for people.
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Page {
        Page {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }
}

/// Answers whatever is asked at a path and below it, by any method.
type AreaHandler = Box<dyn Fn(&Method, &PageRequest<'_>) -> Response<Body> + Send + Sync>;

type Handler = Box<dyn Fn(&PageRequest<'_>) -> Page + Send + Sync>;

/// Which page is at which path.
pub struct Router {
    pages: Vec<(&'static str, Handler)>,
    /// Paths of pages whose status is for anybody.
    open: Vec<&'static str>,
    areas: Vec<(&'static str, AreaHandler)>,
    otherwise: Handler,
}

impl Router {
    /// No page yet; `otherwise` answers at all other paths.
    pub fn new(otherwise: impl Fn(&PageRequest<'_>) -> Page + Send + Sync + 'static) -> Router {
        Router {
            pages: Vec::new(),
            open: Vec::new(),
            areas: Vec::new(),
            otherwise: Box::new(otherwise),
        }
    }

    /// Adds the page at `path`, which begins with a slash. It is made on a thread that serves
    /// connections, and must not block.
    #[must_use]
    pub fn page(
        mut self,
        path: &'static str,
        page: impl Fn(&PageRequest<'_>) -> Page + Send + Sync + 'static,
    ) -> Router {
        self.pages.push((path, Box::new(page)));
        self
    }

    /// Adds a page whose status anybody may know, without a credential.
    #[must_use]
    pub fn status(
        mut self,
        path: &'static str,
        page: impl Fn(&PageRequest<'_>) -> Page + Send + Sync + 'static,
    ) -> Router {
        self.open.push(path);
        self.page(path, page)
    }

    /// Whether the status at a path is for anybody.
    #[must_use]
    pub(super) fn tells_status(&self, path: &str) -> bool {
        self.open.contains(&path)
    }

    /// Has everything at `path` and below it answered by one that makes whole responses, with fields
    /// and methods of its own. As for pages, nothing may block.
    #[must_use]
    pub fn area(
        mut self,
        path: &'static str,
        area: impl Fn(&Method, &PageRequest<'_>) -> Response<Body> + Send + Sync + 'static,
    ) -> Router {
        self.areas.push((path, Box::new(area)));
        self
    }

    /// The answer of an area, if the path is in one.
    #[must_use]
    pub fn answer_in_area(
        &self,
        method: &Method,
        request: &PageRequest<'_>,
    ) -> Option<Response<Body>> {
        let mut areas = self.areas.iter();
        let is_within = |path: &str| {
            let rest = request.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let (_, area) = areas.find(|(path, _)| is_within(path))?;
        Some(area(method, request))
    }

    /// The answer to a request.
    #[must_use]
    pub fn answer(&self, request: &PageRequest<'_>) -> Page {
        let mut pages = self.pages.iter();
        let page = pages.find(|(path, _)| *path == request.path);
        page.map_or(&self.otherwise, |(_, page)| page)(request)
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.pages.iter().map(|(path, _)| path))
            .finish()
    }
}
