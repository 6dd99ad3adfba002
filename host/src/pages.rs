//! Pages for supervisors: `/health` everywhere, `/metrics` and the console where only they look.

use std::sync::Arc;

use hyper::StatusCode;

use crate::console::{self, Console};
use crate::http::{Page, Router};
use crate::lifecycle::Phase;
use crate::modules::overdue_calls;
use crate::protocol::methods::Methods;

/// The pages of a port with the WebSocket.
#[must_use]
pub(crate) fn control(methods: &Arc<Methods>, on_loopback: bool) -> Router {
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
pub(crate) fn management(methods: &Arc<Methods>, console: &Arc<Console>) -> Router {
    let router = Router::new(|_| {
        let pages = "There are /health, /metrics and /console here\n";
        Page::text(StatusCode::NOT_FOUND, pages)
    });
    let console = console.clone();
    let router = router.area(console::PATH, move |method, asked| {
        console.answer(method, asked)
    });
    with_metrics(with_health(router, methods), methods)
}

fn with_health(router: Router, methods: &Arc<Methods>) -> Router {
    let methods = methods.clone();
    router.page("/health", move |_| health(methods.core().lifecycle.phase()))
}

fn with_metrics(router: Router, methods: &Arc<Methods>) -> Router {
    let methods = methods.clone();
    router.page("/metrics", move |_| metrics_page(&methods))
}

/// Whether a load balancer should send anybody here.
fn health(phase: Phase) -> Page {
    match phase {
        Phase::Running => {
            // Calls that do not return are a reason to look, and none to send nobody here.
            let overdue = overdue_calls().into_iter();
            let lines = std::iter::once("ok".to_owned()).chain(overdue);
            Page::text(
                StatusCode::OK,
                lines.map(|line| line + "\n").collect::<String>(),
            )
        }
        phase => Page::text(StatusCode::SERVICE_UNAVAILABLE, format!("{phase}\n")),
    }
}

fn metrics_page(methods: &Methods) -> Page {
    Page {
        status: StatusCode::OK,
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        body: methods.core().metrics.page().into(),
    }
}
