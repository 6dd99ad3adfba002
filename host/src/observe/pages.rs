//! Pages for supervisors: `/health` everywhere, `/metrics` where only they look.

use std::fmt::Write as _;
use std::sync::Arc;

use hyper::StatusCode;

use rivero_plugin_api::supervise;

use crate::core::usage;
use crate::http::{Page, Router};
use crate::lifecycle::Phase;
use crate::protocol::methods::Methods;

/// The pages of a port with the WebSocket.
#[must_use]
pub fn control(methods: &Arc<Methods>, on_loopback: bool) -> Router {
    let router = Router::new(|_| Page::text(StatusCode::UPGRADE_REQUIRED, "This is a WebSocket\n"));
    let router = with_health(router, methods);
    match on_loopback {
        true => with_metrics(router, methods),
        // Who calls the server from elsewhere need not know how it is.
        false => router.page("/metrics", |_| {
            Page::text(
                StatusCode::NOT_FOUND,
                "Metrics are on the management port\n",
            )
        }),
    }
}

/// The pages of the management port.
#[must_use]
pub fn management(methods: &Arc<Methods>) -> Router {
    let router = Router::new(|_| {
        let pages = "There are /health and /metrics here\n";
        Page::text(StatusCode::NOT_FOUND, pages)
    });
    with_metrics(with_health(router, methods), methods)
}

fn with_health(router: Router, methods: &Arc<Methods>) -> Router {
    let methods = methods.clone();
    router.page("/health", move |_| {
        health(methods.core().lifecycle.phase())
    })
}

fn with_metrics(router: Router, methods: &Arc<Methods>) -> Router {
    let methods = methods.clone();
    router.page("/metrics", move |_| metrics_page(&methods))
}

/// Whether a load balancer should send anybody here.
fn health(phase: Phase) -> Page {
    match phase {
        Phase::Running => Page::text(StatusCode::OK, "ok\n"),
        phase => Page::text(StatusCode::SERVICE_UNAVAILABLE, format!("{phase}\n")),
    }
}

fn metrics_page(methods: &Methods) -> Page {
    Page {
        status: StatusCode::OK,
        content_type: "text/plain; version=0.0.4",
        body: metrics(methods).into(),
    }
}

/// Metrics in the text format of Prometheus.
fn metrics(methods: &Methods) -> String {
    let registry = &methods.core().registry;
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, value: f64| {
        let _ = writeln!(
            out,
            "# HELP rivero_{name} {help}\n# TYPE rivero_{name} gauge\nrivero_{name} {value}"
        );
    };
    gauge(
        "objects",
        "Objects, the server manager excepted.",
        count(registry.object_count()),
    );
    gauge(
        "pipelines",
        "Media pipelines.",
        count(registry.pipelines().len()),
    );
    gauge(
        "sessions",
        "Sessions that hold objects.",
        count(registry.session_count()),
    );
    gauge(
        "resident_bytes",
        "Resident memory.",
        count(usize::try_from(usage::memory_kib()).unwrap_or_default()) * 1024.0,
    );
    let _ = writeln!(
        out,
        "# HELP rivero_cpu_seconds_total CPU time used.\n# TYPE rivero_cpu_seconds_total counter\nrivero_cpu_seconds_total {}",
        usage::cpu_time().as_secs_f64()
    );
    out.push_str("# HELP rivero_panics_total Panics that were contained, by place.\n# TYPE rivero_panics_total counter\n");
    for (place, count) in supervise::panics() {
        let _ = writeln!(out, "rivero_panics_total{{place=\"{place}\"}} {count}");
    }
    out.push_str(&methods.core().media_metrics());
    out.push_str(&methods.core().factories.metrics());
    out
}

#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floats; counts stay far below 2^53"
)]
fn count(number: usize) -> f64 {
    number as f64
}
