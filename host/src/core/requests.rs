//! Requests of clients: how many there were, what came of them, how long they took.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::CODES;
use crate::observe::metrics::{Family, Kind, Labels, count};
use crate::observe::times::Times;

/// The methods of the protocol. Clients may name any other; all of these are counted as [`OTHER`].
pub const METHODS: [&str; 13] = [
    "ping",
    "connect",
    "create",
    "invoke",
    "describe",
    "subscribe",
    "unsubscribe",
    "release",
    "ref",
    "unref",
    "keepAlive",
    "closeSession",
    "transaction",
];
/// What stands for whatever is not known: methods of clients, codes of modules, what is no request at all.
const OTHER: &str = "other";
/// The label of what succeeded.
const OK: &str = "ok";

/// Upper bounds in seconds. An answer that takes longer than 20 ms lets others overtake it, clients wait for
/// 9 s.
const BOUNDS: [f64; 10] = [
    0.0001,
    0.0005,
    0.001,
    0.005,
    0.02,
    0.1,
    0.5,
    2.0,
    9.0,
    f64::MAX,
];

/// All requests that were answered since the start.
#[derive(Debug)]
pub struct Requests {
    /// As [`METHODS`], and one more for all others.
    methods: Vec<Answered>,
}

#[derive(Debug)]
struct Answered {
    name: &'static str,
    succeeded: AtomicU64,
    /// By code; a lock for what is rare.
    failed: Mutex<BTreeMap<Option<i32>, u64>>,
    took: Times,
}

/// Which method a request names.
#[derive(Debug, Clone, Copy)]
pub struct Method(usize);

impl Method {
    /// Of a name that a client sent.
    #[must_use]
    pub fn named(name: &str) -> Method {
        let known = METHODS.iter().position(|known| *known == name);
        Method(known.unwrap_or(METHODS.len()))
    }

    /// That of a text that is no request.
    #[must_use]
    pub fn unknown() -> Method {
        Method(METHODS.len())
    }
}

impl Default for Requests {
    fn default() -> Requests {
        let names = METHODS.into_iter().chain([OTHER]);
        let methods = names.map(|name| Answered {
            name,
            succeeded: AtomicU64::new(0),
            failed: Mutex::default(),
            took: Times::new(&BOUNDS),
        });
        Requests {
            methods: methods.collect(),
        }
    }
}

impl Requests {
    /// A request was answered, with the code of an error or without one, after this time.
    pub fn answered(&self, Method(number): Method, error: Option<i32>, took: Duration) {
        let Some(method) = self.methods.get(number) else {
            return;
        };
        match error {
            None => drop(method.succeeded.fetch_add(1, Relaxed)),
            Some(code) => {
                // Modules choose codes of their own, which would be series without end.
                let known = CODES.iter().any(|(known, _)| *known == code);
                let mut failed = method.failed.lock();
                *failed.entry(known.then_some(code)).or_default() += 1;
            }
        }
        method.took.add(took);
    }

    /// For the page.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let mut answered = Family::new(
            "requests_total",
            Kind::Counter,
            "Requests that were answered, by method and code of the error.",
        );
        let mut took = Family::of_histograms(
            "request_seconds",
            "How long requests took from their arrival to the reply.",
        );
        for method in &self.methods {
            let mut add = |code: &str, number: u64| {
                let labels = [("method", method.name.into()), ("code", code.into())];
                answered.add(Labels::new(labels).unwrap_or_default(), count(number));
            };
            let succeeded = method.succeeded.load(Relaxed);
            let failed = method.failed.lock();
            if succeeded == 0 && failed.is_empty() {
                continue;
            }
            add(OK, succeeded);
            for (code, number) in &*failed {
                let code = code.map_or_else(|| OTHER.to_owned(), |code| code.to_string());
                add(&code, *number);
            }
            took.add_histogram(Labels::one("method", method.name), method.took.read());
        }
        vec![answered, took]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Metrics;

    #[test]
    fn what_clients_and_modules_make_up_is_one_series() {
        let requests = Requests::default();
        let took = Duration::from_millis(3);
        for name in ["create", "evil 1", "evil 2"] {
            requests.answered(Method::named(name), Some(40101), took);
        }
        for code in [1, 2, 49_000] {
            requests.answered(Method::named("create"), Some(code), took);
        }
        requests.answered(Method::named("create"), None, took);
        let requests = std::sync::Arc::new(requests);
        let page = Metrics::new(vec![Box::new(move || requests.families())]).page();
        let counted = |line: &&str| line.starts_with("rivero_requests_total{");
        let lines: Vec<&str> = page.lines().filter(counted).collect();
        assert_eq!(
            lines,
            [
                r#"rivero_requests_total{code="40101",method="create"} 1"#,
                r#"rivero_requests_total{code="40101",method="other"} 2"#,
                r#"rivero_requests_total{code="ok",method="create"} 1"#,
                r#"rivero_requests_total{code="ok",method="other"} 0"#,
                r#"rivero_requests_total{code="other",method="create"} 3"#,
            ]
        );
        let bucket = r#"rivero_request_seconds_bucket{le="0.005",method="create"} 5"#;
        assert!(page.contains(bucket), "{page}");
    }
}
