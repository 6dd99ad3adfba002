//! The page, and what it is told.

use super::child::Ended;
use super::http::{self, Request, Response};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [(&str, &str); 4] = [
    ("/page.mjs", include_str!("page.mjs")),
    ("/media.mjs", include_str!("media.mjs")),
    ("/rpc.mjs", include_str!("rpc.mjs")),
    ("/fields.mjs", include_str!("fields.mjs")),
];
/// How long a page waits for news in one request.
const WAIT: Duration = Duration::from_secs(20);

/// Where things stand: the last build, and what the server has.
#[derive(Clone)]
pub(super) struct State(Value);

impl State {
    pub(super) fn new(name: &str, builds: u64, url: &str) -> Self {
        Self(json!({ "state": name, "builds": builds, "url": url }))
    }

    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        if let Some(members) = self.0.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        self
    }
}

/// A state with its number, and the latest module that could be used.
#[derive(Default)]
struct Shown {
    number: u64,
    state: Value,
    module: Value,
}

#[derive(Default)]
struct News {
    shown: Mutex<Shown>,
    changed: Condvar,
}

impl News {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as soon as it has another number than the page knows.
    fn after(&self, known: u64) -> String {
        let shown = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(shown, WAIT, |shown| shown.number == known);
        let (shown, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut state = shown.state.clone();
        if let Some(members) = state.as_object_mut() {
            members.insert("number".to_owned(), json!(shown.number));
            members.insert("module".to_owned(), shown.module.clone());
        }
        state.to_string()
    }
}

/// The page, for as long as the process lives.
pub(super) struct Page {
    news: Arc<News>,
    port: u16,
}

impl Page {
    pub(super) fn serve(port: u16) -> Result<Self, Ended> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map_err(|error| super::failed(format!("port {port} for the page: {error}")))?;
        let port = listener.local_addr()?.port();
        let news = Arc::<News>::default();
        let of_page = news.clone();
        http::serve(listener, move |request| answer(&of_page, request));
        Ok(Self { news, port })
    }

    /// Where a browser finds it: cameras are for pages of `localhost` (W3C Secure Contexts).
    pub(super) fn url(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    pub(super) fn show(&self, State(state): State) {
        let mut shown = self.news.lock();
        shown.number += 1;
        if let Some(module) = state.get("module") {
            shown.module = module.clone();
        }
        shown.state = state;
        drop(shown);
        self.news.changed.notify_all();
    }
}

fn answer(news: &News, request: &Request) -> Option<Response> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let script = SCRIPTS.iter().find(|(name, _)| *name == path);
    let (kind, body) = match (path, script) {
        ("/", _) => ("text/html", DOCUMENT.to_owned()),
        ("/page.css", _) => ("text/css", STYLE.to_owned()),
        (_, Some((_, text))) => ("text/javascript", (*text).to_owned()),
        ("/state", _) => {
            let known = query
                .strip_prefix("after=")
                .and_then(|number| number.parse().ok());
            ("application/json", news.after(known.unwrap_or(0)))
        }
        _ => return None,
    };
    Some(Response { kind, body })
}
