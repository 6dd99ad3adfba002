//! Pages: what a GET gets that wants no WebSocket.

use std::net::SocketAddr;

use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};

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

type Handler = Box<dyn Fn(&PageRequest<'_>) -> Page + Send + Sync>;

/// Which page is at which path.
pub struct Router {
    pages: Vec<(&'static str, Handler)>,
    /// Paths of pages whose status is for anybody.
    open: Vec<&'static str>,
    otherwise: Handler,
}

impl Router {
    /// No page yet; `otherwise` answers at all other paths.
    pub fn new(otherwise: impl Fn(&PageRequest<'_>) -> Page + Send + Sync + 'static) -> Router {
        Router {
            pages: Vec::new(),
            open: Vec::new(),
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
