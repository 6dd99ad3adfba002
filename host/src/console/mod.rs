//! The console: a page on the management port that shows what the server does.
//!
//! Its page asks for one stream of events ([`stream`]): everything first, and then what changes. What
//! all readers get is made twice a second for all of them together, and only while there are any
//! ([`drive`]); what they have not seen yet they take out of a [`store`] when they have room for it.
//! Whoever reads slowly leaves out what was in between, and makes nothing grow.
//!
//! It only shows, but for levels of the log ([`levels`]), where the operator allows it ([`access`]).

mod access;
mod details;
mod drive;
mod files;
mod graph;
mod levels;
mod overview;
mod redact;
mod store;
mod stream;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::core::Core;
use crate::http::{Body, PageRequest, Pieces};
use details::Details;
use files::{Files, secured, text_of};
use store::Store;
use stream::{Reader, Wants};

/// Where it is on the management port.
pub const PATH: &str = "/console";
/// Readers at a time: each is a page that somebody has open.
const MOST_READERS: usize = 32;

/// What the configuration says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Where its files are; `None` where there are none.
    pub directory: Option<PathBuf>,
    /// Whether it may change anything.
    pub may_write: bool,
}

/// The console of a server.
#[derive(Debug)]
pub struct Console {
    core: Arc<Core>,
    files: Files,
    may_write: bool,
    readers: Mutex<Readers>,
    store: Mutex<Store>,
    details: Details,
    /// Counts what [`drive`] has done.
    ticks: watch::Sender<u64>,
}

/// Who looks, and at what.
#[derive(Debug, Default)]
struct Readers {
    count: usize,
    /// Something makes what they are shown.
    driven: bool,
    /// Ids of pipelines and objects, with how many look at each.
    pipelines: HashMap<Arc<str>, usize>,
    objects: HashMap<Arc<str>, usize>,
}

impl Console {
    /// The console of a server, with the files that there are now.
    #[must_use]
    pub fn new(core: Arc<Core>, options: Options) -> Arc<Console> {
        Arc::new(Console {
            core,
            files: Files::read(options.directory.as_deref()),
            may_write: options.may_write,
            readers: Mutex::default(),
            store: Mutex::default(),
            details: Details::default(),
            ticks: watch::Sender::new(0),
        })
    }

    /// The answer to a request at [`PATH`] or below it.
    #[must_use]
    pub fn answer(self: &Arc<Self>, method: &Method, asked: &PageRequest<'_>) -> Response<Body> {
        let path = asked.path.strip_prefix(PATH).unwrap_or_default();
        let shows = matches!(*method, Method::GET | Method::HEAD);
        match path {
            // Relative addresses in the page need the slash.
            "" if shows => redirect(),
            "/api" if *method == Method::GET => self.read(asked.query),
            "/api/level" if *method == Method::POST => {
                match access::may_change(asked.headers, self.may_write) {
                    Ok(()) => levels::change(&self.core, asked),
                    Err(refusal) => text_of(StatusCode::FORBIDDEN, format!("{refusal}\n")),
                }
            }
            "/api" | "/api/level" => not_allowed(if path == "/api" { "GET" } else { "POST" }),
            _ if shows => self
                .files
                .answer(path.trim_start_matches('/'), asked.headers),
            _ => not_allowed("GET, HEAD"),
        }
    }

    /// What a reader is told first.
    fn hello(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "mayWrite": self.may_write,
            "periodMillis": drive::PERIOD.as_millis() as u64,
        })
    }

    fn read(self: &Arc<Self>, query: Option<&str>) -> Response<Body> {
        let wants = wants(query.unwrap_or_default());
        if !self.joined(&wants) {
            let text = format!("{MOST_READERS} pages are open already: close one of them\n");
            return text_of(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        let reader = Reader::new(self, wants);
        let mut response = Response::new(Body::Stream(Pieces::new(reader.stream())));
        let events = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(CONTENT_TYPE, events);
        secured(response)
    }

    /// Somebody begins to look; `false` where too many do.
    fn joined(self: &Arc<Self>, wants: &Wants) -> bool {
        let mut readers = self.readers.lock();
        if readers.count >= MOST_READERS {
            return false;
        }
        readers.count += 1;
        for (all, one) in readers.watched(wants) {
            *all.entry(one.clone()).or_default() += 1;
        }
        if !std::mem::replace(&mut readers.driven, true) {
            drive::start(self);
        }
        true
    }

    /// Somebody looks no more.
    fn left(&self, wants: &Wants) {
        let mut readers = self.readers.lock();
        readers.count = readers.count.saturating_sub(1);
        for (all, one) in readers.watched(wants) {
            if let Some(count) = all.get_mut(one) {
                *count -= 1;
                if *count == 0 {
                    all.remove(one);
                }
            }
        }
    }
}

impl Readers {
    fn watched<'w>(
        &mut self,
        wants: &'w Wants,
    ) -> impl Iterator<Item = (&mut HashMap<Arc<str>, usize>, &'w Arc<str>)> {
        let pipeline = wants.pipeline.as_ref().map(|id| (&mut self.pipelines, id));
        let object = wants.object.as_ref().map(|id| (&mut self.objects, id));
        pipeline.into_iter().chain(object)
    }
}

fn redirect() -> Response<Body> {
    let mut response = text_of(StatusCode::PERMANENT_REDIRECT, "It is at /console/\n");
    let location = HeaderValue::from_static("/console/");
    response.headers_mut().insert(LOCATION, location);
    response
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = text_of(StatusCode::METHOD_NOT_ALLOWED, format!("Only {methods}\n"));
    let allowed = HeaderValue::from_static(methods);
    response.headers_mut().insert(hyper::header::ALLOW, allowed);
    response
}

fn wants(query: &str) -> Wants {
    let id = |name| parameter(query, name).map(Arc::from);
    Wants {
        pipeline: id("pipeline"),
        object: id("object"),
    }
}

/// A parameter of a query; `None` if it is missing or empty.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    Some(decoded(value)).filter(|value| !value.is_empty())
}

/// What is percent-encoded as it was (RFC 3986 section 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = "pipeline=a%2Fb&object=&x&pipeline=c&bad=%zz%4";
        let of = |name| parameter(query, name);
        assert_eq!(of("pipeline").as_deref(), Some("a/b"));
        assert_eq!(of("bad").as_deref(), Some("%zz%4"));
        assert_eq!((of("object"), of("x"), of("missing")), (None, None, None));
    }
}
